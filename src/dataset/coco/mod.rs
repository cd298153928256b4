//! COCO instances: one JSON file for each part, see [`layout`].
//!
//! Every category was looked for in every photo, so one that a photo does not have is -1. A crowd
//! (`iscrowd`) makes its label positive but gives no box, since it outlines no single thing. What is
//! odd about one annotation is told and costs that annotation's box, or that photo, alone.

mod json;
pub(super) mod layout;
mod photos;
mod python_numbers;

use std::collections::{HashMap, HashSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::{Builder, Vocabulary};
use super::pixel_boxes::{PixelBox, PixelBoxes, on_upright_photos};
use super::text::open_stream;
use super::{Dataset, DatasetError, PhotoLabels};
use crate::files::{FileError, one_line};
use json::{Bbox, ById, Id, Instances};
use photos::Photos;

/// Largest file that is read: several times COCO's own, whose needed part fits a small memory.
const FILE_LIMIT: u64 = 4 << 30;

const NO_BOX: &str = "an annotation without a bbox (its label counts)";
const NOT_FOUR: &str =
    "an annotation whose bbox is not four numbers (its label counts, the box is left out)";
const NO_NUMBERS: &str = "an annotation whose bbox has something that is no finite number (its label counts, the box is left out)";
const NO_CATEGORY: &str =
    "an annotation without a category_id (left out; what else its photo lacks counts as unknown)";
const NO_IMAGE: &str = "an annotation of no listed image (left out)";
const CROWD: &str = "a crowd, which gives a label but no box";
const NULL: &str = "an entry that is null (left out)";
const NO_ID: &str = "an image without an id or a file_name (left out)";
const SAME_ID: &str = "an image with the id of another (both are left out)";
const SAME_FILE: &str = "an image whose file_name means the photo of another (both are left out)";
const NO_NAME: &str = "a category without an id or a name (no label)";
const SAME_CATEGORY: &str = "a category with the id of another (neither is a label)";
const ROOT: &str = "a category that only groups others (no label)";

/// The parts of the set in `folder`.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    let files = layout::files(folder);
    files.into_iter().map(|(part, _)| part).collect()
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    !layout::files(folder).is_empty()
}

/// Reads the part `part`.
///
/// # Errors
/// As [`read_file`].
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let mut files = layout::files(folder).into_iter();
    match files.find(|(name, _)| name == part) {
        Some((_, path)) => read_file(&path, folder, part),
        None => Err(DatasetError::no_part(
            folder,
            part,
            parts(folder),
            layout::LOOKED_FOR,
        )),
    }
}

/// Reads one file of instances whose photos are somewhere in `folder`.
///
/// # Errors
/// A file that cannot be read or is no such JSON, with the line; one of which nothing can be used.
pub(super) fn read_file(path: &Path, folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let instances = parse(path)?;
    let list = |name: &str, hint: &str| {
        let reason = format!("not COCO instances: it has no list “{name}”{hint}");
        DatasetError::content(path, reason)
    };
    let Instances {
        images,
        annotations,
        categories,
    } = instances;
    let images = images.ok_or_else(|| list("images", ""))?;
    let hint =
        ", as files of photos that are still to be labelled (image_info); name one with labels";
    let annotations = annotations.ok_or_else(|| list("annotations", hint))?;
    let hint = ", as captions have none; name a file of instances";
    let categories = categories.ok_or_else(|| list("categories", hint))?;

    let mut reader = Reader::new(path, Builder::new(folder, part));
    let mut annotated = ById::new();
    for id in annotations
        .iter()
        .flatten()
        .filter_map(|a| a.category_id.id())
    {
        annotated.insert(id, ());
    }
    let (vocabulary, labels) = reader.categories(&categories, &annotated);
    let (mut photos, places) = reader.images(&images);
    reader.annotations(&annotations, &labels, &places, &mut photos);
    let used = photos
        .iter()
        .any(|photo| !photo.name.is_empty() && !photo.positives.is_empty());
    if vocabulary.labels.is_empty() || !used && !annotations.is_empty() {
        return Err(reader.nothing());
    }
    let roots = layout::photo_folders(path, folder, part);
    let photos = reader.on_disk(photos, roots);
    if photos.is_empty() {
        return Err(reader.nothing());
    }
    reader.finish(photos, folder, vocabulary)
}

fn parse(path: &Path) -> Result<Instances, DatasetError> {
    let reader = open_stream(path)?;
    if std::fs::metadata(path).is_ok_and(|facts| facts.len() > FILE_LIMIT) {
        return Err(DatasetError::File(FileError::TooLarge {
            path: path.to_owned(),
            limit_bytes: FILE_LIMIT,
        }));
    }
    let reader = BufReader::new(python_numbers::WithoutNaN::new(reader));
    serde_json::from_reader(reader).map_err(|error| {
        let reason = format!("not COCO instances ({})", one_line(&error));
        DatasetError::line(path, error.line(), reason)
    })
}

/// An image with what is known of it.
#[derive(Default)]
struct Photo {
    /// Its file_name; none for an image that cannot be used.
    name: String,
    positives: Vec<u32>,
    boxes: PixelBoxes,
    /// Whether it has a thing of which nobody knows what it is.
    uncertain: bool,
}

/// Labels by category, `None` for those that are none.
type Labels = ById<Option<u32>>;

struct Reader {
    /// The file's name, for the report.
    file: String,
    path: PathBuf,
    builder: Builder,
}

impl Reader {
    fn new(path: &Path, builder: Builder) -> Self {
        let name = path.file_name().unwrap_or_default();
        Self {
            file: one_line(&name.to_string_lossy()),
            path: path.to_owned(),
            builder,
        }
    }

    /// Notes that the entry `number`, counted from 0, of a list cannot be used as it is.
    fn fault(&mut self, what: &'static str, list: &str, number: usize) {
        let file = &self.file;
        self.builder
            .faults
            .add(what, || format!("{file}, {list} {}", number + 1));
    }

    /// The refusal of a file of which nothing can be used.
    fn nothing(&self) -> DatasetError {
        let first = self.builder.faults.notes().next();
        let reason = match first {
            Some(fault) => format!("nothing in it can be used; {fault}"),
            None => "nothing in it can be used: no annotation is of a listed image and category"
                .to_owned(),
        };
        DatasetError::content(&self.path, reason)
    }

    /// The labels, and which of them each category is.
    fn categories(
        &mut self,
        categories: &[Option<json::Category>],
        annotated: &ById<()>,
    ) -> (Vocabulary, Labels) {
        let groups = groups(categories, annotated);
        let mut names: Vec<(usize, Id, String)> = Vec::new();
        let mut first: HashMap<Id, (usize, String)> = HashMap::new();
        let mut clashing = HashSet::new();
        for (number, category) in categories.iter().enumerate() {
            let known = category
                .as_ref()
                .and_then(|c| Some((c.id.id()?, c.name.text()?)));
            let Some((id, name)) = known else {
                self.fault(NO_NAME, "category", number);
                continue;
            };
            match first.get(&id) {
                Some((_, other)) if *other == name => {}
                Some(_) => {
                    clashing.insert(id);
                    self.fault(SAME_CATEGORY, "category", number);
                }
                None => {
                    first.insert(id.clone(), (number, name.clone()));
                    names.push((number, id, name));
                }
            }
        }
        let (mut vocabulary, mut labels) = (Vocabulary::default(), Labels::new());
        for (number, id, name) in names {
            if groups.contains(&number) {
                self.fault(ROOT, "category", number);
                continue;
            }
            let added = vocabulary_label(&mut vocabulary, &name, clashing.contains(&id));
            if added.is_none() && !clashing.contains(&id) {
                self.fault(NO_NAME, "category", number);
            }
            labels.insert(id, added);
        }
        (vocabulary, labels)
    }

    /// The images, and the place of each among them.
    fn images(&mut self, images: &[Option<json::Image>]) -> (Vec<Photo>, ById<usize>) {
        let mut photos = Vec::with_capacity(images.len());
        let mut places = ById::new();
        for (number, image) in images.iter().enumerate() {
            photos.push(Photo::default());
            let known = image
                .as_ref()
                .and_then(|i| Some((i.id.id()?, i.file_name.text()?, i)));
            let Some((id, name, image)) = known else {
                self.fault(NO_ID, "image", number);
                continue;
            };
            match places.insert(id, number) {
                Some(first) if photos[first].name == name => {}
                Some(first) => {
                    self.fault(SAME_ID, "image", number);
                    photos[first].name.clear();
                }
                None => {
                    let sides = (image.width.side(), image.height.side());
                    photos[number].name = name;
                    photos[number].boxes.listed = match sides {
                        (Some(width), Some(height)) => Some([width, height]),
                        _ => None,
                    };
                }
            }
        }
        (photos, places)
    }

    /// Gives each photo its labels and boxes.
    fn annotations(
        &mut self,
        annotations: &[Option<json::Annotation>],
        labels: &Labels,
        places: &ById<usize>,
        photos: &mut [Photo],
    ) {
        const LIST: &str = "annotation";
        for (number, annotation) in annotations.iter().enumerate() {
            let Some(annotation) = annotation else {
                self.fault(NULL, LIST, number);
                continue;
            };
            let image = annotation.image_id.id();
            let Some(place) = image.and_then(|id| places.get(&id)) else {
                self.fault(NO_IMAGE, LIST, number);
                continue;
            };
            let photo = &mut photos[place];
            let Some(category) = annotation.category_id.id() else {
                photo.uncertain = true;
                self.fault(NO_CATEGORY, LIST, number);
                continue;
            };
            let Some(label) = labels.get(&category).flatten() else {
                self.builder.unknown(&format!("category {category}"));
                continue;
            };
            photo.positives.push(label);
            let what = match (annotation.iscrowd.is_true(), annotation.bbox) {
                (true, _) => CROWD,
                (false, Bbox::Four([x, y, w, h])) => {
                    photo.boxes.boxes.push(PixelBox {
                        label,
                        corners: [x, y, x + w, y + h],
                        place: number,
                    });
                    continue;
                }
                (false, Bbox::Nothing) => NO_BOX,
                (false, Bbox::OtherCount) => NOT_FOUR,
                (false, Bbox::NoNumbers) => NO_NUMBERS,
            };
            self.fault(what, LIST, number);
        }
    }

    /// The photos with their paths. Entries of one name are one photo; several names that mean one
    /// photo mean none.
    fn on_disk(&mut self, photos: Vec<Photo>, roots: Vec<PathBuf>) -> Vec<(PathBuf, Photo)> {
        let names: Vec<&str> = photos.iter().map(|photo| photo.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        let finder = Photos::new(roots, &names);
        let mut found: Vec<(PathBuf, Photo)> = Vec::with_capacity(photos.len());
        let mut places: HashMap<PathBuf, usize> = HashMap::new();
        for (number, photo) in photos.into_iter().enumerate() {
            let Some(path) = finder.find(&photo.name) else {
                continue;
            };
            match places.get(&path) {
                None => {
                    places.insert(path.clone(), found.len());
                    found.push((path, photo));
                }
                Some(&place) if found[place].1.name == photo.name => {
                    let first = &mut found[place].1;
                    first.positives.extend(photo.positives);
                    first.uncertain |= photo.uncertain;
                    if first.boxes.listed == photo.boxes.listed {
                        first.boxes.boxes.extend(photo.boxes.boxes);
                    }
                }
                Some(&place) => {
                    found[place].1.name.clear();
                    self.fault(SAME_FILE, "image", number);
                }
            }
        }
        found.retain(|(_, photo)| !photo.name.is_empty());
        found
    }

    fn finish(
        mut self,
        photos: Vec<(PathBuf, Photo)>,
        folder: &Path,
        vocabulary: Vocabulary,
    ) -> Result<Dataset, DatasetError> {
        let (mut known, mut boxes) = (Vec::new(), Vec::new());
        for (path, photo) in photos {
            known.push((photo.positives, photo.uncertain));
            boxes.push((path, photo.boxes));
        }
        let file = self.file.clone();
        let place = |_, number: usize| format!("{file}, annotation {}", number + 1);
        let placed = on_upright_photos(&boxes, place, &mut self.builder.faults);
        let judged: Arc<[u32]> = vocabulary.all().into();
        let photos = boxes.into_iter().zip(known).zip(placed);
        for (((path, _), (positives, uncertain)), boxes) in photos {
            let labels = match uncertain {
                true => PhotoLabels::listed(positives, Vec::new()),
                false => PhotoLabels::judged(positives, Arc::clone(&judged)),
            };
            self.builder.photo(path, labels, boxes);
        }
        self.builder.finish(folder, vocabulary.labels)
    }
}

/// The place of a category's name among the labels; none for what is no label.
fn vocabulary_label(vocabulary: &mut Vocabulary, name: &str, clashing: bool) -> Option<u32> {
    match clashing {
        true => None,
        false => vocabulary.add(name).ok(),
    }
}

/// The categories that others name as theirs and that no annotation is of: the one that Roboflow puts
/// above all others.
fn groups(categories: &[Option<json::Category>], annotated: &ById<()>) -> HashSet<usize> {
    let known: Vec<(usize, &json::Category)> = (0..)
        .zip(categories)
        .filter_map(|(number, category)| Some((number, category.as_ref()?)))
        .collect();
    let is_group = |(number, category): &&(usize, &json::Category)| {
        let (Some(id), Some(name)) = (category.id.id(), category.name.text()) else {
            return false;
        };
        let above = category.supercategory.text();
        let at_top = above.is_none_or(|above| above.eq_ignore_ascii_case("none"));
        let mut others = known.iter().filter(|(other, _)| other != number);
        at_top
            && annotated.get(&id).is_none()
            && others.any(|(_, other)| other.supercategory.text().as_ref() == Some(&name))
    };
    known
        .iter()
        .filter(is_group)
        .map(|(number, _)| *number)
        .collect()
}

#[cfg(test)]
mod tests;
