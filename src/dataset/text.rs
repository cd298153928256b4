//! Text files of data sets: lists that are held, and matrices and tables that are streamed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::DatasetError;
use crate::files::{open_regular, read_bounded, read_error};

/// Largest list that is held in memory: room for the photos of the largest set, several times over.
const LIST_LIMIT: u64 = 512 << 20;
/// Longest line of a file that is streamed, in bytes.
const LINE_LIMIT: u64 = 1 << 20;

/// Said of a line in another encoding.
pub(super) const NOT_UTF8: &str = "the text is not UTF-8; save it as UTF-8";

/// A text of lines, held in memory.
pub(super) struct TextFile {
    path: PathBuf,
    text: String,
}

impl TextFile {
    /// Reads a text in UTF-8, without its byte-order mark.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = read_bounded(path, LIST_LIMIT)?;
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = error.as_bytes().iter().take(valid);
            let line = 1 + before.filter(|&&byte| byte == b'\n').count();
            DatasetError::line(path, line, NOT_UTF8)
        })?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// The lines that are not blank, each with its number, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines());
        lines.filter(|(_, line)| !line.trim().is_empty())
    }

    /// The lines that are not blank, without the white space around them, each with its number.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, line.trim()))
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line of this file that cannot be understood.
    pub fn refuse(&self, line: usize, reason: impl Into<String>) -> DatasetError {
        DatasetError::line(&self.path, line, reason)
    }
}

/// A file of any size, to be read piece by piece.
pub(super) fn open_stream(path: &Path) -> Result<BufReader<File>, DatasetError> {
    let (file, _) = open_regular(path)?;
    Ok(BufReader::with_capacity(1 << 18, file))
}

/// The lines of a file of any size, one at a time.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Number of the line that was read last.
    pub number: usize,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        Ok(Self {
            path: path.to_owned(),
            reader: open_stream(path)?,
            line: Vec::new(),
            number: 0,
        })
    }

    /// The next line without its end; `None` at the file's.
    pub fn read(&mut self) -> Result<Option<&[u8]>, DatasetError> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut self.line);
        if read.map_err(|error| read_error(&self.path, error))? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() as u64 == LINE_LIMIT {
            return Err(self.refuse("the line has no end; is this the right file?"));
        }
        Ok(Some(self.last()))
    }

    /// The line that was read last, without its end.
    pub fn last(&self) -> &[u8] {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line that was read last cannot be understood.
    pub fn refuse(&self, reason: impl Into<String>) -> DatasetError {
        DatasetError::line(&self.path, self.number, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn lists_lose_their_mark_and_blank_lines_but_keep_their_numbers() {
        let (_folder, path) = file("\u{feff}dog \r\n\r\n cat\n".as_bytes());
        let list = TextFile::read(&path).unwrap();
        let entries: Vec<_> = list.entries().collect();
        assert_eq!(entries, [(1, "dog"), (3, "cat")]);
        assert_eq!(list.lines().last(), Some((3, " cat")));
    }

    #[test]
    fn another_encoding_is_told_with_its_line() {
        let (_folder, path) = file(b"dog\ncaf\xe9\n");
        let error = TextFile::read(&path).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("list.txt line 2: {NOT_UTF8}")),
            "{error}"
        );
    }

    #[test]
    fn lines_are_streamed_with_either_end() {
        let (_folder, path) = file(b"1 0\r\n\n0 1");
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.read().unwrap(), Some(&b"1 0"[..]));
        assert_eq!(lines.read().unwrap(), Some(&b""[..]));
        assert_eq!(lines.read().unwrap(), Some(&b"0 1"[..]));
        assert_eq!(lines.number, 3);
        assert_eq!(lines.read().unwrap(), None);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let (_folder, path) = file(&vec![b'1'; LINE_LIMIT as usize + 5]);
        let mut lines = Lines::open(&path).unwrap();
        let error = lines.read().unwrap_err().to_string();
        assert!(error.contains("line 1: the line has no end"), "{error}");
    }
}
