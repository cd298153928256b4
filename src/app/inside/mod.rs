//! The inspector: what happens inside the networks on the way to the maps on screen.

mod attention;
mod occlusion;
mod parts;
mod pins;
mod pooling;
mod region;
mod scene;
mod small_maps;

use egui::{ScrollArea, Ui};

pub use pins::table as pins_table;

use super::commands::Command;
use super::comparison_bar::{label_choice, variant_choice};
use super::inspector::InspectorTab;
use super::state::AppState;
use super::textures::Textures;
use crate::figure::scale::number_text;
use crate::model::VariantId;

/// Widths of the inspector in points: as it opens and at least.
pub const WIDTH: f32 = 400.0;
pub const NARROWEST: f32 = 300.0;

/// The whole inspector. `textures` are pictures of its own.
pub fn show(ui: &mut Ui, state: &mut AppState, textures: &mut Textures) {
    header(ui, state);
    ui.separator();
    let (Some(label), Some(variant)) = (chosen_label(state), state.chosen_variant()) else {
        ui.weak("Add a label to look into what the networks make of it.");
        return;
    };
    if state.comparison().is_none() {
        let waiting = state.replies.awaits_reply();
        ui.weak(match waiting {
            true => "computing…",
            false => "There are no maps of this photo to look into.",
        });
        return;
    }
    ScrollArea::vertical()
        .id_salt("inspector")
        .auto_shrink(false)
        .show(ui, |ui| match state.inspector.tab {
            InspectorTab::Region => region::show(ui, state, textures, &label, variant),
            InspectorTab::Pooling => pooling::show(ui, state, &label),
            InspectorTab::Scene => scene::show(ui, state, textures, &label, variant),
            InspectorTab::Occlusion => occlusion::show(ui, state, textures, &label, variant),
        });
}

fn header(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal_wrapped(|ui| {
        ui.heading("Inside");
        for tab in InspectorTab::ALL {
            let chosen = state.inspector.tab == tab;
            if ui.selectable_label(chosen, tab.title()).clicked() {
                state.inspector.tab = tab;
            }
        }
        let close = ui
            .small_button("Close")
            .on_hover_text("Back to the labels (F4)");
        if close.clicked() {
            state.give(Command::ToggleInspector);
        }
    });
    ui.horizontal_wrapped(|ui| {
        label_choice(ui, state);
        variant_choice(ui, state, "Network", true);
    });
}

/// The label that the inspector speaks of.
fn chosen_label(state: &AppState) -> Option<String> {
    let place = state.chosen_label()?;
    state.labels.labels().get(place).cloned()
}

/// A value in σ or raw, with the digits of its unit.
pub fn amount(value: f32, unit: &str) -> String {
    number_text(value, if unit == "σ" { 2 } else { 3 })
}

/// A change of such a value, with its sign.
pub fn change(value: f32, unit: &str) -> String {
    let text = amount(value, unit);
    match text.starts_with('−') || text.trim_matches(['0', '.']).is_empty() {
        true => text,
        false => format!("+{text}"),
    }
}

/// Why a network has no parts or no attention to show.
fn without_blocks(variant: VariantId) -> String {
    format!(
        "{} is not made of blocks: a response is the region's own features times the label's, so \
         there is nothing to split",
        variant.title()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_unit() {
        assert_eq!(amount(0.1234, "σ"), "0.12");
        assert_eq!(amount(0.1234, "raw"), "0.123");
        assert_eq!(change(0.0449, "raw"), "+0.045");
        assert_eq!(change(-0.0449, "raw"), "−0.045");
        assert_eq!(change(0.001, "σ"), "0.00");
        assert_eq!(change(2.0, "σ"), "+2.00");
    }
}
