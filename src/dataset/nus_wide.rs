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
/// What makes the parts, for messages.
pub(super) const LOOKED_FOR: &str =
    "ImageList/Imagelist.txt, TrainImagelist.txt or TestImagelist.txt";
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
        return Err(DatasetError::no_part(
            folder,
            part,
            parts(folder),
            LOOKED_FOR,
        ));
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, row, rows};

    /// Three tags, two concepts, one of them a tag too: two seen and two unseen labels.
    fn fixture() -> Fixture {
        let fixture = Fixture::new();
        fixture.write("ConceptsList/Concepts81.txt", "sky\r\nwhales\r\n");
        fixture.write("NUS_WID_Tags/TagList1k.txt", "nature\r\nsky\r\nblue\r\n");
        fixture.write(
            "ImageList/Imagelist.txt",
            "actor\\1.jpg\r\nzoo\\2.jpg\r\nzoo\\3.jpg\r\n",
        );
        fixture.write("ImageList/TestImagelist.txt", "zoo\\3.jpg\nactor\\1.jpg\n");
        fixture.write(
            "NUS_WID_Tags/AllTags1k.txt",
            "1 1 0 \r\n0\t0\t1\r\n0 0 1\r\n",
        );
        fixture.write("AllLabels/Labels_sky.txt", "0\r\n1\r\n1\r\n");
        fixture.write("AllLabels/Labels_whales.txt", "0\n0\n1\n");
        fixture.photos(&["Flickr/actor/1.jpg", "Flickr/zoo/3.jpg"]);
        fixture
    }

    #[test]
    fn columns_are_tags_that_are_no_concepts_and_then_concepts() {
        let set = fixture().open("all").unwrap();
        assert_eq!(set.labels, ["nature", "blue", "sky", "whales"]);
        assert_eq!(set.unseen, [2, 3]);
        // The tag "sky" of the first photo does not count: people said that there is none.
        assert_eq!(
            rows(&set),
            [row("1.jpg", &[1, -1, -1, -1]), row("3.jpg", &[-1, 1, 1, 1])]
        );
        assert_eq!(set.report.missing_photos, 1);
    }

    #[test]
    fn a_part_keeps_its_own_order_with_either_kind_of_matrix() {
        let fixture = fixture();
        let expected = [row("3.jpg", &[-1, 1, 1, 1]), row("1.jpg", &[1, -1, -1, -1])];
        assert_eq!(rows(&fixture.open("test").unwrap()), expected);
        std::fs::remove_dir_all(fixture.path().join("AllLabels")).unwrap();
        fixture.write("Groundtruth/TrainTestLabels/Labels_sky_Test.txt", "1\n0\n");
        fixture.write("TrainTestLabels/Labels_whales_Test.txt", "1\n0\n");
        assert_eq!(rows(&fixture.open("test").unwrap()), expected);
    }

    #[test]
    fn matrices_that_do_not_fit_are_named() {
        let fixture = fixture();
        let tags = |text: &str| {
            fixture.write("NUS_WID_Tags/AllTags1k.txt", text);
            fixture.refused("all")
        };
        let file = "NUS_WID_Tags/AllTags1k.txt";
        assert_eq!(
            tags("1 1 0\n0 1\n0 0 1\n"),
            format!("{file} line 2: 2 columns for 3 tags")
        );
        assert_eq!(
            tags("1 1 0\n0 2 1\n"),
            format!("{file} line 2: “2” in column 2 is not 0 or 1")
        );
        assert!(tags("1 1 0\n").starts_with(&format!("{file}: 1 rows for 3 photos")));
        let more = tags("1 1 0\n1 1 0\n1 1 0\n1 1 0\n");
        assert!(
            more.starts_with(&format!("{file} line 4: a row more")),
            "{more}"
        );
        fixture.write("AllLabels/Labels_sky.txt", "0\n1\nx\n");
        fixture.write(file, "1 1 0\n1 1 0\n1 1 0\n");
        assert_eq!(
            fixture.refused("all"),
            "AllLabels/Labels_sky.txt line 3: not 0 or 1"
        );
        fixture.write("ImageList/TestImagelist.txt", "zoo\\9.jpg\n");
        let stranger = fixture.refused("test");
        assert!(
            stranger.contains("“zoo/9.jpg” is not in ImageList/Imagelist.txt"),
            "{stranger}"
        );
    }
}
