//! What can be wrong with a data set.

use std::path::{Path, PathBuf};

use crate::files::{FileError, one_line, shown};

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
    #[error("{}: no data set of a known kind is here: {known}; see biam-lens train --help", shown(.path), known = "a folder has vocabulary.txt and NAME.tsv, COCO instances_NAME.json, VOC Annotations, NUS-WIDE ConceptsList, Open Images class-descriptions.csv")]
    UnknownKind { path: PathBuf },
    #[error("{}: this set has no part “{}”: {}", shown(.path), one_line(.part), parts(.known))]
    NoPart {
        path: PathBuf,
        part: String,
        known: Vec<String>,
    },
    #[error("{}: none of its {listed} photos is there (looked for {}); put the photos where the set's lists say", shown(.path), shown(.first))]
    NoPhotos {
        path: PathBuf,
        listed: usize,
        first: PathBuf,
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

    /// A file that is not what its name says.
    pub(super) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

fn parts(known: &[String]) -> String {
    match known {
        [] => "it is not divided; leave out --part".to_owned(),
        known => format!("it has {}", one_line(&known.join(", "))),
    }
}
