//! What can go wrong in an evaluation.

use std::path::PathBuf;

use crate::dataset::CacheError;
use crate::files::{first_line, one_line, shown};
use crate::model::VariantId;
use crate::semantics::SemanticsError;

/// Why nothing can be said of the networks, in one line.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
    #[error("the network failed: {}", first_line(.0))]
    Network(#[from] candle_core::Error),
    #[error(
        "{}: {variant} scores “{}” with a value that is no number; use other weights",
        shown(.photo),
        one_line(.label)
    )]
    NotANumber {
        variant: VariantId,
        photo: PathBuf,
        label: String,
    },
    #[error("this data set has no labels; name one that has")]
    NoLabels,
    #[error("none of the photos could be read; check the folder")]
    NoPhotos,
}
