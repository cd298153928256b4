//! What is known of the chosen photo: its size, what the camera wrote down, and the labels that a
//! list beside it gives it.

use egui::{Role, Ui, WidgetInfo};

use super::commands::Command;
use super::state::AppState;
use crate::engine::{ShownPhoto, TrueLabels};

/// Below the photo list.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    ui.add_space(2.0);
    true_labels(ui, state);
    let header = egui::CollapsingHeader::new("About this photo").open(Some(state.show_about));
    let response = header.show(ui, |ui| match state.photo() {
        Some(photo) => {
            let most = ui.ctx().content_rect().height() * 0.3;
            let scroll = egui::ScrollArea::vertical().id_salt("facts");
            scroll
                .max_height(most)
                .auto_shrink([false, true])
                .show(ui, |ui| facts(ui, photo));
        }
        None => _ = ui.weak("not opened yet"),
    });
    if response.header_response.clicked() {
        state.give(Command::ToggleAbout);
    }
    ui.add_space(2.0);
}

/// A photo's facts as names and values; also shown where the pointer rests on its row.
pub fn facts(ui: &mut Ui, photo: &ShownPhoto) {
    let [width, height] = photo.size;
    let mut rows = vec![
        ("Name", photo.source.name()),
        ("Size", format!("{width} × {height} pixels")),
    ];
    rows.extend(photo.facts.iter().map(|f| (f.name, f.value.clone())));
    if let Some(path) = photo.source.path() {
        rows.push(("Path", path.display().to_string()));
    }
    for (name, value) in rows {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            ui.weak(name);
            ui.label(value);
        });
    }
}

/// The photo's own labels as words; a click adds one to the comparison, or takes it away again.
fn true_labels(ui: &mut Ui, state: &mut AppState) {
    let Some(TrueLabels { labels, list }) =
        state.photo().and_then(|photo| photo.true_labels.clone())
    else {
        return;
    };
    let from = list.display().to_string();
    egui::Sides::new().shrink_left().show(
        ui,
        |ui| ui.weak("Its labels").on_hover_text(&from),
        |ui| {
            let possible = super::commands::available(Command::LabelsOfPhoto, state);
            let button = egui::Button::new("Add all").small();
            let response = ui.add_enabled(possible.is_ok(), button);
            if response.clicked() {
                state.give(Command::LabelsOfPhoto);
            }
        },
    );
    let scroll = egui::ScrollArea::vertical().id_salt("true labels");
    scroll
        .max_height(110.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = egui::vec2(4.0, 4.0);
                for label in &labels {
                    word(ui, state, label, &from);
                }
            });
        });
}

fn word(ui: &mut Ui, state: &mut AppState, label: &str, from: &str) {
    let chosen = state.labels.contains(label);
    let text = egui::RichText::new(label).small();
    let button = egui::Button::selectable(chosen, text).frame_when_inactive(true);
    let response = ui.add(button).on_hover_text(format!("From {from}"));
    let name = format!("True label {label}");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &name));
    if response.clicked() {
        if chosen {
            state.labels.remove(label);
        } else {
            state.labels.add_all([label].into_iter());
        }
    }
}
