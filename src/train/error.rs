//! What can stop a training run.

use std::path::PathBuf;

use super::ridge::RidgeError;
use crate::bundle::BundleError;
use crate::dataset::{CacheError, DatasetError};
use crate::files::{FileError, first_line, one_line, shown};
use crate::model::ConfigError;
use crate::semantics::SemanticsError;

/// Why a training run cannot start or go on, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    #[error("{}: {}", shown(.path), one_line(.reason))]
    Settings { path: PathBuf, reason: String },
    #[error("the setting {name} = {value} makes no sense: {hint}")]
    Setting {
        name: &'static str,
        value: String,
        hint: &'static str,
    },
    #[error("too few photos to train on: {photos}, at least 2 are needed; name more with --data")]
    TooFewPhotos { photos: usize },
    #[error("no label is left to train on: all {labels} are unseen; name fewer with --unseen")]
    NoLabels { labels: usize },
    #[error(
        "the semantic teacher cannot be used: {reason}; choose another bundle or --distillation 0"
    )]
    Teacher { reason: String },
    #[error(
        "{variant}: the loss is no number any more in epoch {epoch}, step {step} of {steps}; {kept}; try again with a lower --learning-rate"
    )]
    NotFinite {
        variant: String,
        epoch: usize,
        step: usize,
        steps: usize,
        /// Which checkpoint is there.
        kept: String,
    },
    #[error("{}: {reason}; remove it to start over", shown(.path))]
    Checkpoint { path: PathBuf, reason: String },
    #[error("{}: exists already; remove it or name another folder with --out", shown(.0))]
    Exists(PathBuf),
    #[error("{}: here is an unfinished training already; continue it with --resume, remove the folder, or name another --out", shown(.0))]
    Unfinished(PathBuf),
    #[error("{}: {} MiB are needed until the bundle is there, {} MiB are free; free some or choose another folder with --out", shown(.folder), .need_bytes >> 20, .free_bytes >> 20)]
    NoSpace {
        folder: PathBuf,
        need_bytes: u64,
        free_bytes: u64,
    },
    #[error("training could not compute: {}", first_line(.0))]
    Tensor(#[from] candle_core::Error),
}
