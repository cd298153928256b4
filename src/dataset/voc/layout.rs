//! Where the files of a VOC set lie.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::DatasetError;
use super::super::text::TextFile;
use crate::image_io::PHOTO_ENDINGS;

const ANNOTATIONS: [&str; 2] = ["Annotations", "annotations"];
const PHOTOS: [&str; 3] = ["JPEGImages", "images", "Images"];
/// The part of a set without lists: all annotations.
const ALL: &str = "all";

/// What makes the parts, for messages.
pub(in super::super) const LOOKED_FOR: &str = "ImageSets/Main/NAME.txt or Annotations/ID.xml";

fn annotations(folder: &Path) -> PathBuf {
    let folders = ANNOTATIONS.map(|name| folder.join(name));
    let there = folders.iter().find(|folder| folder.is_dir());
    there.unwrap_or(&folders[0]).clone()
}

fn sets(folder: &Path) -> PathBuf {
    folder.join("ImageSets").join("Main")
}

/// Names in a folder that end in `ending`, without it, in their order.
fn stems(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut stems: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(ending)?.to_owned()))
        .collect();
    stems.sort();
    stems
}

/// The parts of the set in `folder`: lists that are not those of a single class; all annotations
/// where there is no list.
pub(in super::super) fn parts(folder: &Path) -> Vec<String> {
    let mut parts = stems(&sets(folder), ".txt");
    let all = parts.clone();
    parts.retain(|name| class_of(name, &all).is_none());
    if parts.is_empty() && !stems(&annotations(folder), ".xml").is_empty() {
        parts.push(ALL.to_owned());
    }
    parts
}

/// Whether `folder` looks like such a set.
pub(in super::super) fn recognises(folder: &Path) -> bool {
    let annotations = annotations(folder);
    let listed = annotations.is_dir() && sets(folder).is_dir();
    listed || !stems(&annotations, ".xml").is_empty()
}

/// The class of a list such as `dog_train`, where `train` is a list too.
fn class_of<'a>(name: &'a str, lists: &[String]) -> Option<&'a str> {
    let (class, part) = name.rsplit_once('_')?;
    lists.iter().any(|list| list == part).then_some(class)
}

/// The files of a set.
pub(super) struct VocFiles {
    sets: PathBuf,
    annotations: PathBuf,
    photos: PathBuf,
    lists: Vec<String>,
    /// Names of photos by what comes before their ending.
    names: HashMap<String, Vec<String>>,
}

/// A photo of a list.
pub(super) struct Listed {
    pub id: String,
    /// Its annotation, where there is one.
    pub annotation: Option<PathBuf>,
}

impl VocFiles {
    pub fn new(folder: &Path) -> Self {
        let annotations = annotations(folder);
        let folders = PHOTOS.map(|name| folder.join(name));
        let photos = folders.iter().find(|folder| folder.is_dir());
        let photos = photos
            .cloned()
            .unwrap_or_else(|| match sets(folder).is_dir() {
                true => folders[0].clone(),
                false => annotations.clone(),
            });
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for entry in fs::read_dir(&photos).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((stem, _)) = photo_name(&name) {
                names.entry(stem.to_owned()).or_default().push(name);
            }
        }
        Self {
            sets: sets(folder),
            annotations,
            photos,
            lists: stems(&sets(folder), ".txt"),
            names,
        }
    }

    /// The classes that have a list of the part.
    pub fn classes(&self, part: &str) -> impl Iterator<Item = &str> {
        let ending = format!("_{part}");
        let lists = self
            .lists
            .iter()
            .filter(move |name| name.ends_with(&ending));
        lists.filter_map(|name| class_of(name, &self.lists))
    }

    /// The photos of a part.
    ///
    /// # Errors
    /// A list that cannot be read, a line that names no photo.
    pub fn listed(&self, part: &str) -> Result<Vec<Listed>, DatasetError> {
        let path = self.sets.join(format!("{part}.txt"));
        if part == ALL && !path.exists() {
            let stems = stems(&self.annotations, ".xml");
            return Ok(stems.into_iter().map(|id| self.listed_as(&id)).collect());
        }
        let list = TextFile::read(&path)?;
        let listed = |(line, text): (usize, &str)| {
            // Lists of one class have a second column; names may have spaces or an ending, too.
            let id = text.split_whitespace().next().unwrap_or_default();
            let written = [id, text, without_ending(id), without_ending(text)];
            let mut written = written.into_iter();
            let known = written.find(|id| is_plain(id) && self.listed_as(id).annotation.is_some());
            match known {
                Some(known) => Ok(self.listed_as(known)),
                None if is_plain(id) => Ok(self.listed_as(id)),
                None => Err(list.refuse(line, format!("“{id}” is not the name of a photo"))),
            }
        };
        list.entries().map(listed).collect()
    }

    fn listed_as(&self, id: &str) -> Listed {
        let path = self.annotations.join(format!("{id}.xml"));
        Listed {
            id: id.to_owned(),
            annotation: path.exists().then_some(path),
        }
    }

    /// The photo of an annotation: of its name, whatever the ending, or else the one that it names
    /// itself, unless that is another annotation's. `None` where several photos have the name.
    pub fn photo(&self, id: &str, filename: Option<&str>) -> Option<PathBuf> {
        let usual = format!("{id}.jpg");
        let none = Vec::new();
        let names = self.names.get(id).unwrap_or(&none);
        let named = filename.map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name).trim());
        let has_named = || named.filter(|&named| names.iter().any(|name| name == named));
        let name = match &names[..] {
            [] => {
                let own = named.and_then(|name| Some((name, photo_name(name)?.0)));
                let free = own.filter(|(_, stem)| self.listed_as(stem).annotation.is_none());
                free.map_or(usual.as_str(), |(name, _)| name)
            }
            [only] => only,
            several if several.contains(&usual) => &usual,
            _ => has_named()?,
        };
        Some(self.photos.join(name))
    }
}

/// What comes before a photo's ending, and the ending.
fn photo_name(name: &str) -> Option<(&str, &str)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let lower = ending.to_ascii_lowercase();
    (!stem.is_empty() && PHOTO_ENDINGS.contains(&lower.as_str())).then_some((stem, ending))
}

/// A name without the ending of a photo or an annotation.
fn without_ending(name: &str) -> &str {
    let photo = photo_name(name).map(|(stem, _)| stem);
    photo.or_else(|| name.strip_suffix(".xml")).unwrap_or(name)
}

/// Whether a name leads into no other folder.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name() == Some(name.as_ref())
}
