//! Paths from outside the window: typed, dropped, or chosen in a dialog. All waiting is done on
//! threads of their own, so a slow disk or an open dialog never stops a frame.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::state::About;
use crate::engine::PhotoSource;
use crate::figure::file_format::FileFormat;
use crate::files::shown;
use crate::image_io::{PHOTO_ENDINGS, PhotoError, list_photos};

/// Nobody closes a dialog sooner than this after it was asked for.
const SOONEST_CLOSED: Duration = Duration::from_millis(250);

/// What a thread has found out.
#[derive(Debug)]
pub enum Found {
    /// Photos to open, and what was wrong with the other paths.
    Photos {
        /// Those of the looked up paths that gave photos.
        opened: Vec<PathBuf>,
        photos: Vec<PathBuf>,
        problems: Vec<String>,
        /// What else there is to say.
        note: Option<String>,
    },
    /// Whether the file of a photo is gone.
    Gone(PhotoSource, bool),
    /// Where the picture is to be saved.
    SaveTo(PathBuf),
    /// The picture is there, perhaps with something to note about it.
    Saved(PathBuf, Option<String>),
    /// A picture for the clipboard, perhaps with something to note about it.
    Copy(egui::ColorImage, Option<String>),
    /// The desktop has no dialog for opening, or for saving.
    NoOpenDialog,
    NoSaveDialog,
    /// Something that did not work.
    Problem(About, String),
}

/// Starts threads and collects what they find.
pub struct Finder {
    sender: Sender<Found>,
    found: Receiver<Found>,
    wake: egui::Context,
}

impl Finder {
    /// `wake` is asked for a frame whenever something was found.
    pub fn new(wake: egui::Context) -> Self {
        let (sender, found) = channel();
        Self {
            sender,
            found,
            wake,
        }
    }

    /// What was found since the last call.
    pub fn found(&self) -> Vec<Found> {
        self.found.try_iter().collect()
    }

    /// Looks up paths: files are taken as they are, folders give their photos.
    pub fn open(&self, paths: Vec<PathBuf>) {
        self.spawn("paths", move || Some(collect(&paths)));
    }

    /// Lets the user choose photos.
    pub fn choose_photos(&self) {
        self.ask("open dialog", Found::NoOpenDialog, || {
            let dialog = rfd::FileDialog::new()
                .set_title("Open photos")
                .add_filter("Photos", &PHOTO_ENDINGS);
            dialog.pick_files().map(|paths| collect(&paths))
        });
    }

    /// Lets the user choose a folder of photos.
    pub fn choose_folder(&self) {
        self.ask("folder dialog", Found::NoOpenDialog, || {
            let dialog = rfd::FileDialog::new().set_title("Open a folder of photos");
            dialog.pick_folder().map(|folder| collect(&[folder]))
        });
    }

    /// Lets the user choose where a picture goes.
    pub fn choose_save(&self, suggested: PathBuf) {
        self.ask("save dialog", Found::NoSaveDialog, move || {
            let name = suggested.file_name().unwrap_or_default().to_string_lossy();
            let mut dialog = rfd::FileDialog::new()
                .set_title("Save picture")
                .set_directory(suggested.parent().unwrap_or(Path::new("")))
                .set_file_name(name);
            for format in FileFormat::ALL {
                dialog = dialog.add_filter(format.title(), &[format.ending()]);
            }
            dialog.save_file().map(Found::SaveTo)
        });
    }

    /// Asks in a dialog of the desktop. One that comes back with nothing sooner than anybody can
    /// close it never opened: then `missing` is found.
    fn ask(
        &self,
        name: &str,
        missing: Found,
        ask: impl FnOnce() -> Option<Found> + Send + 'static,
    ) {
        self.spawn(name, move || {
            let start = Instant::now();
            ask().or_else(|| (start.elapsed() < SOONEST_CLOSED).then_some(missing))
        });
    }

    /// Does `work` on a thread of its own and hands over what it finds.
    pub fn spawn(&self, name: &str, work: impl FnOnce() -> Option<Found> + Send + 'static) {
        let sender = self.sender.clone();
        let wake = self.wake.clone();
        let body = move || {
            // The window may be gone by the time something is found; then nobody minds.
            if let Some(found) = work()
                && sender.send(found).is_ok()
            {
                wake.request_repaint();
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
        {
            let problem = format!("No thread for this could be started ({error}); try again");
            // Sending to our own receiver cannot fail while `self` lives.
            _ = self.sender.send(Found::Problem(About::Lasting, problem));
        }
    }
}

/// A typed or pasted path: outer spaces and quotation marks taken off, `~` and `file://` resolved.
pub fn typed_path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    let bare = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
        .trim();
    if bare.is_empty() {
        return None;
    }
    if let Some(address) = bare.strip_prefix("file://") {
        return Some(PathBuf::from(percent_decoded(address)));
    }
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    match (bare.strip_prefix('~'), home) {
        (Some(""), Some(home)) => Some(home),
        (Some(rest), Some(home)) if rest.starts_with(['/', '\\']) => {
            Some(home.join(rest.trim_start_matches(['/', '\\'])))
        }
        _ => Some(PathBuf::from(bare)),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let decoded = (byte == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Folders inside a folder are looked into this deep, and no further folders after so many.
const DEEPEST: usize = 4;
const MOST_FOLDERS: usize = 500;

/// Looks up paths: files stand for themselves, folders for the photos in them and in the folders
/// inside them.
pub(super) fn collect(paths: &[PathBuf]) -> Found {
    let mut opened = Vec::new();
    let mut photos = Vec::new();
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    for path in paths {
        if let Some(problem) = cannot_be_opened(path) {
            problems.push(problem);
            continue;
        }
        let (mut found, mut errors) = list_photos(std::slice::from_ref(path));
        let (inner, all_seen) = folders_inside(path);
        let (more, mut other_errors) = list_photos(&inner);
        other_errors.retain(|error| !matches!(error, PhotoError::NoPhotos(_)));
        if !more.is_empty() {
            // The folder's own lack of photos is no news.
            errors.retain(|error| !matches!(error, PhotoError::NoPhotos(_)));
            notes.push(format!(
                "{} photos are in folders inside {}",
                more.len(),
                shown(path)
            ));
        }
        if !all_seen {
            notes.push(format!(
                "{} has more folders inside than were looked into ({DEEPEST} deep, {MOST_FOLDERS} \
                 in all): open those one by one",
                shown(path)
            ));
        }
        let errors = errors.iter().chain(&other_errors);
        problems.extend(errors.map(ToString::to_string));
        found.extend(more);
        if !found.is_empty() {
            opened.push(path.clone());
        }
        photos.extend(found);
    }
    Found::Photos {
        opened,
        photos,
        problems,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

/// The folders inside a folder, parents before children, without links and hidden ones; false
/// where there are more. Nothing for a file.
fn folders_inside(folder: &Path) -> (Vec<PathBuf>, bool) {
    let mut level = vec![folder.to_owned()];
    let mut all: Vec<PathBuf> = Vec::new();
    for depth in 0.. {
        let mut inner: Vec<PathBuf> = level.iter().flat_map(|f| own_folders(f)).collect();
        if inner.is_empty() {
            break;
        }
        if depth == DEEPEST || all.len() == MOST_FOLDERS {
            return (all, false);
        }
        let room = MOST_FOLDERS - all.len();
        let too_many = inner.len() > room;
        inner.truncate(room);
        all.extend(inner.iter().cloned());
        if too_many {
            return (all, false);
        }
        level = inner;
    }
    (all, true)
}

fn own_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inner: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .collect();
    inner.sort();
    inner
}

/// A path that leads nowhere is said to at once rather than listed as a photo.
fn cannot_be_opened(path: &Path) -> Option<String> {
    let error = std::fs::metadata(path).err()?;
    let shown = path.display();
    Some(match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("There is no file or folder {shown}: check the path")
        }
        _ => format!("{shown} cannot be opened: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_paths_lose_their_quotes_and_find_home() {
        assert_eq!(typed_path("  "), None);
        assert_eq!(typed_path("''"), None);
        assert_eq!(typed_path(" \"a b.jpg\" "), Some(PathBuf::from("a b.jpg")));
        assert_eq!(typed_path("'/x/y'"), Some(PathBuf::from("/x/y")));
        assert_eq!(typed_path("~file"), Some(PathBuf::from("~file")));
        assert_eq!(
            typed_path("file:///x/a%20b%2.png"),
            Some(PathBuf::from("/x/a b%2.png"))
        );
        if let Some(dirs) = directories::BaseDirs::new() {
            assert_eq!(typed_path("~"), Some(dirs.home_dir().to_owned()));
            assert_eq!(typed_path("~/p.png"), Some(dirs.home_dir().join("p.png")));
        }
    }

    #[test]
    fn folders_give_their_photos_and_other_paths_a_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.JPG", "a.png", ".hidden.png", "notes.txt"] {
            std::fs::write(folder.path().join(name), b"").expect("written");
        }
        let missing = folder.path().join("missing.png");
        let empty = folder.path().join("empty");
        std::fs::create_dir(&empty).expect("made");
        let paths = [folder.path().to_owned(), missing.clone(), empty.clone()];
        let Found::Photos {
            opened,
            photos,
            problems,
            ..
        } = collect(&paths)
        else {
            panic!("photos were looked up");
        };
        assert_eq!(
            photos,
            [folder.path().join("a.png"), folder.path().join("b.JPG")]
        );
        assert_eq!(opened, [folder.path()]);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("missing.png") && problems[1].contains("no photos"));
    }

    #[test]
    fn photos_in_folders_inside_are_found_and_the_bound_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut deep = folder.path().to_owned();
        for level in 1..=DEEPEST + 1 {
            deep = deep.join(format!("level {level}"));
            std::fs::create_dir(&deep).expect("made");
            std::fs::write(deep.join(format!("{level}.png")), b"").expect("written");
        }
        std::fs::create_dir(folder.path().join(".thumbnails")).expect("made");
        std::fs::write(folder.path().join(".thumbnails/x.png"), b"").expect("written");
        let Found::Photos {
            photos,
            problems,
            note,
            ..
        } = collect(&[folder.path().to_owned()])
        else {
            panic!("photos were looked up");
        };
        let names: Vec<_> = photos.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["1.png", "2.png", "3.png", "4.png"]);
        assert_eq!(problems, [""; 0]);
        let note = note.expect("a word");
        assert!(note.contains("4 photos are in folders inside"), "{note}");
        assert!(note.contains("4 deep, 500 in all"), "{note}");
    }
}
