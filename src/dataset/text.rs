//! Text files of data sets: lists that are held, and matrices and tables that are streamed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::{Path, PathBuf};

use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::DatasetError;
use super::encoding::{BROKEN_UTF16, HEAD, decode_text, utf16};
use crate::files::{open_regular, read_bounded, read_error};

/// Largest list that is held in memory: room for the photos of the largest set, several times over.
const LIST_LIMIT: u64 = 512 << 20;
/// Longest line of a file that is streamed, in bytes.
const LINE_LIMIT: u64 = 1 << 20;

/// A text of lines, held in memory.
pub(super) struct TextFile {
    path: PathBuf,
    text: String,
}

impl TextFile {
    /// Reads a text in UTF-8 or UTF-16, without its byte-order mark. Lines may end in any way.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = read_bounded(path, LIST_LIMIT)?;
        let text = decode_text(bytes);
        let text = text.map_err(|(line, reason)| DatasetError::line(path, line, reason))?;
        let text = match text.contains('\r') && !text.contains('\n') {
            true => text.replace('\r', "\n"),
            false => text,
        };
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

    /// A line of this file that cannot be understood.
    pub fn refuse(&self, line: usize, reason: impl Into<String>) -> DatasetError {
        DatasetError::line(&self.path, line, reason)
    }
}

/// A text of any size, turned into UTF-8 while it is read.
pub(super) type Stream = BufReader<Undamaged<DecodeReaderBytes<File, Vec<u8>>>>;

/// What stands for units of UTF-16 that mean nothing.
const REPLACEMENT: [u8; 3] = [0xef, 0xbf, 0xbd];

/// A text that was UTF-16, which fails where it was damaged; another one as it is.
pub(super) struct Undamaged<R> {
    inner: R,
    was_utf16: bool,
    /// Bytes of [`REPLACEMENT`] that were read last.
    met: usize,
}

impl<R: Read> Read for Undamaged<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.met == REPLACEMENT.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, BROKEN_UTF16));
        }
        let count = self.inner.read(buffer)?;
        let looked_at = if self.was_utf16 { count } else { 0 };
        for (place, &byte) in buffer[..looked_at].iter().enumerate() {
            self.met = match byte {
                byte if byte == REPLACEMENT[self.met] => self.met + 1,
                byte => usize::from(byte == REPLACEMENT[0]),
            };
            if self.met == REPLACEMENT.len() {
                // What stands before it is read first, so that the line is told rightly.
                return match (place + 1).saturating_sub(self.met) {
                    0 => self.read(buffer),
                    before => Ok(before),
                };
            }
        }
        Ok(count)
    }
}

/// A text in UTF-8 or UTF-16 of any size, to be read piece by piece, without its byte-order mark.
pub(super) fn open_stream(path: &Path) -> Result<Stream, DatasetError> {
    let (mut file, _) = open_regular(path)?;
    let mut head = Vec::new();
    let read = (&mut file).take(HEAD as u64).read_to_end(&mut head);
    read.and_then(|_| file.rewind())
        .map_err(|error| read_error(path, error))?;
    let encoding = utf16(&head).map_err(|reason| DatasetError::content(path, reason))?;
    let decoded = DecodeReaderBytesBuilder::new()
        .encoding(encoding)
        .bom_override(true)
        .strip_bom(true)
        .utf8_passthru(true)
        .build(file);
    let undamaged = Undamaged {
        inner: decoded,
        was_utf16: encoding.is_some(),
        met: 0,
    };
    Ok(BufReader::with_capacity(1 << 18, undamaged))
}

/// The lines of a file of any size, one at a time.
pub(super) struct Lines {
    path: PathBuf,
    reader: Stream,
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
        let read = read.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                DatasetError::line(&self.path, self.number + 1, BROKEN_UTF16)
            }
            _ => read_error(&self.path, error).into(),
        })?;
        if read == 0 {
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
    fn utf16_is_read_whole_and_streamed_and_any_line_end_ends_a_line() {
        let units = "\u{feff}1 0\r\nä\r\n".encode_utf16();
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        for bytes in [&bytes[..], &bytes[2..]] {
            let (_folder, path) = file(bytes);
            let list = TextFile::read(&path).unwrap();
            let entries: Vec<_> = list.entries().collect();
            assert_eq!(entries, [(1, "1 0"), (2, "ä")]);
            let mut lines = Lines::open(&path).unwrap();
            assert_eq!(lines.read().unwrap(), Some(&b"1 0"[..]));
            assert_eq!(lines.read().unwrap(), Some("ä".as_bytes()));
            assert_eq!(lines.read().unwrap(), None);
        }
        let (_folder, path) = file("\u{feff}1 0\n".as_bytes());
        assert_eq!(
            Lines::open(&path).unwrap().read().unwrap(),
            Some(&b"1 0"[..])
        );
        let (_folder, path) = file(b"dog\rcat\r");
        let list = TextFile::read(&path).unwrap();
        assert_eq!(list.entries().last(), Some((2, "cat")));
    }

    #[test]
    fn damaged_utf16_is_refused_where_it_is() {
        // Half of a pair, in the second line and at the end.
        for units in [
            &[0xfeff, 97, 10, 0xd83d, 98, 10][..],
            &[0xfeff, 97, 10, 0xd83d],
        ] {
            let bytes: Vec<u8> = units.iter().copied().flat_map(u16::to_be_bytes).collect();
            let (_folder, path) = file(&bytes);
            let mut lines = Lines::open(&path).unwrap();
            let error = loop {
                match lines.read() {
                    Ok(line) => assert!(line.is_some(), "{units:?}"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains("line 2"), "{error}");
            assert!(error.contains(BROKEN_UTF16), "{error}");
        }
        let (_folder, path) = file("a\u{fffd}\n".as_bytes());
        assert!(Lines::open(&path).unwrap().read().is_ok());
    }

    #[test]
    fn another_encoding_is_told_with_its_line() {
        let (_folder, path) = file(b"dog\ncaf\xe9\n");
        let error = TextFile::read(&path).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.ends_with("list.txt line 2: the text is not UTF-8; save it as UTF-8"),
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
