//! What all readers share: a list of labels, and photos counted as they come.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::faults::Faults;
use super::text::TextFile;
use super::{Dataset, DatasetError, DatasetPhoto, LabelledBox, PhotoLabels, Report, UnknownLabel};
use crate::semantics::{label_key, normalise_label};

/// Labels with the way back from a text to its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    pub labels: Vec<String>,
    places: HashMap<String, u32>,
}

impl Vocabulary {
    /// Reads a list of labels, one a line.
    ///
    /// # Errors
    /// A line that is no label or repeats one.
    pub fn read(path: &Path) -> Result<Self, DatasetError> {
        let file = TextFile::read(path)?;
        let mut vocabulary = Self::default();
        for (line, text) in file.entries() {
            let known = vocabulary.labels.len();
            let refuse = |reason: String| file.refuse(line, reason);
            let place = vocabulary
                .add(text)
                .map_err(|error| refuse(error.to_string()))?;
            if (place as usize) < known {
                return Err(refuse(format!("“{text}” is already in the list")));
            }
        }
        Ok(vocabulary)
    }

    /// The place of a label, which is added where it is new.
    pub fn add(&mut self, text: &str) -> Result<u32, crate::semantics::LabelError> {
        let label = normalise_label(text)?;
        let next = self.labels.len() as u32;
        let place = *self.places.entry(label_key(&label)).or_insert(next);
        if place == next {
            self.labels.push(label);
        }
        Ok(place)
    }

    /// The place of a label, whatever its case and the white space around it.
    pub fn place(&self, text: &str) -> Option<u32> {
        self.places.get(&label_key(text)).copied()
    }

    /// The places of all labels.
    pub fn all(&self) -> Vec<u32> {
        (0..self.labels.len() as u32).collect()
    }
}

/// A data set while it is being read.
pub(super) struct Builder {
    name: String,
    photos: Vec<DatasetPhoto>,
    report: Report,
    unknown: BTreeMap<String, usize>,
    first_missing: Option<PathBuf>,
    /// What could not be used, told at the end.
    pub faults: Faults,
}

impl Builder {
    /// Begins the part `part` of the set in `folder`, which gives the set its name.
    pub fn new(folder: &Path, part: &str) -> Self {
        // A folder such as `.` has its name only as an absolute path.
        let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let name = whole.file_name().unwrap_or(whole.as_os_str());
        Self {
            name: format!("{} {part}", name.to_string_lossy()),
            photos: Vec::new(),
            report: Report::default(),
            unknown: BTreeMap::new(),
            first_missing: None,
            faults: Faults::default(),
        }
    }

    /// Takes in a photo, if it is on the disk.
    pub fn photo(&mut self, path: PathBuf, labels: PhotoLabels, boxes: Vec<LabelledBox>) {
        if !path.is_file() {
            self.report.missing_photos += 1;
            self.first_missing.get_or_insert(path);
            return;
        }
        self.report.photos += 1;
        self.report.positives += labels.positives.len() as u64;
        self.report.negatives += labels.negative_count() as u64;
        self.photos.push(DatasetPhoto {
            path,
            labels,
            boxes,
        });
    }

    /// Counts a label that the set's list does not have.
    pub fn unknown(&mut self, name: &str) {
        match self.unknown.get_mut(name) {
            Some(times) => *times += 1,
            None => {
                self.unknown.insert(name.to_owned(), 1);
            }
        }
    }

    /// Says something in the report.
    pub fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }

    /// Says how many of something there were, unless there was none.
    pub fn note_count(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.note(format!("{count} {what}"));
        }
    }

    /// The finished set.
    ///
    /// # Errors
    /// Photos that are listed, none of which is there.
    pub fn finish(self, folder: &Path, labels: Vec<String>) -> Result<Dataset, DatasetError> {
        let mut report = self.report;
        if let (Some(first), 0) = (self.first_missing, report.photos) {
            let listed = report.missing_photos;
            return Err(DatasetError::no_photos(folder, listed, first));
        }
        report.notes.extend(self.faults.notes());
        let unknown = self.unknown.into_iter();
        report.unknown_labels = unknown
            .map(|(name, times)| UnknownLabel { name, times })
            .collect();
        Ok(Dataset {
            name: self.name,
            labels,
            unseen: Vec::new(),
            photos: self.photos,
            report,
        })
    }
}

/// A box from corners that may lie a little outside; `None` where nothing of it lies in the photo or
/// a corner is no number.
pub(super) fn clipped_box(label: u32, corners: [f32; 4]) -> Option<LabelledBox> {
    let [x0, y0, x1, y1] = corners.map(|corner| corner.clamp(0.0, 1.0));
    (x0 < x1 && y0 < y1).then_some(LabelledBox {
        label,
        x0,
        y0,
        x1,
        y1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_clipped_to_the_photo() {
        let labelled = clipped_box(3, [-0.1, 0.2, 0.5, 1.2]).unwrap();
        assert_eq!((labelled.x0, labelled.y1, labelled.label), (0.0, 1.0, 3));
        assert_eq!(clipped_box(3, [0.5, 0.2, 0.5, 0.4]), None);
        assert_eq!(clipped_box(3, [1.1, 0.2, 1.5, 0.4]), None);
        assert_eq!(clipped_box(3, [f32::NAN, 0.2, 0.5, 0.4]), None);
    }

    #[test]
    fn a_list_refuses_a_label_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocabulary.txt");
        std::fs::write(&path, "dog\r\n\r\ncat\r\nDOG\r\n").unwrap();
        let error = Vocabulary::read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("vocabulary.txt line 4: “DOG” is already in the list"),
            "{error}"
        );
    }
}
