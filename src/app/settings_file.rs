//! The settings file: read, set aside where it is damaged, and written so that several windows may
//! do so: each changes only what its user has changed.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::label_set::merged_sets;
use super::settings::Settings;
use crate::files::{FileError, one_line, read_bounded, shown, write_atomically};

/// A settings file is a few hundred bytes.
const LARGEST: u64 = 1 << 20;

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

/// Brings what has changed from `base` to `ours` into a settings file, in a folder that is made
/// where it is missing; what another window has written since stays. Gives what is then in it.
///
/// # Errors
/// In one line, where the folder or the file cannot be written.
pub fn save(path: &Path, base: &Settings, ours: &Settings) -> Result<Settings, String> {
    let failed = |reason: String| format!("The settings were not saved: {reason}");
    let folder = path.parent().unwrap_or(Path::new("."));
    let of_folder = |error| failed(format!("{}: {error}", shown(folder)));
    std::fs::create_dir_all(folder).map_err(of_folder)?;
    // Of two windows one waits for the other; a killed one holds no lock.
    let lock = File::create(path.with_extension("toml.lock")).map_err(of_folder)?;
    lock.lock().map_err(of_folder)?;
    let merged = match load(path) {
        Loaded {
            settings: theirs,
            problem: None,
            ..
        } if path.exists() => merge(base, ours, theirs).map_err(failed)?,
        _ => ours.clone(),
    };
    let text = toml::to_string(&merged).map_err(|error| failed(error.to_string()))?;
    write_atomically(path, |file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(error.to_string()))?;
    Ok(merged)
}

/// Setting by setting: ours where we have changed it, theirs elsewhere; label sets one by one.
fn merge(base: &Settings, ours: &Settings, theirs: Settings) -> Result<Settings, String> {
    let table = |settings: &Settings| toml::Table::try_from(settings).map_err(|e| e.to_string());
    let (base_table, ours_table) = (table(base)?, table(ours)?);
    let mut merged = table(&theirs)?;
    for (key, value) in ours_table {
        if base_table.get(&key) != Some(&value) {
            merged.insert(key, value);
        }
    }
    let mut merged: Settings = merged
        .try_into()
        .map_err(|e: toml::de::Error| e.to_string())?;
    merged.label_sets = merged_sets(&base.label_sets, &ours.label_sets, &theirs.label_sets);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::label_set::LabelSetEntry;
    use crate::app::state::Theme;
    use crate::engine::DeviceChoice;
    use crate::figure::colour_map::ColourMap;
    use crate::figure::scale::ScaleMode;
    use crate::model::VariantId;

    #[test]
    fn settings_are_the_same_after_a_round_trip() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new folder").join("settings.toml");
        let mut settings = Settings {
            device: DeviceChoice::Cuda(1),
            hidden: vec![VariantId::RCB],
            scale: ScaleMode::Fixed,
            fixed: [-0.25, 2.5],
            highest_sigma: 8.5,
            theme: Theme::Light,
            ..Settings::default()
        };
        settings.overlay.colour_map = ColourMap::Magma;
        settings.layout.window = [1600.0, 900.0];
        save(&path, &Settings::default(), &settings).expect("written");
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

    fn set(name: &str, labels: &[&str]) -> LabelSetEntry {
        LabelSetEntry {
            name: name.to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
        }
    }

    #[test]
    fn two_windows_keep_each_other_s_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let base = Settings {
            label_sets: vec![set("animals", &["dog"]), set("old", &["x"])],
            ..Settings::default()
        };
        save(&path, &Settings::default(), &base).expect("written");
        let one = Settings {
            theme: Theme::Dark,
            label_sets: vec![set("animals", &["dog", "cat"]), set("streets", &["car"])],
            ..base.clone()
        };
        let other = Settings {
            text_size: 1.5,
            label_sets: [&base.label_sets[..], &[set("food", &["bread"])]].concat(),
            ..base.clone()
        };
        save(&path, &base, &one).expect("written");
        let merged = save(&path, &base, &other).expect("written");
        assert_eq!(load(&path).settings, merged);
        assert_eq!((merged.theme, merged.text_size), (Theme::Dark, 1.5));
        let sets = [
            set("animals", &["dog", "cat"]),
            set("food", &["bread"]),
            set("streets", &["car"]),
        ];
        assert_eq!(merged.label_sets, sets);
    }

    #[test]
    fn many_windows_at_once_lose_no_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let names: Vec<String> = (0..8).map(|n| format!("set {n}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let path = &path;
                scope.spawn(move || {
                    let ours = Settings {
                        label_sets: vec![set(name, &["dog"])],
                        ..Settings::default()
                    };
                    save(path, &Settings::default(), &ours).expect("written");
                });
            }
        });
        let sets = load(&path).settings.label_sets;
        let saved: Vec<&String> = sets.iter().map(|set| &set.name).collect();
        assert_eq!(saved, names.iter().collect::<Vec<_>>());
    }
}
