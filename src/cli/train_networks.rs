//! What `train` does once all is read and checked: one network after another, and the card of their
//! bundle.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};
use candle_core::Tensor;

use super::common;
use crate::bundle::Bundle;
use crate::dataset::{Dataset, Split};
use crate::files::{one_line, shown};
use crate::model::kernel_baseline::OFFSET;
use crate::model::{Configuration, Training, VariantId};
use crate::semantics::TeacherClass;
use crate::train::experiment::{data_identity, teacher};
use crate::train::head::{finished_head, finished_ridge, write_head, write_tensors};
use crate::train::label_features::MadeFeatures;
use crate::train::log::Log;
use crate::train::parts::Workplace;
use crate::train::photos::TrainingSet;
use crate::train::ridge::{LAMBDA, ridge};
use crate::train::{Ending, Finished, Run, TrainSettings};

/// A network that is to be made.
pub(super) struct NetworkToTrain {
    pub variant: VariantId,
    pub training: Training,
    pub configuration: Box<dyn Configuration>,
}

impl NetworkToTrain {
    /// Whether it learns from photos.
    pub fn is_trained(&self) -> bool {
        self.training == Training::Gradients
    }
}

/// Whether anything takes the backbone's own regions.
pub(super) fn raw(settings: &TrainSettings, networks: &[NetworkToTrain]) -> bool {
    let mut takes = networks.iter().map(|network| network.configuration.takes());
    settings.distillation > 0.0 || takes.any(|takes| takes.raw_regions)
}

/// A network that was trained.
pub(super) struct Trained {
    pub variant: VariantId,
    /// How it went; nothing of one that is computed.
    pub finished: Option<Finished>,
}

/// All that the networks are trained from.
pub(super) struct Experiment<'a> {
    /// Whether to go on from checkpoints.
    pub resume: bool,
    pub settings: &'a TrainSettings,
    pub networks: &'a [NetworkToTrain],
    pub bundle: &'a Bundle,
    pub dataset: &'a Dataset,
    pub split: &'a Split,
    pub set: &'a TrainingSet<'a>,
    /// Of the seen labels, `[L, D]`.
    pub label_vectors: &'a Tensor,
    pub label_features: Option<&'a MadeFeatures>,
    pub classes: &'a [TeacherClass],
    pub work: &'a Workplace,
    pub stop: &'a AtomicBool,
}

impl Experiment<'_> {
    /// Trains one network after another; `None` when it was stopped.
    pub fn train(&self) -> Result<Option<Vec<Trained>>> {
        let mut trained = Vec::new();
        let (heads, computed): (Vec<_>, Vec<_>) = self
            .networks
            .iter()
            .partition(|network| network.is_trained());
        for network in computed {
            self.compute(network)?;
            trained.push(Trained {
                variant: network.variant,
                finished: None,
            });
        }
        if heads.is_empty() {
            return Ok(Some(trained));
        }
        let done = self.heads(&heads, &mut trained)?;
        Ok(done.then_some(trained))
    }

    /// Trains heads one after another; whether it came to the end of them.
    fn heads(&self, heads: &[&NetworkToTrain], trained: &mut Vec<Trained>) -> Result<bool> {
        let teacher = match self.settings.distillation > 0.0 {
            true => Some(teacher(self.bundle, self.classes, self.label_features)?),
            false => None,
        };
        let tensors = self.label_features.map(|made| &made.tensors);
        let data = data_identity(self.bundle, self.dataset, self.split, self.classes, tensors)?;
        let mut log = Log::open(&self.work.log())?;
        common::print_note(&self.summary(teacher.is_some()));
        for network in heads {
            let run = Run {
                variant: network.variant,
                configuration: &*network.configuration,
                settings: self.settings,
                set: self.set,
                label_vectors: self.label_vectors,
                teacher: teacher.as_ref(),
                device: &self.bundle.device,
                folder: &self.work.folder,
                data: &data,
                resume: self.resume,
                stop: self.stop,
            };
            match run.train(&mut log)? {
                Ending::Stopped { epochs } => {
                    self.tell_stopped(network.variant, epochs);
                    return Ok(false);
                }
                Ending::Finished(finished) => {
                    self.write(network, &finished)?;
                    trained.push(Trained {
                        variant: network.variant,
                        finished: Some(finished),
                    });
                }
            }
        }
        Ok(true)
    }

    fn tell_stopped(&self, variant: VariantId, epochs: usize) {
        common::print_note(&format!(
            "{variant}: stopped; {epochs} of {} epochs are kept in {}: go on with --resume",
            self.settings.epochs,
            shown(&self.work.folder)
        ));
    }

    fn summary(&self, taught: bool) -> String {
        let classes = self.classes.iter().filter(|class| class.used).count();
        let mut text = format!(
            "{} photos, {} seen and {} unseen labels",
            self.set.photos.len(),
            self.split.seen().len(),
            self.split.unseen().len()
        );
        if taught {
            let _ = write!(
                text,
                ", {classes} of {} teacher classes",
                self.classes.len()
            );
        }
        if let Some(made) = self.label_features {
            let _ = write!(text, ", label features of {} anchors", made.anchors);
        }
        let channels = self
            .label_features
            .map(|made| made.features.row_dimension());
        let linear = channels.filter(|_| taught).is_some_and(|channels| {
            let networks = self.networks.iter().filter(|network| network.is_trained());
            let mut codes = networks.map(|network| network.configuration.linear_codes(channels));
            codes.all(|codes| codes.is_some())
        });
        text.push_str(match linear {
            true => "; networks start as the kernel baseline",
            false => "; networks start from random weights",
        });
        text
    }

    /// Makes the head of a network that is computed.
    fn compute(&self, network: &NetworkToTrain) -> Result<()> {
        let (configuration, seed) = (&*network.configuration, self.settings.seed);
        let takes = configuration.takes();
        let tensors = match (takes.raw_regions, self.label_features) {
            (true, _) => {
                let tensors = ridge(self.bundle, self.classes, LAMBDA)?;
                finished_ridge(tensors, self.set, seed)?
            }
            (false, Some(made)) => {
                let offset = made.tensors.iter().filter(|(name, _)| *name == OFFSET);
                let own = offset.map(|(name, tensor)| (name.clone(), tensor.clone()));
                finished_head(
                    configuration,
                    own.collect(),
                    self.set,
                    seed,
                    &self.bundle.device,
                )?
            }
            (false, None) => bail!(
                "the network {} is made of label features; leave out --label-features false",
                network.variant
            ),
        };
        let mut words = BTreeMap::from([(
            "label_dimension".to_owned(),
            takes.label_dimension.to_string(),
        )]);
        words.extend(
            configuration
                .top_k()
                .map(|k| ("top_k".to_owned(), k.to_string())),
        );
        Ok(write_tensors(
            &self.work.head(network.variant),
            &tensors,
            words,
        )?)
    }

    fn write(&self, network: &NetworkToTrain, finished: &Finished) -> Result<()> {
        let words = [
            ("epochs", finished.progress.epochs.to_string()),
            ("seed", self.settings.seed.to_string()),
        ];
        let path = self.work.head(network.variant);
        let network = (network.variant, &*network.configuration);
        Ok(write_head(&path, &finished.head, network, &words)?)
    }

    /// The bundle's card: what it was made from and how.
    pub fn card(&self, notes: Option<&str>, missing: usize, trained: &[Trained]) -> Result<String> {
        let mut card = match notes {
            Some(notes) => notes.trim_end().to_owned(),
            None => format!("# Networks trained on {}", one_line(&self.dataset.name)),
        };
        let _ = write!(
            card,
            "\n\n## How it was trained\n\n{}; {missing} photos could not be read. Backbone, \
             projection and label encoder are those of the bundle “{}”.\n\n\
             | network | epochs | minutes | ranking loss | of photos | distillation loss |\n|---|---|---|---|---|---|\n",
            self.summary(self.settings.distillation > 0.0),
            one_line(&self.bundle.name),
        );
        for Trained { variant, finished } in trained {
            let title = variant.title();
            let Some(Finished {
                progress, losses, ..
            }) = finished
            else {
                let _ = writeln!(card, "| {title} | – | – | – | – | – |");
                continue;
            };
            let minutes = progress.seconds / 60.0;
            let _ = write!(card, "| {title} | {} | {minutes:.1} |", progress.epochs);
            let _ = match losses {
                Some(losses) => {
                    writeln!(
                        card,
                        " {:.4} | {:.4} | {:.4} |",
                        losses.ranking, losses.photo_ranking, losses.distillation
                    )
                }
                None => writeln!(card, " – | – | – |"),
            };
        }
        let settings = toml::to_string(self.settings).context("the settings cannot be written")?;
        let _ = write!(card, "\n```toml\n{settings}```\n");
        Ok(card)
    }

    pub fn provenance(&self, trained: &[Trained]) -> BTreeMap<String, String> {
        let names: Vec<&str> = trained
            .iter()
            .map(|trained| trained.variant.name())
            .collect();
        let training = format!(
            "{} epochs, seed {} for each of {}",
            self.settings.epochs,
            self.settings.seed,
            names.join(", ")
        );
        BTreeMap::from([
            ("base".to_owned(), one_line(&self.bundle.name)),
            ("data".to_owned(), one_line(&self.dataset.name)),
            ("training".to_owned(), training),
        ])
    }
}
