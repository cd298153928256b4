//! NUS-WIDE: tags of its photos on Flickr are the seen labels, 81 concepts judged by people the
//! unseen ones.
//!
//! Columns: the 1,000 tags without those that are concepts too, 925, then the 81 concepts, each list
//! in its own order. Every label is +1 or -1 for every photo (2l - 1 of the matrices).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::builder::{Builder, Vocabulary};
use super::text::{Lines, TextFile};
use super::{Dataset, DatasetError, PhotoLabels};

const CONCEPTS: &str = "ConceptsList/Concepts81.txt";
/// Either name was published.
const TAG_LISTS: [&str; 2] = [
    "NUS_WID_Tags/TagList1k.txt",
    "NUS_WID_Tags/Final_Tag_List.txt",
];
const TAGS: &str = "NUS_WID_Tags/AllTags1k.txt";
/// Folders that photos are kept in.
const PHOTOS: [&str; 3] = ["Flickr", "images", "ImageData"];

/// One part: its name, its list of photos, the ending of its concepts' matrices.
struct Part {
    name: &'static str,
    photos: &'static str,
    ending: &'static str,
}

const PARTS: [Part; 3] = [
    Part {
        name: "all",
        photos: "ImageList/Imagelist.txt",
        ending: "",
    },
    Part {
        name: "train",
        photos: "ImageList/TrainImagelist.txt",
        ending: "_Train",
    },
    Part {
        name: "test",
        photos: "ImageList/TestImagelist.txt",
        ending: "_Test",
    },
];

/// The parts of the set in `folder`.
pub(super) fn parts(folder: &Path) -> Vec<String> {
    let there = PARTS
        .iter()
        .filter(|part| folder.join(part.photos).is_file());
    there.map(|part| part.name.to_owned()).collect()
}

/// Whether `folder` looks like such a set.
pub(super) fn recognises(folder: &Path) -> bool {
    folder.join(CONCEPTS).is_file()
}

/// The seen and unseen labels of the set in `folder`.
pub(super) struct Columns {
    pub labels: Vocabulary,
    /// How many of them, the first ones, are seen.
    pub seen: usize,
    /// The column of every tag; `None` for those that are concepts.
    tags: Vec<Option<u32>>,
    /// The concepts as their matrices are named.
    concepts: Vec<String>,
}

impl Columns {
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let concepts = Vocabulary::read(&folder.join(CONCEPTS))?;
        let lists = TAG_LISTS.map(|list| folder.join(list));
        let list = lists.iter().find(|list| list.exists()).unwrap_or(&lists[0]);
        let tag_list = Vocabulary::read(list)?;
        let mut labels = Vocabulary::default();
        let mut add = |label: &str| {
            labels
                .add(label)
                .map_err(|error| DatasetError::content(list, error.to_string()))
        };
        let mut tags = Vec::with_capacity(tag_list.labels.len());
        for tag in &tag_list.labels {
            tags.push(match concepts.place(tag) {
                None => Some(add(tag)?),
                Some(_) => None,
            });
        }
        let seen = tags.iter().flatten().count();
        for concept in &concepts.labels {
            add(concept)?;
        }
        Ok(Self {
            labels,
            seen,
            tags,
            concepts: concepts.labels,
        })
    }
}

/// Reads the part `part`.
///
/// # Errors
/// A list or a matrix that cannot be read, does not fit the others, or has other values than 0 and 1;
/// lines are named.
pub(super) fn read(folder: &Path, part: &str) -> Result<Dataset, DatasetError> {
    let Some(part) = PARTS.iter().find(|known| known.name == part) else {
        return Err(DatasetError::NoPart {
            path: folder.to_owned(),
            part: part.to_owned(),
            known: parts(folder),
        });
    };
    let columns = Columns::read(folder)?;
    let all = photo_list(&folder.join(PARTS[0].photos))?;
    let listed = match part.ending {
        "" => all.clone(),
        _ => photo_list(&folder.join(part.photos))?,
    };
    // The row of every photo of the part, by the row of the whole.
    let rows = part_rows(folder, part, &all, &listed)?;
    let mut positives = vec![Vec::new(); listed.len()];
    read_tags(&folder.join(TAGS), &columns, &rows, &mut positives)?;
    for (concept, name) in (columns.seen as u32..).zip(&columns.concepts) {
        read_concept(folder, part, name, concept, &rows, &mut positives)?;
    }
    let photos = PHOTOS.map(|name| folder.join(name));
    let photos = photos
        .iter()
        .find(|photos| photos.is_dir())
        .unwrap_or(&photos[0]);
    let judged: Arc<[u32]> = columns.labels.all().into();
    let mut builder = Builder::new(folder, part.name);
    for (name, positives) in listed.iter().zip(positives) {
        let labels = PhotoLabels::judged(positives, Arc::clone(&judged));
        builder.photo(photos.join(name), labels, Vec::new());
    }
    let labels = columns.labels.labels;
    let unseen = (columns.seen as u32..labels.len() as u32).collect();
    Ok(Dataset {
        unseen,
        ..builder.finish(folder, labels)?
    })
}

/// Photos of a list, with separators that every system knows.
fn photo_list(path: &Path) -> Result<Vec<String>, DatasetError> {
    let file = TextFile::read(path)?;
    Ok(file
        .entries()
        .map(|(_, name)| name.replace('\\', "/"))
        .collect())
}

/// For every row of the whole list the photo's place in the part, where it is in it.
fn part_rows(
    folder: &Path,
    part: &Part,
    all: &[String],
    listed: &[String],
) -> Result<Vec<Option<u32>>, DatasetError> {
    let rows: HashMap<&str, usize> = all.iter().map(String::as_str).zip(0..).collect();
    let mut places = vec![None; all.len()];
    for (place, name) in listed.iter().enumerate() {
        match rows.get(name.as_str()) {
            Some(&row) => places[row] = Some(place as u32),
            None => {
                let reason = format!("“{name}” is not in {}", PARTS[0].photos);
                return Err(DatasetError::content(&folder.join(part.photos), reason));
            }
        }
    }
    Ok(places)
}

/// Reads the tags' matrix, a row of 0 and 1 for each photo of the whole list.
fn read_tags(
    path: &Path,
    columns: &Columns,
    rows: &[Option<u32>],
    positives: &mut [Vec<u32>],
) -> Result<(), DatasetError> {
    let mut lines = Lines::open(path)?;
    for row in rows {
        let Some(line) = lines.read()? else {
            return Err(too_short(path, lines.number, rows.len()));
        };
        let Some(place) = row else { continue };
        let labels = tags_of(line, &columns.tags);
        let labels = labels.map_err(|reason| lines.refuse(reason))?;
        positives[*place as usize] = labels;
    }
    refuse_more(lines, rows.len())
}

/// The columns of the tags that a row has.
fn tags_of(line: &[u8], tags: &[Option<u32>]) -> Result<Vec<u32>, String> {
    let values = line
        .split(u8::is_ascii_whitespace)
        .filter(|value| !value.is_empty());
    let (mut count, mut labels) = (0, Vec::new());
    for value in values {
        match value {
            b"0" => {}
            b"1" => labels.extend(tags.get(count).copied().flatten()),
            _ => {
                let value = String::from_utf8_lossy(value);
                return Err(format!("“{value}” in column {} is not 0 or 1", count + 1));
            }
        }
        count += 1;
    }
    match count == tags.len() {
        true => Ok(labels),
        false => Err(format!("{count} columns for {} tags", tags.len())),
    }
}

/// Reads a concept's matrix of one column, that of the whole or that of the part.
fn read_concept(
    folder: &Path,
    part: &Part,
    name: &str,
    concept: u32,
    rows: &[Option<u32>],
    positives: &mut [Vec<u32>],
) -> Result<(), DatasetError> {
    let find = |file: String| {
        let groundtruth = folder.join("Groundtruth").join(&file);
        if groundtruth.is_file() {
            groundtruth
        } else {
            folder.join(&file)
        }
    };
    let whole = find(format!("AllLabels/Labels_{name}.txt"));
    let own = find(format!("TrainTestLabels/Labels_{name}{}.txt", part.ending));
    let in_order: Vec<Option<u32>>;
    let (path, rows) = match whole.is_file() || part.ending.is_empty() {
        true => (whole, rows),
        false => {
            in_order = (0..positives.len() as u32).map(Some).collect();
            (own, &in_order[..])
        }
    };
    let mut lines = Lines::open(&path)?;
    for row in rows {
        match lines.read()?.map(<[u8]>::trim_ascii) {
            Some(b"0") => {}
            Some(b"1") => {
                if let Some(place) = row {
                    positives[*place as usize].push(concept);
                }
            }
            Some(_) => return Err(lines.refuse("not 0 or 1")),
            None => return Err(too_short(&path, lines.number, rows.len())),
        }
    }
    refuse_more(lines, rows.len())
}

fn too_short(path: &Path, rows: usize, photos: usize) -> DatasetError {
    DatasetError::content(
        path,
        format!("{rows} rows for {photos} photos: fetch it again"),
    )
}

/// Refuses rows behind the last photo's.
fn refuse_more(mut lines: Lines, photos: usize) -> Result<(), DatasetError> {
    while let Some(line) = lines.read()? {
        if !line.trim_ascii().is_empty() {
            return Err(lines.refuse(format!("a row more than the {photos} photos")));
        }
    }
    Ok(())
}
