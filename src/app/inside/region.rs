//! One region: what it says of the label, where that comes from, where it looks, its labels.

use egui::Ui;

use super::{attention, parts, pins, small_maps};
use crate::app::commands::{self, Command};
use crate::app::keys;
use crate::app::layer::{Layer, Look};
use crate::app::read_out;
use crate::app::region_labels;
use crate::app::state::{AppState, HoveredRegion};
use crate::app::textures::Textures;
use crate::engine::ResponseMap;
use crate::figure::scale::number_text;
use crate::model::VariantId;

/// Labels that are listed.
const LABELS: usize = 10;

/// Everything about the chosen region.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    label: &str,
    variant: VariantId,
) {
    let Some(region) = state.chosen_region() else {
        ui.label("Click a region of the photo, or press Shift and an arrow key.");
        parts::of_map(ui, state, textures, label, variant);
        return;
    };
    if state.map(label, variant).is_none() {
        ui.weak(match state.refusal(label) {
            Some(reason) => reason.to_owned(),
            None => "computing…".to_owned(),
        });
        return;
    }
    summary(ui, state, label, variant, region);
    prepare(ui, state, textures, label, variant);
    parts::show(ui, state, textures, label, variant, region);
    attention::show(ui, state, textures, label, variant, region);
    labels(ui, state, variant, region);
    pins::show(ui, state, variant);
}

/// All pictures of this tab at once, as large as the largest of them.
fn prepare(ui: &Ui, state: &AppState, textures: &mut Textures, label: &str, variant: VariantId) {
    let mut layers = parts::layers(state, label, variant);
    layers.extend([Look::From, Look::To].map(Layer::Attention));
    let heads = state.looks().and_then(|looks| looks.network(variant));
    let heads = heads.map_or(0, |looks| looks.from.len());
    layers.extend((0..heads).map(|head| Layer::Attention(Look::Head(head))));
    let size = small_maps::size(ui, state, 2);
    small_maps::prepare(ui, state, textures, (label, variant), &layers, size);
}

fn summary(ui: &mut Ui, state: &mut AppState, label: &str, variant: VariantId, region: usize) {
    let [row, column] = state.inspector.region.unwrap_or_default();
    let hovered = HoveredRegion {
        row,
        column,
        label: state.labels.position(label).unwrap_or(usize::MAX),
        variant: Some(variant),
    };
    if let Some(sentence) = read_out::sentence_at(state, hovered) {
        ui.label(sentence);
    }
    if let Some(map) = state.map(label, variant) {
        ui.label(share(map, state.pooled_k(), region));
    }
    ui.horizontal_wrapped(|ui| {
        let pinned = state.inspector.pins.contains(&[row, column]);
        let text = if pinned { "Unpin" } else { "Pin" };
        command_button(ui, state, Command::PinRegion, text);
        command_button(ui, state, Command::CopyRegions, "Copy as TSV");
    });
}

/// A button of a command, with its whole name and its key under the pointer.
pub fn command_button(ui: &mut Ui, state: &mut AppState, command: Command, text: &str) {
    let available = commands::available(command, state);
    let mut response = ui.add_enabled(available.is_ok(), egui::Button::new(text));
    if let Some(entry) = commands::entry(command) {
        let key = entry.shortcut.map(|keys| keys::keys_text(ui.ctx(), &keys));
        response = response.on_hover_text(match key {
            Some(key) => format!("{} ({key})", entry.name),
            None => entry.name.clone(),
        });
    }
    if response.clicked() {
        state.give(command);
    }
    if let Err(reason) = available {
        response.on_disabled_hover_text(reason);
    }
}

/// What a region brings to a label's score.
fn share(map: &ResponseMap, k: usize, region: usize) -> String {
    if map.own_score.is_some() {
        return "The score of this network is not made of single regions.".to_owned();
    }
    let pooled = map.pooled_regions(k);
    let Some(place) = pooled.iter().position(|&of| of == region) else {
        return format!(
            "Not among the {} regions that the score is the mean of: no share in it",
            pooled.len()
        );
    };
    let values = pooled.iter().filter_map(|&of| map.responses.get(of));
    let brings = map.responses.get(region).copied().unwrap_or_default() / pooled.len() as f32;
    let score = map.score(k);
    // Only a sum of positive numbers has shares.
    let percent = match values.clone().all(|&value| value > 0.0) {
        true => format!(", {} %", number_text(100.0 * brings / score, 1)),
        false => String::new(),
    };
    format!(
        "Number {} of the {} regions that the score is the mean of: brings {} of {}{percent}",
        place + 1,
        pooled.len(),
        number_text(brings, 3),
        number_text(score, 3)
    )
}

/// The labels of the region, by the scale on screen.
fn labels(ui: &mut Ui, state: &AppState, variant: VariantId, region: usize) {
    let Some((unit, best)) = region_labels::ranked(state, variant, region, LABELS) else {
        return;
    };
    ui.add_space(6.0);
    ui.strong(format!("Its labels in {}, {unit}", variant.title()));
    egui::Grid::new("labels of the region")
        .num_columns(2)
        .show(ui, |ui| {
            for (label, value) in best {
                ui.label(label);
                ui.monospace(value);
                ui.end_row();
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_that_of_the_mean() {
        let map = |responses: &[f32], own_score| ResponseMap {
            responses: responses.into(),
            own_score,
            ordinary: None,
        };
        let text = share(&map(&[1.0, 3.0, 0.5], None), 2, 0);
        assert!(text.contains("Number 2 of the 2"), "{text}");
        assert!(text.contains("brings 0.500 of 2.000, 25.0 %"), "{text}");
        let text = share(&map(&[1.0, 3.0, 0.5], None), 2, 2);
        assert!(text.contains("no share"), "{text}");
        let text = share(&map(&[-1.0, 3.0], None), 2, 1);
        assert!(text.ends_with("brings 1.500 of 1.000"), "{text}");
        assert!(share(&map(&[1.0], Some(4.0)), 1, 0).contains("not made of single regions"));
    }
}
