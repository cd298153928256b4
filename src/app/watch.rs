//! Whether the chosen photo's file is still there while its maps are shown.

use std::time::Duration;

use super::files::{Finder, Found};
use super::state::AppState;

/// How often it is looked for, in seconds.
const EVERY: f64 = 2.0;

/// Looks for the file on a thread.
#[derive(Default)]
pub struct Watch {
    /// When it was last looked for, in the context's seconds.
    last: f64,
}

impl Watch {
    /// Once a frame.
    pub fn keep_up(&mut self, ctx: &egui::Context, state: &AppState, finder: &Finder) {
        let Some(photo) = state.photos.chosen().filter(|photo| photo.path().is_some()) else {
            return;
        };
        let now = ctx.time();
        if now - self.last >= EVERY && state.is_current() {
            self.last = now;
            let photo = photo.clone();
            finder.spawn("watch", move || {
                let there = photo.path()?.try_exists().ok()?;
                Some(Found::Gone(photo, !there))
            });
        }
        ctx.request_repaint_after(Duration::from_secs_f64(EVERY));
    }
}
