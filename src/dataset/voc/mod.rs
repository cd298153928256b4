//! PASCAL VOC: `Annotations/ID.xml`, `ImageSets/Main/PART.txt`, `JPEGImages/ID.jpg`.
//!
//! All classes were looked for in every photo, so one that a photo does not have is -1. A thing that
//! is marked difficult is neither: it gives no box, and a label that only difficult things have is
//! unknown, as VOC's own evaluation passes over them. `names.tsv` beside the folders may give the
//! classes other names (`aeroplane`, tab, `airplane`). What is odd about one annotation is told and
//! costs a box, or that photo, alone.

mod layout;
mod xml;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::builder::{Builder, Vocabulary};
use super::pixel_boxes::{PixelBox, PixelBoxes, on_upright_photos};
use super::text::TextFile;
use super::{Dataset, DatasetError, PhotoLabels};
pub(super) use layout::{LOOKED_FOR, parts, recognises};
use layout::{Listed, VocFiles};
use xml::Annotation;

const NAMES: &str = "names.tsv";

const UNREADABLE: &str = "an annotation that cannot be read (its photo is left out)";
const SEVERAL: &str = "an annotation with several photos of its name (left out)";
const TWICE: &str = "an annotation of a photo that another one is of already (left out)";
const NO_LABEL: &str =
    "an <object> without a <name> that is a label (what else its photo lacks counts as unknown)";
const NO_BOX: &str = "an <object> without a <bndbox> (its label counts)";
const NO_NUMBERS: &str = "a <bndbox> without four numbers (its label counts, the box is left out)";
const EXCHANGED: &str = "a <bndbox> with exchanged corners (its label counts, the box is left out)";

/// Reads the part `part`.
///
/// # Errors
/// A list that cannot be read or understood, with the line; a part of which nothing can be used.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let layout = VocFiles::new(folder);
    let mut builder = Builder::new(folder, part);
    let names = read_names(&folder.join(NAMES))?;
    let listed = layout.listed(part)?;
    let (mut photos, mut without) = (Vec::new(), 0);
    let mut used = HashSet::new();
    for Listed { id, annotation } in &listed {
        let Some(path) = annotation else {
            without += 1;
            continue;
        };
        let read = xml::read(path);
        match read.map(|annotation| (layout.photo(id, annotation.filename.as_deref()), annotation))
        {
            Ok((Some(photo), annotation)) if used.insert(photo.clone()) => {
                photos.push((photo, id.as_str(), annotation));
            }
            Ok((Some(_), _)) => builder.faults.add(TWICE, || format!("{id}.xml")),
            Ok((None, _)) => builder.faults.add(SEVERAL, || format!("{id}.xml")),
            Err(reason) => builder
                .faults
                .add(UNREADABLE, || format!("{id}.xml{reason}")),
        }
    }
    builder.note_count(without, "photos have no annotation and were left out");
    if photos.is_empty() {
        let first = builder.faults.notes().next();
        let first =
            first.unwrap_or_else(|| format!("none of its {without} photos has an annotation"));
        let reason = format!("nothing of the part “{part}” can be used; {first}");
        return Err(DatasetError::content(folder, reason));
    }
    let vocabulary = vocabulary(&layout, part, &photos, &names);
    add_photos(&mut builder, photos, &vocabulary, &names);
    builder.finish(folder, vocabulary.labels)
}

/// A photo, its name and its annotation.
type Annotated<'a> = (PathBuf, &'a str, Annotation);

/// The two columns of `names.tsv`, where there is one.
fn read_names(path: &Path) -> Result<HashMap<String, String>, DatasetError> {
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let file = TextFile::read(path)?;
    let row = |(line, text): (usize, &str)| match text.split_once('\t') {
        Some((class, name)) if !class.is_empty() && !name.trim().is_empty() => {
            Ok((class.trim().to_owned(), name.trim().to_owned()))
        }
        _ => Err(file.refuse(line, "not a class and its name, parted by a tab")),
    };
    file.entries().map(row).collect()
}

fn renamed<'a>(class: &'a str, names: &'a HashMap<String, String>) -> &'a str {
    names.get(class).map_or(class, String::as_str)
}

/// All classes of the part: those of its annotations, and those that have a list of their own, in the
/// order of VOC's names.
fn vocabulary(
    layout: &VocFiles,
    part: &str,
    photos: &[Annotated<'_>],
    names: &HashMap<String, String>,
) -> Vocabulary {
    let mut classes: BTreeSet<&str> = layout.classes(part).collect();
    for (_, _, annotation) in photos {
        let things = annotation.things.iter();
        classes.extend(things.filter_map(|thing| thing.name.as_deref()));
    }
    let mut vocabulary = Vocabulary::default();
    for class in classes {
        // What is no label is told where it is met.
        let _ = vocabulary.add(renamed(class, names));
    }
    vocabulary
}

/// Gives the builder every photo with its labels and boxes.
fn add_photos(
    builder: &mut Builder,
    photos: Vec<Annotated<'_>>,
    vocabulary: &Vocabulary,
    names: &HashMap<String, String>,
) {
    let mut known = Vec::with_capacity(photos.len());
    let mut boxes = Vec::with_capacity(photos.len());
    let mut ids = Vec::with_capacity(photos.len());
    for (path, id, annotation) in photos {
        let (labels, listed) = labels_of(&annotation, vocabulary, names, |what, line| {
            builder.faults.add(what, || format!("{id}.xml line {line}"));
        });
        known.push(labels);
        boxes.push((path, listed));
        ids.push(id);
    }
    let place = |photo: usize, line: usize| format!("{}.xml line {line}", ids[photo]);
    let placed = on_upright_photos(&boxes, place, &mut builder.faults);
    for (((path, _), labels), boxes) in boxes.into_iter().zip(known).zip(placed) {
        builder.photo(path, labels, boxes);
    }
}

fn labels_of(
    annotation: &Annotation,
    vocabulary: &Vocabulary,
    names: &HashMap<String, String>,
    mut fault: impl FnMut(&'static str, usize),
) -> (PhotoLabels, PixelBoxes) {
    let (mut positives, mut difficult, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
    let mut uncertain = false;
    for thing in &annotation.things {
        let name = thing.name.as_deref();
        let Some(label) = name.and_then(|name| vocabulary.place(renamed(name, names))) else {
            uncertain = true;
            fault(NO_LABEL, thing.line);
            continue;
        };
        if thing.is_difficult {
            difficult.push(label);
            continue;
        }
        positives.push(label);
        let what = match thing.corners {
            None => NO_BOX,
            Some([Some(xmin), Some(ymin), Some(xmax), Some(ymax)]) => {
                if xmin <= xmax && ymin <= ymax {
                    boxes.push(PixelBox {
                        label,
                        // Pixels count from 1 and the last one belongs to the thing.
                        corners: [xmin - 1.0, ymin - 1.0, xmax, ymax],
                        place: thing.line,
                    });
                    continue;
                }
                EXCHANGED
            }
            Some(_) => NO_NUMBERS,
        };
        fault(what, thing.line);
    }
    let mut negatives = match uncertain {
        true => Vec::new(),
        false => vocabulary.all(),
    };
    negatives.retain(|label| !difficult.contains(label));
    let listed = annotation.size;
    (
        PhotoLabels::listed(positives, negatives),
        PixelBoxes { listed, boxes },
    )
}

#[cfg(test)]
mod tests;
