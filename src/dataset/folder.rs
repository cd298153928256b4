//! The plain kind of data set: photos in a folder, their labels in a list beside them.
//!
//! A part is a list `NAME.tsv` (file name, tab, labels parted by commas) or `NAME.csv` (a header with
//! the columns `photo` and `labels`, as any spreadsheet program writes it). `vocabulary.txt` has the
//! labels that were judged: one that is not listed for a photo is not there, but for those of
//! `unmentioned.txt` (people caption a dog and not the sky above it): of these nothing is known where
//! they are not listed, as of all labels where there is no `vocabulary.txt`.
//! `boxes.tsv` (photo, label, x0, y0, x1, y1 as fractions of the upright photo) says where things are;
//! a set that has no other list takes its labels from there. The photos lie in `images/`, or beside the lists.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::{Builder, Vocabulary, clipped_box};
use super::table::Table;
use super::text::TextFile;
use super::{Dataset, DatasetError, LabelledBox, PhotoLabels};

const VOCABULARY: &str = "vocabulary.txt";
/// Labels of the vocabulary that are often there without being listed.
const UNMENTIONED: &str = "unmentioned.txt";
const BOXES: &str = "boxes.tsv";
/// What makes the parts, for messages.
pub(super) const LOOKED_FOR: &str = "NAME.tsv, NAME.csv or boxes.tsv";
/// The part of a set that has boxes and no other list.
const BOXES_PART: &str = "boxes";

/// The parts of the set in `folder`, in the order of their names.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    let mut parts: Vec<String> = lists(folder).into_iter().map(|(part, _)| part).collect();
    parts.sort();
    parts.dedup();
    if parts.is_empty() && folder.join(BOXES).is_file() {
        parts.push(BOXES_PART.to_owned());
    }
    parts
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    !parts(folder).is_empty()
}

fn lists(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.file_name().is_some_and(|name| name != BOXES))
        .filter(|path| has_ending(path, "tsv") || has_ending(path, "csv"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect()
}

fn has_ending(path: &Path, wanted: &str) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case(wanted))
}

/// One line of a list.
struct Row {
    line: usize,
    photo: String,
    labels: Vec<String>,
}

/// Reads the part `part`.
///
/// # Errors
/// A list that cannot be read, a line that cannot be understood, a photo that is listed twice.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let mut builder = Builder::new(folder, part);
    let vocabulary = folder.join(VOCABULARY);
    let mut vocabulary = match vocabulary.exists() {
        true => Judged::Complete(Vocabulary::read(&vocabulary)?),
        false => {
            builder.note(format!(
                "no {VOCABULARY}: labels that are not listed for a photo are unknown"
            ));
            Judged::OnlyListed(Vocabulary::default())
        }
    };
    let mut list = lists(folder);
    list.retain(|(name, _)| name == part);
    let mut boxes = read_boxes(folder, &mut vocabulary, &mut builder)?;
    let photos = match &list[..] {
        [] => labels_of_boxes(&boxes),
        [(_, path)] => read_list(path, &mut vocabulary, &mut builder)?,
        [(_, path), ..] => {
            let reason = format!("there are several lists {part}.tsv and {part}.csv; keep one");
            return Err(DatasetError::content(path, reason));
        }
    };
    let images = folder.join("images");
    let images = if images.is_dir() { &images } else { folder };
    let mut judged = vocabulary.places().all();
    let unmentioned = folder.join(UNMENTIONED);
    if unmentioned.exists() {
        let labels = Vocabulary::read(&unmentioned)?.labels;
        for label in labels {
            let Some(place) = vocabulary.places().place(&label) else {
                let reason =
                    format!("“{label}” is not in {VOCABULARY}; add it there or remove it here");
                return Err(DatasetError::content(&unmentioned, reason));
            };
            judged.retain(|judged| *judged != place);
        }
    }
    let judged: Arc<[u32]> = judged.into();
    for (photo, positives) in photos {
        let labels = match vocabulary {
            Judged::Complete(_) => PhotoLabels::judged(positives, Arc::clone(&judged)),
            Judged::OnlyListed(_) => PhotoLabels::listed(positives, Vec::new()),
        };
        let boxes = boxes
            .remove(&photo)
            .map_or_else(Vec::new, |(_, boxes)| boxes);
        builder.photo(images.join(photo), labels, boxes);
    }
    builder.finish(folder, vocabulary.into_labels())
}

/// The labels, and what it means that one is not listed.
enum Judged {
    Complete(Vocabulary),
    OnlyListed(Vocabulary),
}

impl Judged {
    fn places(&self) -> &Vocabulary {
        let (Self::Complete(vocabulary) | Self::OnlyListed(vocabulary)) = self;
        vocabulary
    }

    fn into_labels(self) -> Vec<String> {
        let (Self::Complete(vocabulary) | Self::OnlyListed(vocabulary)) = self;
        vocabulary.labels
    }

    /// The place of a label; `Ok(None)` where the set's list does not have it.
    fn find(&mut self, text: &str) -> Result<Option<u32>, crate::semantics::LabelError> {
        match self {
            Self::Complete(vocabulary) => Ok(vocabulary.place(text)),
            Self::OnlyListed(vocabulary) => vocabulary.add(text).map(Some),
        }
    }
}

/// Photos of a list with their positive labels.
fn read_list(
    path: &Path,
    vocabulary: &mut Judged,
    builder: &mut Builder,
) -> Result<Vec<(String, Vec<u32>)>, DatasetError> {
    let rows = match has_ending(path, "csv") {
        true => csv_rows(path)?,
        false => tsv_rows(path)?,
    };
    let mut lines: HashMap<String, usize> = HashMap::new();
    let mut photos = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(first) = lines.insert(row.photo.clone(), row.line) {
            let reason = format!("“{}” is already listed in line {first}", row.photo);
            return Err(DatasetError::line(path, row.line, reason));
        }
        let mut positives = Vec::with_capacity(row.labels.len());
        for label in &row.labels {
            let found = vocabulary.find(label);
            match found.map_err(|error| DatasetError::line(path, row.line, error.to_string()))? {
                Some(place) => positives.push(place),
                None => builder.unknown(label),
            }
        }
        photos.push((row.photo, positives));
    }
    Ok(photos)
}

fn tsv_rows(path: &Path) -> Result<Vec<Row>, DatasetError> {
    let mut table = Table::parted_by(path, '\t')?;
    let mut rows = Vec::new();
    while let Some(cells) = table.row()? {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        let [photo, labels] = cells[..] else {
            return Err(table.refuse(WRONG_ROW));
        };
        let is_header =
            photo.eq_ignore_ascii_case("photo") && labels.eq_ignore_ascii_case("labels");
        if photo.is_empty() {
            return Err(table.refuse(WRONG_ROW));
        }
        if !(is_header && rows.is_empty()) {
            let (photo, labels) = (photo.to_owned(), split(labels, &[',', '\n']));
            rows.push(Row {
                line: table.line(),
                photo,
                labels,
            });
        }
    }
    Ok(rows)
}

const WRONG_ROW: &str =
    "not a photo and its labels, parted by one tab; labels are parted by commas";

fn csv_rows(path: &Path) -> Result<Vec<Row>, DatasetError> {
    let (mut table, columns) = Table::spreadsheet(path, ["photo", "labels"])?;
    let mut rows = Vec::new();
    while let Some((line, [photo, labels])) = table.cells(&columns)? {
        if photo.is_empty() {
            return Err(DatasetError::line(path, line, "no photo is named"));
        }
        rows.push(Row {
            line,
            photo: photo.to_owned(),
            labels: split(labels, &[',', ';', '|', '\n']),
        });
    }
    Ok(rows)
}

fn split(labels: &str, at: &[char]) -> Vec<String> {
    let labels = labels.split(at).map(str::trim);
    labels
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Boxes of every photo, with the place of the photo among them.
type Boxes = HashMap<String, (usize, Vec<LabelledBox>)>;

fn read_boxes(
    folder: &Path,
    vocabulary: &mut Judged,
    builder: &mut Builder,
) -> Result<Boxes, DatasetError> {
    let path = folder.join(BOXES);
    let mut boxes = Boxes::new();
    if !path.exists() {
        return Ok(boxes);
    }
    let file = TextFile::read(&path)?;
    let is_number = |text: &str| text.trim().parse::<f32>().is_ok();
    for (number, (line, text)) in file.lines().enumerate() {
        let columns: Vec<&str> = text.split('\t').map(str::trim).collect();
        // The first line names the columns, unless it is a box already.
        if number == 0 && !columns.last().is_some_and(|last| is_number(last)) {
            continue;
        }
        let [photo, label, corners @ ..] = &columns[..] else {
            return Err(file.refuse(line, WRONG_BOX));
        };
        let corners: Vec<f32> = corners.iter().filter_map(|c| c.parse().ok()).collect();
        let ([_, _, _, _], 6) = (&corners[..], columns.len()) else {
            return Err(file.refuse(line, WRONG_BOX));
        };
        if corners.iter().any(|at| !(-OVER..=1.0 + OVER).contains(at)) {
            return Err(file.refuse(line, NO_FRACTIONS));
        }
        let found = vocabulary.find(label);
        let Some(place) = found.map_err(|error| file.refuse(line, error.to_string()))? else {
            builder.unknown(label);
            continue;
        };
        let labelled = clipped_box(place, [corners[0], corners[1], corners[2], corners[3]]);
        let labelled = labelled.ok_or_else(|| file.refuse(line, EMPTY_BOX))?;
        let next = boxes.len();
        let (_, of_photo) = boxes
            .entry((*photo).to_owned())
            .or_insert((next, Vec::new()));
        of_photo.push(labelled);
    }
    Ok(boxes)
}

const WRONG_BOX: &str = "not a photo, a label and x0, y0, x1, y1, parted by tabs";
const NO_FRACTIONS: &str = "the corners are not fractions of the upright photo, from 0 to 1; divide pixels by its width and height";
/// How far a corner may lie outside.
const OVER: f32 = 0.5;
const EMPTY_BOX: &str = "the box has no area in the photo; x0 < x1 and y0 < y1 are fractions of it";

/// Photos with the labels of their boxes, in the order in which they first came.
fn labels_of_boxes(boxes: &Boxes) -> Vec<(String, Vec<u32>)> {
    let mut photos: Vec<_> = boxes.iter().collect();
    photos.sort_by_key(|(_, (place, _))| *place);
    let labels = |boxes: &[LabelledBox]| boxes.iter().map(|labelled| labelled.label).collect();
    photos
        .into_iter()
        .map(|(photo, (_, boxes))| (photo.clone(), labels(boxes)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, row, rows};

    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.write("vocabulary.txt", "dog\ntraffic light\ncat\n");
        fixture.photos(&["images/a.jpg", "images/b.jpg", "images/c.jpg"]);
        fixture
    }

    #[test]
    fn labels_of_the_vocabulary_that_are_not_listed_are_negative() {
        let fixture = fixture();
        fixture.write("train.tsv", "a.jpg\tcat,Traffic  Light\nb.jpg\t\n");
        let set = fixture.open("train").unwrap();
        assert_eq!(set.labels, ["dog", "traffic light", "cat"]);
        assert_eq!(
            rows(&set),
            [row("a.jpg", &[-1, 1, 1]), row("b.jpg", &[-1, -1, -1])]
        );
        assert!(set.name.ends_with(" train"));
        assert_eq!((set.report.positives, set.report.negatives), (2, 4));
        assert!(set.photos[0].path.ends_with("images/a.jpg"));
    }

    #[test]
    fn nothing_is_known_of_unmentioned_labels_where_they_are_not_listed() {
        let fixture = fixture();
        fixture.write("train.tsv", "a.jpg\tcat,dog\nb.jpg\t\n");
        fixture.write("unmentioned.txt", "Dog\n");
        let set = fixture.open("train").unwrap();
        assert_eq!(
            rows(&set),
            [row("a.jpg", &[1, -1, 1]), row("b.jpg", &[0, -1, -1])]
        );
        fixture.write("unmentioned.txt", "dog\ncatt\n");
        let refusal = fixture.open("train").unwrap_err().to_string();
        assert!(
            refusal.contains("unmentioned.txt") && refusal.contains("“catt” is not in"),
            "{refusal}"
        );
    }

    #[test]
    fn foreign_line_ends_and_byte_order_marks_are_understood() {
        let fixture = fixture();
        fixture.write("vocabulary.txt", "\u{feff}dog\r\ncat\r\n");
        fixture.write("train.tsv", "\u{feff}a.jpg\tcat\r\n\r\nb.jpg\tdog,\r\n");
        let set = fixture.open("train").unwrap();
        assert_eq!(rows(&set), [row("a.jpg", &[-1, 1]), row("b.jpg", &[1, -1])]);
    }

    #[test]
    fn missing_photos_and_unknown_labels_are_counted() {
        let fixture = fixture();
        fixture.write("val.tsv", "a.jpg\tdog,yak\nz.jpg\tdog\nc.jpg\tyak,gnu\n");
        let report = fixture.open("val").unwrap().report;
        assert_eq!((report.photos, report.missing_photos), (2, 1));
        let unknown = report
            .unknown_labels
            .iter()
            .map(|l| (l.name.as_str(), l.times));
        assert_eq!(unknown.collect::<Vec<_>>(), [("gnu", 1), ("yak", 2)]);
    }

    #[test]
    fn without_a_vocabulary_only_what_is_listed_is_known() {
        let fixture = Fixture::new();
        fixture.photos(&["a.jpg", "b.jpg"]);
        fixture.write("train.tsv", "a.jpg\tdog\nb.jpg\tcat,dog\n");
        let set = fixture.open("train").unwrap();
        assert_eq!(rows(&set), [row("a.jpg", &[1, 0]), row("b.jpg", &[1, 1])]);
        assert!(set.report.notes[0].starts_with("no vocabulary.txt"));
    }

    #[test]
    fn a_table_with_a_header_serves_too() {
        let fixture = fixture();
        fixture.write(
            "test.csv",
            "Labels,id,photo\n\"cat, dog\",1,a.jpg\ncat;dog,2,b.jpg\n,3,c.jpg\n",
        );
        let set = fixture.open("test").unwrap();
        assert_eq!(
            rows(&set),
            [
                row("a.jpg", &[1, -1, 1]),
                row("b.jpg", &[1, -1, 1]),
                row("c.jpg", &[-1, -1, -1])
            ]
        );
    }

    #[test]
    fn boxes_go_with_their_photos_or_are_the_set() {
        let fixture = fixture();
        fixture.write(
            "boxes.tsv",
            "photo\tlabel\tx0\ty0\tx1\ty1\nb.jpg\tcat\t0.1\t0.2\t0.5\t0.9\nb.jpg\tcat\t0\t0\t1\t1\n\
             a.jpg\tdog\t0\t0\t0.5\t0.5\n",
        );
        let set = fixture.open("boxes").unwrap();
        assert_eq!(
            rows(&set),
            [row("b.jpg", &[-1, -1, 1]), row("a.jpg", &[1, -1, -1])]
        );
        assert_eq!(set.photos[0].boxes.len(), 2);
        assert_eq!(
            (set.photos[0].boxes[0].label, set.photos[0].boxes[0].y1),
            (2, 0.9)
        );
        fixture.write("val.tsv", "a.jpg\tdog\nc.jpg\t\n");
        let set = fixture.open("val").unwrap();
        assert_eq!(
            (set.photos[0].boxes.len(), set.photos[1].boxes.len()),
            (1, 0)
        );
    }

    #[test]
    fn what_spreadsheets_write_is_understood() {
        let fixture = fixture();
        for text in [
            "Photo;Labels\r\na.jpg;cat, dog\r\nb.jpg;\r\n",
            "\u{feff}photo,labels\r\na.jpg,\"cat\r\ndog\"\r\nb.jpg,\r\n,\r\n",
            "Labels\tPhoto\ncat|dog\ta.jpg\n\tb.jpg\n",
        ] {
            fixture.write("test.csv", text);
            let set = fixture.open("test").unwrap();
            let expected = [row("a.jpg", &[1, -1, 1]), row("b.jpg", &[-1, -1, -1])];
            assert_eq!(rows(&set), expected, "{text}");
            assert!(set.report.unknown_labels.is_empty(), "{}", set.report);
        }
        fixture.write("test.csv", "file;tags\na.jpg;dog\n");
        let refused = fixture.refused("test");
        assert!(
            refused.ends_with("line 1: the header has no column “photo”; it has “file”, “tags”"),
            "{refused}"
        );
        std::fs::remove_file(fixture.path().join("test.csv")).unwrap();
        for text in [
            "Photo\tLabels\r\na.jpg\t\"cat, dog\"\r\nb.jpg\t\r\n",
            "a.jpg\t\"cat\ndog\"\nb.jpg\t\n",
        ] {
            fixture.write("val.tsv", text);
            let set = fixture.open("val").unwrap();
            let expected = [row("a.jpg", &[1, -1, 1]), row("b.jpg", &[-1, -1, -1])];
            assert_eq!(rows(&set), expected, "{text}");
        }
        fixture.write("val.CSV", "photo,labels\n");
        let refused = fixture.refused("val");
        assert!(
            refused.contains("several lists val.tsv and val.csv"),
            "{refused}"
        );
    }

    #[test]
    fn boxes_without_a_header_lose_none() {
        let fixture = fixture();
        fixture.write(
            "boxes.tsv",
            "a.jpg\tdog\t0\t0\t0.5\t0.5\nb.jpg\tcat\t0\t0\t1\t1\n",
        );
        assert_eq!(fixture.open("boxes").unwrap().photos.len(), 2);
    }

    #[test]
    fn broken_rows_are_named() {
        let fixture = fixture();
        for (text, expected) in [
            (
                "a.jpg\tdog\nb.jpg dog\n",
                "train.tsv line 2: not a photo and its labels",
            ),
            (
                "a.jpg\tdog\tcat\n",
                "train.tsv line 1: not a photo and its labels",
            ),
            ("\tdog\n", "train.tsv line 1: not a photo and its labels"),
            (
                "a.jpg\tdog\n\na.jpg\tcat\n",
                "train.tsv line 3: “a.jpg” is already listed in line 1",
            ),
        ] {
            fixture.write("train.tsv", text);
            let refused = fixture.refused("train");
            assert!(refused.starts_with(expected), "{refused}");
        }
        fixture.write("train.tsv", "a.jpg\tdog\n");
        for (text, expected) in [
            (
                "a.jpg\tdog\t0\t0\t1\n",
                "boxes.tsv line 2: not a photo, a label and x0",
            ),
            (
                "a.jpg\tdog\t0\t0\t1\tx\n",
                "boxes.tsv line 2: not a photo, a label and x0",
            ),
            (
                "a.jpg\tdog\t0.5\t0\t0.5\t1\n",
                "boxes.tsv line 2: the box has no area",
            ),
            (
                "a.jpg\tdog\t0\t0\t80\t60\n",
                "boxes.tsv line 2: the corners are not fractions",
            ),
            (
                "a.jpg\tdog\tnan\t0\t0.5\t0.5\n",
                "boxes.tsv line 2: the corners are not fractions",
            ),
        ] {
            fixture.write("boxes.tsv", format!("photo\tlabel\tx0\ty0\tx1\ty1\n{text}"));
            let refused = fixture.refused("train");
            assert!(refused.starts_with(expected), "{refused}");
        }
    }
}
