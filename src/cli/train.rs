//! `biam-lens train`: makes networks of one's own from labelled photos.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use super::data::DatasetArguments;
use super::eval;
use super::progress::ProgressLine;
use super::train_networks::{Experiment, NetworkToTrain, raw};
use super::train_options::SettingsArguments;
use super::{Outcome, common};
use crate::bundle::{Bundle, HeadSizes, find_bundle};
use crate::dataset::{Content, Dataset, FeatureCache, FillProgress, Split};
use crate::files::{read_bounded, shown};
use crate::kernels::keep_freed_memory;
use crate::model::{Configuration, Training, VariantId, registry};
use crate::semantics::TeacherClass;
use crate::train::experiment::{seen_vectors, training_set, unseen_names};
use crate::train::label_features::{label_features, read_synonyms};
use crate::train::parts::{Lists, Workplace};
use crate::train::ready::{bytes_to_write, has_room, has_teacher};
use crate::train::teacher::choose_classes;
use crate::train::{TrainError, TrainSettings};

/// The part of a data set that is for this.
const USUAL_PART: &str = "train";
/// Largest text for the card, in bytes.
const NOTES_LIMIT: u64 = 1 << 20;
/// How many photos that cannot be read are named before the others are only counted.
const NAMED: usize = 5;

/// Options of `train`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    data: DatasetArguments,
    /// Keep the photos' features in this folder, or take them from it
    #[arg(long, value_name = "DIR")]
    cache: PathBuf,
    /// The folder of the bundle to make; until it is made its parts lie in DIR.training
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Networks to train, separated by commas, one after another: standard, rcb, scb, biam; and
    /// kernel and ridge, which see no photo [default: standard,rcb,scb,biam]
    #[arg(long, value_delimiter = ',')]
    variant: Vec<VariantId>,
    /// Train the rows of one of the paper's tables, then measure them and print the table
    #[arg(long, value_enum, conflicts_with = "variant")]
    ablation: Option<Ablation>,
    /// The part of the data sets that a table is measured on
    #[arg(
        long,
        value_name = "NAME",
        default_value = "val",
        requires = "ablation"
    )]
    eval_part: String,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Further names of the backbone's classes as anchors of label features: a table of name and
    /// classifier row
    #[arg(long, value_name = "FILE")]
    synonyms: Option<PathBuf>,
    /// Go on with a training that was stopped, from its last whole epoch
    #[arg(long)]
    resume: bool,
    /// Text that the bundle's card begins with
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    #[command(flatten)]
    engine: common::Engine,
}

/// A table of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Ablation {
    /// Standard region features, RCB, SCB and BiAM
    Table3,
}

/// Trains the networks and makes the bundle.
pub fn run(options: &Options) -> Result<Outcome> {
    keep_freed_memory();
    let settings = options.settings.read()?;
    let notes = options.notes.as_deref().map(notes).transpose()?;
    let (dataset, split) = options.data.read(USUAL_PART)?;
    let base = find_bundle(options.engine.bundle.as_deref())?;
    let bundle = options.engine.open_bundle(|_| false)?;
    check_counts(&dataset, &split)?;
    let unseen = unseen_names(&dataset, &split);
    let classes = choose_classes(bundle.lists.teacher(), &unseen);
    let synonyms = options.synonyms(&settings, &bundle, &classes, &unseen)?;
    let sizes = match synonyms {
        Some(_) => with_label_features(&bundle.sizes),
        None => bundle.sizes,
    };
    let networks = options.networks(&settings.model.table(&sizes, bundle.grid)?)?;
    let table = options.check_end(&bundle, &classes, &settings, &networks)?;
    let seen = split.seen().iter();
    let seen: Vec<String> = seen.map(|&l| dataset.labels[l as usize].clone()).collect();
    eval::refuse_unread_labels(&bundle, &dataset.name, &seen)?;
    let work = options.workplace(&base, &networks)?;
    // What can be refused is; from here on it takes minutes.
    let label_features = match &synonyms {
        Some(synonyms) => Some(label_features(&bundle, &classes, synonyms)?),
        None => None,
    };
    if let Some(made) = &label_features {
        work.write_label_features(&base, made)?;
    }
    let features = label_features.as_ref().map(|made| &made.features);
    let label_vectors = seen_vectors(&bundle, &dataset, &split, features)?;
    let stop = common::stop_on_request()?;
    let Some(cache) = options.features(&bundle, &dataset, raw(&settings, &networks), &stop)? else {
        common::print_note(&"stopped; the features so far are kept: start it again with --resume");
        return Ok(Outcome::Incomplete);
    };
    let (set, missing) = training_set(&dataset, &split, &cache);
    let experiment = Experiment {
        resume: options.resume,
        settings: &settings,
        networks: &networks,
        bundle: &bundle,
        dataset: &dataset,
        split: &split,
        set: &set,
        label_vectors: &label_vectors,
        label_features: label_features.as_ref(),
        classes: &classes,
        work: &work,
        stop: &stop,
    };
    let Some(trained) = experiment.train()? else {
        return Ok(Outcome::Incomplete);
    };
    let lists = Lists {
        dataset: &dataset,
        split: &split,
        classes: &classes,
    };
    let card = experiment.card(notes.as_deref(), missing, &trained)?;
    let provenance = experiment.provenance(&trained);
    work.assemble(&base, &lists, &card, provenance, |doing| {
        common::print_note(&doing);
    })?;
    drop(cache);
    let names: Vec<&str> = trained
        .iter()
        .map(|trained| trained.variant.name())
        .collect();
    common::print(&format!("{}: {}\n", shown(&options.out), names.join(", ")))?;
    work.clear();
    match table {
        Some(table) => eval::run(&table),
        None => Ok(Outcome::complete_if(missing == 0)),
    }
}

/// Refuses a data set without labels or photos to train on.
fn check_counts(dataset: &Dataset, split: &Split) -> Result<(), TrainError> {
    let labels = dataset.labels.len();
    if split.seen().is_empty() {
        return Err(TrainError::NoLabels { labels });
    }
    let photos = dataset.photos.len();
    if photos < 2 {
        return Err(TrainError::TooFewPhotos { photos });
    }
    Ok(())
}

/// The same sizes where labels have features: a row for the regions, then the vector.
fn with_label_features(sizes: &HeadSizes) -> HeadSizes {
    HeadSizes {
        label_dimension: sizes.region_channels + sizes.label_dimension,
        ..*sizes
    }
}

fn notes(path: &Path) -> Result<String> {
    let bytes = read_bounded(path, NOTES_LIMIT)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => bail!("{}: not a text in UTF-8; save it as UTF-8", shown(path)),
    }
}

impl Options {
    /// The networks that are to be made, once each, with the settings in `table`.
    fn networks(&self, table: &toml::Table) -> Result<Vec<NetworkToTrain>> {
        let asked = match self.variant.is_empty() {
            true => &VariantId::PAPER[..],
            false => &self.variant,
        };
        let mut networks: Vec<NetworkToTrain> = Vec::new();
        for &variant in asked {
            if networks.iter().any(|network| network.variant == variant) {
                continue;
            }
            let is_trainable = |row: &registry::Architecture| row.training != Training::None;
            let Some(row) = registry::row(variant.name()).filter(|row| is_trainable(row)) else {
                bail!(
                    "“{variant}” is no network that can be trained; there are {}",
                    registry::names(is_trainable)
                );
            };
            let configuration = (row.configuration)(table).map_err(anyhow::Error::msg)?;
            networks.push(NetworkToTrain {
                variant,
                training: row.training,
                configuration,
            });
        }
        Ok(networks)
    }

    /// Where everything lies until the bundle is made, if there is room for all of it.
    fn workplace(&self, base: &Path, networks: &[NetworkToTrain]) -> Result<Workplace> {
        let trained = networks.iter().filter(|network| network.is_trained());
        let trained: Vec<&dyn Configuration> =
            trained.map(|network| &*network.configuration).collect();
        let bytes = bytes_to_write(base, &trained)?;
        let work = Workplace::open(&self.out, self.resume)?;
        has_room(&work.folder, bytes)?;
        Ok(work)
    }

    /// Further anchors of label features, where the networks are to take these.
    fn synonyms(
        &self,
        settings: &TrainSettings,
        bundle: &Bundle,
        classes: &[TeacherClass],
        unseen: &[String],
    ) -> Result<Option<Vec<TeacherClass>>> {
        if !settings.label_features {
            if self.synonyms.is_some() {
                bail!("--synonyms are anchors of label features, which are off; leave it out");
            }
            return Ok(None);
        }
        has_teacher(bundle, classes)
            .map_err(|error| anyhow!("{error}, or --label-features false"))?;
        Ok(Some(match &self.synonyms {
            Some(path) => choose_classes(&read_synonyms(path)?, unseen),
            None => Vec::new(),
        }))
    }

    /// The features of the data set's photos; `None` when it was stopped meanwhile.
    fn features(
        &self,
        bundle: &Bundle,
        dataset: &Dataset,
        raw: bool,
        stop: &AtomicBool,
    ) -> Result<Option<FeatureCache>> {
        let photos: Vec<PathBuf> = dataset.photos.iter().map(|p| p.path.clone()).collect();
        let content = Content {
            raw,
            projected: true,
        };
        let mut cache = FeatureCache::open(&self.cache, bundle, content)?;
        let mut line = ProgressLine::new("Computing features", photos.len());
        let mut said = false;
        let mut progress = |progress: FillProgress| {
            if !said && progress.bytes > 0 {
                said = true;
                let size = progress.bytes >> 20;
                common::print_note(&format!(
                    "{}: up to {size} MiB of features to come",
                    shown(&self.cache)
                ));
            }
            line.show(progress.done);
        };
        let report = cache.fill(bundle, &photos, &mut progress, stop)?;
        drop(line);
        common::print_all_cautions(&report.cautions);
        for (_, reason) in report.unreadable.iter().take(NAMED) {
            common::print_note(reason);
        }
        if report.unreadable.len() > NAMED {
            let others = report.unreadable.len() - NAMED;
            common::print_note(&format!(
                "{others} more photos cannot be read; all are left out"
            ));
        }
        Ok((!report.stopped).then_some(cache))
    }

    /// Refuses what would fail once the networks are trained; returns how they are then measured,
    /// where they are.
    fn check_end(
        &self,
        bundle: &Bundle,
        classes: &[TeacherClass],
        settings: &TrainSettings,
        networks: &[NetworkToTrain],
    ) -> Result<Option<eval::Options>> {
        let teacher = has_teacher(bundle, classes);
        let computed = networks.iter().any(|network| !network.is_trained());
        let trained = networks.iter().any(NetworkToTrain::is_trained);
        let measured = teacher.is_ok();
        match teacher {
            Err(error) if computed => return Err(error.into()),
            Err(error) if settings.distillation > 0.0 && trained => {
                let reason = error.to_string();
                return Err(TrainError::Teacher { reason }.into());
            }
            Err(_) if self.ablation.is_some() => common::print_note(
                &"this bundle has no teacher, so the table comes without the ridge baseline",
            ),
            _ => {}
        }
        let table = self.ablation.map(|_| self.table(measured));
        if let Some(table) = &table {
            // An error's own words are all that is shown.
            eval::check(table, bundle)
                .map_err(|error| anyhow!("the table could not be measured at the end: {error}"))?;
        }
        Ok(table)
    }

    /// The measuring of what was trained.
    fn table(&self, ridge: bool) -> eval::Options {
        let data = DatasetArguments {
            part: Some(self.eval_part.clone()),
            ..self.data.clone()
        };
        let engine = common::Engine {
            bundle: Some(self.out.clone()),
            ..self.engine.clone()
        };
        eval::Options::of(data, self.cache.clone(), ridge, engine)
    }
}
