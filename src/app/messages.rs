//! Messages above the comparison: they stay until they are dismissed or what they tell of has
//! passed.

use egui::{Stroke, Ui};

use super::state::AppState;
use crate::engine::PhotoSource;

/// How many are shown at once.
const MOST_SHOWN: usize = 3;

/// A line that stays until it is dismissed or what it tells of has passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub text: String,
    pub kind: MessageKind,
    pub about: About,
}

/// What a message is about, so that it leaves when that has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Reading or computing a photo: until that works, or another photo is chosen.
    Photo(PhotoSource),
    /// A photo's file that is gone: until it is back, or another photo is chosen.
    Gone(PhotoSource),
    /// A label without a vector: until it is off the list.
    Label(String),
    /// Opening files: until some are opened.
    Opening,
    /// Saving or copying a picture: until that works.
    Saving,
    /// Writing the settings: until that works.
    Settings,
    /// What does not pass.
    Lasting,
}

/// How a message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    Error,
    /// Something that worked or is worth knowing.
    Note,
}

impl AppState {
    /// Adds a message that does not pass, unless the same one is there already.
    pub fn add_message(&mut self, kind: MessageKind, text: String) {
        self.push(kind, About::Lasting, text);
    }

    /// Adds an error that leaves when what it is about has passed.
    pub fn add_error(&mut self, about: About, text: String) {
        self.push(MessageKind::Error, about, text);
    }

    /// Adds a message that leaves when what it is about has passed, unless it is there already.
    pub(super) fn push(&mut self, kind: MessageKind, about: About, text: String) {
        if !self.messages.iter().any(|m| m.text == text) {
            self.messages.push(Message { text, kind, about });
        }
    }

    /// Takes away the messages about something that has passed.
    pub fn has_passed(&mut self, about: &About) {
        self.messages.retain(|message| message.about != *about);
    }

    /// Takes away the messages about photos that are not looked at and labels that are not listed.
    pub fn drop_passed_messages(&mut self) {
        let (chosen, labels) = (self.photos.chosen(), &self.labels);
        self.messages.retain(|message| match &message.about {
            About::Photo(photo) | About::Gone(photo) => Some(photo) == chosen,
            About::Label(label) => labels.contains(label),
            _ => true,
        });
    }
}

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
        // Where the maps are narrow the text takes a line of its own.
        let narrow = ui.available_width() < 360.0;
        frame.show(ui, |ui| {
            egui::Sides::new()
                .shrink_left()
                .wrap_mode(egui::TextWrapMode::Wrap)
                .show(
                    ui,
                    |ui| {
                        ui.colored_label(colour, word);
                        if !narrow {
                            ui.label(&message.text);
                        }
                    },
                    |ui| {
                        if ui.button("Dismiss").clicked() {
                            dismissed = Some(index);
                        }
                    },
                );
            if narrow {
                ui.label(&message.text);
            }
        });
    }
    if count > MOST_SHOWN {
        ui.weak(format!("and {} more", count - MOST_SHOWN));
    }
    if let Some(index) = dismissed {
        state.messages.remove(index);
    }
}
