//! What stands where in the window: the labels above the ranking, the comparison above its colour bar.

use super::state::{AppState, SidePanel};
use super::{comparison, display, labels, messages, ranking, region_labels, textures};

/// Labels above the ranking, or the labels alone.
pub fn right_panel(ui: &mut egui::Ui, state: &mut AppState, listing: &mut ranking::Listing) {
    if state.shows(SidePanel::Ranking) {
        let most = (0.6 * ui.available_height()).max(120.0);
        let bottom = egui::Panel::bottom("ranking")
            .resizable(true)
            .default_size(state.layout.ranking)
            .size_range(80.0..=most)
            .frame(egui::Frame::new())
            .show(ui, |ui| {
                comparison::dim_while_awaited(ui, state);
                ranking::show(ui, state, listing);
            });
        state.layout.ranking = bottom.response.rect.height();
    }
    egui::CentralPanel::no_frame().show(ui, |ui| labels::show(ui, state));
}

/// The comparison with its settings above and its colour bar below.
pub fn centre(
    ui: &mut egui::Ui,
    state: &mut AppState,
    textures: &mut textures::Textures,
    small_textures: &mut textures::Textures,
) {
    if !state.full_screen {
        messages::show(ui, state);
    }
    if state.shows(SidePanel::Display) && !state.full_screen {
        display::show(ui, state);
        ui.separator();
    }
    egui::Panel::bottom("colour bar")
        .frame(egui::Frame::new())
        .show_separator_line(false)
        .show(ui, |ui| {
            if !state.labels.labels().is_empty() {
                ui.horizontal(|ui| {
                    display::colour_bar(ui, state);
                    if !state.full_screen {
                        region_labels::show(ui, state);
                    }
                });
            }
        });
    egui::CentralPanel::no_frame().show(ui, |ui| {
        comparison::show(ui, state, textures, small_textures)
    });
}
