//! `biam-lens predict`: ranks labels for photos, one line or one JSON object each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;

use super::photo_names::{self, MapNames};
use super::{Outcome, common};
use crate::engine::{
    Comparison, EngineError, PhotoSource, PreparedPhoto, Session, Wanted, prepare_unshown,
};
use crate::files::{one_line, path_text, save_npy_f32, shown, write_atomically};
use crate::image_io::NetworkInput;
use crate::model::VariantId;
use crate::semantics::LabelStatus;

/// Photos decoded ahead while the networks look at the ones before: enough to keep every core
/// busy, few enough to keep memory flat.
const AHEAD: usize = 4;

/// Options of `predict`.
#[derive(Debug, Args)]
pub struct Options {
    /// Photos and folders
    #[arg(value_name = "PHOTO|FOLDER", required = true)]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    labels: common::Labels,
    /// Networks to run, separated by commas: standard, rcb, scb, biam, ridge (default: biam, or
    /// the fullest that the bundle has)
    #[arg(long, value_delimiter = ',')]
    variant: Vec<VariantId>,
    /// How many labels to print for each photo, at least 1
    #[arg(long, default_value = "10")]
    top: NonZeroUsize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Write response maps to this folder: NAME.VARIANT.npy and NAME.json
    #[arg(long, value_name = "DIR")]
    maps: Option<PathBuf>,
    #[command(flatten)]
    engine: common::Engine,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    photo: String,
    variant: VariantId,
    labels: Vec<Ranked<'a>>,
    grid: [usize; 2],
    covered: [f32; 4],
    ms: BTreeMap<&'a str, f64>,
}

#[derive(Serialize)]
struct Ranked<'a> {
    label: &'a str,
    status: LabelStatus,
    score: f32,
}

/// What lies beside the maps.
#[derive(Serialize)]
struct MapsNote<'a> {
    photo: String,
    labels: Vec<&'a str>,
    grid: [usize; 2],
    covered: [f32; 4],
}

/// Ranks labels for every photo; a photo that cannot be read is named and the others go on.
pub fn run(options: &Options) -> Result<Outcome> {
    let typed = options.labels.read()?;
    let (photos, mut all_good) = common::photos(&options.photos)?;
    photo_names::refuse_equal_texts(&photos)?;
    if options.maps.is_some() {
        photo_names::refuse_equal_stems(&photos)?;
    }
    if photos.is_empty() {
        return Ok(Outcome::Incomplete);
    }
    let mut session = options.engine.open()?;
    let variants = common::variants(&options.variant, &session, false)?;
    if let Some(folder) = &options.maps {
        make_folder(folder)?;
    }
    let labels = match typed {
        Some(typed) => {
            let typed = common::known_labels(&mut session, typed)?;
            all_good &= typed.complete;
            typed.labels
        }
        None => {
            let own = session.facts().labels.iter();
            own.map(|(label, _)| label.clone()).collect()
        }
    };
    let wanted = Wanted {
        labels: &labels,
        variants: &variants,
        ranking: false,
        ordinary: false,
    };
    let input = session.input();
    let mut chunks = photos.chunks(AHEAD);
    let mut prepared = prepare_all(chunks.next().unwrap_or(&[]), input);
    while !prepared.is_empty() {
        let next = chunks.next().unwrap_or(&[]);
        // Decoding the next photos shares the cores with looking at these.
        let (ahead, done) = rayon::join(
            || prepare_all(next, input),
            || answer_all(&mut session, options, &wanted, prepared),
        );
        all_good &= done?;
        prepared = ahead;
    }
    Ok(Outcome::complete_if(all_good))
}

fn make_folder(folder: &Path) -> Result<()> {
    if let Err(error) = fs::create_dir_all(folder) {
        bail!(
            "{}: no folder for the maps can be made here ({}); choose another for --maps",
            shown(folder),
            one_line(&error)
        );
    }
    Ok(())
}

type Prepared = Result<PreparedPhoto, EngineError>;

fn prepare_all(photos: &[PathBuf], input: NetworkInput) -> Vec<(PathBuf, Prepared)> {
    photos
        .par_iter()
        .map(|path| {
            let photo = prepare_unshown(&PhotoSource::File(path.clone()), input);
            (path.clone(), photo)
        })
        .collect()
}

/// Prints and writes the answers; false when a photo could not be read.
fn answer_all(
    session: &mut Session,
    options: &Options,
    wanted: &Wanted,
    photos: Vec<(PathBuf, Prepared)>,
) -> Result<bool> {
    let mut all_read = true;
    for (path, photo) in photos {
        let photo = match photo {
            Ok(photo) => photo,
            Err(error) => {
                common::print_note(&error);
                all_read = false;
                continue;
            }
        };
        common::print_cautions(&photo.photo);
        let Some(comparison) = session.compare(&photo, wanted, &|| false)? else {
            continue;
        };
        session.forget_photos();
        print(options, &path, &comparison)?;
        if let Some(folder) = &options.maps {
            write_maps(folder, &path, &comparison)?;
        }
    }
    Ok(all_read)
}

/// Row numbers of the labels, highest score first.
fn ranked(comparison: &Comparison, variant: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = comparison.maps[variant]
        .iter()
        .map(|map| map.score(comparison.trained_k))
        .enumerate()
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn print(options: &Options, path: &Path, comparison: &Comparison) -> Result<()> {
    // Written at once, so that whoever reads along gets whole answers.
    let mut out = String::new();
    for (row, &variant) in comparison.variants.iter().enumerate() {
        let mut ranked = ranked(comparison, row);
        ranked.truncate(options.top.get());
        let labels = ranked.iter().map(|&(label, score)| Ranked {
            label: &comparison.labels[label].text,
            status: comparison.labels[label].status,
            score,
        });
        if options.json {
            let line = Line {
                photo: path_text(path),
                variant,
                labels: labels.collect(),
                grid: [comparison.grid.rows, comparison.grid.columns],
                covered: covered(comparison),
                ms: times(comparison, variant),
            };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        } else {
            writeln!(out, "{}  {}", shown(path), variant.title())?;
            for (place, label) in labels.enumerate() {
                let status = label.status.to_string();
                writeln!(
                    out,
                    "{:>4}. {:<28} {status:<7} {:>9.4}",
                    place + 1,
                    label.label,
                    label.score
                )?;
            }
        }
    }
    common::print(&out)
}

fn covered(comparison: &Comparison) -> [f32; 4] {
    let covered = comparison.covered;
    [covered.x0, covered.y0, covered.x1, covered.y1]
}

/// The stages that this variant's answer is made of.
fn times(comparison: &Comparison, variant: VariantId) -> BTreeMap<&str, f64> {
    let others = |stage: &str| match stage.split_once('.') {
        Some((_, name)) => name != variant.name(),
        None => false,
    };
    let stages = comparison.times.iter();
    stages
        .filter(|time| !others(&time.stage))
        .map(|time| (time.stage.as_str(), (time.milliseconds * 1e3).round() / 1e3))
        .collect()
}

fn write_maps(folder: &Path, path: &Path, comparison: &Comparison) -> Result<()> {
    let names = MapNames::of(path);
    if names.is_shortened() {
        common::print_note(&format!(
            "{}: too long a name for its maps, which are called {} instead",
            shown(path),
            shown(Path::new(&names.note()))
        ));
    }
    let shape = [
        comparison.labels.len(),
        comparison.grid.rows,
        comparison.grid.columns,
    ];
    for (variant, maps) in comparison.variants.iter().zip(&comparison.maps) {
        let responses: Vec<f32> = maps
            .iter()
            .flat_map(|map| map.responses.iter().copied())
            .collect();
        save_npy_f32(&folder.join(names.map(*variant)), &shape, &responses)?;
    }
    let note = MapsNote {
        photo: path_text(path),
        labels: comparison
            .labels
            .iter()
            .map(|label| label.text.as_str())
            .collect(),
        grid: [comparison.grid.rows, comparison.grid.columns],
        covered: covered(comparison),
    };
    let text = serde_json::to_string_pretty(&note)?;
    write_atomically(&folder.join(names.note()), |writer| {
        writeln!(writer, "{text}")
    })?;
    Ok(())
}
