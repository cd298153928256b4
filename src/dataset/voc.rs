//! PASCAL VOC: `Annotations/ID.xml`, `ImageSets/Main/PART.txt`, `JPEGImages/ID.jpg`.
//!
//! All classes were looked for in every photo, so one that a photo does not have is -1. A thing that
//! is marked difficult is neither: it gives no box, and a label that only difficult things have is
//! unknown, as VOC's own evaluation passes over them. `names.tsv` beside the folders may give the
//! classes other names (`aeroplane`, tab, `airplane`).

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};

use super::builder::{Builder, Vocabulary, clipped_box};
use super::text::TextFile;
use super::{Dataset, DatasetError, LabelledBox, PhotoLabels};
use crate::files::one_line;

const ANNOTATIONS: &str = "Annotations";
const PHOTOS: &str = "JPEGImages";
const NAMES: &str = "names.tsv";

fn sets(folder: &Path) -> PathBuf {
    folder.join("ImageSets").join("Main")
}

/// The parts of the set in `folder`: lists that are not those of a single class.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    let mut parts = lists(folder);
    let all = parts.clone();
    parts.retain(|name| class_of(name, &all).is_none());
    parts
}

fn lists(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(sets(folder)).into_iter().flatten().flatten();
    let mut lists: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".txt")?.to_owned()))
        .collect();
    lists.sort();
    lists
}

/// The class of a list such as `dog_train`, where `train` is a list too.
fn class_of<'a>(name: &'a str, lists: &[String]) -> Option<&'a str> {
    let (class, part) = name.rsplit_once('_')?;
    lists.iter().any(|list| list == part).then_some(class)
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    folder.join(ANNOTATIONS).is_dir() && sets(folder).is_dir()
}

/// What one annotation says.
#[derive(Default)]
struct Annotation {
    /// Name, whether it is difficult, and corners as fractions.
    things: Vec<(String, bool, [f32; 4])>,
}

/// Reads the part `part`.
///
/// # Errors
/// A list or an annotation that cannot be read or understood, with the line.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let mut builder = Builder::new(folder, part);
    let names = read_names(&folder.join(NAMES))?;
    let list = TextFile::read(&sets(folder).join(format!("{part}.txt")))?;
    let mut photos = Vec::new();
    let mut without = 0;
    for (line, text) in list.entries() {
        // Lists of one class have a second column.
        let id = text.split_whitespace().next().unwrap_or_default();
        if Path::new(id).file_name() != Some(id.as_ref()) {
            return Err(list.refuse(line, format!("“{id}” is not the name of a photo")));
        }
        let path = folder.join(ANNOTATIONS).join(format!("{id}.xml"));
        if path.exists() {
            photos.push((photo_path(folder, id), read_annotation(&path)?));
        } else {
            without += 1;
        }
    }
    builder.note_count(without, "photos have no annotation and were left out");
    let vocabulary = vocabulary(folder, part, &photos, &names)?;
    for (path, annotation) in photos {
        let (labels, boxes) = labels_of(&annotation, &vocabulary, &names);
        builder.photo(path, labels, boxes);
    }
    builder.finish(folder, vocabulary.labels)
}

fn photo_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(PHOTOS).join(format!("{id}.jpg"))
}

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
    folder: &Path,
    part: &str,
    photos: &[(PathBuf, Annotation)],
    names: &HashMap<String, String>,
) -> Result<Vocabulary, DatasetError> {
    let lists = lists(folder);
    let of_part = |name: &String| name.ends_with(&format!("_{part}"));
    let listed = lists.iter().filter(|name| of_part(name));
    let mut classes: BTreeSet<&str> = listed.filter_map(|name| class_of(name, &lists)).collect();
    for (_, annotation) in photos {
        classes.extend(annotation.things.iter().map(|(class, ..)| class.as_str()));
    }
    let mut vocabulary = Vocabulary::default();
    for class in classes {
        let added = vocabulary.add(renamed(class, names));
        added.map_err(|error| DatasetError::content(folder, format!("a class: {error}")))?;
    }
    Ok(vocabulary)
}

fn labels_of(
    annotation: &Annotation,
    vocabulary: &Vocabulary,
    names: &HashMap<String, String>,
) -> (PhotoLabels, Vec<LabelledBox>) {
    let (mut positives, mut difficult, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
    for (class, is_difficult, corners) in &annotation.things {
        let Some(label) = vocabulary.place(renamed(class, names)) else {
            continue;
        };
        if *is_difficult {
            difficult.push(label);
            continue;
        }
        positives.push(label);
        boxes.extend(clipped_box(label, *corners));
    }
    let mut negatives = vocabulary.all();
    negatives.retain(|label| !difficult.contains(label));
    (PhotoLabels::listed(positives, negatives), boxes)
}

fn read_annotation(path: &Path) -> Result<Annotation, DatasetError> {
    let file = TextFile::read(path)?;
    let document = Document::parse(file.text()).map_err(|error| {
        let reason = format!("not a VOC annotation ({})", one_line(&error));
        file.refuse(error.pos().row as usize, reason)
    })?;
    let root = document.root_element();
    let refuse = |node: Node, reason: String| {
        let line = document.text_pos_at(node.range().start).row as usize;
        file.refuse(line, reason)
    };
    let number = |node: Node, name: &str| {
        let text = child(node, name).and_then(|node| node.text());
        let number = text.and_then(|text| text.trim().parse::<f32>().ok());
        number.ok_or_else(|| {
            refuse(
                node,
                format!("<{}> has no number <{name}>", node.tag_name().name()),
            )
        })
    };
    let objects = root.children().filter(|node| node.has_tag_name("object"));
    let mut annotation = Annotation::default();
    for object in objects {
        let size = child(root, "size").ok_or_else(|| refuse(root, "no <size>".to_owned()))?;
        let (width, height) = (number(size, "width")?, number(size, "height")?);
        if !(width >= 1.0 && height >= 1.0) {
            return Err(refuse(size, "the photo has no size".to_owned()));
        }
        let name = child(object, "name").and_then(|node| node.text());
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| refuse(object, "<object> has no <name>".to_owned()))?;
        let bounds = child(object, "bndbox");
        let bounds = bounds.ok_or_else(|| refuse(object, "<object> has no <bndbox>".to_owned()))?;
        let difficult = child(object, "difficult").and_then(|node| node.text());
        // Pixels count from 1 and the last one belongs to the thing.
        let corners = [
            (number(bounds, "xmin")? - 1.0) / width,
            (number(bounds, "ymin")? - 1.0) / height,
            number(bounds, "xmax")? / width,
            number(bounds, "ymax")? / height,
        ];
        let is_difficult = difficult.is_some_and(|text| text.trim() == "1");
        annotation
            .things
            .push((name.to_owned(), is_difficult, corners));
    }
    Ok(annotation)
}

/// The child of that name; the parts of a person have names and boxes of their own further down.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, row, rows};

    const DOG_AND_HARD_CAT: &str = "<annotation>
        <size><width>200</width><height>100</height><depth>3</depth></size>
        <object><name>dog</name><difficult>0</difficult>
            <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>100.5</xmax><ymax>50</ymax></bndbox>
            <part><name>head</name>
                <bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></part>
        </object>
        <object><name>cat</name><difficult>1</difficult>
            <bndbox><ymin>1</ymin><xmin>1</xmin><ymax>5</ymax><xmax>5</xmax></bndbox></object>
        </annotation>";
    const PLANE: &str = "<annotation>
        <size><width>10</width><height>10</height></size>
        <object><name>aeroplane</name>
            <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></object>
        </annotation>";

    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.write(
            "ImageSets/Main/val.txt",
            "2008_1\r\n2008_2\r\n2008_3\r\n2008_4\r\n",
        );
        fixture.write("ImageSets/Main/sheep_val.txt", "2008_1 -1\n");
        fixture.write("Annotations/2008_1.xml", DOG_AND_HARD_CAT);
        fixture.write("Annotations/2008_2.xml", PLANE);
        fixture.write("Annotations/2008_3.xml", PLANE);
        fixture.photos(&["JPEGImages/2008_1.jpg", "JPEGImages/2008_2.jpg"]);
        fixture
    }

    #[test]
    fn difficult_things_are_unknown_and_classes_complete() {
        let set = fixture().open("val").unwrap();
        assert_eq!(set.labels, ["aeroplane", "cat", "dog", "sheep"]);
        assert_eq!(
            rows(&set),
            [
                row("2008_1.jpg", &[-1, 0, 1, -1]),
                row("2008_2.jpg", &[1, -1, -1, -1])
            ]
        );
        let [labelled] = set.photos[0].boxes[..] else {
            panic!("{:?}", set.photos[0].boxes);
        };
        let corners = [labelled.x0, labelled.y0, labelled.x1, labelled.y1];
        assert_eq!((labelled.label, corners), (2, [0.0, 0.1, 0.5025, 0.5]));
        assert_eq!(set.report.missing_photos, 1);
        assert_eq!(
            set.report.notes,
            ["1 photos have no annotation and were left out"]
        );
    }

    #[test]
    fn classes_can_have_other_names() {
        let fixture = fixture();
        fixture.write("names.tsv", "aeroplane\tairplane\n");
        let set = fixture.open("val").unwrap();
        assert_eq!(set.labels[0], "airplane");
        assert_eq!(set.photos[1].labels.positives, [0]);
    }

    #[test]
    fn lists_of_one_class_are_no_parts() {
        let error = fixture().refused("train");
        assert!(error.ends_with("no part “train”: it has val"), "{error}");
    }

    #[test]
    fn broken_annotations_are_named_with_their_line() {
        let fixture = fixture();
        let refused = |text: &str| {
            fixture.write("Annotations/2008_2.xml", text);
            fixture.refused("val")
        };
        let file = "Annotations/2008_2.xml line";
        for (from, to, expected) in [
            ("</object>", "", "5: not a VOC annotation ("),
            (
                "<xmin>1</xmin>",
                "<xmin>one</xmin>",
                "4: <bndbox> has no number <xmin>",
            ),
            (
                "<name>aeroplane</name>",
                "<name> </name>",
                "3: <object> has no <name>",
            ),
            (
                "<width>10</width>",
                "<width>0</width>",
                "2: the photo has no size",
            ),
            ("<size>", "<sizes/><size2>", "2: not a VOC annotation ("),
        ] {
            let message = refused(&PLANE.replace(from, to));
            assert!(
                message.starts_with(&format!("{file} {expected}")),
                "{message}"
            );
        }
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xx\">]><annotation>&x;</annotation>";
        assert!(refused(bomb).contains("not a VOC annotation"));
        fixture.write("ImageSets/Main/val.txt", "../secret\n");
        let outside = fixture.refused("val");
        assert!(
            outside.contains("val.txt line 1: “../secret” is not the name"),
            "{outside}"
        );
    }
}
