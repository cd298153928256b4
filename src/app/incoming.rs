//! What comes into the window from outside: files that were found, written, dropped or pasted, keys.

use std::path::PathBuf;

use super::commands::Command;
use super::files::Found;
use super::state::{About, Focus, MessageKind, SaveNote};
use super::{LensApp, keys, pasted};
use crate::files::shown;

impl LensApp {
    /// What the threads for files have found and done since the last frame.
    pub(super) fn take_found(&mut self, ctx: &egui::Context) {
        for found in self.finder.found() {
            match found {
                Found::Photos {
                    opened,
                    photos,
                    problems,
                    note,
                } => {
                    self.state.note_recent(&opened);
                    self.thumbnails.retry_all(&photos);
                    self.state.opening = false;
                    if !photos.is_empty() {
                        self.state.has_passed(&About::Opening);
                    }
                    self.state.photos.open(photos);
                    for problem in problems {
                        self.state.add_error(About::Opening, problem);
                    }
                    if let Some(note) = note {
                        self.state.notice(note);
                    }
                }
                Found::SaveTo(path) => self.state.fields.save_path = path.display().to_string(),
                Found::Saved(path, note) => {
                    self.state.has_passed(&About::Saving);
                    self.state.notice(format!("Saved {}", path.display()));
                    self.note(note);
                }
                Found::Copy(picture, note) => {
                    self.note(note);
                    let [width, height] = picture.size;
                    let text = format!("Copied a picture of {width} by {height} pixels");
                    self.state.notice(text);
                    ctx.copy_image(picture);
                }
                Found::Gone(photo, true) => {
                    let text = format!(
                        "{} is no longer there: what is shown is what was read before",
                        photo.path().map(shown).unwrap_or_default()
                    );
                    self.state.add_error(About::Gone(photo), text);
                }
                Found::Gone(photo, false) => self.state.has_passed(&About::Gone(photo)),
                Found::NoOpenDialog => {
                    let text = "This desktop offers no dialog for opening files: type the path \
                                of a photo or folder on the left, or drop it on the window";
                    self.state.add_error(About::Opening, text.to_owned());
                    self.state.put_keyboard_into(Focus::Path);
                }
                Found::NoSaveDialog => {
                    let text = "This desktop offers no dialog for saving files: type the path";
                    self.state.fields.save_note = Some(SaveNote::Problem(text.to_owned()));
                }
                Found::Problem(about, problem) => self.state.add_error(about, problem),
            }
        }
    }

    fn note(&mut self, note: Option<String>) {
        if let Some(note) = note {
            self.state.add_message(MessageKind::Note, note);
        }
    }

    /// Dropped files, pasted paths, keys.
    pub(super) fn take_input(&mut self, ctx: &egui::Context) {
        let dropped: Vec<PathBuf> = ctx.input(|input| {
            let files = input.raw.dropped_files.iter();
            files.map(|file| file.path().to_owned()).collect()
        });
        if !dropped.is_empty() {
            self.finder.open(dropped);
        }
        if !ctx.text_edit_focused() {
            let labels = pasted::take(ctx, &self.finder);
            self.state.labels.add(&labels.unwrap_or_default());
        }
        for command in keys::pressed(ctx, &self.state) {
            self.state.give(command);
        }
        let leaves = |input: &mut egui::InputState| {
            input.consume_key(egui::Modifiers::NONE, egui::Key::Escape)
        };
        if self.state.full_screen && !self.state.open.any_dialog() && ctx.input_mut(leaves) {
            self.state.give(Command::FullScreen);
        }
    }
}

/// While files are held over the window: what dropping them does.
pub(super) fn drop_hint(ctx: &egui::Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint"));
    let painter = ctx.layer_painter(layer);
    let screen = ctx.content_rect();
    painter.rect_filled(screen, 0.0, egui::Color32::from_black_alpha(160));
    painter.text(
        screen.center(),
        egui::Align2::CENTER_CENTER,
        "Drop to open these photos or folders",
        egui::FontId::proportional(20.0),
        egui::Color32::WHITE,
    );
}
