//! What the window remembers from one start to the next: one small file in the user's folder for
//! settings.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::display::Display;
use super::label_set::LabelSetEntry;
use super::state::{AppState, Layout, MessageKind, PictureSize, RankingFilter, Theme};
use crate::engine::DeviceChoice;
use crate::figure::overlay::OverlayStyle;
use crate::figure::scale::ScaleMode;
use crate::files::{FileError, one_line, read_bounded, shown, write_atomically};
use crate::model::VariantId;

/// A settings file is a few hundred bytes.
const LARGEST: u64 = 1 << 20;

/// Changes are written at most this often; the last ones when the window closes.
const BETWEEN_WRITES: Duration = Duration::from_secs(30);

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
    pub threshold: f32,
    pub ranking_filter: RankingFilter,
    pub rank_all: bool,
    pub ranked_by: VariantId,
    pub device: DeviceChoice,
    pub picture: PictureSize,
    pub layout: Layout,
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
            fixed,
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
        state.display.fixed = sound.fixed;
        state.display.threshold = sound.threshold;
        state.display.style = sound.overlay;
        state.ranking_filter = sound.ranking_filter;
        state.rank_all = sound.rank_all;
        state.ranked_by = sound.ranked_by;
        state.picture = sound.picture;
        state.layout = sound.layout;
        state.recent = sound.recent;
        state.labels.restore_sets(sound.label_sets);
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
        within(&mut self.threshold, 0.0, 1.0, 0.0);
        within(&mut self.overlay.opacity, 0.0, 1.0, usual.overlay.opacity);
        within(&mut self.overlay.calm, 0.0, 1.0, usual.overlay.calm);
        within(&mut self.picture.width_mm, 20.0, 2000.0, 180.0);
        within(&mut self.picture.dpi, 36.0, 2400.0, 300.0);
        let [width, height] = &mut self.layout.window;
        within(width, 900.0, 16_000.0, usual.layout.window[0]);
        within(height, 560.0, 16_000.0, usual.layout.window[1]);
        within(&mut self.layout.photos, 140.0, 360.0, usual.layout.photos);
        within(&mut self.layout.labels, 220.0, 460.0, usual.layout.labels);
        within(
            &mut self.layout.ranking,
            120.0,
            4000.0,
            usual.layout.ranking,
        );
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

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Loaded {
    pub settings: Settings,
    /// What was wrong with the file, and what was done about it.
    pub problem: Option<String>,
    /// Whether the file may be written: one that could not even be read is left as it is.
    pub writable: bool,
}

/// Reads a settings file. One that cannot be understood is kept beside as `settings.toml.bad`.
pub fn load(path: &Path) -> Loaded {
    let parsed = match read_bounded(path, LARGEST) {
        Ok(bytes) => std::str::from_utf8(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| toml::from_str::<Settings>(text).map_err(|e| e.message().to_owned())),
        Err(FileError::Missing(_)) => Ok(Settings::default()),
        Err(error @ (FileError::Empty(_) | FileError::TooLarge { .. })) => Err(error.to_string()),
        Err(error) => {
            return Loaded {
                problem: Some(format!("Settings are not remembered: {error}")),
                ..Loaded::default()
            };
        }
    };
    match parsed {
        Ok(settings) => Loaded {
            settings,
            problem: None,
            writable: true,
        },
        Err(reason) => set_aside(path, &reason),
    }
}

fn set_aside(path: &Path, reason: &str) -> Loaded {
    let bad = path.with_extension("toml.bad");
    let (name, reason) = (shown(path), one_line(&reason));
    let moved = std::fs::rename(path, &bad);
    let kept = match &moved {
        Ok(()) => format!("it is kept as {}", shown(&bad)),
        Err(error) => format!("it could not be set aside ({error}): remove it"),
    };
    Loaded {
        settings: Settings::default(),
        problem: Some(format!(
            "The settings in {name} are damaged ({reason}): the first ones are used; {kept}"
        )),
        writable: moved.is_ok(),
    }
}

/// Writes a settings file, in a folder that is made where it is missing.
///
/// # Errors
/// In one line, where the folder or the file cannot be written.
pub fn save(path: &Path, settings: &Settings) -> Result<(), String> {
    let failed = |reason: String| format!("The settings were not saved: {reason}");
    let text = toml::to_string(settings).map_err(|error| failed(error.to_string()))?;
    if let Some(folder) = path.parent() {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| failed(format!("{}: {error}", shown(folder))))?;
    }
    write_atomically(path, |file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(error.to_string()))
}

/// Writes changes to the file, off the frame.
pub struct Keeper {
    path: PathBuf,
    written: Settings,
    last: Instant,
    writing: Option<JoinHandle<Result<(), String>>>,
    told: bool,
}

impl Keeper {
    /// Reads the file into the window's state. `None` where it is not to be written.
    pub fn start(path: PathBuf, state: &mut AppState) -> Option<Self> {
        let loaded = load(&path);
        if let Some(problem) = loaded.problem {
            state.tell(MessageKind::Error, problem);
        }
        loaded.settings.clone().put_into(state);
        loaded.writable.then(|| Self {
            path,
            written: loaded.settings,
            last: Instant::now(),
            writing: None,
            told: false,
        })
    }

    /// Once a frame: begins to write when something has changed and the last time is long ago.
    pub fn keep_up(&mut self, ctx: &egui::Context, state: &mut AppState) {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish(state);
        }
        let settings = Settings::of(state);
        if settings == self.written || self.writing.is_some() {
            return;
        }
        match BETWEEN_WRITES.checked_sub(self.last.elapsed()) {
            Some(wait) if !wait.is_zero() => ctx.request_repaint_after(wait),
            _ => self.write(settings, ctx.clone()),
        }
    }

    fn write(&mut self, settings: Settings, wake: egui::Context) {
        self.last = Instant::now();
        self.written = settings.clone();
        let path = self.path.clone();
        let body = move || {
            let outcome = save(&path, &settings);
            wake.request_repaint();
            outcome
        };
        // Where no thread can be had the settings are written when the window closes.
        let thread = std::thread::Builder::new().name("settings".to_owned());
        self.writing = thread.spawn(body).ok();
    }

    fn finish(&mut self, state: &mut AppState) {
        let outcome = self.writing.take().map(JoinHandle::join);
        if let Some(Ok(Err(problem))) = outcome
            && !self.told
        {
            self.told = true;
            state.tell(MessageKind::Error, problem);
        }
    }

    /// Writes what is not written yet and waits for it: the window closes.
    ///
    /// # Errors
    /// In one line, where the file cannot be written.
    pub fn close(&mut self, state: &AppState) -> Result<(), String> {
        if let Some(writing) = self.writing.take() {
            // What the thread could not do is tried again below only when there is news; its
            // own problem can no longer be shown.
            _ = writing.join();
        }
        let settings = Settings::of(state);
        if settings == self.written && self.path.exists() {
            return Ok(());
        }
        save(&self.path, &settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::colour_map::ColourMap;

    #[test]
    fn settings_are_the_same_after_a_round_trip() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new folder").join("settings.toml");
        let mut settings = Settings {
            device: DeviceChoice::Cuda(1),
            hidden: vec![VariantId::RCB],
            scale: ScaleMode::Fixed,
            fixed: [-0.25, 2.5],
            theme: Theme::Light,
            ..Settings::default()
        };
        settings.overlay.colour_map = ColourMap::Magma;
        settings.layout.window = [1600.0, 900.0];
        save(&path, &settings).expect("written");
        let loaded = load(&path);
        assert_eq!(loaded.settings, settings);
        assert!(loaded.writable && loaded.problem.is_none());
    }

    #[test]
    fn missing_and_unknown_fields_do_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let text = "text_size = 1.5\nlater = [1, 2]\n[overlay]\nopacity = 0.5\n[new]\nx = 1\n";
        std::fs::write(&path, text).expect("written");
        let loaded = load(&path);
        assert_eq!(loaded.problem, None);
        assert_eq!(loaded.settings.text_size, 1.5);
        assert_eq!(loaded.settings.overlay.opacity, 0.5);
        assert_eq!(loaded.settings.panel_size, 1.0);
    }

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

    #[test]
    fn a_damaged_file_is_set_aside_and_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        for damaged in [&b"text_size = \"huge\"\n"[..], b"\xff\xfe", b""] {
            std::fs::write(&path, damaged).expect("written");
            let loaded = load(&path);
            assert_eq!(loaded.settings, Settings::default());
            let problem = loaded.problem.expect("a problem");
            assert!(problem.contains("settings.toml.bad"), "{problem}");
            assert!(!problem.contains('\n') && loaded.writable);
            let kept = std::fs::read(folder.path().join("settings.toml.bad")).expect("kept");
            assert_eq!(kept, damaged);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_place_that_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let loaded = load(folder.path());
        assert!(!loaded.writable && loaded.problem.is_some());
        assert!(folder.path().is_dir());
    }
}
