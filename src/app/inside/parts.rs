//! Where a response comes from: its parts as bars, through the network, and as maps.

use egui::{Rect, Sense, Stroke, Ui, pos2, vec2};

use super::{amount, change, small_maps, without_blocks};
use crate::app::layer::Layer;
use crate::app::state::AppState;
use crate::app::textures::Textures;
use crate::app::theme;
use crate::engine::ResponseMap;
use crate::model::{Part, VariantId};

/// Width of the bars in points.
const BARS: f32 = 120.0;

/// One region's response as a sum.
#[derive(Debug, PartialEq)]
pub struct Sum {
    /// `σ` or `raw`.
    pub unit: &'static str,
    pub parts: Vec<(Part, f32)>,
    /// What an ordinary region has, which σ is counted from.
    pub ordinary: Option<f32>,
    /// The response in that unit.
    pub total: f32,
}

impl Sum {
    /// From raw parts of a region of a map.
    fn new(parts: &[(Part, f32)], map: &ResponseMap, region: usize) -> Option<Self> {
        let response = *map.responses.get(region)?;
        let Some(ordinary) = &map.ordinary else {
            return Some(Self {
                unit: "raw",
                parts: parts.to_vec(),
                ordinary: None,
                total: response,
            });
        };
        let in_unit = |value: f32| value / ordinary.deviation();
        Some(Self {
            unit: "σ",
            parts: parts
                .iter()
                .map(|&(part, raw)| (part, in_unit(raw)))
                .collect(),
            ordinary: Some(-in_unit(ordinary.mean())),
            total: ordinary.sigma(response),
        })
    }

    /// The response as it stands behind each block: without what comes later.
    fn stages(&self) -> Vec<(&'static str, f32)> {
        let has = |part| self.parts.iter().any(|&(known, _)| known == part);
        let until = |last: Part| {
            let summed = self.parts.iter().filter(|&&(part, _)| {
                part <= last || matches!(part, Part::FusionBias | Part::LabelIndependent)
            });
            summed.map(|(_, value)| value).sum::<f32>() + self.ordinary.unwrap_or_default()
        };
        let mut stages = vec![("x_r", until(Part::Shortcut))];
        for (part, name) in [
            (Part::Latent, "h_r"),
            (Part::Rcb, "e_r"),
            (Part::Scb, "e_g"),
        ] {
            if has(part) {
                stages.push((name, until(part)));
            }
        }
        stages.push(("e_f", self.total));
        stages
    }
}

impl AppState {
    /// A region's response to a label in a network, as the sum of its parts.
    pub fn sum_of_parts(&self, label: &str, variant: VariantId, region: usize) -> Option<Sum> {
        let parts = self.inside()?.parts(label, variant)?;
        let parts = parts
            .into_iter()
            .map(|(part, map)| Some((part, *map.get(region)?)));
        let parts: Vec<(Part, f32)> = parts.collect::<Option<_>>()?;
        Sum::new(&parts, self.map(label, variant)?, region)
    }
}

/// The layers of all parts that a network has.
pub fn layers(state: &AppState, label: &str, variant: VariantId) -> Vec<Layer> {
    let parts = state
        .inside()
        .and_then(|inside| inside.parts(label, variant));
    let parts = parts.unwrap_or_default().into_iter();
    parts.map(|(part, _)| Layer::Part(part)).collect()
}

/// The parts of a region's response, then their maps.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    label: &str,
    variant: VariantId,
    region: usize,
) {
    ui.add_space(6.0);
    ui.strong("Where the response comes from");
    let Some(sum) = state.sum_of_parts(label, variant, region) else {
        nothing(ui, state, variant);
        return;
    };
    bars(ui, &sum);
    stages(ui, &sum);
    maps(ui, state, textures, label, variant, sum.unit);
}

/// The maps of the parts alone, while no region is chosen.
pub fn of_map(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    label: &str,
    variant: VariantId,
) {
    let layers = layers(state, label, variant);
    if layers.is_empty() {
        nothing(ui, state, variant);
        return;
    }
    let size = small_maps::size(ui, state, 2);
    small_maps::prepare(ui, state, textures, (label, variant), &layers, size);
    let unit = state.part_unit(label, variant);
    maps(ui, state, textures, label, variant, unit);
}

fn nothing(ui: &mut Ui, state: &AppState, variant: VariantId) {
    let network = state.inside().and_then(|inside| inside.network(variant));
    ui.weak(match network {
        Some(network) if network.parts.is_none() => without_blocks(variant),
        Some(_) => "not computed".to_owned(),
        None => "computing…".to_owned(),
    });
}

fn bars(ui: &mut Ui, sum: &Sum) {
    let ordinary = sum.ordinary.map(|value| ("less what is ordinary", value));
    let parts = sum.parts.iter();
    let rows: Vec<(&str, f32)> = parts
        .map(|(part, value)| (part.title(), *value))
        .chain(ordinary)
        .collect();
    let ends = running(&rows);
    egui::Grid::new("parts").num_columns(3).show(ui, |ui| {
        for ((name, value), ends) in rows.iter().zip(&ends.1) {
            let response = ui.label(*name);
            if let Some((part, _)) = sum.parts.iter().find(|(part, _)| part.title() == *name) {
                response.on_hover_text(part.sentence());
            }
            bar(ui, *ends, ends_range(&ends_of(&rows)), *value);
            ui.monospace(format!("{} {}", change(*value, sum.unit), sum.unit));
            ui.end_row();
        }
        ui.strong("response");
        bar(ui, [0.0, sum.total], ends_range(&ends_of(&rows)), sum.total);
        ui.monospace(format!("{} {}", amount(sum.total, sum.unit), sum.unit));
        ui.end_row();
    });
}

/// Where each bar begins and ends, one after the other.
fn running(rows: &[(&str, f32)]) -> (f32, Vec<[f32; 2]>) {
    let mut at = 0.0;
    let ends = rows
        .iter()
        .map(|(_, value)| {
            let from = at;
            at += value;
            [from, at]
        })
        .collect();
    (at, ends)
}

fn ends_of(rows: &[(&str, f32)]) -> Vec<[f32; 2]> {
    running(rows).1
}

fn ends_range(ends: &[[f32; 2]]) -> [f32; 2] {
    let all = ends.iter().flatten().copied();
    all.fold([0.0, 0.0], |[low, high], end| [low.min(end), high.max(end)])
}

fn bar(ui: &mut Ui, [from, to]: [f32; 2], [low, high]: [f32; 2], value: f32) {
    let size = vec2(BARS, ui.spacing().interact_size.y - 6.0);
    let (place, _) = ui.allocate_exact_size(size, Sense::hover());
    let span = (high - low).max(f32::MIN_POSITIVE);
    let x = |value: f32| egui::lerp(place.x_range(), (value - low) / span);
    let (left, right) = (x(from.min(to)), x(from.max(to)));
    let rect = Rect::from_x_y_ranges(left..=right.max(left + 1.0), place.y_range());
    let colour = theme::sign_colour(ui.visuals(), value >= 0.0);
    ui.painter().rect_filled(rect, 1.0, colour);
    let line = Stroke::new(1.0, ui.visuals().weak_text_color());
    let zero = x(0.0);
    ui.painter().line_segment(
        [
            pos2(zero, place.top() - 2.0),
            pos2(zero, place.bottom() + 2.0),
        ],
        line,
    );
}

/// The response as it goes through the network.
fn stages(ui: &mut Ui, sum: &Sum) {
    let texts: Vec<String> = sum
        .stages()
        .into_iter()
        .map(|(name, value)| format!("{name}\u{a0}{}", amount(value, sum.unit)))
        .collect();
    let text = format!("Through the network, {}: {}", sum.unit, texts.join(" · "));
    ui.label(text).on_hover_text(
        "The response with what comes later left out: x_r alone (biases, and the shortcut where \
         there is one), then with h_r, with what RCB adds (e_r), with what SCB adds (e_g), and \
         all of it (e_f)",
    );
}

fn maps(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    label: &str,
    variant: VariantId,
    unit: &str,
) {
    let layers = layers(state, label, variant);
    let Some(scale) = layers
        .first()
        .and_then(|&layer| state.layer_scale(label, variant, layer))
    else {
        return;
    };
    let highest = amount(scale.high, unit);
    ui.weak(format!(
        "As maps, all from −{highest} (blue) to +{highest} {unit} (red); a tick puts one into the \
         grid"
    ));
    let size = small_maps::size(ui, state, 3);
    egui::Grid::new("maps of parts")
        .num_columns(3)
        .show(ui, |ui| {
            for (place, layer) in layers.into_iter().enumerate() {
                let Layer::Part(part) = layer else { continue };
                ui.vertical(|ui| {
                    let name = format!("{}: {label} in {}", part.title(), variant.title());
                    let about = (label, variant);
                    let value = |value| format!("{} {unit}", change(value, unit));
                    small_maps::show(ui, state, textures, about, layer, size, &name, value);
                    let mut shown = state.inspector.parts.contains(&part);
                    let tick = ui.checkbox(&mut shown, part.title());
                    if tick.on_hover_text(part.sentence()).changed() {
                        state.toggle_part(part);
                    }
                });
                if place % 3 == 2 {
                    ui.end_row();
                }
            }
        });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::OrdinaryResponses;

    #[test]
    fn parts_add_up_in_sigma_and_raw() {
        let parts = [
            (Part::Latent, 1.0),
            (Part::Rcb, 2.5),
            (Part::Scb, -0.5),
            (Part::LabelIndependent, 1.0),
        ];
        let mut map = ResponseMap {
            responses: [4.0].into(),
            own_score: None,
            ordinary: OrdinaryResponses::new(vec![0.0, 4.0]).map(Arc::new),
        };
        let sum = Sum::new(&parts, &map, 0).expect("a region");
        let added: f32 = sum.parts.iter().map(|(_, value)| value).sum();
        assert_eq!((sum.unit, sum.ordinary), ("σ", Some(-1.0)));
        assert_eq!(added - 1.0, sum.total);
        let stages = [("x_r", -0.5), ("h_r", 0.0), ("e_r", 1.25), ("e_g", 1.0)];
        assert_eq!(sum.stages()[..4], stages);
        assert_eq!(sum.stages()[4], ("e_f", 1.0));
        map.ordinary = None;
        let raw = Sum::new(&parts, &map, 0).expect("a region");
        assert_eq!((raw.unit, raw.ordinary, raw.total), ("raw", None, 4.0));
        assert_eq!(Sum::new(&parts, &map, 1), None);
    }
}
