//! The comparison in the centre, in the layout that was chosen.

use egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, vec2};

use super::panel::{self, Act, pixels};
use super::state::AppState;
use super::suggestions;
use super::textures::{Textures, WHOLE};
use super::view::Layout;
use super::{comparison_bar, grid, pair, single};

/// The whole comparison, or what stands in its place. `small` are pictures of small panels.
pub fn show(ui: &mut Ui, state: &mut AppState, textures: &mut Textures, small: &mut Textures) {
    let before = state.pointed.take();
    state.forget_removed_labels();
    if state.opening {
        hint(ui, "Opening…");
    } else if state.photos.chosen().is_none() {
        hint(ui, "Open a photo, or drop one here.");
    } else if let Some(reason) = state.answers.fatal.clone() {
        hint(ui, &reason);
    } else if state.photo().is_none() && !state.answers.owed() {
        hint(ui, "This photo could not be opened.");
    } else if state.labels.labels().is_empty() {
        photo_alone(ui, state, textures);
    } else {
        comparison_bar::show(ui, state);
        panels(ui, state, textures, small);
    }
    if state.pointed != before {
        // The read-outs below were painted before the panels.
        ui.ctx().request_repaint();
    }
}

fn panels(ui: &mut Ui, state: &mut AppState, textures: &mut Textures, small: &mut Textures) {
    let mut acts: Vec<Act> = Vec::new();
    let pointed = match state.layout() {
        Layout::Grid => grid::show(ui, state, textures, &mut acts),
        Layout::Large => single::show(ui, state, textures, small, &mut acts),
        Layout::Slider => pair::slider(ui, state, textures, &mut acts),
        Layout::Difference => pair::difference(ui, state, textures, &mut acts),
    };
    state.pointed = pointed;
    if !acts.is_empty() {
        ui.ctx().request_repaint();
    }
    panel::carry_out(acts, state);
}

fn hint(ui: &mut Ui, text: &str) {
    ui.centered_and_justified(|ui| ui.weak(text));
}

fn photo_alone(ui: &mut Ui, state: &mut AppState, textures: &mut Textures) {
    suggestions::show(ui, state);
    let space = ui.available_rect_before_wrap();
    let Some(photo) = state.photo() else {
        ui.put(space, egui::Spinner::new());
        return;
    };
    let width = space.width().min(space.height() * photo.aspect());
    let size = vec2(width, width / photo.aspect());
    let rect = Rect::from_center_size(space.center(), size);
    textures.prepare_photo(ui.ctx(), photo, pixels(ui, size), WHOLE);
    if let Some((texture, part)) = textures.shown_photo(photo, WHOLE) {
        ui.painter().image(texture, rect, part, Color32::WHITE);
    }
    let response = ui.interact(rect, ui.scope_id().with("photo"), Sense::hover());
    let name = format!("Photo {}", photo.source.name());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
}
