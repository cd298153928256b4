//! What the commands share: options, opening the engine, photos and labels, messages.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::bundle::find_bundle;
use crate::engine::{DeviceChoice, Session};
use crate::files::{one_line, read_bounded, shown};
use crate::image_io::list_photos;
use crate::model::Variant;
use crate::semantics::{ParsedLabels, parse_labels};

/// Largest label file, in bytes.
const LABEL_FILE_LIMIT: u64 = 16 << 20;

/// Options of every command that runs the networks.
#[derive(Clone, Debug, Args)]
pub struct Engine {
    /// Folder of the model to use
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    pub device: DeviceChoice,
}

impl Engine {
    /// Loads the bundle; says on standard error why the CPU is used, where that is news.
    pub fn open(&self) -> Result<Session> {
        let folder = find_bundle(self.bundle.as_deref())?;
        let session = Session::open(&folder, self.device)?;
        if let Some(note) = &session.facts().device_note {
            complain(note);
        }
        Ok(session)
    }
}

/// The options that choose labels.
#[derive(Clone, Debug, Args)]
pub struct Labels {
    /// Labels, separated by commas; any word or phrase
    #[arg(long, value_name = "\"A, B\"", conflicts_with = "label_file")]
    pub labels: Option<String>,
    /// File with labels, one a line or separated by commas
    #[arg(long, value_name = "FILE")]
    pub label_file: Option<PathBuf>,
}

impl Labels {
    /// The labels that were named; `None` when none of the options was used.
    pub fn read(&self) -> Result<Option<Vec<String>>> {
        let text = match (&self.labels, &self.label_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => {
                let bytes = read_bounded(path, LABEL_FILE_LIMIT)?;
                let text = String::from_utf8(bytes)
                    .ok()
                    .with_context(|| format!("{}: not a text file", shown(path)))?;
                text.trim_start_matches('\u{feff}').to_owned()
            }
            (None, None) => return Ok(None),
        };
        let ParsedLabels {
            labels,
            duplicates,
            refused,
        } = parse_labels(&text);
        for error in &refused {
            complain(error);
        }
        for duplicate in &duplicates {
            complain(&format!(
                "the label “{duplicate}” is there twice; kept once"
            ));
        }
        if labels.is_empty() {
            bail!("no labels given; name some, such as --labels \"dog, traffic light\"");
        }
        Ok(Some(labels))
    }
}

/// Photos that `paths` mean, and whether all of them could be found; each trouble is said.
pub fn photos(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, bool)> {
    let (photos, errors) = list_photos(paths);
    for error in &errors {
        complain(error);
    }
    if photos.is_empty() && errors.is_empty() {
        bail!("no photo named; name photos or folders");
    }
    Ok((photos, errors.is_empty()))
}

/// One line on standard error.
pub fn complain(message: &impl ToString) {
    eprintln!("biam-lens: {}", one_line(message));
}

/// The variants a command was asked for, or all of the bundle's.
pub fn variants(asked: &[Variant], session: &Session, all: bool) -> Result<Vec<Variant>> {
    let has = &session.facts().variants;
    let mut wanted: Vec<Variant> = Vec::new();
    for variant in asked {
        if !wanted.contains(variant) {
            wanted.push(*variant);
        }
    }
    if wanted.is_empty() {
        wanted = match all {
            true => has.clone(),
            false => has.iter().max().copied().into_iter().collect(),
        };
    }
    if let Some(missing) = wanted.iter().find(|variant| !has.contains(variant)) {
        let names: Vec<&str> = has.iter().map(|variant| variant.name()).collect();
        bail!(
            "this bundle has no network “{missing}”; it has {}",
            names.join(", ")
        );
    }
    Ok(wanted)
}
