//! What was to be told of photos when their pixels were decoded, such as a colour profile that could
//! not be applied: features that are taken from the cache later are no less of those pixels.
//!
//! `cautions.tsv` has a line for each photo and caution: hash, text. It only grows.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::stamps::{behind_whole_lines, hexadecimal, parse_hash, whole_text};
use super::store::Hash;
use crate::files::{FileError, one_line, write_error};

pub(super) const CAUTIONS: &str = "cautions.tsv";

/// The cautions of photos by their content.
#[derive(Default)]
pub(super) struct Cautions {
    known: HashMap<Hash, Vec<String>>,
}

impl Cautions {
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut known: HashMap<Hash, Vec<String>> = HashMap::new();
        for line in whole_text(path)?.lines() {
            let Some((hash, text)) = line.split_once('\t') else {
                continue;
            };
            let Some(hash) = parse_hash(hash) else {
                continue;
            };
            let of_photo = known.entry(hash).or_default();
            if of_photo.iter().all(|other| other != text) {
                of_photo.push(text.to_owned());
            }
        }
        Ok(Self { known })
    }

    pub fn of(&self, hash: &Hash) -> &[String] {
        self.known.get(hash).map_or(&[], Vec::as_slice)
    }
}

/// Appends to `cautions.tsv`.
pub(super) struct CautionWriter {
    path: PathBuf,
    file: File,
}

impl CautionWriter {
    /// Goes on behind the last whole line.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            path: path.to_owned(),
            file: behind_whole_lines(path)?,
        })
    }

    /// Writes down what is to be told; it is on the disk before the photos' features are.
    pub fn append(&mut self, cautions: &[(Hash, String)]) -> Result<(), FileError> {
        if cautions.is_empty() {
            return Ok(());
        }
        let line = |(hash, text): &(Hash, String)| {
            let hash = hexadecimal(hash);
            format!("{hash}\t{}\n", one_line(text))
        };
        let text: String = cautions.iter().map(line).collect();
        let written = self.file.write_all(text.as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        written.map_err(|error| write_error(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cautions_are_kept_once_and_torn_lines_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CAUTIONS);
        assert!(Cautions::read(&path).unwrap().of(&[1; 32]).is_empty());
        for _ in 0..2 {
            let mut writer = CautionWriter::open(&path).unwrap();
            let lines = [
                ([1; 32], "one\ntwo".to_owned()),
                ([2; 32], "b\tc".to_owned()),
            ];
            writer.append(&lines).unwrap();
            let mut torn = std::fs::read(&path).unwrap();
            torn.extend(b"0101");
            std::fs::write(&path, torn).unwrap();
        }
        let read = Cautions::read(&path).unwrap();
        assert_eq!(read.of(&[1; 32]), ["one\u{fffd}two"]);
        assert_eq!(read.of(&[2; 32]), ["b\u{fffd}c"]);
        assert!(read.of(&[3; 32]).is_empty());
    }
}
