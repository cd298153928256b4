//! What can be wrong with a bundle.

use std::path::PathBuf;

use crate::checkpoint::CheckpointError;
use crate::files::{FileError, one_line, shown};
use crate::model::ConfigError;
use crate::semantics::SemanticsError;

/// Why a bundle cannot be found, read or made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("no model found: looked for bundle.toml in {}; copy the folder weights/default of the program's source to {}, or name a bundle's folder with --bundle", .0.join(", "), .0.last().map_or("", String::as_str))]
    NotFound(Vec<String>),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: no model here (there is no bundle.toml in it); name a bundle's folder with --bundle or the variable {variable}", shown(.0), variable = super::find::VARIABLE)]
    NoBundle(PathBuf),
    #[error("{}: not a manifest this program understands: {reason}; fetch the bundle again or make it with biam-lens import", shown(.path))]
    Manifest { path: PathBuf, reason: String },
    #[error("{}: bundle format {found}, this program reads {known}; use a newer program or make the bundle again with biam-lens import", shown(.path), known = super::manifest::FORMAT)]
    Format { path: PathBuf, found: i64 },
    #[error("{}: the bundle names the file “{}”, which is not a plain file name; use a bundle that keeps to its folder", shown(.path), one_line(.name))]
    FileName { path: PathBuf, name: String },
    #[error("{}: truncated or changed since the bundle was made (its SHA-256 differs from bundle.toml); fetch the bundle again", shown(.0))]
    Changed(PathBuf),
    #[error("{}: bundle.toml has no SHA-256 of it; fetch the bundle again", shown(.0))]
    NoHash(PathBuf),
    #[error("{}: {reason}", shown(.path))]
    Weights { path: PathBuf, reason: String },
    #[error("{}: {error}", shown(.path))]
    Config { path: PathBuf, error: ConfigError },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(
        "no word vectors are named; name GloVe's text file or the like, or the labels' own vectors, with --word-vectors or --label-vectors"
    )]
    NoWords,
    #[error(
        "{0} of the photos for ordinary regions could be read, 2 are the least and 512 are best; name other photos"
    )]
    FewPhotos(usize),
    #[error("ordinary regions cannot be computed: {0}")]
    Ordinary(String),
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
}
