//! `biam-lens bench`: times every stage of the warm program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use candle_core::Tensor;
use clap::Args;
use serde::Serialize;

use super::{Outcome, common};
use crate::bundle::{Bundle, PhotoFeatures, TrainedVariant};
use crate::engine::{OrdinaryResponses, PhotoSource, Session, Wanted, prepare, samples};
use crate::model::{EncodeOptions, Encoded, Responses, VariantId};

/// Labels whose maps are computed.
const LABELS: usize = 100;
/// Runs that are not counted, so that caches, threads and clocks have settled.
const WARM_UP: usize = 3;
/// Starts of the program that are timed: each takes a second or so.
const STARTS: usize = 3;

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    /// The photo to work on (default: the first sample)
    #[arg(value_name = "PHOTO")]
    photo: Option<PathBuf>,
    /// How often each stage is timed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Compute the first maps and end: what `start` times
    #[arg(long, hide = true)]
    first_maps: bool,
    /// Time and memory of this network in a program without another: what `eval --cost` starts
    #[arg(long, hide = true)]
    cost_of: Option<VariantId>,
    #[command(flatten)]
    engine: common::Engine,
}

/// Median and least time of a stage in milliseconds.
#[derive(Serialize)]
struct Times {
    median_ms: f64,
    min_ms: f64,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    device: String,
    threads: usize,
    runs: u32,
    stages: BTreeMap<String, Times>,
}

/// Times the stages and prints them.
pub fn run(options: &Options) -> Result<Outcome> {
    let source = match &options.photo {
        Some(path) => PhotoSource::File(path.clone()),
        None => PhotoSource::Sample(samples::names().next().context("no sample photo")?),
    };
    if let Some(variant) = options.cost_of {
        let measured = super::eval::measure_alone(&options.engine, variant)?;
        common::print(&(serde_json::to_string(&measured)? + "\n"))?;
        return Ok(Outcome::Complete);
    }
    let mut session = options.engine.open()?;
    if options.first_maps {
        first_maps(&mut session, &source)?;
        return Ok(Outcome::Complete);
    }
    let bench = Bench::new(&session, source, options.runs as usize)?;
    let mut report = Report {
        device: session.facts().device.clone(),
        threads: rayon::current_num_threads(),
        runs: options.runs,
        stages: bench.stages()?,
    };
    report.stages.insert("start".to_owned(), starts(options)?);
    print(options, &report)?;
    Ok(Outcome::Complete)
}

fn print(options: &Options, report: &Report) -> Result<()> {
    if options.json {
        return common::print(&(serde_json::to_string(report)? + "\n"));
    }
    let mut text = format!("{}, runs: {}\n", report.device, report.runs);
    writeln!(
        text,
        "{:<20} {:>10} {:>10}",
        "stage", "median ms", "least ms"
    )?;
    for (stage, times) in &report.stages {
        writeln!(
            text,
            "{stage:<20} {:>10.2} {:>10.2}",
            times.median_ms, times.min_ms
        )?;
    }
    common::print(&text)
}

/// All that the stages work on.
struct Bench<'a> {
    bundle: &'a Bundle,
    source: PhotoSource,
    runs: usize,
    /// `[1, S, S, 3]`.
    pixels: Tensor,
    features: PhotoFeatures,
    /// `[LABELS, D]`.
    labels: Tensor,
}

impl<'a> Bench<'a> {
    fn new(session: &'a Session, source: PhotoSource, runs: usize) -> Result<Self> {
        let bundle = session.bundle();
        let side = session.input().side as usize;
        let photo = prepare(&source, session.input())?;
        let pixels = Tensor::from_slice(&photo.pixels, (1, side, side, 3), &bundle.device)?;
        let count = bundle.label_vectors.dim(0)?;
        ensure!(count > 0, "this bundle has no labels to time");
        let rows: Vec<u32> = (0..LABELS as u32).map(|row| row % count as u32).collect();
        let rows = Tensor::from_vec(rows, LABELS, &bundle.device)?;
        Ok(Self {
            bundle,
            source,
            runs,
            features: bundle.photo_features(&pixels)?,
            pixels,
            labels: bundle.label_vectors.index_select(&rows, 0)?,
        })
    }

    fn stages(&self) -> Result<BTreeMap<String, Times>> {
        let mut stages = BTreeMap::new();
        let mut decode = Vec::new();
        let mut resize = Vec::new();
        for _ in 0..self.runs.min(20) {
            let photo = prepare(&self.source, self.bundle.input)?;
            for time in photo.times {
                let times = if time.stage == "decode" {
                    &mut decode
                } else {
                    &mut resize
                };
                times.push(time.milliseconds);
            }
        }
        stages.insert("decode".to_owned(), summary(decode));
        stages.insert("resize".to_owned(), summary(resize));
        let backbone = self.time(|| Ok(self.bundle.photo_features(&self.pixels)?))?;
        stages.insert("backbone".to_owned(), backbone);
        let text = self.time(|| Ok(self.bundle.encoder.encode(&["traffic light"])?))?;
        stages.insert("text".to_owned(), text);
        for trained in &self.bundle.variants {
            let variant = trained.id;
            let encoded = encode(trained, &self.features)?;
            let encoding = self.time(|| encode(trained, &self.features))?;
            stages.insert(format!("encode.{variant}"), encoding);
            let responding = self.time(|| respond(trained, &encoded, &self.labels))?;
            stages.insert(format!("respond.{variant}"), responding);
        }
        stages.insert("photo_to_maps".to_owned(), self.photo_to_maps()?);
        stages.insert("typed_label".to_owned(), self.typed_label()?);
        Ok(stages)
    }

    fn photo_to_maps(&self) -> Result<Times> {
        self.time(|| {
            let features = self.bundle.photo_features(&self.pixels)?;
            let variants = self.bundle.variants.iter();
            variants
                .map(|trained| respond(trained, &encode(trained, &features)?, &self.labels))
                .collect::<Result<Vec<_>>>()
        })
    }

    /// From a new label's vector to its map in every variant, with what σ and ranks need.
    fn typed_label(&self) -> Result<Times> {
        let label = self.labels.narrow(0, 0, 1)?;
        let variants = self.bundle.variants.iter();
        let encoded = variants
            .map(|trained| Ok((trained, encode(trained, &self.features)?)))
            .collect::<Result<Vec<_>>>()?;
        self.time(|| {
            for (trained, encoded) in &encoded {
                respond(trained, encoded, &label)?;
                if let Some(regions) = &trained.ordinary_regions {
                    let label = trained.prepare_labels(&label)?;
                    let ordinary = trained.network.respond_regions(regions, &label)?;
                    OrdinaryResponses::new(ordinary.flatten_all()?.to_vec1()?);
                }
            }
            Ok(())
        })
    }

    fn time<T>(&self, work: impl Fn() -> Result<T>) -> Result<Times> {
        for _ in 0..WARM_UP {
            work()?;
        }
        let mut times = Vec::with_capacity(self.runs);
        for _ in 0..self.runs {
            let start = Instant::now();
            work()?;
            // A GPU works on after the call has returned.
            self.bundle.device.synchronize()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(summary(times))
    }
}

fn encode(trained: &TrainedVariant, features: &PhotoFeatures) -> Result<Encoded> {
    let network = &trained.network;
    let features = features.of(network.takes());
    Ok(network.encode(features, &EncodeOptions::default())?)
}

fn respond(trained: &TrainedVariant, encoded: &Encoded, labels: &Tensor) -> Result<Responses> {
    let labels = trained.prepare_labels(labels)?;
    Ok(trained.network.respond(encoded, &labels)?)
}

fn summary(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median_ms = match times.len() % 2 {
        0 if middle > 0 => (times[middle - 1] + times[middle]) / 2.0,
        _ => times.get(middle).copied().unwrap_or(f64::NAN),
    };
    Times {
        median_ms,
        min_ms: times.first().copied().unwrap_or(f64::NAN),
    }
}

/// Maps of a few labels in all variants, as the window's first request asks for.
fn first_maps(session: &mut Session, source: &PhotoSource) -> Result<()> {
    let photo = prepare(source, session.input())?;
    let variants: Vec<VariantId> = session.facts().variants.clone();
    let labels = samples::first_labels();
    let wanted = Wanted {
        labels: &labels,
        variants: &variants,
        ranking: true,
        ordinary: true,
    };
    session.compare(&photo, &wanted, &|| false)?;
    Ok(())
}

/// Starts this program anew, up to its first maps.
fn starts(options: &Options) -> Result<Times> {
    let program = std::env::current_exe().context("where this program lies is not known")?;
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        let mut command = Command::new(&program);
        command.args(["bench", "--first-maps", "--device"]);
        command.arg(options.engine.device.to_string());
        if let Some(bundle) = &options.engine.bundle {
            command.arg("--bundle").arg(bundle);
        }
        command.args(&options.photo);
        let start = Instant::now();
        let status = command.stdout(Stdio::null()).status()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(
            status.success(),
            "the program could not be started again to time it"
        );
    }
    // The first start filled the operating system's caches.
    Ok(summary(times.split_off(1)))
}
