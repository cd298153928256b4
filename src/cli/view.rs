//! `biam-lens [view]`: the window.

use std::path::PathBuf;

use anyhow::{Result, bail};
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
    if !display_named() {
        bail!(
            "no window can be opened (neither DISPLAY nor WAYLAND_DISPLAY is set): start it on a \
             desktop, or use biam-lens predict or biam-lens render, which need none"
        );
    }
    let labels = match options.labels.read()? {
        Some(given) => given.labels,
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

/// Whether the environment says where a window could be: other systems than X11's and Wayland's
/// need not say so.
fn display_named() -> bool {
    let elsewhere = cfg!(any(windows, target_vendor = "apple", target_os = "android"));
    let names = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"];
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    elsewhere || names.into_iter().any(named)
}
