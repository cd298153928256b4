//! What can go wrong in the engine.

use super::DeviceError;
use crate::bundle::BundleError;
use crate::files::first_line;
use crate::image_io::PhotoError;
use crate::model::VariantId;
use crate::semantics::{LabelError, SemanticsError};

/// Why the engine cannot answer, in one line.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error("no sample photo is called “{0}”")]
    NoSample(String),
    #[error("this bundle has no network “{0}”; it has {1}")]
    NoVariant(VariantId, String),
    #[error("the network “{0}” has scores and no maps; `predict` and `eval` print them")]
    NoMaps(VariantId),
    #[error("more than {0} new labels at once; give fewer")]
    TooManyLabels(usize),
    #[error("the network failed: {}", first_line(.0))]
    Network(#[from] candle_core::Error),
    #[error("an internal error ({0}): this photo could not be answered; please report it")]
    Internal(String),
    #[error("the engine has ended after an internal error ({0}); start the program again")]
    Ended(String),
}
