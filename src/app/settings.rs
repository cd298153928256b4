//! What the window remembers from one start to the next: one small file in the user's folder for
//! settings.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::display::Display;
use super::label_set::LabelSetEntry;
use super::scale_choice::SIGMA_ENDS;
use super::settings_file::{load, save};
use super::state::{About, AppState, PictureSize, RankingFilter, Theme, WindowLayout};
use crate::engine::DeviceChoice;
use crate::figure::overlay::OverlayStyle;
use crate::figure::scale::{ScaleMode, ScaleRanges};
use crate::model::VariantId;

/// Changes are written at most this often; new label sets at once.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);

/// The smallest window, in points of text of normal size, and the narrowest panels beside the maps.
pub const SMALLEST_WINDOW: [f32; 2] = [640.0, 360.0];
pub const NARROWEST_PHOTOS: f32 = 140.0;
pub const NARROWEST_LABELS: f32 = 264.0;

/// Everything that is remembered. Fields that a file lacks have their first values, fields that
/// this version does not know are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub theme: Theme,
    /// Size of everything on screen, 1 is normal.
    pub text_size: f32,
    /// Width of a panel as a part of what would fill the window.
    pub panel_size: f32,
    pub show_input: bool,
    /// Photos and folders opened last, the newest first.
    pub recent: Vec<PathBuf>,
    pub hidden: Vec<VariantId>,
    pub scale: ScaleMode,
    /// The two ends of [`ScaleMode::Fixed`], raw responses.
    pub fixed: [f32; 2],
    /// The high end of [`ScaleMode::Sigma`].
    pub highest_sigma: f32,
    pub threshold: f32,
    pub ranking_filter: RankingFilter,
    pub rank_all: bool,
    pub ranked_by: VariantId,
    pub device: DeviceChoice,
    pub picture: PictureSize,
    pub layout: WindowLayout,
    pub overlay: OverlayStyle,
    pub label_sets: Vec<LabelSetEntry>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&AppState::new(Vec::new(), &[], &[]))
    }
}

impl Settings {
    /// What is to be remembered of a window.
    pub fn of(state: &AppState) -> Self {
        let Display {
            scale,
            ranges:
                ScaleRanges {
                    fixed,
                    highest_sigma,
                },
            style,
            threshold,
        } = state.display;
        Self {
            theme: state.theme,
            text_size: state.zoom,
            panel_size: state.panel_size,
            show_input: state.show_input,
            hidden: state.hidden.clone(),
            scale,
            fixed,
            highest_sigma,
            threshold,
            ranking_filter: state.ranking_filter,
            rank_all: state.rank_all,
            ranked_by: state.ranked_by,
            device: state.usual_device.unwrap_or(state.device),
            picture: state.picture,
            layout: state.layout,
            overlay: style,
            // The file is text, which not every path is.
            recent: state
                .recent
                .iter()
                .filter(|path| path.to_str().is_some())
                .cloned()
                .collect(),
            label_sets: state.labels.sets().to_vec(),
        }
    }

    /// Gives a window what was remembered; the device is asked for by a command of its own.
    pub fn put_into(self, state: &mut AppState) {
        let sound = self.sound();
        state.theme = sound.theme;
        state.zoom = sound.text_size;
        state.panel_size = sound.panel_size;
        state.show_input = sound.show_input;
        state.hidden = sound.hidden;
        state.display.scale = sound.scale;
        state.display.ranges = ScaleRanges {
            fixed: sound.fixed,
            highest_sigma: sound.highest_sigma,
        };
        state.display.threshold = sound.threshold;
        state.display.style = sound.overlay;
        state.ranking_filter = sound.ranking_filter;
        state.rank_all = sound.rank_all;
        state.ranked_by = sound.ranked_by;
        state.picture = sound.picture;
        state.layout = sound.layout;
        state.recent = sound.recent;
        state.labels.merge_sets(&[], &sound.label_sets);
    }

    /// The same with every number in its range: the file may have been edited by hand.
    fn sound(mut self) -> Self {
        let within = |value: &mut f32, low: f32, high: f32, usual: f32| {
            *value = if value.is_nan() {
                usual
            } else {
                value.clamp(low, high)
            };
        };
        let usual = Self::default();
        within(&mut self.text_size, 0.6, 2.0, 1.0);
        within(&mut self.panel_size, 0.25, 1.0, 1.0);
        let [least, most] = SIGMA_ENDS;
        within(&mut self.highest_sigma, least, most, usual.highest_sigma);
        within(&mut self.threshold, 0.0, 1.0, 0.0);
        within(&mut self.overlay.opacity, 0.0, 1.0, usual.overlay.opacity);
        within(&mut self.overlay.calm, 0.0, 1.0, usual.overlay.calm);
        within(&mut self.picture.width_mm, 20.0, 2000.0, 180.0);
        within(&mut self.picture.dpi, 36.0, 2400.0, 300.0);
        let [width, height] = &mut self.layout.window;
        within(width, SMALLEST_WINDOW[0], 16_000.0, usual.layout.window[0]);
        within(height, SMALLEST_WINDOW[1], 16_000.0, usual.layout.window[1]);
        let [photos, labels] = [NARROWEST_PHOTOS, NARROWEST_LABELS];
        within(&mut self.layout.photos, photos, 360.0, usual.layout.photos);
        within(&mut self.layout.labels, labels, 460.0, usual.layout.labels);
        within(&mut self.layout.ranking, 80.0, 4000.0, usual.layout.ranking);
        if !self.fixed.iter().all(|end| end.is_finite()) {
            self.fixed = usual.fixed;
        }
        self.hidden.dedup();
        if VariantId::PAPER.iter().all(|v| self.hidden.contains(v)) {
            self.hidden.clear();
        }
        self
    }
}

/// The user's settings file, where the system has a place for one.
pub fn user_file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "biam-lens")?;
    Some(folders.config_dir().join("settings.toml"))
}

/// Writes changes to the file, off the frame.
pub struct SettingsStore {
    path: PathBuf,
    /// What the file is known to hold of this window's.
    written: Settings,
    last: Instant,
    writing: Option<Writing>,
}

struct Writing {
    sent: Settings,
    thread: JoinHandle<Result<Settings, String>>,
}

impl SettingsStore {
    /// Reads the file into the window's state. `None` where it is not to be written.
    pub fn start(path: PathBuf, state: &mut AppState) -> Option<Self> {
        let loaded = load(&path);
        if let Some(problem) = loaded.problem {
            state.add_error(About::Lasting, problem);
        }
        loaded.settings.clone().put_into(state);
        loaded.writable.then(|| Self {
            path,
            written: loaded.settings,
            last: Instant::now(),
            writing: None,
        })
    }

    /// Once a frame: begins to write when something has changed and the last time is long ago.
    pub fn keep_up(&mut self, ctx: &egui::Context, state: &mut AppState) {
        if let Some(writing) = self.writing.take_if(|writing| writing.thread.is_finished()) {
            self.finish(writing, state);
        }
        let settings = Settings::of(state);
        if settings == self.written || self.writing.is_some() {
            return;
        }
        let wait = BETWEEN_WRITES.saturating_sub(self.last.elapsed());
        if wait.is_zero() || settings.label_sets != self.written.label_sets {
            self.write(settings, ctx.clone());
        } else {
            ctx.request_repaint_after(wait);
        }
    }

    fn write(&mut self, sent: Settings, wake: egui::Context) {
        self.last = Instant::now();
        let (path, base, settings) = (self.path.clone(), self.written.clone(), sent.clone());
        self.written = sent.clone();
        let body = move || {
            let outcome = save(&path, &base, &settings);
            wake.request_repaint();
            outcome
        };
        // Where no thread can be had the settings are written when the window closes.
        let thread = std::thread::Builder::new().name("settings".to_owned());
        self.writing = thread
            .spawn(body)
            .ok()
            .map(|thread| Writing { sent, thread });
    }

    /// Takes in the label sets that another window has written meanwhile.
    fn finish(&mut self, writing: Writing, state: &mut AppState) {
        match writing.thread.join() {
            Ok(Ok(merged)) => {
                state.has_passed(&About::Settings);
                let sets = &writing.sent.label_sets;
                state.labels.merge_sets(sets, &merged.label_sets);
                self.written.label_sets = merged.label_sets;
            }
            Ok(Err(problem)) => state.add_error(About::Settings, problem),
            // Said when the window closes, if it happens again.
            Err(_) => {}
        }
    }

    /// Writes what is not written yet and waits for it: the window closes.
    ///
    /// # Errors
    /// In one line, where the file cannot be written.
    pub fn close(&mut self, state: &AppState) -> Result<(), String> {
        let failed = self.writing.take().is_some_and(|writing| {
            let outcome = writing.thread.join();
            !matches!(outcome, Ok(Ok(_)))
        });
        let settings = Settings::of(state);
        if settings == self.written && self.path.exists() && !failed {
            return Ok(());
        }
        save(&self.path, &self.written, &settings).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_brought_back() {
        let mut settings = Settings {
            text_size: f32::NAN,
            panel_size: 40.0,
            fixed: [f32::INFINITY, 0.0],
            hidden: VariantId::PAPER.to_vec(),
            ..Settings::default()
        };
        settings.overlay.opacity = -3.0;
        let sound = settings.sound();
        assert_eq!((sound.text_size, sound.panel_size), (1.0, 1.0));
        assert_eq!(sound.fixed, [0.0, 1.0]);
        assert_eq!(sound.overlay.opacity, 0.0);
        assert!(sound.hidden.is_empty());
    }
}
