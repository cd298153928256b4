//! The row over the comparison: its layout, what it shows of labels and variants, the zoom.

use egui::Ui;

use super::commands::{self, Command};
use super::display::together;
use super::keys;
use super::panel;
use super::state::AppState;
use super::view::{LabelsAs, PanelLayout};
use crate::figure::scale::number_text;
use crate::model::VariantId;

/// The whole row.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal_wrapped(|ui| {
        layouts(ui, state);
        ui.separator();
        match state.layout() {
            PanelLayout::Grid => labels_as(ui, state),
            PanelLayout::Large => {
                together(ui, 168.0, |ui| label_choice(ui, state));
                together(ui, 152.0, |ui| variant_choice(ui, state, "Variant", true));
            }
            PanelLayout::Slider | PanelLayout::Difference => {
                together(ui, 168.0, |ui| label_choice(ui, state));
                together(ui, 114.0, |ui| variant_choice(ui, state, "A", true));
                command_button(ui, state, Command::SwapVariants, "Swap");
                together(ui, 114.0, |ui| variant_choice(ui, state, "B", false));
            }
        }
        if state.hidden_count() > 0 {
            let text = format!("Show {} hidden", state.hidden_count());
            command_button(ui, state, Command::ShowAll, &text);
        }
        if state.view.zoom > 1.0 {
            ui.label(format!("{}×", number_text(state.view.zoom, 1)));
            command_button(ui, state, Command::ResetZoom, "Reset zoom");
        }
    });
}

fn layouts(ui: &mut Ui, state: &mut AppState) {
    let now = state.layout();
    for layout in PanelLayout::ALL {
        let reason = state.why_no_layout(layout);
        let button = egui::Button::selectable(layout == now, layout.title());
        let response = ui.add_enabled(reason.is_none(), button);
        if response.clicked() {
            state.give(Command::Layout(layout));
        }
        match reason {
            Some(reason) => response.on_disabled_hover_text(reason),
            None => response.on_hover_text(layout.explanation()),
        };
    }
}

fn command_button(ui: &mut Ui, state: &mut AppState, command: Command, text: &str) {
    let mut response = ui.button(text);
    if let Some(entry) = commands::entry(command) {
        let keys = entry.shortcut.map(|keys| keys::keys_text(ui.ctx(), &keys));
        let hint = format!("{} ({})", entry.name, keys.unwrap_or_default());
        response = response.on_hover_text(hint);
    }
    if response.clicked() {
        state.give(command);
    }
}

fn labels_as(ui: &mut Ui, state: &mut AppState) {
    let now = state.view.labels_as;
    let name = ui.label("Labels");
    let response = egui::ComboBox::from_id_salt("labels as")
        .selected_text(now.title())
        .width(86.0)
        .show_ui(ui, |ui| {
            for choice in LabelsAs::ALL {
                if ui.selectable_label(choice == now, choice.title()).clicked() {
                    state.give(Command::LabelsAs(choice));
                }
            }
        })
        .response;
    response.labelled_by(name.id);
}

pub(super) fn label_choice(ui: &mut Ui, state: &mut AppState) {
    let Some(now) = state.chosen_label() else {
        return;
    };
    let name = ui.label("Label");
    let response = egui::ComboBox::from_id_salt("label")
        .selected_text(panel::text(state, now))
        .width(110.0)
        .truncate()
        .show_ui(ui, |ui| {
            for label in state.shown_labels() {
                let text = panel::text(state, label).to_owned();
                if ui.selectable_label(label == now, &text).clicked() {
                    state.view.label = Some(text);
                }
            }
        })
        .response;
    response.labelled_by(name.id);
}

/// A choice of variant A (`first`) or B.
pub(super) fn variant_choice(ui: &mut Ui, state: &mut AppState, name: &str, first: bool) {
    let now = if first {
        state.chosen_variant()
    } else {
        state.other_variant()
    };
    let taken = state.chosen_variant().filter(|_| !first);
    let label = ui.label(name);
    let response = egui::ComboBox::from_id_salt(name)
        .selected_text(now.map_or("", VariantId::title))
        .width(80.0)
        .show_ui(ui, |ui| {
            let shown = state.shown_variants();
            for variant in shown.into_iter().filter(|&v| Some(v) != taken) {
                let is_now = Some(variant) == now;
                if ui.selectable_label(is_now, variant.title()).clicked() {
                    choose(state, variant, first);
                }
            }
        })
        .response;
    response.labelled_by(label.id);
}

fn choose(state: &mut AppState, variant: VariantId, first: bool) {
    if !first {
        state.view.other = Some(variant);
    } else if state.other_variant() == Some(variant) && state.compares_two() {
        // A takes what B was: they change places.
        state.swap_variants();
    } else {
        state.view.other = state.other_variant();
        state.view.variant = Some(variant);
    }
}
