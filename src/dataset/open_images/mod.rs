//! Open Images v4 to v7: labels that people confirmed (+1) or denied (-1); all others are unknown.
//!
//! Columns: the trainable classes in the order of `classes-trainable.txt` (seen), or without it those
//! with boxes in the order of `class-descriptions-boxable.csv`; then the unseen ones, if any. These
//! are a list of classes `unseen.txt`, or the authors' own two files: a list of classes
//! (`unseen_labels.pkl` or `.txt`) and the places of the 400 most frequent of them
//! (`top_400_unseen.csv`). Training keeps the photos with 1 to 40 positive labels, as the paper does.
//! Files may have the names of any version, see [`files`].

mod files;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::builder::{Builder, clipped_box};
use super::pickle;
use super::pixel_boxes::on_unturned_photos;
use super::split::read_names;
use super::table::Table;
use super::text::TextFile;
use super::{Dataset, DatasetError, LabelledBox, PhotoLabels};
use crate::files::read_bounded;
use crate::semantics::normalise_label;
pub(super) use files::{LOOKED_FOR, parts, recognises};
use files::{boxable_descriptions, boxes_file, descriptions, labels_file, trainable};

const UNSEEN: &str = "unseen.txt";
const ALL_UNSEEN: &str = "unseen_labels";
const PLACES: &str = "top_400_unseen.csv";
/// Largest list of classes.
const LIST_LIMIT: u64 = 64 << 20;
/// The part that the paper filters by its count of positive labels.
const TRAIN: &str = "train";
/// Most positive labels of a training photo.
const MOST_POSITIVES: usize = 40;
/// The header of lists of classes, which not all of them have.
const CLASS_COLUMN: &str = "LabelName";

/// The classes of the set in `folder`.
pub(super) struct Columns {
    /// What the classes are called; several may share a name.
    pub labels: Vec<String>,
    /// How many of them, the first ones, are seen.
    pub seen: usize,
    /// Columns by the classes' own names (`/m/01g317`).
    places: HashMap<String, u32>,
    /// Classes without a description, called by their own names.
    unnamed: Vec<String>,
}

impl Columns {
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let path = descriptions(folder)?;
        let described = read_descriptions(&path)?;
        let mut names: HashMap<String, String> = described.into_iter().collect();
        let mut columns = Self {
            labels: Vec::new(),
            seen: 0,
            places: HashMap::new(),
            unnamed: Vec::new(),
        };
        let (path, seen) = seen_classes(folder)?;
        for (line, class) in &seen {
            columns
                .add(class, &mut names)
                .map_err(|r| DatasetError::line(&path, *line, r))?;
        }
        columns.seen = columns.labels.len();
        if let Some((path, unseen)) = unseen_classes(folder)? {
            for class in &unseen {
                columns
                    .add(class, &mut names)
                    .map_err(|r| DatasetError::content(&path, r))?;
            }
        }
        Ok(columns)
    }

    fn add(
        &mut self,
        class: &str,
        descriptions: &mut HashMap<String, String>,
    ) -> Result<(), String> {
        let next = self.labels.len() as u32;
        if self.places.insert(class.to_owned(), next).is_some() {
            return Err(format!("the class {class} is there twice"));
        }
        let name = descriptions.remove(class).unwrap_or_else(|| {
            self.unnamed.push(class.to_owned());
            class.to_owned()
        });
        self.labels
            .push(normalise_label(&name).map_err(|error| format!("{class}: {error}"))?);
        Ok(())
    }
}

/// Each class and what it is called.
fn read_descriptions(path: &Path) -> Result<Vec<(String, String)>, DatasetError> {
    let mut table = Table::open(path)?;
    let mut descriptions = Vec::new();
    while let Some(row) = table.row()? {
        let [class, name] = row else {
            return Err(table.refuse("not a class and what it is called"));
        };
        if class != CLASS_COLUMN {
            descriptions.push((class.clone(), name.clone()));
        }
    }
    Ok(descriptions)
}

/// The file of the seen classes, and each of them with its line.
fn seen_classes(folder: &Path) -> Result<(PathBuf, Vec<(usize, String)>), DatasetError> {
    if let Some(path) = trainable(folder) {
        let file = TextFile::read(&path)?;
        let classes = file.entries().filter(|(_, class)| *class != CLASS_COLUMN);
        let classes = classes
            .map(|(line, class)| (line, class.to_owned()))
            .collect();
        return Ok((path, classes));
    }
    let path = boxable_descriptions(folder)?;
    let classes = read_descriptions(&path)?.into_iter();
    let classes = (1..).zip(classes.map(|(class, _)| class)).collect();
    Ok((path, classes))
}

/// The unseen classes and the file they are from, where there is one.
fn unseen_classes(folder: &Path) -> Result<Option<(PathBuf, Vec<String>)>, DatasetError> {
    let own = folder.join(UNSEEN);
    if own.is_file() {
        let classes = read_names(&own)?;
        return Ok(Some((own, classes)));
    }
    let pickled = folder.join(format!("{ALL_UNSEEN}.pkl"));
    let plain = folder.join(format!("{ALL_UNSEEN}.txt"));
    let (path, all) = match (pickled.is_file(), plain.is_file()) {
        (true, _) => {
            let bytes = read_bounded(&pickled, LIST_LIMIT)?;
            let strings = pickle::strings(&bytes);
            let strings = strings.map_err(|reason| DatasetError::content(&pickled, reason))?;
            (pickled, strings)
        }
        (false, true) => {
            let classes = read_names(&plain)?;
            (plain, classes)
        }
        (false, false) => return Ok(None),
    };
    let places = folder.join(PLACES);
    if !places.is_file() {
        return Ok(Some((path, all)));
    }
    let list = TextFile::read(&places)?;
    let class = |(line, text): (usize, &str)| {
        let class = text.parse().ok().and_then(|place: usize| all.get(place));
        let reason = || format!("“{text}” is no place in a list of {} classes", all.len());
        class.cloned().ok_or_else(|| list.refuse(line, reason()))
    };
    let classes = list.entries().map(class).collect::<Result<_, _>>()?;
    Ok(Some((places, classes)))
}

/// What is known of one photo while it is being read.
#[derive(Default)]
struct Photo {
    id: u64,
    positives: Vec<u32>,
    negatives: Vec<u32>,
    boxes: Vec<LabelledBox>,
}

/// Photos in the order in which they first appear.
#[derive(Default)]
struct Photos {
    places: HashMap<u64, usize>,
    photos: Vec<Photo>,
}

impl Photos {
    fn of(&mut self, id: u64) -> &mut Photo {
        let next = self.photos.len();
        let place = *self.places.entry(id).or_insert(next);
        if place == next {
            self.photos.push(Photo {
                id,
                ..Photo::default()
            });
        }
        &mut self.photos[place]
    }
}

/// Reads the part `part`.
///
/// # Errors
/// A list or table that cannot be read, a row that cannot be understood, with its line.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let columns = Columns::read(folder)?;
    let mut builder = Builder::new(folder, part);
    for class in &columns.unnamed {
        builder.note(format!("{class} has no description"));
    }
    if columns.seen == columns.labels.len() {
        builder.note(format!("no {UNSEEN}: none of the set's labels is unseen"));
    }
    let mut photos = Photos::default();
    let labels = labels_file(folder, part);
    if let Some(path) = &labels {
        read_labels(path, &columns, &mut builder, &mut photos)?;
    }
    // Nothing is trained with boxes, and those of training are many.
    match boxes_file(folder, part).filter(|_| labels.is_none() || part != TRAIN) {
        Some(path) => read_boxes(&path, &columns, &mut builder, &mut photos)?,
        None if labels.is_none() => {
            return Err(DatasetError::no_part(
                folder,
                part,
                parts(folder),
                LOOKED_FOR,
            ));
        }
        None => {}
    }
    add_photos(
        &mut builder,
        photos,
        columns.seen,
        &photo_folder(folder, part),
        part,
    );
    let unseen = (columns.seen as u32..columns.labels.len() as u32).collect();
    Ok(Dataset {
        unseen,
        ..builder.finish(folder, columns.labels)?
    })
}

fn add_photos(builder: &mut Builder, photos: Photos, seen: usize, images: &Path, part: &str) {
    let (mut labels, mut boxes) = (Vec::new(), Vec::new());
    let mut left_out = 0;
    for photo in photos.photos {
        let known = PhotoLabels::listed(photo.positives, photo.negatives);
        let positives = known.positives.iter();
        let positives = positives.filter(|&&label| (label as usize) < seen).count();
        if part == TRAIN && !(1..=MOST_POSITIVES).contains(&positives) {
            left_out += 1;
            continue;
        }
        labels.push(known);
        boxes.push((images.join(format!("{:016x}.jpg", photo.id)), photo.boxes));
    }
    builder.note_count(
        left_out,
        "photos without 1 to 40 positive seen labels were left out of training",
    );
    let boxes = on_unturned_photos(boxes, &mut builder.faults);
    for ((path, boxes), labels) in boxes.into_iter().zip(labels) {
        builder.photo(path, labels, boxes);
    }
}

/// `train/`, `images/train/` or `images/`.
fn photo_folder(folder: &Path, part: &str) -> PathBuf {
    let images = folder.join("images");
    let candidates = [folder.join(part), images.join(part), images];
    let there = candidates.iter().find(|candidate| candidate.is_dir());
    there.unwrap_or(&candidates[0]).clone()
}

/// Streams a table of labels.
fn read_labels(
    path: &Path,
    columns: &Columns,
    builder: &mut Builder,
    photos: &mut Photos,
) -> Result<(), DatasetError> {
    let mut table = Table::open(path)?;
    let wanted = table.columns(["ImageID", CLASS_COLUMN, "Confidence"])?;
    while let Some((line, [id, class, confidence])) = table.cells(&wanted)? {
        let refuse = |reason: String| DatasetError::line(path, line, reason);
        let id = photo_id(id).map_err(refuse)?;
        let positive = match confidence.parse() {
            Ok(1.0) => true,
            Ok(0.0) => false,
            _ => {
                return Err(refuse(format!(
                    "the confidence “{confidence}” is not 0 or 1"
                )));
            }
        };
        let photo = photos.of(id);
        match (columns.places.get(class), positive) {
            (Some(&label), true) => photo.positives.push(label),
            (Some(&label), false) => photo.negatives.push(label),
            (None, _) => builder.unknown(class),
        }
    }
    Ok(())
}

/// Streams a table of boxes. Its classes are positive, a group of things gives no box.
fn read_boxes(
    path: &Path,
    columns: &Columns,
    builder: &mut Builder,
    photos: &mut Photos,
) -> Result<(), DatasetError> {
    const GROUP: &str = "a box around a group of things, which gives a label but no box";
    const NO_BOX: &str = "a box whose corners are no part of the photo (its label counts)";
    let mut table = Table::open(path)?;
    let wanted = [
        "ImageID",
        CLASS_COLUMN,
        "XMin",
        "XMax",
        "YMin",
        "YMax",
        "IsGroupOf",
    ];
    let wanted = table.columns(wanted)?;
    while let Some((line, [id, class, corners @ .., group])) = table.cells(&wanted)? {
        let id = photo_id(id).map_err(|reason| DatasetError::line(path, line, reason))?;
        let Some(&label) = columns.places.get(class) else {
            builder.unknown(class);
            continue;
        };
        let photo = photos.of(id);
        photo.positives.push(label);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = || format!("{name} line {line}");
        if group == "1" {
            builder.faults.add(GROUP, place);
            continue;
        }
        let [x0, x1, y0, y1] = corners.map(|corner| corner.parse().unwrap_or(f32::NAN));
        match clipped_box(label, [x0, y0, x1, y1]) {
            Some(labelled) => photo.boxes.push(labelled),
            None => builder.faults.add(NO_BOX, place),
        }
    }
    Ok(())
}

fn photo_id(text: &str) -> Result<u64, String> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    id.ok_or_else(|| format!("“{text}” is not the 16 hexadecimal digits of a photo"))
}

#[cfg(test)]
mod tests;
