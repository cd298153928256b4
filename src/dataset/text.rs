//! Text files of data sets: lists of labels and photos, small enough to hold.

use std::path::{Path, PathBuf};

use super::DatasetError;
use crate::files::read_bounded;

/// Largest list that is held in memory: room for the photos of the largest set, several times over.
const LIST_LIMIT: u64 = 512 << 20;

/// A text of lines.
pub(super) struct TextFile {
    pub path: PathBuf,
    text: String,
}

impl TextFile {
    /// Reads a text in UTF-8, without its byte-order mark.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = read_bounded(path, LIST_LIMIT)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().iter().take(valid);
            let line = 1 + before.filter(|&&byte| byte == b'\n').count();
            DatasetError::line(path, line, NOT_UTF8)
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// The lines that are not blank, without the white space around them, each with its number.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.trim_start_matches('\u{feff}').lines();
        (1..)
            .zip(lines.map(str::trim))
            .filter(|(_, line)| !line.is_empty())
    }
}

/// Said of a line in another encoding.
pub(super) const NOT_UTF8: &str = "the text is not UTF-8; save it as UTF-8";
