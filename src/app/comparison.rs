//! The comparison in the centre, in the layout that was chosen.

use egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, vec2};

use super::panel::{self, PanelAction, pixels};
use super::photo_part::WHOLE;
use super::state::AppState;
use super::suggestions;
use super::textures::Textures;
use super::view::PanelLayout;
use super::{comparison_bar, grid, pair, single};

/// The whole comparison, or what stands in its place. `small` are pictures of small panels.
pub fn show(ui: &mut Ui, state: &mut AppState, textures: &mut Textures, small: &mut Textures) {
    let before = state.hovered.take();
    state.forget_removed_labels();
    if state.opening {
        hint(ui, "Opening…");
    } else if state.photos.chosen().is_none() {
        hint(ui, "Open a photo, or drop one here.");
    } else if let Some(reason) = state.replies.fatal.clone() {
        hint(ui, &reason);
    } else if state.shown_photo().is_none() && !state.replies.awaits_reply() {
        hint(ui, "This photo could not be opened.");
    } else if state.labels.labels().is_empty() {
        photo_alone(ui, state, textures);
    } else {
        if !state.full_screen {
            comparison_bar::show(ui, state);
        }
        awaited_photo(ui, state);
        ui.scope(|ui| {
            dim_while_awaited(ui, state);
            panels(ui, state, textures, small);
        });
    }
    if state.hovered != before {
        // The read-outs below were painted before the panels.
        ui.ctx().request_repaint();
    }
}

/// How long the last comparison stays as it is while another photo is computed, in seconds: one
/// that was computed ahead is there by then, and nothing flickers.
const GREY_AFTER: f64 = 0.12;

/// Since when the photo on screen is not the chosen one, if that is so for long enough to say.
fn is_late(ui: &Ui, state: &AppState) -> bool {
    let id = egui::Id::unique("awaited since");
    let now = ui.ctx().time();
    if state.is_current() || state.shown_comparison().is_none() {
        ui.data_mut(|data| data.remove::<f64>(id));
        return false;
    }
    let since = ui.data_mut(|data| *data.get_temp_mut_or(id, now));
    let late = now - since >= GREY_AFTER;
    if !late {
        let wait = std::time::Duration::from_secs_f64(GREY_AFTER);
        ui.ctx().request_repaint_after(wait);
    }
    late
}

/// Greys what is of the last photo while the chosen one is computed.
pub fn dim_while_awaited(ui: &mut Ui, state: &AppState) {
    if is_late(ui, state) {
        ui.multiply_opacity(0.4);
    }
}

/// Names the photo that is computed, over the greyed maps of the last one.
fn awaited_photo(ui: &Ui, state: &AppState) {
    let Some(photo) = state.photos.chosen().filter(|_| is_late(ui, state)) else {
        return;
    };
    let area = egui::Area::new(egui::Id::unique("awaited photo"))
        .order(egui::Order::Foreground)
        .fixed_pos(ui.available_rect_before_wrap().center())
        .pivot(egui::Align2::CENTER_CENTER)
        .interactable(false);
    area.show(ui.ctx(), |ui| {
        egui::Frame::popup(ui.style()).show(ui, |ui| {
            ui.label(format!("Computing {}…", photo.name()));
        });
    });
}

fn panels(ui: &mut Ui, state: &mut AppState, textures: &mut Textures, small: &mut Textures) {
    let mut actions: Vec<PanelAction> = Vec::new();
    let hovered = match state.layout() {
        PanelLayout::Grid => grid::show(ui, state, textures, &mut actions),
        PanelLayout::Large => single::show(ui, state, textures, small, &mut actions),
        PanelLayout::Slider => pair::slider(ui, state, textures, &mut actions),
        PanelLayout::Difference => pair::difference(ui, state, textures, &mut actions),
    };
    state.hovered = hovered;
    if !actions.is_empty() {
        ui.ctx().request_repaint();
    }
    panel::carry_out(actions, state);
}

fn hint(ui: &mut Ui, text: &str) {
    ui.centered_and_justified(|ui| ui.weak(text));
}

fn photo_alone(ui: &mut Ui, state: &mut AppState, textures: &mut Textures) {
    suggestions::show(ui, state);
    let space = ui.available_rect_before_wrap();
    let Some(photo) = state.shown_photo() else {
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
