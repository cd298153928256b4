//! The scene: which channels it opens and closes, and what another photo as the scene would do.

use egui::Ui;
use egui_plot::{Bar, BarChart, Legend, Line, Plot, PlotPoints};

use super::{amount, change, pooling, small_maps, without_blocks};
use crate::app::layer::Layer;
use crate::app::state::AppState;
use crate::app::textures::Textures;
use crate::app::variants::variant_colour;
use crate::engine::PhotoSource;
use crate::figure::scale::number_text;
use crate::model::VariantId;

/// The whole tab.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    label: &str,
    variant: VariantId,
) {
    let Some(network) = state.inside().and_then(|inside| inside.network(variant)) else {
        ui.weak("computing…");
        return;
    };
    let Some(gate) = network.gate.clone() else {
        ui.weak(match network.parts {
            None => without_blocks(variant),
            Some(_) => format!(
                "{} has no scene block: nothing opens or closes its channels",
                variant.title()
            ),
        });
        return;
    };
    gate_bars(ui, state, variant, &gate);
    scene_choice(ui, state);
    let Some(source) = &state.inspector.scene.source else {
        return;
    };
    if state.other_scene().is_none() {
        ui.weak(match state.photos.unreadable.get(source) {
            Some(reason) => format!("{} cannot be the scene: {reason}", source.name()),
            None => "computing…".to_owned(),
        });
        return;
    }
    maps(ui, state, textures, label, variant);
    table(ui, state, variant);
}

/// The gate, its most open channel first, and in the same order that of another scene.
fn gate_bars(ui: &mut Ui, state: &AppState, variant: VariantId, gate: &[f32]) {
    let mut order: Vec<usize> = (0..gate.len()).collect();
    order.sort_by(|&one, &other| gate[other].total_cmp(&gate[one]));
    let open = gate.iter().filter(|&&value| value > 0.5).count();
    let text = format!("{open} of {} channels more than half open", gate.len());
    ui.strong(format!("The gate r_g in {}", variant.title()));
    let other = state.other_scene().and_then(|scene| scene.network(variant));
    let colour = variant_colour(ui.visuals(), variant);
    let line = ui.visuals().text_color();
    let sorted: Vec<Bar> = order
        .iter()
        .zip(1u32..)
        .map(|(&channel, place)| Bar::new(f64::from(place), f64::from(gate[channel])).width(1.0))
        .collect();
    let shown = Plot::new("gate")
        .height(130.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .include_y(0.0)
        .include_y(1.0)
        .legend(Legend::default())
        .show(ui, |plot| {
            plot.bar_chart(BarChart::new("this photo", sorted).color(colour.gamma_multiply(0.7)));
            if let Some(other) = other {
                let points = order.iter().zip(1u32..);
                let points: PlotPoints<'_> = points
                    .filter_map(|(&channel, place)| {
                        Some([f64::from(place), f64::from(*other.gate.get(channel)?)])
                    })
                    .collect();
                plot.line(Line::new("other scene", points).color(line).width(1.0));
            }
        });
    let name = format!("Gate of {}", variant.title());
    pooling::describe(&shown.response, &name, text.clone());
    ui.weak(format!("Channels, the most open first: {text}."));
}

/// Which photo is the scene: its own, or one of those that are open.
fn scene_choice(ui: &mut Ui, state: &mut AppState) {
    ui.add_space(6.0);
    let photos: Vec<PhotoSource> = state.photos.entries.to_vec();
    let now = state.inspector.scene.source.clone();
    let own = "this photo’s own".to_owned();
    let text = now.as_ref().map_or(own.clone(), PhotoSource::name);
    ui.horizontal_wrapped(|ui| {
        let name = ui.label("Scene");
        let combo = egui::ComboBox::from_id_salt("scene").selected_text(text);
        let response = combo.width(200.0).truncate().show_ui(ui, |ui| {
            if ui.selectable_label(now.is_none(), own).clicked() {
                state.inspector.scene.source = None;
            }
            for photo in photos {
                let chosen = now.as_ref() == Some(&photo);
                if ui.selectable_label(chosen, photo.name()).clicked() {
                    state.inspector.scene.source = Some(photo);
                }
            }
        });
        response.response.labelled_by(name.id);
    });
}

/// The map as it is, and with the other scene.
fn maps(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    label: &str,
    variant: VariantId,
) {
    let size = small_maps::size(ui, state, 2);
    let about = (label, variant);
    let layers = [Layer::Response, Layer::Scene];
    small_maps::prepare(ui, state, textures, about, &layers, size);
    ui.horizontal_top(|ui| {
        for (layer, title) in [
            (Layer::Response, "own scene"),
            (Layer::Scene, "other scene"),
        ] {
            ui.vertical(|ui| {
                let name = format!("{label} in {}, {title}", variant.title());
                let value = |raw| format!("raw {}", number_text(raw, 3));
                small_maps::show(ui, state, textures, about, layer, size, &name, value);
                ui.label(title);
            });
        }
    });
}

/// What the other scene makes of every label's score.
fn table(ui: &mut Ui, state: &AppState, variant: VariantId) {
    let Some(scene) = state.other_scene() else {
        return;
    };
    let k = state.pooled_k();
    ui.strong(format!("Scores in {}", variant.title()));
    egui::Grid::new("scene scores")
        .num_columns(4)
        .striped(true)
        .show(ui, |ui| {
            for head in ["", "own scene", "other scene", "change"] {
                ui.weak(head);
            }
            ui.end_row();
            for label in &scene.labels {
                let (Some(own), Some(other)) =
                    (state.map(label, variant), scene.map(label, variant))
                else {
                    continue;
                };
                let score = |score| {
                    own.ordinary
                        .as_ref()
                        .map_or(score, |usual| usual.sigma(score))
                };
                let [before, after] = [own, other].map(|map| score(map.score(k)));
                let unit = state.part_unit(label, variant);
                ui.label(label);
                ui.monospace(amount(before, unit));
                ui.monospace(amount(after, unit));
                ui.monospace(format!("{} {unit}", change(after - before, unit)));
                ui.end_row();
            }
        });
}
