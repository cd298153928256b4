//! `biam-lens eval`: measures a bundle's networks on labelled photos.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::Tensor;
use clap::Args;

use super::data::DatasetArguments;
use super::progress::ProgressLine;
use super::{Outcome, common};
use crate::bundle::{Bundle, read_manifest};
use crate::dataset::{Dataset, FeatureCache, FillReport, Split};
use crate::eval::bootstrap::differences;
use crate::eval::cost::{Cost, Measured, measure};
use crate::eval::predictions::{Predictions, cache_content, predict_cached, predict_photos};
use crate::eval::protocol::Protocol;
use crate::eval::report::{Comparison, Report, VariantReport};
use crate::eval::split::{LabelSets, NotWhole, label_vectors};
use crate::eval::{per_label, table};
use crate::files::{check_target, one_line, shown, write_atomically};
use crate::model::VariantId;
use crate::train::label_features::kernel_network;
use crate::train::ridge::{LAMBDA, ridge_network};

/// How many labels are named before the others are only counted.
const NAMED: usize = 5;
/// The part of a data set that is for this.
const USUAL_PART: &str = "val";

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    data: DatasetArguments,
    /// What to rank: unseen labels, all labels, seen labels, or each in turn
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// How many best labels F1 looks at, separated by commas
    #[arg(long, value_name = "K", value_delimiter = ',', default_value = "3,5",
        value_parser = clap::value_parser!(u16).range(1..))]
    k: Vec<u16>,
    /// Networks to measure, separated by commas (default: all that the bundle has)
    #[arg(long, value_delimiter = ',')]
    variant: Vec<VariantId>,
    /// Also measure the baselines that saw no photo, which are computed from the bundle's teacher and
    /// label features
    #[arg(long, alias = "ridge")]
    baselines: bool,
    /// Also tell how alike each two networks' maps and rankings are, and their differences with
    /// intervals over resampled photos
    #[arg(long)]
    compare: bool,
    /// Compare with the networks of another bundle on the same backbone, such as one trained from
    /// another --seed
    #[arg(long, value_name = "DIR", requires = "compare")]
    with: Option<PathBuf>,
    /// Also tell parameters, multiply-adds, time and memory of each network
    #[arg(long)]
    cost: bool,
    /// Keep the photos' features in this folder, or take them from it
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Write a CSV with one row for each network and label
    #[arg(long, value_name = "FILE")]
    per_label: Option<PathBuf>,
    #[command(flatten)]
    engine: common::Engine,
}

/// Measures the networks and prints what was found.
pub fn run(options: &Options) -> Result<Outcome> {
    if let Some(path) = &options.per_label {
        check_target(path)?;
    }
    let (dataset, split) = options.data.read(USUAL_PART)?;
    let bundle = options.bundle()?;
    refuse_unread_labels(&bundle, &dataset.name, &dataset.labels)?;
    let vectors = label_vectors(&bundle, &dataset.labels)?;
    let sets = options.label_sets(&bundle, &dataset, &split, &vectors)?;
    let tasks = options.protocol.tasks();
    if tasks.iter().all(|task| task.labels(&sets).is_empty()) {
        bail!(
            "{}: no label of this data set is to be ranked; choose another --protocol or name the \
             unseen labels with --unseen FILE",
            one_line(&dataset.name)
        );
    }
    let predictions = options.predictions(&bundle, &dataset, &vectors)?;
    common::print_all_cautions(&predictions.cautions);
    for unreadable in &predictions.unreadable {
        common::print_note(unreadable);
    }
    let ks: Vec<usize> = options.k.iter().map(|&k| usize::from(k)).collect();
    let top_k = bundle.top_k();
    let mut report = Report::new(&bundle.name, &dataset.name, top_k, &predictions, &sets);
    for variant in &predictions.variants {
        let measured = VariantReport::new(&predictions, variant, &sets, tasks, &ks);
        report.variants.extend(measured);
    }
    if options.compare {
        report.comparison = Some(Comparison {
            agreements: predictions.agreements.clone(),
            differences: differences(&predictions, &sets, tasks),
        });
    }
    if options.cost {
        for variant in &mut report.variants {
            variant.cost = options.cost(&bundle, variant.variant)?;
        }
    }
    if let Some(path) = &options.per_label {
        let csv = per_label::csv(&report, &dataset.labels, &sets);
        write_atomically(path, |writer| writer.write_all(csv.as_bytes()))?;
    }
    match options.json {
        true => common::print(&(serde_json::to_string(&report)? + "\n"))?,
        false => common::print(&table::text(&report))?,
    }
    Ok(Outcome::complete_if(predictions.unreadable.is_empty()))
}

/// Finds out before a training whether the data set can be measured with what it makes from `bundle`:
/// that it can be read, and that its labels have vectors.
pub fn check(options: &Options, bundle: &Bundle) -> Result<()> {
    let dataset = options.data.read_silently(USUAL_PART)?;
    label_vectors(bundle, &dataset.labels)?;
    Ok(())
}

impl Options {
    /// All tables of a bundle, with the baselines where `baselines` says so, features kept in `cache`.
    pub fn of(
        data: DatasetArguments,
        cache: PathBuf,
        baselines: bool,
        engine: common::Engine,
    ) -> Self {
        Self {
            data,
            protocol: Protocol::default(),
            k: vec![3, 5],
            variant: Vec::new(),
            baselines,
            compare: false,
            with: None,
            cost: false,
            cache: Some(cache),
            json: false,
            per_label: None,
            engine,
        }
    }

    /// The bundle with the networks that are to be measured.
    fn bundle(&self) -> Result<Bundle> {
        let wanted = |variant| self.variant.is_empty() || self.variant.contains(&variant);
        let mut bundle = self.engine.open_bundle(wanted)?;
        if self.baselines && bundle.variant(VariantId::RIDGE).is_none() {
            bundle.variants.insert(0, ridge_network(&bundle, LAMBDA)?);
        }
        let has_kernel = bundle.variant(VariantId::KERNEL).is_some();
        if let Some(features) = bundle.label_features.clone()
            && self.baselines
            && !has_kernel
        {
            let kernel = kernel_network(&bundle, &features)?;
            bundle.variants.insert(1, kernel);
        }
        let has = bundle.variant_names();
        if let Some(missing) = self.variant.iter().find(|variant| !has.contains(variant)) {
            if *missing == VariantId::RIDGE {
                bail!("this bundle has no network “{missing}”; --baselines computes it");
            }
            let all = read_manifest(&bundle.folder)?.variants;
            let names: Vec<&str> = all.iter().map(|entry| entry.id.name()).collect();
            bail!(
                "this bundle has no network “{missing}”; it has {}",
                names.join(", ")
            );
        }
        if let Some(folder) = &self.with {
            self.take_others(&mut bundle, folder)?;
        }
        Ok(bundle)
    }

    /// Puts the networks of the bundle in `folder` beside those of `bundle`, under names of their own.
    fn take_others(&self, bundle: &mut Bundle, folder: &Path) -> Result<()> {
        let wanted = |variant| self.variant.is_empty() || self.variant.contains(&variant);
        let other = Bundle::open_some(folder, &bundle.device, wanted)?;
        ensure!(
            other.features_identity() == bundle.features_identity(),
            "{}: its networks see other features than those of {}; name a bundle on the same \
             backbone and projection",
            shown(folder),
            shown(&bundle.folder)
        );
        ensure!(
            other.sizes.label_dimension == bundle.sizes.label_dimension,
            "{}: its label encoder is another than that of {}",
            shown(folder),
            shown(&bundle.folder)
        );
        for mut trained in other.variants {
            trained.id = format!("{}-other", trained.id).parse()?;
            bundle.variants.push(trained);
        }
        Ok(())
    }

    /// Seen and unseen labels as the options or the data set say, else as the bundle has them.
    fn label_sets(
        &self,
        bundle: &Bundle,
        dataset: &Dataset,
        split: &Split,
        vectors: &Tensor,
    ) -> Result<LabelSets> {
        let was_seen = |label: &str| {
            let place = bundle.lists.place(label);
            place.is_some_and(|place| bundle.lists.labels()[place].seen)
        };
        let unseen: Vec<bool> = match self.data.unseen.is_some() || !dataset.unseen.is_empty() {
            true => {
                let mut unseen = vec![false; dataset.labels.len()];
                for &label in split.unseen() {
                    unseen[label as usize] = true;
                }
                unseen
            }
            false => dataset
                .labels
                .iter()
                .map(|label| !was_seen(label))
                .collect(),
        };
        let leaked: Vec<&str> = dataset
            .labels
            .iter()
            .zip(&unseen)
            .filter(|(label, unseen)| **unseen && was_seen(label))
            .map(|(label, _)| label.as_str())
            .collect();
        if !leaked.is_empty() {
            let others = match leaked.len().saturating_sub(NAMED) {
                0 => String::new(),
                others => format!(" and {others} others"),
            };
            common::print_note(&format!(
                "this bundle was trained on labels that are to be unseen, so they say nothing of \
                 zero-shot: “{}”{others}",
                leaked[..leaked.len().min(NAMED)].join("”, “")
            ));
        }
        Ok(LabelSets::new(bundle, &dataset.labels, vectors, |l| {
            unseen[l]
        })?)
    }

    fn predictions(
        &self,
        bundle: &Bundle,
        dataset: &Dataset,
        vectors: &Tensor,
    ) -> Result<Predictions> {
        let total = dataset.photos.len();
        let Some(folder) = &self.cache else {
            let mut line = ProgressLine::new("Looking at photos", total);
            let mut progress = |done| line.show(done);
            let compare = self.compare;
            return Ok(predict_photos(
                bundle,
                dataset,
                vectors,
                compare,
                &mut progress,
            )?);
        };
        let (cache, filled) = fill(folder, bundle, dataset)?;
        let mut line = ProgressLine::new("Scoring photos", total);
        let mut progress = |done| line.show(done);
        let compare = self.compare;
        let mut predictions =
            predict_cached(bundle, dataset, vectors, &cache, compare, &mut progress)?;
        predictions.unreadable = filled.unreadable.into_iter().map(|(_, why)| why).collect();
        predictions.cautions = filled.cautions;
        Ok(predictions)
    }

    /// What a network costs: counted here, measured in a program of its own.
    fn cost(&self, bundle: &Bundle, variant: VariantId) -> Result<Option<Cost>> {
        let Some(trained) = bundle.variant(variant) else {
            return Ok(None);
        };
        let mut cost = Cost::of(bundle, trained, bundle.lists.labels().len());
        let program = std::env::current_exe().context("where this program lies is not known")?;
        let mut command = Command::new(program);
        command.args(["bench", "--cost-of", variant.name(), "--device"]);
        command.arg(self.engine.device.to_string());
        command.arg("--bundle").arg(&bundle.folder);
        let ended = command
            .stdin(Stdio::null())
            .output()
            .context("this program could not be started again to measure what networks cost")?;
        ensure!(
            ended.status.success(),
            "what {variant} costs could not be measured: {}",
            one_line(&String::from_utf8_lossy(&ended.stderr).trim())
        );
        cost.measured = Some(serde_json::from_slice(&ended.stdout)?);
        Ok(Some(cost))
    }
}

/// Names the labels that the bundle's encoder cannot read, or reads in part only.
///
/// # Errors
/// A label that it cannot read: without it the numbers would be of another set of labels.
pub(super) fn refuse_unread_labels(bundle: &Bundle, set: &str, labels: &[String]) -> Result<()> {
    let NotWhole { refused, in_part } = NotWhole::of(bundle, labels)?;
    common::complain_of(&in_part, "labels are read in part too");
    if refused.is_empty() {
        return Ok(());
    }
    common::complain_of(&refused, "labels are no good either");
    bail!(
        "{}: {} of its {} labels have no vector; keep the others with --only-labels FILE",
        one_line(&set),
        refused.len(),
        labels.len()
    )
}

/// What one network costs in this program, which loads no other. [`Options::cost`] starts it.
pub fn measure_alone(engine: &common::Engine, variant: VariantId) -> Result<Measured> {
    let mut bundle = engine.open_bundle(|other| other == variant)?;
    if variant == VariantId::RIDGE && bundle.variants.is_empty() {
        bundle.variants.push(ridge_network(&bundle, LAMBDA)?);
    }
    if let Some(features) = bundle.label_features.clone()
        && variant == VariantId::KERNEL
        && bundle.variants.is_empty()
    {
        bundle.variants.push(kernel_network(&bundle, &features)?);
    }
    let trained = bundle.variants.first().context("no such network")?;
    Ok(measure(&bundle, trained)?)
}

/// Brings a cache up to date; returns it with what there is to tell of the photos.
fn fill(folder: &Path, bundle: &Bundle, dataset: &Dataset) -> Result<(FeatureCache, FillReport)> {
    let mut cache = FeatureCache::open(folder, bundle, cache_content(bundle))?;
    let photos: Vec<PathBuf> = dataset
        .photos
        .iter()
        .map(|photo| photo.path.clone())
        .collect();
    let mut line = ProgressLine::new("Computing features", photos.len());
    let stop = AtomicBool::new(false);
    let report = cache.fill(bundle, &photos, &mut |now| line.show(now.done), &stop)?;
    Ok((cache, report))
}
