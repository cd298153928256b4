//! What can go wrong in the engine.

use super::DeviceError;
use crate::bundle::BundleError;
use crate::image_io::PhotoError;
use crate::model::Variant;
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
    NoVariant(Variant, String),
    #[error("more than {0} new labels at once; give fewer")]
    TooManyLabels(usize),
    #[error("the network failed: {}", first_line(.0))]
    Network(#[from] candle_core::Error),
    #[error(
        "an internal error: this photo could not be answered; try another, and please report it"
    )]
    Internal,
    #[error("the engine has ended after an internal error; start the program again")]
    Ended,
}

fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or("unknown error")
        .to_owned()
}
