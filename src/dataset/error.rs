//! What can be wrong with a data set.

use std::path::{Path, PathBuf};

use crate::files::{FileError, one_line, shown};

/// What makes a folder a data set.
const KINDS: &str = "NAME.tsv or NAME.csv of photos with labels, COCO's instances_NAME.json, VOC's \
                     Annotations, NUS-WIDE's ConceptsList, Open Images' class-descriptions.csv";
/// How many names of a folder are told before the others are only counted.
const NAMED: usize = 5;

/// Why a data set cannot be read, in one line.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} line {line}: {}", shown(.path), one_line(.reason))]
    Line {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    #[error("{}: {}", shown(.path), one_line(.reason))]
    Content { path: PathBuf, reason: String },
    #[error("{}: no data set of a known kind is here: looked for {}; {here}; see biam-lens train --help", shown(.path), KINDS)]
    UnknownKind { path: PathBuf, here: String },
    #[error("{}: this set has no part “{}”: {}", shown(.path), one_line(.part), parts(.known, .looked_for, .here))]
    NoPart {
        path: PathBuf,
        part: String,
        known: Vec<String>,
        looked_for: &'static str,
        /// What the folder has.
        here: String,
    },
    #[error("{}: none of its {listed} photos is there (looked for {}; {here}); put the photos where the set's lists say", shown(.path), shown(.first))]
    NoPhotos {
        path: PathBuf,
        listed: usize,
        first: PathBuf,
        /// What the folder of the first one has, or the set's where there is no such folder.
        here: String,
    },
}

impl DatasetError {
    /// A line that cannot be understood; lines count from 1.
    pub(super) fn line(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            reason: reason.into(),
        }
    }

    /// A folder that is no data set.
    pub(super) fn unknown_kind(path: &Path) -> Self {
        Self::UnknownKind {
            path: path.to_owned(),
            here: contents(path),
        }
    }

    /// A part that a set does not have; `looked_for` says what makes parts.
    pub(super) fn no_part(
        path: &Path,
        part: &str,
        known: Vec<String>,
        looked_for: &'static str,
    ) -> Self {
        Self::NoPart {
            path: path.to_owned(),
            part: part.to_owned(),
            known,
            looked_for,
            here: contents(path),
        }
    }

    /// Photos of which none is there.
    pub(super) fn no_photos(path: &Path, listed: usize, first: PathBuf) -> Self {
        let there = first.parent().filter(|folder| folder.is_dir());
        Self::NoPhotos {
            path: path.to_owned(),
            listed,
            here: contents(there.unwrap_or(path)),
            first,
        }
    }

    /// A file that is not what its name says.
    pub(super) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

fn parts(known: &[String], looked_for: &str, here: &str) -> String {
    match known {
        [] => format!("looked for {looked_for}; {here}"),
        known => format!(
            "it has {}; choose one with --part",
            one_line(&known.join(", "))
        ),
    }
}

/// What lies in a folder, for messages that say what was looked for.
pub(super) fn contents(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| one_line(&entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    let others = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match (names.is_empty(), others) {
        (true, _) => "nothing is here".to_owned(),
        (false, 0) => format!("here are {}", names.join(", ")),
        (false, others) => format!("here are {} and {others} more", names.join(", ")),
    }
}
