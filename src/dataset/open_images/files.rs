//! What the files of Open Images are called in its versions 4 to 7: later ones begin with `oidv6-` or
//! `oidv7-`, and those of the subset with boxes end in `-boxable`.

use std::path::{Path, PathBuf};

use super::super::DatasetError;
use super::super::error::contents;

/// What makes the parts, for messages.
pub(in super::super) const LOOKED_FOR: &str = "NAME-annotations-human-imagelabels.csv or \
     NAME-annotations-bbox.csv, also with oidv6- or oidv7- before it";
const VERSIONS: [&str; 4] = ["", "oidv7-", "oidv6-", "oidv5-"];
/// Parts, and what their files are called.
const PARTS: [(&str, &[&str]); 3] = [
    ("train", &["train"]),
    ("validation", &["validation", "val"]),
    ("test", &["test"]),
];

/// The first of these files that is in `folder`, in any version.
fn find(folder: &Path, names: &[String]) -> Option<PathBuf> {
    let versions = VERSIONS
        .iter()
        .flat_map(|version| names.iter().map(move |name| format!("{version}{name}")));
    let mut paths = versions.map(|name| folder.join(name));
    paths.find(|path| path.is_file())
}

fn of_part(folder: &Path, part: &str, endings: &[&str]) -> Option<PathBuf> {
    let (_, called) = PARTS.iter().find(|(name, _)| *name == part)?;
    let names: Vec<String> = endings
        .iter()
        .flat_map(|ending| called.iter().map(move |name| format!("{name}{ending}")))
        .collect();
    find(folder, &names)
}

/// The table of labels of a part.
pub(super) fn labels_file(folder: &Path, part: &str) -> Option<PathBuf> {
    let endings = [
        "-annotations-human-imagelabels.csv",
        "-annotations-human-imagelabels-boxable.csv",
    ];
    of_part(folder, part, &endings)
}

/// The table of boxes of a part.
pub(super) fn boxes_file(folder: &Path, part: &str) -> Option<PathBuf> {
    of_part(folder, part, &["-annotations-bbox.csv"])
}

/// The list of classes to train on.
pub(super) fn trainable(folder: &Path) -> Option<PathBuf> {
    find(folder, &["classes-trainable.txt".to_owned()])
}

/// The file that says what all classes are called, or those with boxes.
///
/// # Errors
/// Where there is none.
pub(super) fn descriptions(folder: &Path) -> Result<PathBuf, DatasetError> {
    let all = find(folder, &["class-descriptions.csv".to_owned()]);
    all.map_or_else(|| boxable_descriptions(folder), Ok)
}

/// The file that says what the classes with boxes are called.
///
/// # Errors
/// Where there is none.
pub(super) fn boxable_descriptions(folder: &Path) -> Result<PathBuf, DatasetError> {
    let found = find(folder, &["class-descriptions-boxable.csv".to_owned()]);
    found.ok_or_else(|| {
        let reason = format!(
            "no list of classes to train on: looked for classes-trainable.txt with \
             class-descriptions.csv, or class-descriptions-boxable.csv, also with oidv6- or oidv7- \
             before them; {}",
            contents(folder)
        );
        DatasetError::content(folder, reason)
    })
}

/// The parts of the set in `folder`.
pub(in super::super) fn parts(folder: &Path) -> Vec<String> {
    let is_there = |part: &str| {
        labels_file(folder, part)
            .or_else(|| boxes_file(folder, part))
            .is_some()
    };
    let parts = PARTS.iter().map(|(part, _)| *part);
    parts
        .filter(|part| is_there(part))
        .map(str::to_owned)
        .collect()
}

/// Whether `folder` looks like such a set.
pub(in super::super) fn recognises(folder: &Path) -> bool {
    let described = find(folder, &["class-descriptions.csv".to_owned()]).is_some();
    let boxable = boxable_descriptions(folder).is_ok();
    described && trainable(folder).is_some() || (described || boxable) && !parts(folder).is_empty()
}
