//! Characters on the screen that no font of the computer has: said once, since boxes say nothing.

use std::collections::HashSet;

use egui::FontId;

use super::state::{AppState, MessageKind};
use crate::engine::PhotoSource;
use crate::figure::missing_letters::named;

/// Which characters were looked for already.
#[derive(Default)]
pub struct MissingLetters {
    looked_for: HashSet<char>,
    /// How many photos and labels of the bundle were gone through.
    photos: usize,
    bundle_labels: usize,
}

impl MissingLetters {
    /// Looks at labels and at names of photos that are new, and tells what no font has.
    pub fn keep_up(&mut self, ctx: &egui::Context, state: &mut AppState) {
        let mut new: Vec<char> = Vec::new();
        let mut look = |text: &str| {
            if !text.is_ascii() {
                let letters = text.chars().filter(|letter| !letter.is_ascii());
                new.extend(letters.filter(|&letter| self.looked_for.insert(letter)));
            }
        };
        look(&state.fields.labels);
        state.labels.labels().iter().for_each(|label| look(label));
        let photos = &state.photos.entries;
        if photos.len() != self.photos {
            self.photos = photos.len();
            photos.iter().map(PhotoSource::name).for_each(|n| look(&n));
        }
        if let Some(bundle) = &state.replies.bundle
            && bundle.labels.len() != self.bundle_labels
        {
            self.bundle_labels = bundle.labels.len();
            bundle.labels.iter().for_each(|(label, _)| look(label));
        }
        if new.is_empty() {
            return;
        }
        let font = FontId::default();
        let shows = |letter: char| !letter.is_control() && !letter.is_whitespace();
        new.retain(|&letter| shows(letter));
        new.retain(|&letter| !ctx.fonts_mut(|fonts| fonts.has_glyph(&font, letter)));
        if !new.is_empty() {
            let text = format!(
                "No font of this computer has {}; an empty box stands for each. Install a font of \
                 that script and start the program again.",
                named(&new)
            );
            state.add_message(MessageKind::Note, text);
        }
    }
}
