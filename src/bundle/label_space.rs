//! A foreign model's labels and their vectors: lists of names, and the arrays that belong to them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::BundleError;
use crate::checkpoint::{PlainTensor, numpy};
use crate::files::{FileError, read_bounded, shown};
use crate::semantics::labels::{ListedLabel, MAX_LIST_BYTES};
use crate::semantics::{LabelEncoder, SemanticsError, label_key, normalise_label};

/// Lists of names and, where there is one, the file of their vectors.
#[derive(Clone, Debug)]
pub struct LabelFiles {
    /// Labels of training, one a line.
    pub seen: PathBuf,
    /// Labels that training never saw; one that is in both lists is unseen.
    pub unseen: Option<PathBuf>,
    /// Pickled arrays, or an `.npy` file, with a row for each line of the lists.
    pub vectors: Option<PathBuf>,
}

/// A label, and its row among the lines of both lists.
struct Named {
    listed: ListedLabel,
    row: usize,
}

/// The labels of both lists, each once.
pub struct LabelSpace {
    labels: Vec<Named>,
    /// Lines of each list.
    lines: [usize; 2],
    files: LabelFiles,
}

/// Labels with their vectors.
pub struct Vectors {
    pub labels: Vec<ListedLabel>,
    /// `[L, D]`, l2-normalised.
    pub vectors: Tensor,
    /// Labels of the lists that have no vector, each with the reason.
    pub left_out: Vec<String>,
}

impl LabelSpace {
    /// Reads the lists: labels of training that are not among the unseen ones, then those.
    ///
    /// # Errors
    /// A list that cannot be read or is not UTF-8, a list of training without a label; the first line
    /// that is no label.
    pub fn read(files: &LabelFiles) -> Result<Self, BundleError> {
        let seen = names(&files.seen)?;
        let unseen = match &files.unseen {
            Some(path) => unseen_names(path)?,
            None => Vec::new(),
        };
        if seen.is_empty() {
            return Err(SemanticsError::List {
                path: files.seen.clone(),
                line: 1,
                reason: "no label in it; write one on each line".to_owned(),
            }
            .into());
        }
        let lines = [seen.len(), unseen.len()];
        let mut rows: HashMap<String, usize> = HashMap::new();
        for (row, name) in unseen.iter().enumerate() {
            rows.entry(label_key(name)).or_insert(row);
        }
        let mut labels = Vec::with_capacity(seen.len() + unseen.len());
        let mut known = HashSet::new();
        for (row, label) in seen.into_iter().enumerate() {
            let key = label_key(&label);
            if !rows.contains_key(&key) && known.insert(key) {
                let listed = ListedLabel { label, seen: true };
                labels.push(Named { listed, row });
            }
        }
        for (row, label) in unseen.into_iter().enumerate() {
            if rows.get(&label_key(&label)) == Some(&row) {
                let listed = ListedLabel { label, seen: false };
                let row = lines[0] + row;
                labels.push(Named { listed, row });
            }
        }
        Ok(Self {
            labels,
            lines,
            files: files.clone(),
        })
    }

    /// The rows that the file of vectors has for the labels, as they are there; `None` where there is
    /// no such file.
    ///
    /// # Errors
    /// A file that cannot be read, rows that are not those of the lists, of another length than
    /// `dimension`, or without a direction.
    pub fn published(&self, dimension: usize) -> Result<Option<Vectors>, BundleError> {
        let Some(path) = &self.files.vectors else {
            return Ok(None);
        };
        let refuse = |reason: String| BundleError::Weights {
            path: path.clone(),
            reason,
        };
        let arrays = numpy::read_arrays(path)?;
        let rows = self.rows_of(&arrays).map_err(refuse)?;
        let mut numbers = Vec::with_capacity(self.labels.len() * dimension);
        for named in &self.labels {
            let row = rows.get(named.row).copied().unwrap_or_default();
            if row.len() != dimension {
                let (found, label) = (row.len(), &named.listed.label);
                return Err(refuse(format!(
                    "the vector of “{label}” has {found} numbers, the network takes {dimension}; \
                     choose vectors that belong to the checkpoint"
                )));
            }
            let norm = row.iter().map(|number| number * number).sum::<f32>().sqrt();
            if !norm.is_normal() {
                return Err(refuse(format!(
                    "the vector of “{}” has no direction; fetch the file again",
                    named.listed.label
                )));
            }
            numbers.extend(row.iter().map(|number| number / norm));
        }
        Ok(Some(Vectors {
            labels: self
                .labels
                .iter()
                .map(|named| named.listed.clone())
                .collect(),
            vectors: tensor(numbers, self.labels.len(), dimension)?,
            left_out: Vec::new(),
        }))
    }

    /// The labels as `encoder` has them; those it has no vector for are left out.
    ///
    /// # Errors
    /// An encoder that fails, or knows none of the labels.
    pub fn encoded(&self, encoder: &dyn LabelEncoder) -> Result<Vectors, BundleError> {
        let (mut labels, mut rows, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for named in &self.labels {
            match encoder.encode(&[&named.listed.label]) {
                Ok(vector) => {
                    labels.push(named.listed.clone());
                    rows.push(vector);
                }
                Err(error) if error.is_about_a_label() => left_out.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        if rows.is_empty() {
            return Err(BundleError::Weights {
                path: self.files.seen.clone(),
                reason: "none of its labels is among the word vectors; choose lists and word \
                         vectors of one language"
                    .to_owned(),
            });
        }
        let vectors = Tensor::cat(&rows, 0).map_err(SemanticsError::from)?;
        Ok(Vectors {
            labels,
            vectors,
            left_out,
        })
    }

    /// The rows of one array or two, one after the other, where they are those of the lists.
    fn rows_of<'a>(&self, arrays: &'a [PlainTensor]) -> Result<Vec<&'a [f32]>, String> {
        let counts: Vec<usize> = arrays
            .iter()
            .map(|array| match array.shape[..] {
                [rows, _] => Ok(rows),
                _ => Err("an array that is no matrix; choose the file of the label vectors"),
            })
            .collect::<Result<_, _>>()?;
        let [seen, unseen] = self.lines;
        let fits = match counts[..] {
            [all] => all == seen + unseen,
            [first, second] => [first, second] == self.lines,
            _ => false,
        };
        if !fits {
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            let lists = match &self.files.unseen {
                Some(path) => format!(
                    "{} has {seen} lines and {} {unseen}",
                    shown(&self.files.seen),
                    shown(path)
                ),
                None => format!("{} has {seen} lines", shown(&self.files.seen)),
            };
            return Err(format!(
                "its arrays have {} rows, {lists}; give the lists that the vectors were made for",
                counts.join(" and ")
            ));
        }
        let rows = arrays.iter().flat_map(|array| {
            let width = array.shape.get(1).copied().unwrap_or_default();
            array.data.chunks(width.max(1))
        });
        Ok(rows.collect())
    }
}

fn tensor(numbers: Vec<f32>, rows: usize, width: usize) -> Result<Tensor, BundleError> {
    let tensor = Tensor::from_vec(numbers, (rows, width), &Device::Cpu);
    let tensor = tensor.and_then(|tensor| tensor.to_dtype(DType::F32));
    Ok(tensor.map_err(SemanticsError::from)?)
}

/// The labels of a list, one a line; blank lines are passed over.
fn names(path: &Path) -> Result<Vec<String>, BundleError> {
    let bytes = read_bounded(path, MAX_LIST_BYTES)?;
    let refuse = |line: usize, reason: String| SemanticsError::List {
        path: path.to_owned(),
        line,
        reason,
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        let line = 1 + before.filter(|&&byte| byte == b'\n').count();
        refuse(line, "the text is not UTF-8; save it as UTF-8".to_owned())
    })?;
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            normalise_label(line).map_err(|error| refuse(number, error.to_string()).into())
        })
        .collect()
}

/// The labels of a list that may have none; a line that begins with `#` is a comment.
fn unseen_names(path: &Path) -> Result<Vec<String>, BundleError> {
    match names(path) {
        Err(BundleError::File(FileError::Empty(_))) => Ok(Vec::new()),
        names => Ok(names?
            .into_iter()
            .filter(|name| !name.starts_with('#'))
            .collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(seen: &str, unseen: &str) -> (tempfile::TempDir, LabelSpace) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = LabelFiles {
            seen: write("TagList1k.txt", seen),
            unseen: Some(write("Concepts81.txt", unseen)),
            vectors: None,
        };
        let space = LabelSpace::read(&files).unwrap();
        (folder, space)
    }

    fn rows(space: &LabelSpace) -> Vec<(&str, bool, usize)> {
        let rows = space.labels.iter();
        rows.map(|named| (named.listed.label.as_str(), named.listed.seen, named.row))
            .collect()
    }

    #[test]
    fn an_empty_list_of_unseen_labels_is_a_list() {
        for unseen in ["", "\n\n", "\u{feff}", "# none\n\n"] {
            let (_folder, space) = space("dog\ncat\n", unseen);
            assert_eq!(space.labels.len(), 2, "{unseen}");
            assert!(space.labels.iter().all(|named| named.listed.seen));
        }
        let (folder, _) = space("dog\n", "");
        let seen = folder.path().join("none.txt");
        std::fs::write(&seen, "\n").unwrap();
        let files = LabelFiles {
            seen,
            unseen: None,
            vectors: None,
        };
        let refused = LabelSpace::read(&files)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(refused.contains("no label in it"), "{refused}");
    }

    #[test]
    fn labels_of_both_lists_are_unseen_and_keep_their_rows() {
        let (_folder, space) = space("sky\r\ndog\r\nmap\r\n", "map\nSky\n\nfox\n");
        let expected = [
            ("dog", true, 1),
            ("map", false, 3),
            ("Sky", false, 4),
            ("fox", false, 5),
        ];
        assert_eq!(rows(&space), expected);
        assert_eq!(space.lines, [3, 3]);
    }

    #[test]
    fn a_label_that_comes_twice_has_its_first_row() {
        let (_folder, space) = space("dog\nDog\ncat\n", "fox\nfox\n");
        assert_eq!(
            rows(&space),
            [("dog", true, 0), ("cat", true, 2), ("fox", false, 3)]
        );
    }

    #[test]
    fn arrays_must_be_those_of_the_lists() {
        let (_folder, space) = space("dog\ncat\n", "fox\n");
        let array = |rows: usize| PlainTensor {
            shape: vec![rows, 2],
            data: (0..2 * rows).map(|number| number as f32).collect(),
        };
        let two = [array(2), array(1)];
        assert_eq!(
            space.rows_of(&two).unwrap(),
            [[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]]
        );
        assert_eq!(space.rows_of(&[array(3)]).unwrap().len(), 3);
        let refusal = space.rows_of(&[array(1), array(2)]).unwrap_err();
        assert!(
            refusal.contains("1 and 2 rows") && refusal.contains("TagList1k.txt has 2 lines"),
            "{refusal}"
        );
        let flat = PlainTensor {
            shape: vec![3],
            data: vec![0.0; 3],
        };
        assert!(space.rows_of(&[flat]).is_err());
    }
}
