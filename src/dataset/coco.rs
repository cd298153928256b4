//! COCO instances: one JSON file for each part, `annotations/instances_NAME.json`.
//!
//! Every category was looked for in every photo, so one that a photo does not have is -1. A crowd
//! (`iscrowd`) makes its label positive but gives no box, since it outlines no single thing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::builder::{Builder, Vocabulary, clipped_box};
use super::text::open_stream;
use super::{Dataset, DatasetError, LabelledBox, PhotoLabels};
use crate::files::{FileError, one_line};

/// Largest file that is read: several times COCO's own, whose needed part fits a small memory.
const FILE_LIMIT: u64 = 4 << 30;
const PREFIX: &str = "instances_";

/// The needed part of the file; everything else is passed over while reading.
#[derive(Deserialize)]
struct Instances {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: f64,
    height: f64,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    /// x, y, width, height in pixels.
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// The parts of the set in `folder` with their files.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for folder in [folder.join("annotations"), folder.to_owned()] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(entries.filter_map(|entry| {
            let path = entry.path();
            Some((part_of(&path)?, path))
        }));
    }
    files.sort();
    files
}

/// `val2017` of `instances_val2017.json`.
fn part_of(path: &Path) -> Option<String> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
    Some(stem.strip_prefix(PREFIX)?.to_owned())
}

/// The parts of the set in `folder`.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    files(folder).into_iter().map(|(part, _)| part).collect()
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    !files(folder).is_empty()
}

/// Reads the part `part`.
///
/// # Errors
/// As [`read_file`].
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    match files(folder).into_iter().find(|(name, _)| name == part) {
        Some((_, path)) => read_file(&path, folder, part),
        None => Err(DatasetError::NoPart {
            path: folder.to_owned(),
            part: part.to_owned(),
            known: parts(folder),
        }),
    }
}

/// Reads one file of instances whose photos are somewhere in `folder`.
///
/// # Errors
/// A file that cannot be read or is no such JSON, with the line.
pub(super) fn read_file(path: &Path, folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let reader = open_stream(path)?;
    let too_large = |metadata: std::fs::Metadata| metadata.len() > FILE_LIMIT;
    if reader.get_ref().metadata().is_ok_and(too_large) {
        return Err(DatasetError::File(FileError::TooLarge {
            path: path.to_owned(),
            limit_bytes: FILE_LIMIT,
        }));
    }
    let instances: Instances = serde_json::from_reader(reader).map_err(|error| {
        let reason = format!("not COCO instances ({})", one_line(&error));
        DatasetError::line(path, error.line(), reason)
    })?;
    let mut builder = Builder::new(folder, part);
    let (vocabulary, categories) = categories(path, &instances.categories)?;
    let mut found = annotations(path, &instances, &categories, &mut builder)?;
    let photos = photo_folder(folder, part, instances.images.first());
    let judged: Arc<[u32]> = vocabulary.all().into();
    for (place, image) in instances.images.iter().enumerate() {
        let (positives, boxes) = std::mem::take(&mut found[place]);
        let labels = PhotoLabels::judged(positives, Arc::clone(&judged));
        builder.photo(photos.join(&image.file_name), labels, boxes);
    }
    builder.finish(folder, vocabulary.labels)
}

/// The labels, and the place of each category among them.
fn categories(
    path: &Path,
    categories: &[Category],
) -> Result<(Vocabulary, HashMap<u64, u32>), DatasetError> {
    let mut vocabulary = Vocabulary::default();
    let mut places = HashMap::new();
    for category in categories {
        let place = vocabulary.add(&category.name).map_err(|error| {
            DatasetError::content(path, format!("category {}: {error}", category.id))
        })?;
        if places.insert(category.id, place).is_some() {
            let reason = format!("the category {} is there twice", category.id);
            return Err(DatasetError::content(path, reason));
        }
    }
    Ok((vocabulary, places))
}

/// The place of each image.
fn image_places(path: &Path, images: &[Image]) -> Result<HashMap<u64, usize>, DatasetError> {
    let mut places = HashMap::new();
    for (place, image) in images.iter().enumerate() {
        let sized = image.width >= 1.0 && image.height >= 1.0;
        if !sized || places.insert(image.id, place).is_some() {
            let what = if sized {
                "is there twice"
            } else {
                "has no size"
            };
            let reason = format!("the image {} {what}", image.id);
            return Err(DatasetError::content(path, reason));
        }
    }
    Ok(places)
}

/// Labels and boxes of every image.
type Found = Vec<(Vec<u32>, Vec<LabelledBox>)>;

fn annotations(
    path: &Path,
    instances: &Instances,
    categories: &HashMap<u64, u32>,
    builder: &mut Builder,
) -> Result<Found, DatasetError> {
    let places = image_places(path, &instances.images)?;
    let mut found = Found::new();
    found.resize_with(instances.images.len(), Default::default);
    let (mut strays, mut crowds, mut empty) = (0, 0, 0);
    for annotation in &instances.annotations {
        let Some(&place) = places.get(&annotation.image_id) else {
            strays += 1;
            continue;
        };
        let Some(&label) = categories.get(&annotation.category_id) else {
            builder.unknown(&format!("category {}", annotation.category_id));
            continue;
        };
        let (positives, boxes) = &mut found[place];
        positives.push(label);
        if annotation.iscrowd != 0 {
            crowds += 1;
            continue;
        }
        let Image { width, height, .. } = instances.images[place];
        let [x, y, w, h] = annotation.bbox;
        let corners = [x / width, y / height, (x + w) / width, (y + h) / height];
        match clipped_box(label, corners.map(|corner| corner as f32)) {
            Some(labelled) => boxes.push(labelled),
            None => empty += 1,
        }
    }
    builder.note_count(
        strays,
        "annotations of images that are not listed were left out",
    );
    builder.note_count(crowds, "crowds give a label but no box");
    builder.note_count(empty, "boxes without an area in their photo were left out");
    Ok(found)
}

/// Where the photos lie: in a folder named after the part, in `images`, or beside the annotations.
fn photo_folder(folder: &Path, part: &str, first: Option<&Image>) -> PathBuf {
    let images = folder.join("images");
    let named = folder.join(part);
    let beside = folder.join("..");
    let candidates = [
        named.clone(),
        images.join(part),
        images,
        folder.to_owned(),
        beside.join(part),
        beside.join("images"),
    ];
    let has_first = |candidate: &&PathBuf| {
        first.is_some_and(|image| candidate.join(&image.file_name).is_file())
    };
    let there = candidates.iter().find(has_first);
    let there = there.or_else(|| candidates.iter().find(|candidate| candidate.is_dir()));
    there.cloned().unwrap_or(named)
}

/// The part that a single file of instances is.
pub(super) fn part_of_file(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    part_of(path).unwrap_or_else(|| stem.into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, row, rows};
    use crate::dataset::{Part, open};

    const IMAGES: &str = r#""images": [
        {"id": 7, "file_name": "a.jpg", "width": 200, "height": 100, "license": 3},
        {"id": 9, "file_name": "b.jpg", "width": 50, "height": 50}],
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "dining table"}]"#;

    fn instances(annotations: &str) -> String {
        format!("{{\"info\": {{}}, {IMAGES},\n\"annotations\": [{annotations}]}}")
    }

    fn fixture(annotations: &str) -> Fixture {
        let fixture = Fixture::new();
        fixture.photos(&["val2017/a.jpg", "val2017/b.jpg"]);
        fixture.write("annotations/instances_val2017.json", instances(annotations));
        fixture
    }

    #[test]
    fn instances_become_labels_and_boxes() {
        let fixture = fixture(
            r#"{"image_id": 7, "category_id": 90, "bbox": [20, 10, 100, 50], "iscrowd": 0,
                "segmentation": [[1, 2, 3]], "area": 5},
               {"image_id": 9, "category_id": 1, "bbox": [0, 0, 50, 50], "iscrowd": 1},
               {"image_id": 7, "category_id": 90, "bbox": [20, 10, 0, 50]},
               {"image_id": 8, "category_id": 1, "bbox": [0, 0, 50, 50]},
               {"image_id": 9, "category_id": 2, "bbox": [0, 0, 50, 50]}"#,
        );
        let set = fixture.open("val").unwrap();
        assert_eq!(set.labels, ["person", "dining table"]);
        assert_eq!(rows(&set), [row("a.jpg", &[-1, 1]), row("b.jpg", &[1, -1])]);
        let [labelled] = set.photos[0].boxes[..] else {
            panic!("{:?}", set.photos[0].boxes);
        };
        let corners = [labelled.x0, labelled.y0, labelled.x1, labelled.y1];
        assert_eq!((labelled.label, corners), (1, [0.1, 0.1, 0.6, 0.6]));
        assert!(set.photos[1].boxes.is_empty());
        assert_eq!(set.report.notes.len(), 3, "{}", set.report);
        assert_eq!(set.report.unknown_labels[0].name, "category 2");
    }

    #[test]
    fn one_file_may_be_named_and_photos_lie_beside() {
        let fixture = fixture("");
        let path = fixture.path().join("annotations/instances_val2017.json");
        let set = open(&path, None, Part::Usual("train")).unwrap();
        assert_eq!((set.photos.len(), set.report.missing_photos), (2, 0));
    }

    #[test]
    fn broken_files_are_named() {
        let file = "annotations/instances_val2017.json";
        let fixture = fixture("");
        let refused = |text: &str| {
            fixture.write(file, text);
            fixture.refused("val2017")
        };
        let cut = refused(&instances("")[..200]);
        assert!(cut.starts_with(&format!("{file} line ")), "{cut}");
        let other = refused("{\"images\": []}");
        assert!(
            other.contains("line 1: not COCO instances (missing field"),
            "{other}"
        );
        let twice = refused(&instances("").replace("\"id\": 9,", "\"id\": 7,"));
        assert!(twice.ends_with("the image 7 is there twice"), "{twice}");
        let flat = refused(&instances("").replace("\"height\": 50", "\"height\": 0"));
        assert!(flat.ends_with("the image 9 has no size"), "{flat}");
        let category = refused(&instances("").replace("\"id\": 90", "\"id\": 1"));
        assert!(
            category.ends_with("the category 1 is there twice"),
            "{category}"
        );
    }
}
