//! What can go wrong with a feature cache.

use std::path::PathBuf;

use crate::files::{FileError, first_line, shown};

/// Why a feature cache cannot be opened, filled or read, in one line.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: not a feature cache of this program ({reason}); remove it or choose another folder", shown(.path))]
    Foreign { path: PathBuf, reason: String },
    #[error("{}: another process is filling this feature cache; wait for it or choose another folder", shown(.0))]
    Busy(PathBuf),
    #[error("{}: the features of {photos} photos need {} MiB, {} MiB are free; free some or choose another folder", shown(.folder), .need_bytes >> 20, .free_bytes >> 20)]
    NoRoom {
        folder: PathBuf,
        photos: usize,
        need_bytes: u64,
        free_bytes: u64,
    },
    #[error("{}: these features are of another backbone; open the cache anew", shown(.0))]
    OtherSource(PathBuf),
    #[error("{}: this feature cache keeps no {what} features; fill one that does", shown(.folder))]
    NotKept { folder: PathBuf, what: &'static str },
    #[error("{}: there is no {what} {place} in this feature cache", shown(.folder))]
    NotThere {
        folder: PathBuf,
        what: &'static str,
        place: usize,
    },
    #[error("the features could not be computed: {}", first_line(.0))]
    Network(#[from] candle_core::Error),
}
