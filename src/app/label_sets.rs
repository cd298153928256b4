//! The window of named label sets: save the labels under a name, load a set, delete one.

use egui::{Role, TextEdit, Ui, WidgetInfo, vec2};

use super::commands::Command;
use super::label_set::LabelSetEntry;
use super::state::{AppState, Focus};

/// The window, when it is open.
pub fn show(ctx: &egui::Context, state: &mut AppState) {
    let mut open = state.open.label_sets;
    egui::Window::new("Label sets")
        .open(&mut open)
        .default_size(vec2(380.0, 240.0))
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(ctx.content_rect().center())
        .collapsible(false)
        .show(ctx, |ui| {
            save_row(ui, state);
            ui.separator();
            let sets = state.labels.sets().to_vec();
            if sets.is_empty() {
                ui.weak("No set yet. Name the labels above to find them again.");
            }
            let scroll = egui::ScrollArea::vertical().max_height(320.0);
            scroll.auto_shrink([false, true]).show(ui, |ui| {
                for (index, set) in sets.iter().enumerate() {
                    set_row(ui, state, index, set);
                }
            });
        });
    state.open.label_sets &= open;
    if state.open.label_sets && ctx.input(|input| input.key_pressed(egui::Key::Escape)) {
        state.open.label_sets = false;
    }
}

fn save_row(ui: &mut Ui, state: &mut AppState) {
    let count = state.labels.labels().len();
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 80.0).max(80.0);
        let field = TextEdit::singleline(&mut state.fields.set_name)
            .hint_text("Name of a new set")
            .desired_width(width);
        let response = ui.add(field);
        ui.ctx()
            .accesskit_node_builder(response.id, |node| node.set_label("Name of the set"));
        if state.open.focus == Some(Focus::SetName) {
            state.open.focus = None;
            response.request_focus();
        }
        let entered =
            response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let named = !state.fields.set_name.trim().is_empty();
        let taken = state.labels.has_set(&state.fields.set_name);
        let button = egui::Button::new(if taken { "Replace" } else { "Save set" });
        let clicked = ui
            .add_enabled(named && count > 0, button)
            .on_disabled_hover_text("A set needs a name and at least one label")
            .clicked();
        if (entered || clicked) && state.labels.save_set(&state.fields.set_name) {
            state.fields.set_name.clear();
        }
    });
    let labels = if count == 1 { "label" } else { "labels" };
    ui.weak(format!(
        "Holds the {count} {labels} under comparison. Loading a set keeps pinned labels."
    ));
}

fn set_row(ui: &mut Ui, state: &mut AppState, index: usize, set: &LabelSetEntry) {
    let all = set.labels.join(", ");
    egui::Sides::new().shrink_left().truncate().show(
        ui,
        |ui| {
            ui.strong(&set.name);
            ui.weak(&all).on_hover_text(&all);
        },
        |ui| {
            for (text, command) in [
                ("Delete", Command::DeleteLabelSet(index)),
                ("Load", Command::LoadLabelSet(index)),
            ] {
                let response = ui.button(text);
                let name = format!("{text} {}", set.name);
                response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                if response.clicked() {
                    state.give(command);
                }
            }
        },
    );
}
