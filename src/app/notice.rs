//! What was done, said for a few seconds at the lower edge of the window.

use egui::{Align2, vec2};

use super::state::AppState;

/// How long a notice stays, in seconds.
const STAYS: f64 = 6.0;

/// The notice, while there is one.
pub fn show(ctx: &egui::Context, state: &mut AppState) {
    let Some(notice) = &mut state.notice else {
        return;
    };
    let now = ctx.time();
    let until = *notice.until.get_or_insert(now + STAYS);
    if now >= until {
        state.notice = None;
        return;
    }
    let area = egui::Area::new(egui::Id::unique("notice"))
        .order(egui::Order::Foreground)
        .anchor(Align2::CENTER_BOTTOM, vec2(0.0, -44.0))
        .interactable(false);
    area.show(ctx, |ui| {
        egui::Frame::popup(ui.style()).show(ui, |ui| {
            ui.set_max_width(560.0);
            ui.label(&notice.text);
        });
    });
    ctx.request_repaint_after(std::time::Duration::from_secs_f64(until - now));
}
