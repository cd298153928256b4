//! Which labels no training may see.

use std::collections::HashMap;
use std::path::Path;

use super::DatasetError;
use super::text::TextFile;
use crate::files::FileError;
use crate::semantics::label_key;

/// The names of a file of bare names, one a line; a line that begins with `#` is a comment. A list
/// without names is a list.
///
/// # Errors
/// A file that cannot be read or is no text.
pub fn read_names(path: &Path) -> Result<Vec<String>, DatasetError> {
    let file = match TextFile::read(path) {
        Err(DatasetError::File(FileError::Empty(_))) => return Ok(Vec::new()),
        read => read?,
    };
    let names = file.entries().filter(|(_, name)| !name.starts_with('#'));
    Ok(names.map(|(_, name)| name.to_owned()).collect())
}

/// The labels of a data set as seen and unseen ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    seen: Vec<u32>,
    unseen: Vec<u32>,
    unknown: Vec<String>,
}

impl Split {
    /// A split that keeps the labels at the places `unseen` from training, and none for `&[]`.
    pub fn of_places(labels: usize, unseen: &[u32]) -> Self {
        let (unseen, seen) = (0..labels as u32).partition(|label| unseen.contains(label));
        Self {
            seen,
            unseen,
            unknown: Vec::new(),
        }
    }

    /// A split that keeps labels from training by their names, compared as [`label_key`] does.
    pub fn of_names<S: AsRef<str>>(labels: &[String], names: &[S]) -> Self {
        let mut wanted: HashMap<String, (&str, bool)> = HashMap::new();
        for name in names {
            wanted.insert(label_key(name.as_ref()), (name.as_ref(), false));
        }
        let mut split = Self::default();
        for (place, label) in (0..).zip(labels) {
            match wanted.get_mut(&label_key(label)) {
                Some((_, found)) => {
                    *found = true;
                    split.unseen.push(place);
                }
                None => split.seen.push(place),
            }
        }
        let missing = wanted.into_values().filter(|(_, found)| !found);
        split.unknown = missing.map(|(name, _)| name.to_owned()).collect();
        split.unknown.sort_unstable();
        split
    }

    /// A split by a file of bare names, one a line.
    ///
    /// # Errors
    /// A file that cannot be read or is no text.
    pub fn read(path: &Path, labels: &[String]) -> Result<Self, DatasetError> {
        Ok(Self::of_names(labels, &read_names(path)?))
    }

    /// Places of the labels that may be trained on, in rising order.
    pub fn seen(&self) -> &[u32] {
        &self.seen
    }

    /// Places of the labels that no training may see, in rising order.
    pub fn unseen(&self) -> &[u32] {
        &self.unseen
    }

    /// Names that were to be unseen but are no labels here.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["dog", "Traffic Light", "cat"].map(str::to_owned).to_vec()
    }

    #[test]
    fn names_are_compared_without_case_and_unknown_ones_kept() {
        let split = Split::of_names(&labels(), &["traffic  light", "zebra"]);
        assert_eq!(split.seen(), [0, 2]);
        assert_eq!(split.unseen(), [1]);
        assert_eq!(split.unknown(), ["zebra"]);
    }

    #[test]
    fn a_list_without_names_is_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unseen.txt");
        for text in ["", "\n \r\n", "\u{feff}", "# none is unseen\n\n#\n"] {
            std::fs::write(&path, text).unwrap();
            let split = Split::read(&path, &labels()).unwrap();
            assert_eq!(
                (split.seen(), split.unseen()),
                (&[0, 1, 2][..], &[][..]),
                "{text}"
            );
            assert!(split.unknown().is_empty());
        }
        std::fs::write(&path, "# these\ncat\n").unwrap();
        assert_eq!(read_names(&path).unwrap(), ["cat"]);
    }

    #[test]
    fn a_file_may_have_foreign_line_ends_and_a_byte_order_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unseen.txt");
        std::fs::write(&path, "\u{feff}dog\r\n\r\ncat\r\n").unwrap();
        let split = Split::read(&path, &labels()).unwrap();
        assert_eq!(split.unseen(), [0, 2]);
        assert!(split.unknown().is_empty());
    }
}
