//! Open Images v4 to v7: labels that people confirmed (+1) or denied (-1); all others are unknown.
//!
//! Columns: the trainable classes in the order of `classes-trainable.txt` (seen), or without it those
//! with boxes in the order of `class-descriptions-boxable.csv`; then the unseen ones, if any. These
//! are a list of classes `unseen.txt`, or the authors' own two files: a list of classes
//! (`unseen_labels.pkl` or `.txt`) and the places of the 400 most frequent of them
//! (`top_400_unseen.csv`). Training keeps the photos with 1 to 40 positive labels, as the paper does.
//! Files may have the names of any version, see [`super::open_images_files`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::builder::{Builder, clipped_box};
pub(super) use super::open_images_files::{LOOKED_FOR, parts, recognises};
use super::open_images_files::{
    boxable_descriptions, boxes_file, descriptions, labels_file, trainable,
};
use super::pickle;
use super::pixel_boxes::on_unturned_photos;
use super::split::read_names;
use super::table::Table;
use super::text::TextFile;
use super::{Dataset, DatasetError, LabelledBox, PhotoLabels};
use crate::files::read_bounded;
use crate::semantics::normalise_label;

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
mod tests {
    use super::super::testing::{Fixture, row, rows};
    use super::MOST_POSITIVES;

    const HEADER: &str = "ImageID,Source,LabelName,Confidence\n";

    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.write(
            "class-descriptions.csv",
            "/m/a,Dog\n/m/b,\"Ducks, geese\"\n/m/c,Crane\n/m/d,Crane\n/m/e,Yak\n",
        );
        fixture.write("classes-trainable.txt", "/m/c\r\n/m/a\r\n/m/d\r\n");
        fixture.write("unseen_labels.txt", "/m/x\n/m/b\n/m/e\n");
        fixture.write("top_400_unseen.csv", "\u{feff}2\r\n1\r\n");
        fixture.photos(&["test/00000000000000aa.jpg", "test/00000000000000bb.jpg"]);
        fixture
    }

    #[test]
    fn labels_are_confirmed_denied_or_unknown() {
        let fixture = fixture();
        fixture.write(
            "test-annotations-human-imagelabels.csv",
            format!(
                "{HEADER}00000000000000bb,verification,/m/a,1\n00000000000000aa,v,/m/e,0\n\
                 00000000000000bb,v,/m/b,0.0\n00000000000000bb,v,/m/z,1\n00000000000000cc,v,/m/a,1\n"
            ),
        );
        let set = fixture.open("test").unwrap();
        assert_eq!(set.labels, ["Crane", "Dog", "Crane", "Yak", "Ducks, geese"]);
        assert_eq!(set.unseen, [3, 4]);
        assert_eq!(
            rows(&set),
            [
                row("00000000000000bb.jpg", &[0, 1, 0, 0, -1]),
                row("00000000000000aa.jpg", &[0, 0, 0, -1, 0])
            ]
        );
        assert_eq!(set.report.missing_photos, 1);
        assert_eq!(set.report.unknown_labels[0].name, "/m/z");
    }

    #[test]
    fn training_keeps_photos_with_few_positive_labels() {
        let fixture = fixture();
        let classes: Vec<String> = (0..=MOST_POSITIVES).map(|i| format!("/m/{i}")).collect();
        fixture.write("classes-trainable.txt", classes.join("\n"));
        let label = |photo: u8, class: &String| format!("00000000000000{photo:02x},v,{class},1\n");
        let photo = |photo: u8, count: usize| -> String {
            classes[..count]
                .iter()
                .map(|class| label(photo, class))
                .collect()
        };
        let text = HEADER.to_owned()
            + &photo(1, MOST_POSITIVES)
            + &photo(2, MOST_POSITIVES + 1)
            + &label(3, &"/m/e".to_owned());
        fixture.write("train-annotations-human-imagelabels.csv", text);
        fixture.photos(&[
            "images/train/0000000000000001.jpg",
            "images/train/0000000000000002.jpg",
        ]);
        let set = fixture.open("train").unwrap();
        assert_eq!(set.photos.len(), 1);
        assert_eq!(set.photos[0].labels.positives.len(), MOST_POSITIVES);
        let notes = set.report.notes.join("\n");
        assert!(
            notes.contains("2 photos without 1 to 40 positive"),
            "{notes}"
        );
        assert!(notes.contains("/m/0 has no description"), "{notes}");
    }

    #[test]
    fn a_list_of_unseen_classes_of_ones_own_comes_first() {
        let fixture = fixture();
        fixture.write("unseen.txt", "/m/e\n");
        fixture.write(
            "test-annotations-human-imagelabels.csv",
            format!("{HEADER}00000000000000aa,v,/m/e,1\n"),
        );
        assert_eq!(fixture.open("test").unwrap().labels.len(), 4);
    }

    #[test]
    fn files_of_later_versions_are_known_by_their_names() {
        for (classes, trainable, labels, part) in [
            (
                "class-descriptions.csv",
                "classes-trainable.txt",
                "validation-annotations-human-imagelabels.csv",
                "validation",
            ),
            (
                "oidv6-class-descriptions.csv",
                "oidv6-classes-trainable.txt",
                "oidv6-train-annotations-human-imagelabels.csv",
                "train",
            ),
            (
                "oidv7-class-descriptions.csv",
                "oidv6-classes-trainable.txt",
                "oidv7-val-annotations-human-imagelabels.csv",
                "validation",
            ),
            (
                "oidv7-class-descriptions.csv",
                "oidv7-classes-trainable.txt",
                "oidv7-test-annotations-human-imagelabels.csv",
                "test",
            ),
            (
                "class-descriptions.csv",
                "classes-trainable.txt",
                "test-annotations-human-imagelabels-boxable.csv",
                "test",
            ),
        ] {
            let fixture = Fixture::new();
            fixture.write(classes, "LabelName,DisplayName\n/m/a,Dog\n/m/b,Cat\n");
            fixture.write(trainable, "/m/b\n/m/a\n");
            fixture.write(
                labels,
                format!("{HEADER}00000000000000aa,v,/m/a,1\n00000000000000aa,v,/m/b,0\n"),
            );
            fixture.photos(&["images/00000000000000aa.jpg"]);
            let set = fixture.open(part).unwrap();
            assert_eq!(set.labels, ["Cat", "Dog"], "{labels}");
            assert_eq!(
                rows(&set),
                [row("00000000000000aa.jpg", &[-1, 1])],
                "{labels}"
            );
            assert!(
                set.unseen.is_empty() && set.report.notes.len() == 1,
                "{}",
                set.report
            );
        }
    }

    #[test]
    fn boxes_alone_are_a_set_too() {
        let fixture = Fixture::new();
        fixture.write("class-descriptions-boxable.csv", "/m/a,Dog\n/m/b,Cat\n");
        fixture.write(
            "validation-annotations-bbox.csv",
            "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n\
             00000000000000aa,xclick,/m/a,1,0.1,0.5,0.2,0.75,0,0,0\n\
             00000000000000aa,xclick,/m/b,1,0.1,0.5,0.2,0.75,0,0,1\n\
             00000000000000aa,xclick,/m/b,1,0.5,0.5,0.2,0.75,0,0,0\n",
        );
        fixture.photos(&["validation/00000000000000aa.jpg"]);
        let set = fixture.open("val").unwrap();
        assert_eq!(rows(&set), [row("00000000000000aa.jpg", &[1, 1])]);
        let [labelled] = set.photos[0].boxes[..] else {
            panic!("{:?}", set.photos[0].boxes);
        };
        assert_eq!(
            [labelled.x0, labelled.y0, labelled.x1, labelled.y1],
            [0.1, 0.2, 0.5, 0.75]
        );
        let notes = set.report.notes.join("\n");
        assert!(
            notes.contains("a group of things") && notes.contains("bbox.csv line 4"),
            "{notes}"
        );
    }

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let fixture = Fixture::new();
        fixture.write("class-descriptions.csv", "/m/a,Dog\n");
        fixture.write("test-annotations-human-imagelabels.csv", HEADER);
        let refused = fixture.refused("test");
        assert!(
            refused.contains("no list of classes to train on: looked for classes-trainable.txt")
                && refused.contains("here are class-descriptions.csv"),
            "{refused}"
        );
    }

    #[test]
    fn broken_rows_are_named() {
        let fixture = fixture();
        let file = "test-annotations-human-imagelabels.csv";
        for (text, expected) in [
            (
                "00000000000000aa,v,/m/a\n",
                "line 2: 3 columns where the header has 4",
            ),
            (
                "aa,v,/m/a,1\n",
                "line 2: “aa” is not the 16 hexadecimal digits",
            ),
            (
                "+0000000000000aa,v,/m/a,1\n",
                "line 2: “+0000000000000aa” is not the 16",
            ),
            (
                "00000000000000aa,v,/m/a,0.5\n",
                "line 2: the confidence “0.5” is not 0 or 1",
            ),
        ] {
            fixture.write(file, format!("{HEADER}{text}"));
            let refused = fixture.refused("test");
            assert!(
                refused.starts_with(&format!("{file} {expected}")),
                "{refused}"
            );
        }
        fixture.write(file, "ImageID,Source,Confidence\n");
        let refused = fixture.refused("test");
        assert!(
            refused.ends_with("line 1: the header has no column “LabelName”; it has “ImageID”, “Source”, “Confidence”"),
            "{refused}"
        );
        fixture.write(file, HEADER);
        fixture.write("top_400_unseen.csv", "1\n3\n");
        let refused = fixture.refused("test");
        assert_eq!(
            refused,
            "top_400_unseen.csv line 2: “3” is no place in a list of 3 classes"
        );
        fixture.write("classes-trainable.txt", "/m/a\n/m/a\n");
        let refused = fixture.refused("test");
        assert_eq!(
            refused,
            "classes-trainable.txt line 2: the class /m/a is there twice"
        );
    }
}
