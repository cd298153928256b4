//! The line at the bottom: what is under way, what lies under the pointer, where it runs.

use egui::Ui;

use super::commands::Command;
use super::read_out;
use super::state::AppState;
use crate::engine::StageTime;

/// The status line.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal(|ui| {
        ui.set_min_height(ui.spacing().interact_size.y);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            device(ui, state);
            times(ui, state);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                if state.replies.awaits_reply() {
                    under_way(ui, state);
                } else if let Some(text) = read_out::sentence(state) {
                    ui.add(egui::Label::new(text).truncate());
                } else {
                    ui.add(egui::Label::new(egui::RichText::new(summary(state)).weak()).truncate());
                }
            });
        });
    });
}

fn under_way(ui: &mut Ui, state: &mut AppState) {
    ui.add(egui::Spinner::new().size(14.0));
    let progress = state.replies.progress.clone();
    let doing = progress
        .as_ref()
        .map_or("Computing…", |progress| progress.doing.as_str());
    ui.label(doing);
    if let Some(fraction) = progress.as_ref().and_then(|progress| progress.fraction) {
        ui.add(egui::ProgressBar::new(fraction).desired_width(120.0));
    }
    if ui.small_button("Cancel").clicked() {
        state.give(Command::Cancel);
    }
}

fn summary(state: &AppState) -> String {
    match state.photo() {
        Some(photo) => {
            let [width, height] = photo.size;
            format!("{}, {width} by {height} pixels", photo.source.name())
        }
        None => String::new(),
    }
}

fn device(ui: &mut Ui, state: &AppState) {
    let bundle = state.replies.bundle.as_ref();
    let comparison = state.replies.comparison.as_ref();
    let device = comparison
        .map(|comparison| comparison.device.as_str())
        .or(bundle.map(|bundle| bundle.device.as_str()));
    let Some(device) = device else {
        return;
    };
    let response = ui.weak(device);
    if let Some(bundle) = bundle {
        response.on_hover_text(format!(
            "Bundle {} from {}",
            bundle.name,
            bundle.folder.display()
        ));
    }
}

fn times(ui: &mut Ui, state: &AppState) {
    let Some(comparison) = state.comparison() else {
        return;
    };
    let worked = comparison.times.iter().filter(|time| !time.cached);
    let total: f64 = worked.map(|time| time.milliseconds).sum();
    ui.weak(format!("{total:.0} ms")).on_hover_ui(|ui| {
        ui.label("Time of each stage for the maps on screen");
        egui::Grid::new("stage times")
            .num_columns(2)
            .show(ui, |ui| {
                for time in &comparison.times {
                    ui.label(&time.stage);
                    ui.monospace(time_text(time));
                    ui.end_row();
                }
            });
    });
    ui.separator();
}

fn time_text(time: &StageTime) -> String {
    if time.cached {
        "kept from before".to_owned()
    } else {
        format!("{:.1} ms", time.milliseconds)
    }
}
