//! Messages above the comparison: they stay until they are dismissed.

use egui::{Stroke, Ui};

use super::state::{AppState, MessageKind};

/// How many are shown at once.
const MOST_SHOWN: usize = 3;

/// The open messages, newest first.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    let mut dismissed = None;
    let count = state.messages.len();
    for (index, message) in state.messages.iter().enumerate().rev().take(MOST_SHOWN) {
        let (word, colour) = match message.kind {
            MessageKind::Error => ("Error", ui.visuals().error_fg_color),
            MessageKind::Note => ("Note", ui.visuals().hyperlink_color),
        };
        let frame = egui::Frame::new()
            .inner_margin(egui::Margin::symmetric(8, 5))
            .corner_radius(4)
            .fill(ui.visuals().faint_bg_color)
            .stroke(Stroke::new(1.0, colour));
        frame.show(ui, |ui| {
            egui::Sides::new()
                .shrink_left()
                .wrap_mode(egui::TextWrapMode::Wrap)
                .show(
                    ui,
                    |ui| {
                        ui.colored_label(colour, word);
                        ui.label(&message.text);
                    },
                    |ui| {
                        if ui.button("Dismiss").clicked() {
                            dismissed = Some(index);
                        }
                    },
                );
        });
    }
    if count > MOST_SHOWN {
        ui.weak(format!("and {} more", count - MOST_SHOWN));
    }
    if let Some(index) = dismissed {
        state.messages.remove(index);
    }
}
