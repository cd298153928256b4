//! `biam-lens [view]`: the window.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{Outcome, common};
use crate::app::{self, WindowOptions};
use crate::engine::{Worker, WorkerOptions, samples};

/// Options of the window.
#[derive(Debug, Args)]
pub struct Options {
    /// Photos and folders to open
    #[arg(value_name = "PHOTO|FOLDER")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    labels: common::Labels,
    #[command(flatten)]
    engine: common::Engine,
}

/// Opens the window and waits until it is closed.
pub fn run(options: Options) -> Result<Outcome> {
    let labels = match options.labels.read()? {
        Some(labels) => labels,
        None if options.photos.is_empty() => samples::first_labels(),
        None => Vec::new(),
    };
    let device = options.engine.device;
    let worker = WorkerOptions {
        bundle: options.engine.bundle,
        device,
    };
    app::run(WindowOptions {
        worker_factory: Box::new(|wake| Worker::start(worker, wake.into())),
        photos: options.photos,
        samples: samples::names().collect(),
        labels,
        device,
        settings: app::settings::user_file(),
    })?;
    Ok(Outcome::Complete)
}
