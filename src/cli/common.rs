//! What the commands share: options, opening the engine, photos and labels, messages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::bundle::{Bundle, find_bundle};
use crate::engine::session::distinct;
use crate::engine::{DeviceChoice, Session, ShownPhoto};
use crate::files::{FileError, one_line, read_bounded, shown};
use crate::image_io::list_photos;
use crate::model::VariantId;
use crate::semantics::{ParsedLabels, parse_labels};

/// Largest label file, in bytes.
const LABEL_FILE_LIMIT: u64 = 16 << 20;
/// How many labels that are no good are named before the others are only counted.
const NAMED: usize = 5;

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
            print_note(note);
        }
        Ok(session)
    }

    /// Loads the `wanted` networks of the bundle without a session around them; says on standard
    /// error why the CPU is used, where that is news.
    pub fn open_bundle(&self, wanted: impl Fn(VariantId) -> bool) -> Result<Bundle> {
        let folder = find_bundle(self.bundle.as_deref())?;
        let opened = self.device.open()?;
        let bundle = Bundle::open_some(&folder, &opened.device, wanted)?;
        if let Some(note) = &opened.note {
            print_note(note);
        }
        Ok(bundle)
    }
}

/// The options that choose labels.
#[derive(Clone, Debug, Args)]
pub struct Labels {
    /// Labels, separated by commas, semicolons or line ends; any word or phrase
    #[arg(long, value_name = "\"A, B\"", conflicts_with = "label_file")]
    pub labels: Option<String>,
    /// File with labels, one a line or separated by commas, semicolons or tabs
    #[arg(long, value_name = "FILE")]
    pub label_file: Option<PathBuf>,
}

/// The labels that a command was given.
#[derive(Debug)]
pub struct GivenLabels {
    pub labels: Vec<String>,
    /// Whether every label that was given is among them.
    pub complete: bool,
}

impl Labels {
    /// The labels that were named; `None` when none of the options was used. Those that are no
    /// labels are told and left out.
    pub fn read(&self) -> Result<Option<GivenLabels>> {
        let text = match (&self.labels, &self.label_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => label_file(path)?,
            (None, None) => return Ok(None),
        };
        let ParsedLabels {
            labels,
            duplicates,
            refused,
        } = parse_labels(&text);
        complain_of(&refused, "labels are no good either");
        if !duplicates.is_empty() {
            let mut names: Vec<String> = distinct(&duplicates);
            let others = names.len().saturating_sub(NAMED);
            names.truncate(NAMED);
            let others = match others {
                0 => String::new(),
                others => format!(" and {others} others"),
            };
            print_note(&format!(
                "given more than once, kept once: “{}”{others}",
                names.join("”, “")
            ));
        }
        if labels.is_empty() {
            match &self.label_file {
                Some(path) => bail!("{}: {NO_LABELS_IN_FILE}", shown(path)),
                None => bail!("{NO_LABELS}"),
            }
        }
        Ok(Some(GivenLabels {
            labels,
            complete: refused.is_empty(),
        }))
    }
}

/// The labels that the model has vectors for; the others are told and left out. What a vector is made
/// without is told too.
///
/// # Errors
/// Where none is left, the last of them.
pub fn known_labels(session: &mut Session, given: GivenLabels) -> Result<GivenLabels> {
    let (labels, refused) = session.resolve_labels(&given.labels)?;
    let complete = given.complete && refused.is_empty();
    let mut reasons: Vec<String> = refused.into_iter().map(|refused| refused.reason).collect();
    if labels.is_empty()
        && let Some(last) = reasons.pop()
    {
        complain_of(&reasons, "labels are no good either");
        bail!("{last}");
    }
    complain_of(&reasons, "labels are no good either");
    let notes: Result<Vec<_>, _> = labels.iter().map(|l| session.left_out(l)).collect();
    let notes: Vec<String> = notes?.into_iter().flatten().collect();
    complain_of(&notes, "labels are read in part too");
    Ok(GivenLabels { labels, complete })
}

/// Said where labels must be given.
pub const NO_LABELS: &str = "no labels given; name some, such as --labels \"dog, traffic light\"";
const NO_LABELS_IN_FILE: &str = "no labels in this file; write one on each line";

fn label_file(path: &Path) -> Result<String> {
    let bytes = match read_bounded(path, LABEL_FILE_LIMIT) {
        Ok(bytes) => bytes,
        Err(FileError::Empty(_)) => bail!("{}: {NO_LABELS_IN_FILE}", shown(path)),
        Err(error) => return Err(error.into()),
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
        Err(_) => bail!("{}: not a text in UTF-8; save it as UTF-8", shown(path)),
    }
}

/// One line for each of the first few errors, one for all the others.
pub fn complain_of(errors: &[impl ToString], others: &str) {
    for error in errors.iter().take(NAMED) {
        print_note(error);
    }
    if errors.len() > NAMED {
        print_note(&format!("{} more {others}", errors.len() - NAMED));
    }
}

/// Photos that `paths` mean, and whether all of them could be found; each trouble is said.
pub fn photos(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, bool)> {
    let (photos, errors) = list_photos(paths);
    for error in &errors {
        print_note(error);
    }
    if photos.is_empty() && errors.is_empty() {
        bail!("no photo named; name photos or folders");
    }
    Ok((photos, errors.is_empty()))
}

/// A flag that Ctrl-C or a request to end raises; the second one ends the program at once.
pub fn stop_on_request() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("this system does not let the program listen for Ctrl-C")?;
    }
    Ok(stop)
}

/// Says on standard error what a photo's file asks for and did not get, such as its colour profile.
pub fn print_cautions(photo: &ShownPhoto) {
    for caution in photo.cautions() {
        print_note(&caution);
    }
}

/// The same of the photos of a set: the first few, and how many more there are.
pub fn print_all_cautions(cautions: &[String]) {
    complain_of(cautions, "photos with such a note");
}

/// One line on standard error.
pub fn print_note(message: &impl ToString) {
    // Where standard error is closed there is nobody to tell, and no reason to stop working.
    let _ = writeln!(io::stderr(), "biam-lens: {}", one_line(message));
}

/// Text on standard output, at once.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            let message = format!(
                "the results cannot be written ({}); look where standard output leads",
                one_line(&error)
            );
            anyhow::Error::new(error).context(message)
        })
}

/// The variants a command was asked for, once each; for none all of the bundle's, or the fullest
/// of them.
pub fn variants(asked: &[VariantId], session: &Session, all: bool) -> Result<Vec<VariantId>> {
    let has = &session.facts().variants;
    let mut wanted: Vec<VariantId> = Vec::new();
    for variant in asked {
        if !wanted.contains(variant) {
            wanted.push(*variant);
        }
    }
    if wanted.is_empty() {
        wanted = match all {
            true => has.clone(),
            false => fullest(has).into_iter().collect(),
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

/// The paper's fullest network among `has`, or the last of them.
fn fullest(has: &[VariantId]) -> Option<VariantId> {
    let paper = VariantId::PAPER.into_iter().rev();
    paper
        .into_iter()
        .find(|variant| has.contains(variant))
        .or(has.last().copied())
}
