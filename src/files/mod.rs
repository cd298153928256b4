//! The few ways this program touches files: bounded read, write-beside-and-rename, `.npy`, and a
//! memory map of what it wrote itself.

#![allow(unsafe_code, reason = "the map, and the system's own calls")]

mod map;
mod npy;
mod npy_read;
mod numbers;
mod part;
mod read;
mod space;
mod write;

pub use map::{FileBytes, OwnFileMap};
pub use npy::{save_npy_f32, write_npy_f32};
pub use npy_read::read_npy;
pub use numbers::{ByteOrder, FloatFormat, from_fortran_order};
pub use part::{PartFile, part_length, remove_other_parts};
pub(crate) use read::read_error;
pub use read::{open_regular, read_bounded};
pub use space::free_bytes;
pub(crate) use write::write_error;
pub use write::{check_target, write_atomically};

use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be read or written: one line that says which file, why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: no such file: check the name", shown(.0))]
    Missing(PathBuf),
    #[error("{}: a link to a file that is not there: restore its target or remove the link", shown(.0))]
    DanglingLink(PathBuf),
    #[error("{}: a link that leads back to itself: name the file that is meant, or make the link anew", shown(.0))]
    LinkLoop(PathBuf),
    #[error("{}: the name is longer than this system allows: check the name", shown(.0))]
    NameTooLong(PathBuf),
    #[error("{}: {kind}, not a regular file: name a file instead", shown(.path))]
    NotRegular { path: PathBuf, kind: &'static str },
    #[error("{}: permission denied: make the file readable or choose another", shown(.0))]
    Unreadable(PathBuf),
    #[error("{}: the file is empty: fetch or export it again", shown(.0))]
    Empty(PathBuf),
    #[error("{}: larger than the {} allowed here: choose a smaller file", shown(.path), size(*.limit_bytes))]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    #[error("{}: cannot be read ({}): check the disk it is on", shown(.path), one_line(.source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: its folder {} does not exist: create the folder first", shown(.path), shown(.folder))]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("{}: no permission to write here: choose another folder", shown(.0))]
    Unwritable(PathBuf),
    #[error("{}: no space left on the disk: free some or choose another place", shown(.0))]
    DiskFull(PathBuf),
    #[error("{}: another process is writing it: wait until that one is done", shown(.0))]
    InUse(PathBuf),
    #[error("{}: cannot be written ({}): choose another place", shown(.path), one_line(.source))]
    Write { path: PathBuf, source: io::Error },
}

impl FileError {
    /// The file the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing(path)
            | Self::DanglingLink(path)
            | Self::LinkLoop(path)
            | Self::NameTooLong(path)
            | Self::Unreadable(path)
            | Self::Empty(path)
            | Self::Unwritable(path)
            | Self::DiskFull(path)
            | Self::InUse(path)
            | Self::NotRegular { path, .. }
            | Self::TooLarge { path, .. }
            | Self::Read { path, .. }
            | Self::NoFolder { path, .. }
            | Self::Write { path, .. } => path,
        }
    }
}

/// A path as one line of text, whatever bytes its name has.
pub fn shown(path: &Path) -> String {
    one_line(&path_text(path))
}

/// A path as text: what is no UTF-8 stands there byte for byte as `%E9`, so that names which differ
/// only in such bytes stay different.
pub fn path_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

/// `text` with control characters (line breaks above all) replaced, so that a message stays one
/// line and cannot steer a terminal.
pub fn one_line(text: &impl ToString) -> String {
    text.to_string()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The first line of `text`, safe to show: candle's errors carry a backtrace below theirs.
pub fn first_line(text: &impl ToString) -> String {
    one_line(&text.to_string().lines().next().unwrap_or("unknown error"))
}

/// A count of bytes for people: `512 MiB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// A large count of bytes as those who publish files write it, in millions: `575 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_even_for_hostile_names() {
        let error = FileError::Missing(PathBuf::from("a\nb\u{1b}[2J.jpg"));
        let message = error.to_string();
        assert!(!message.contains('\n') && !message.contains('\u{1b}'));
        assert!(message.contains("no such file"));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_utf8_stay_different() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let text = |name: &[u8]| path_text(Path::new(OsStr::from_bytes(name)));
        assert_eq!(text(b"caf\xe9.jpg"), "caf%E9.jpg");
        assert_eq!(text(b"caf\xe8.jpg"), "caf%E8.jpg");
        assert_eq!(text("café 100%.jpg".as_bytes()), "café 100%.jpg");
        assert_eq!(
            shown(Path::new(OsStr::from_bytes(b"a\n\xff"))),
            "a\u{fffd}%FF"
        );
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(size(12), "12 bytes");
        assert_eq!(size(4096), "4 KiB");
        assert_eq!(size(512 << 20), "512 MiB");
        assert_eq!(megabytes(574_668_960), "575 MB");
        assert_eq!(megabytes(90_000), "0.1 MB");
    }
}
