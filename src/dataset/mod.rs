//! Labelled photos: readers of the usual data sets, and the cache of their backbone features.
//!
//! A label of a photo is +1, -1 or 0, unknown (the paper's Eq. 10 takes only known ones).

mod builder;
mod coco;
mod encoding;
mod error;
mod faults;
pub mod features;
mod folder;
mod kind;
mod labels;
mod nus_wide;
mod open_images;
mod pickle;
mod pixel_boxes;
mod report;
mod split;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod voc;

pub use error::DatasetError;
pub use features::{CacheError, Content, FeatureCache, FillProgress, FillReport, Which};
pub use kind::{Kind, Part, UnknownKind, open};
pub use labels::{Negatives, PhotoLabels};
pub use report::{Report, UnknownLabel};
pub use split::{Split, read_names};

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::semantics::label_key;

/// Photos and what is known of them.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub name: String,
    /// The labels' texts, as [`crate::semantics::normalise_label`] leaves them. A label is known by
    /// its place here: Open Images has classes that share a name.
    pub labels: Vec<String>,
    /// Labels that the set itself keeps for zero-shot tests (NUS-WIDE's 81 concepts, the 400 of
    /// Open Images), in rising order; none where the user decides with a list.
    pub unseen: Vec<u32>,
    pub photos: Vec<DatasetPhoto>,
    pub report: Report,
}

/// One photo with its labels.
#[derive(Clone, Debug)]
pub struct DatasetPhoto {
    pub path: PathBuf,
    pub labels: PhotoLabels,
    /// Where the things are, in sets that say so.
    pub boxes: Vec<LabelledBox>,
}

/// A thing in a photo. Corners are fractions of the photo's width and height from its upper left:
/// 0 ≤ x0 < x1 ≤ 1 and 0 ≤ y0 < y1 ≤ 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledBox {
    /// Place in [`Dataset::labels`].
    pub label: u32,
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Dataset {
    /// Several sets as one, with the union of their labels: labels of one [`label_key`] become one,
    /// written as the first set writes it. A label that a set does not have is unknown for its
    /// photos. One set alone stays as it is.
    pub fn merge(sets: Vec<Dataset>) -> Dataset {
        let mut sets = sets.into_iter();
        let first = sets.next().unwrap_or_default();
        if sets.len() == 0 {
            return first;
        }
        let mut merged = Dataset::default();
        let mut places = HashMap::new();
        for set in std::iter::once(first).chain(sets) {
            merged.append(set, &mut places);
        }
        merged.unseen.sort_unstable();
        merged.unseen.dedup();
        merged
    }

    /// The same photos with the labels of a list alone, in the set's order, compared as
    /// [`label_key`] does (the usual zero-shot split of COCO has 65 of its 80 categories). Returns
    /// the names that are no labels here, too. The report stays that of the whole set.
    pub fn keep_only<S: AsRef<str>>(mut self, names: &[S]) -> (Dataset, Vec<String>) {
        let split = Split::of_names(&self.labels, names);
        let kept = split.unseen();
        let place = |label: u32| kept.binary_search(&label).ok().map(|place| place as u32);
        self.labels = kept
            .iter()
            .map(|&l| self.labels[l as usize].clone())
            .collect();
        self.unseen = self.unseen.into_iter().filter_map(place).collect();
        let photos = std::mem::take(&mut self.photos);
        self.photos = moved_photos(photos, &place).collect();
        (self, split.unknown().to_vec())
    }

    /// Takes in another set; `places` knows the labels so far by their keys.
    fn append(&mut self, set: Dataset, places: &mut HashMap<String, u32>) {
        let moved: Vec<u32> = set
            .labels
            .into_iter()
            .map(|label| {
                let next = self.labels.len() as u32;
                let place = *places.entry(label_key(&label)).or_insert(next);
                if place == next {
                    self.labels.push(label);
                }
                place
            })
            .collect();
        let place = |label: u32| moved.get(label as usize).copied();
        self.photos.extend(moved_photos(set.photos, &place));
        self.unseen.extend(set.unseen.into_iter().filter_map(place));
        if !self.name.is_empty() {
            self.name += " + ";
        }
        self.name += &set.name;
        self.report.add(set.report);
    }
}

/// Photos whose labels have come to other places; labels without one go.
fn moved_photos(
    photos: Vec<DatasetPhoto>,
    place: &impl Fn(u32) -> Option<u32>,
) -> impl Iterator<Item = DatasetPhoto> {
    // Photos of one set share their judged labels; they must share them afterwards.
    let mut judged: HashMap<*const u32, Arc<[u32]>> = HashMap::new();
    photos.into_iter().map(move |photo| DatasetPhoto {
        labels: photo.labels.moved(place, &mut judged),
        boxes: photo
            .boxes
            .into_iter()
            .filter_map(|labelled| {
                let label = place(labelled.label)?;
                Some(LabelledBox { label, ..labelled })
            })
            .collect(),
        path: photo.path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, labels: &[&str], photos: Vec<PhotoLabels>) -> Dataset {
        let photo = |labels| DatasetPhoto {
            path: PathBuf::from(name),
            labels,
            boxes: vec![LabelledBox {
                label: 1,
                x0: 0.0,
                y0: 0.0,
                x1: 1.0,
                y1: 1.0,
            }],
        };
        Dataset {
            name: name.to_owned(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            unseen: vec![1],
            photos: photos.into_iter().map(photo).collect(),
            report: Report {
                photos: 1,
                ..Report::default()
            },
        }
    }

    fn row(set: &Dataset, photo: usize) -> Vec<i8> {
        let mut row = vec![9; set.labels.len()];
        set.photos[photo].labels.fill(&mut row);
        row
    }

    #[test]
    fn a_label_outside_a_sets_own_is_unknown_for_its_photos() {
        let judged: Arc<[u32]> = vec![0, 1].into();
        let first = vec![
            PhotoLabels::judged(vec![0], Arc::clone(&judged)),
            PhotoLabels::judged(vec![1], judged),
        ];
        let second = vec![PhotoLabels::listed(vec![0], vec![2])];
        let merged = Dataset::merge(vec![
            set("one", &["dog", "Cat"], first),
            set("two", &["CAT", "sky", "dog"], second),
        ]);
        assert_eq!(merged.labels, ["dog", "Cat", "sky"]);
        assert_eq!(row(&merged, 0), [1, -1, 0]);
        assert_eq!(row(&merged, 1), [-1, 1, 0]);
        assert_eq!(row(&merged, 2), [-1, 1, 0]);
        assert_eq!(merged.photos[2].boxes[0].label, 2);
        assert_eq!(merged.unseen, [1, 2]);
        assert_eq!(merged.name, "one + two");
        assert_eq!(merged.report.photos, 2);
        let set_of = |photo: usize| match &merged.photos[photo].labels.negatives {
            Negatives::AllOthersOf(set) => Arc::as_ptr(set),
            Negatives::Listed(_) => panic!("the judged set is gone"),
        };
        assert_eq!(set_of(0), set_of(1));
    }

    #[test]
    fn labels_outside_a_list_go_with_their_boxes() {
        let judged: Arc<[u32]> = vec![0, 1, 2].into();
        let photos = vec![
            PhotoLabels::judged(vec![1, 2], judged),
            PhotoLabels::listed(vec![0], vec![1, 2]),
        ];
        let (kept, unknown) =
            set("one", &["dog", "cat", "sky"], photos).keep_only(&["yak", "Sky", "dog"]);
        assert_eq!((kept.labels.len(), unknown), (2, vec!["yak".to_owned()]));
        assert_eq!(row(&kept, 0), [-1, 1]);
        assert_eq!(row(&kept, 1), [1, -1]);
        assert!(kept.photos[0].boxes.is_empty() && kept.unseen.is_empty());
    }

    #[test]
    fn one_set_alone_keeps_labels_of_one_name() {
        let merged = Dataset::merge(vec![set("one", &["crane", "Crane"], Vec::new())]);
        assert_eq!(merged.labels, ["crane", "Crane"]);
        assert!(Dataset::merge(Vec::new()).labels.is_empty());
    }
}
