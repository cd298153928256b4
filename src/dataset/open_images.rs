//! Open Images v4: labels that people confirmed (+1) or denied (-1); all others are unknown.
//!
//! Columns: the trainable classes in the order of `classes-trainable.txt` (seen), then the unseen
//! ones. These are a list of classes `unseen.txt`, or the authors' own two files: a list of classes
//! (`unseen_labels.pkl` or `.txt`) and the places of the 400 most frequent of them
//! (`top_400_unseen.csv`). Training keeps the photos with 1 to 40 positive labels, as the paper does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::builder::Builder;
use super::pickle;
use super::table::Table;
use super::text::TextFile;
use super::{Dataset, DatasetError, PhotoLabels};
use crate::files::read_bounded;
use crate::semantics::normalise_label;

const DESCRIPTIONS: &str = "class-descriptions.csv";
const TRAINABLE: &str = "classes-trainable.txt";
const UNSEEN: &str = "unseen.txt";
const ALL_UNSEEN: &str = "unseen_labels";
const PLACES: &str = "top_400_unseen.csv";
const LABELS: &str = "-annotations-human-imagelabels.csv";
/// Largest list of classes.
const LIST_LIMIT: u64 = 64 << 20;
/// The part that the paper filters by its count of positive labels.
const TRAIN: &str = "train";
/// Most positive labels of a training photo.
const MOST_POSITIVES: usize = 40;

/// The parts of the set in `folder`.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    let parts = ["train", "validation", "test"];
    let there = parts
        .into_iter()
        .filter(|part| labels_file(folder, part).is_file());
    there.map(str::to_owned).collect()
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    folder.join(DESCRIPTIONS).is_file() && folder.join(TRAINABLE).is_file()
}

fn labels_file(folder: &Path, part: &str) -> PathBuf {
    folder.join(format!("{part}{LABELS}"))
}

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
        let mut descriptions = read_descriptions(&folder.join(DESCRIPTIONS))?;
        let mut columns = Self {
            labels: Vec::new(),
            seen: 0,
            places: HashMap::new(),
            unnamed: Vec::new(),
        };
        let path = folder.join(TRAINABLE);
        for (line, class) in TextFile::read(&path)?.entries() {
            columns
                .add(class, &mut descriptions)
                .map_err(|r| DatasetError::line(&path, line, r))?;
        }
        columns.seen = columns.labels.len();
        let (path, unseen) = unseen_classes(folder)?;
        for class in &unseen {
            columns
                .add(class, &mut descriptions)
                .map_err(|r| DatasetError::content(&path, r))?;
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

/// What each class is called.
fn read_descriptions(path: &Path) -> Result<HashMap<String, String>, DatasetError> {
    let mut table = Table::open(path)?;
    let mut descriptions = HashMap::new();
    while let Some(row) = table.row()? {
        let [class, name] = row else {
            return Err(table.refuse("not a class and what it is called"));
        };
        descriptions.insert(class.clone(), name.clone());
    }
    Ok(descriptions)
}

/// The unseen classes and the file they are from.
fn unseen_classes(folder: &Path) -> Result<(PathBuf, Vec<String>), DatasetError> {
    let own = folder.join(UNSEEN);
    if own.is_file() {
        let classes = read_classes(&own)?;
        return Ok((own, classes));
    }
    let pickled = folder.join(format!("{ALL_UNSEEN}.pkl"));
    let (path, all) = match pickled.is_file() {
        true => {
            let bytes = read_bounded(&pickled, LIST_LIMIT)?;
            let strings = pickle::strings(&bytes);
            let strings = strings.map_err(|reason| DatasetError::content(&pickled, reason))?;
            (pickled, strings)
        }
        false => {
            let plain = folder.join(format!("{ALL_UNSEEN}.txt"));
            let classes = read_classes(&plain)?;
            (plain, classes)
        }
    };
    let places = folder.join(PLACES);
    if !places.is_file() {
        return Ok((path, all));
    }
    let list = TextFile::read(&places)?;
    let class = |(line, text): (usize, &str)| {
        let class = text.parse().ok().and_then(|place: usize| all.get(place));
        let reason = || format!("“{text}” is no place in a list of {} classes", all.len());
        class.cloned().ok_or_else(|| list.refuse(line, reason()))
    };
    let classes = list.entries().map(class).collect::<Result<_, _>>()?;
    Ok((places, classes))
}

fn read_classes(path: &Path) -> Result<Vec<String>, DatasetError> {
    let file = TextFile::read(path)?;
    Ok(file.entries().map(|(_, class)| class.to_owned()).collect())
}

/// Labels of one photo while they are being read.
struct Photo {
    id: u64,
    positives: Vec<u32>,
    negatives: Vec<u32>,
}

/// Reads the part `part`.
///
/// # Errors
/// A list or table that cannot be read, a row that cannot be understood, with its line.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let columns = Columns::read(folder)?;
    let mut builder = Builder::new(folder, part);
    for class in &columns.unnamed {
        builder.note(format!("{class} has no description in {DESCRIPTIONS}"));
    }
    let photos = read_labels(&labels_file(folder, part), &columns, &mut builder)?;
    let images = photo_folder(folder, part);
    let mut left_out = 0;
    for photo in photos {
        let labels = PhotoLabels::listed(photo.positives, photo.negatives);
        let seen = labels
            .positives
            .iter()
            .filter(|&&label| (label as usize) < columns.seen);
        if part == TRAIN && !(1..=MOST_POSITIVES).contains(&seen.count()) {
            left_out += 1;
            continue;
        }
        builder.photo(
            images.join(format!("{:016x}.jpg", photo.id)),
            labels,
            Vec::new(),
        );
    }
    builder.note_count(
        left_out,
        "photos without 1 to 40 positive seen labels were left out of training",
    );
    let unseen = (columns.seen as u32..columns.labels.len() as u32).collect();
    Ok(Dataset {
        unseen,
        ..builder.finish(folder, columns.labels)?
    })
}

/// `train/`, `images/train/` or `images/`.
fn photo_folder(folder: &Path, part: &str) -> PathBuf {
    let images = folder.join("images");
    let candidates = [folder.join(part), images.join(part), images];
    let there = candidates.iter().find(|candidate| candidate.is_dir());
    there.unwrap_or(&candidates[0]).clone()
}

/// Streams a table of labels; photos come in the order in which they first appear.
fn read_labels(
    path: &Path,
    columns: &Columns,
    builder: &mut Builder,
) -> Result<Vec<Photo>, DatasetError> {
    let mut table = Table::open(path)?;
    let wanted = table.columns(["ImageID", "LabelName", "Confidence"])?;
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut photos: Vec<Photo> = Vec::new();
    while let Some((line, [id, class, confidence])) = table.cells(&wanted)? {
        let refuse = |reason: String| DatasetError::line(path, line, reason);
        let id = photo_id(id).ok_or_else(|| {
            refuse(format!(
                "“{id}” is not the 16 hexadecimal digits of a photo"
            ))
        })?;
        let positive = match confidence.parse() {
            Ok(1.0) => true,
            Ok(0.0) => false,
            _ => {
                return Err(refuse(format!(
                    "the confidence “{confidence}” is not 0 or 1"
                )));
            }
        };
        let place = *places.entry(id).or_insert_with(|| {
            photos.push(Photo {
                id,
                positives: Vec::new(),
                negatives: Vec::new(),
            });
            photos.len() - 1
        });
        match (columns.places.get(class), positive) {
            (Some(&label), true) => photos[place].positives.push(label),
            (Some(&label), false) => photos[place].negatives.push(label),
            (None, _) => builder.unknown(class),
        }
    }
    Ok(photos)
}

fn photo_id(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
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
            refused.ends_with("line 1: the header has no column “LabelName”"),
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
