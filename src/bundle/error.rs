//! What can be wrong with a bundle.

use std::path::PathBuf;

use crate::files::{FileError, shown};
use crate::model::ConfigError;
use crate::semantics::SemanticsError;

/// Why a bundle cannot be found, read or made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("no model found: looked for bundle.toml in {}; name a bundle's folder with --bundle", .0.join(", "))]
    NotFound(Vec<String>),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: not a bundle manifest: {reason}", shown(.path))]
    Manifest { path: PathBuf, reason: String },
    #[error("{}: bundle format {found}, this program reads {known}; use a newer program or make the bundle again with biam-lens import", shown(.path), known = super::manifest::FORMAT)]
    Format { path: PathBuf, found: u32 },
    #[error("{}: the bundle names the file “{name}”, which is not a plain file name", shown(.path))]
    FileName { path: PathBuf, name: String },
    #[error("{}: truncated or changed since the bundle was made (its SHA-256 differs from bundle.toml); fetch the bundle again", shown(.0))]
    Changed(PathBuf),
    #[error("{}: {reason}", shown(.path))]
    Weights { path: PathBuf, reason: String },
    #[error("{}: {source}", shown(.path))]
    Config { path: PathBuf, source: ConfigError },
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
}
