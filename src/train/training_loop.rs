//! A network's training from its first step to the head that a bundle stores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom as _;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

use super::batches::Batches;
use super::checkpoint::{Checkpoint, TrainingProgress};
use super::early_stop::kept_aside_f1;
use super::error::TrainError;
use super::head::finished_head;
use super::initial::initial_weights;
use super::learner::{Learner, Losses, Objective};
use super::linear_start::linear_start;
use super::log::{Line, Log, Means};
use super::photos::TrainingSet;
use super::random::{derived_seed, generator};
use super::schedule::Schedule;
use super::settings::TrainSettings;
use super::statistics::averaged_statistics;
use super::teacher::{Baseline, Teacher};
use crate::files::shown;
use crate::model::dropout::Dropout;
use crate::model::{Configuration, VariantId};

/// The part of the photos that is kept aside where a run stops by it.
const KEPT_ASIDE: usize = 20;

/// One network's training.
pub struct Run<'a> {
    pub variant: VariantId,
    pub configuration: &'a dyn Configuration,
    pub settings: &'a TrainSettings,
    pub set: &'a TrainingSet<'a>,
    /// Vectors of the seen labels, `[L, D]`.
    pub label_vectors: &'a Tensor,
    /// The semantic teacher, where distillation has a weight.
    pub teacher: Option<&'a Teacher>,
    pub device: &'a Device,
    /// Where the checkpoint is kept.
    pub folder: &'a Path,
    /// What tells the photos, labels and features of this run from others'.
    pub data: &'a str,
    /// Whether to go on from the checkpoint, where there is one.
    pub resume: bool,
    /// Set when the run should stop after the step that it is in.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
pub enum Ending {
    Finished(Finished),
    /// It was stopped; so many epochs are in the checkpoint.
    Stopped {
        epochs: usize,
    },
}

/// A trained network.
pub struct Finished {
    /// Tensors of the head as a bundle stores them.
    pub head: BTreeMap<String, Tensor>,
    pub progress: TrainingProgress,
    /// Means over the last epoch that ran here; `None` when all were done before.
    pub losses: Option<Losses>,
}

impl Run<'_> {
    /// Trains the network, or what is left of it.
    ///
    /// # Errors
    /// A loss or weight that is no number, features that cannot be read, a full disk, a checkpoint
    /// of another run. The last epoch's checkpoint stays.
    pub fn train(&self, log: &mut Log) -> Result<Ending, TrainError> {
        self.check()?;
        let (photos, aside) = self.parts();
        let batches = Batches {
            set: self.set,
            teacher: self.teacher,
            settings: self.settings,
            device: self.device,
            photos: &photos,
        };
        let (mut learner, mut progress) = self.start()?;
        let mut last = None;
        while progress.epochs < self.settings.epochs && !self.is_settled(&progress) {
            let started = Instant::now();
            let epoch = progress.epochs;
            let Some(mut line) = self.epoch(&mut learner, &batches, epoch, log)? else {
                return Ok(Ending::Stopped { epochs: epoch });
            };
            last = Some(Losses {
                ranking: line.ranking,
                photo_ranking: line.photo_ranking,
                distillation: line.distillation,
                total: line.loss,
            });
            progress.epochs += 1;
            progress.steps = learner.optimiser().steps();
            let is_best = match aside.is_empty() {
                true => false,
                false => {
                    line.f1 = Some(self.f1(&learner, &batches, &aside)?);
                    note_f1(&mut progress, line.f1)
                }
            };
            progress.seconds += started.elapsed().as_secs_f64();
            self.keep(&learner, &progress, is_best)?;
            log.epoch(&line)?;
            if self.stop.load(Ordering::Relaxed) && progress.epochs < self.settings.epochs {
                let epochs = progress.epochs;
                return Ok(Ending::Stopped { epochs });
            }
        }
        let head = self.finish(learner, &batches)?;
        Ok(Ending::Finished(Finished {
            head,
            progress,
            losses: last,
        }))
    }

    /// Where the checkpoint is.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder
            .join(format!("{}.checkpoint.safetensors", self.variant))
    }

    /// Where the best epoch is, for a run that stops by F1@5.
    fn best_path(&self) -> PathBuf {
        self.folder
            .join(format!("{}.best.safetensors", self.variant))
    }

    fn check(&self) -> Result<(), TrainError> {
        self.settings.check()?;
        let photos = self.set.photos.len();
        if photos < 2 {
            return Err(TrainError::TooFewPhotos { photos });
        }
        if self.set.seen.is_empty() {
            let labels = self.set.labels;
            return Err(TrainError::NoLabels { labels });
        }
        Ok(())
    }

    /// Photos to train on and photos kept aside, by place in the set.
    fn parts(&self) -> (Vec<usize>, Vec<usize>) {
        let mut photos: Vec<usize> = (0..self.set.photos.len()).collect();
        if self.settings.early_stop == 0 {
            return (photos, Vec::new());
        }
        photos.shuffle(&mut generator(self.settings.seed, "kept aside", 0));
        let train = photos.split_off(photos.len().div_ceil(KEPT_ASIDE));
        (train, photos)
    }

    /// What tells this run from others: a checkpoint of another cannot be gone on from.
    fn identity(&self) -> Result<String, TrainError> {
        let network = self.configuration.settings();
        // What is mixed in at the end changes nothing before it.
        let settings = TrainSettings {
            start_share: 0.0,
            ..self.settings.clone()
        };
        let asked = (settings, self.variant, network, self.data);
        let text = serde_json::to_vec(&asked).map_err(candle_core::Error::wrap)?;
        let hash = Sha256::digest(text);
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn start(&self) -> Result<(Learner, TrainingProgress), TrainError> {
        let run = self.identity()?;
        let optimiser = (self.settings.betas, self.settings.weight_decay);
        let learner = |tensors: &BTreeMap<String, Tensor>| {
            Learner::new(self.configuration, tensors, optimiser, self.device)
        };
        let path = self.checkpoint_path();
        if self.resume && path.exists() {
            let kept = Checkpoint::read(&path)?;
            if kept.progress.run != run {
                let reason = "made with other settings, labels, photos or another bundle; give \
                              the same as before"
                    .to_owned();
                return Err(TrainError::Checkpoint { path, reason });
            }
            let mut learner = learner(&kept.tensors)?;
            learner.restore(kept.progress.steps, kept.moments)?;
            return Ok((learner, kept.progress));
        }
        let tensors = self.initial_tensors()?;
        let progress = TrainingProgress {
            run,
            ..TrainingProgress::default()
        };
        Ok((learner(&tensors)?, progress))
    }

    /// The weights and statistics that the network starts with.
    fn initial_tensors(&self) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let mut tensors = initial_weights(self.configuration, self.settings.seed)?;
        if let Some((codes, baseline)) = self.linear() {
            let labels = self.configuration.takes().label_dimension;
            let start = linear_start(codes, labels, baseline, self.set, self.settings.seed)?;
            self.configuration.start_linear(&start, &mut tensors)?;
        }
        Ok(tensors)
    }

    /// What the network starts from, where it starts as the kernel baseline: so many codes of it.
    pub fn linear(&self) -> Option<(usize, &Baseline)> {
        let baseline = self.teacher?.baseline.as_ref()?;
        let channels = *baseline.offset.dims().first()?;
        let codes = self.configuration.linear_codes(channels)?;
        Some((codes, baseline))
    }

    /// Whether the kept photos have said often enough that nothing gets better.
    fn is_settled(&self, progress: &TrainingProgress) -> bool {
        let patience = self.settings.early_stop;
        patience > 0 && progress.epochs_since_best >= patience
    }

    /// One epoch; `None` when it was stopped within.
    fn epoch(
        &self,
        learner: &mut Learner,
        batches: &Batches<'_>,
        epoch: usize,
        log: &mut Log,
    ) -> Result<Option<Line<'static>>, TrainError> {
        let steps = batches.steps();
        let settings = self.settings;
        let schedule = self.schedule(steps);
        let objective = self.objective();
        let (started, mut photos) = (Instant::now(), 0);
        let mut means = Means::default();
        let mut line = Line {
            variant: self.variant.name(),
            event: "step",
            epoch: epoch + 1,
            steps,
            ..Line::default()
        };
        batches.each(epoch, 0..steps, |step, batch| {
            let at = epoch * steps + step;
            let mut dropout = Dropout::seeded(derived_seed(settings.seed, "dropout", at as u64));
            let rate = schedule.rate(at);
            let losses = learner.step(&batch, &objective, &mut dropout, rate)?;
            if !losses.total.is_finite() {
                return Err(self.not_finite(epoch + 1, step + 1, steps));
            }
            means.add(losses);
            photos += batch.photos.global.dim(0)?;
            line.take(step + 1, losses, rate);
            line.photos_per_second = photos as f64 / started.elapsed().as_secs_f64();
            log.step(&line)?;
            Ok(!self.stop.load(Ordering::Relaxed))
        })?;
        if self.stop.load(Ordering::Relaxed) && line.step < steps {
            return Ok(None);
        }
        line.event = "epoch";
        line.take(steps, means.losses(), line.learning_rate);
        Ok(Some(line))
    }

    fn schedule(&self, steps: usize) -> Schedule {
        let settings = self.settings;
        Schedule::new(
            settings.learning_rate,
            settings.final_rate,
            settings.warm_up,
            settings.epochs,
            steps,
        )
    }

    fn objective(&self) -> Objective {
        Objective {
            label_vectors: self.label_vectors.clone(),
            teacher_vectors: self.teacher.map(|teacher| teacher.vectors.clone()),
            distillation: self.settings.distillation,
            photo_ranking: self.settings.photo_ranking,
        }
    }

    fn not_finite(&self, epoch: usize, step: usize, steps: usize) -> TrainError {
        let path = self.checkpoint_path();
        let kept = match path.exists() {
            true => format!("the last good epoch is kept in {}", shown(&path)),
            false => "no epoch was finished".to_owned(),
        };
        TrainError::NotFinite {
            variant: self.variant.to_string(),
            epoch,
            step,
            steps,
            kept,
        }
    }

    /// F1@5 on the photos kept aside.
    fn f1(
        &self,
        learner: &Learner,
        batches: &Batches<'_>,
        aside: &[usize],
    ) -> Result<f64, TrainError> {
        let tensors = self.with_statistics(learner, batches)?;
        let labels = self.label_vectors;
        kept_aside_f1(self.configuration, tensors, self.set, aside, labels)
    }

    /// Weights with statistics over many batches.
    fn with_statistics(
        &self,
        learner: &Learner,
        batches: &Batches<'_>,
    ) -> Result<BTreeMap<String, Tensor>, TrainError> {
        let mut tensors = learner.tensors()?;
        let untaught = Batches {
            teacher: None,
            ..*batches
        };
        // Batches of an order that no epoch has.
        let statistics = averaged_statistics(learner, &untaught, self.settings.epochs)?;
        tensors.extend(statistics);
        Ok(tensors)
    }

    fn keep(
        &self,
        learner: &Learner,
        progress: &TrainingProgress,
        is_best: bool,
    ) -> Result<(), TrainError> {
        let checkpoint = Checkpoint {
            progress: progress.clone(),
            tensors: learner.tensors()?,
            moments: learner.optimiser().moments().clone(),
        };
        if !checkpoint.not_finite()?.is_empty() {
            let steps = progress.steps / progress.epochs.max(1);
            return Err(self.not_finite(progress.epochs, steps, steps));
        }
        if is_best {
            checkpoint.write(&self.best_path())?;
        }
        checkpoint.write(&self.checkpoint_path())
    }

    /// The head: the last epoch's weights, or the best's where the run stops by F1@5.
    fn finish(
        &self,
        mut learner: Learner,
        batches: &Batches<'_>,
    ) -> Result<BTreeMap<String, Tensor>, TrainError> {
        if self.settings.early_stop > 0 && self.best_path().exists() {
            let best = Checkpoint::read(&self.best_path())?;
            let optimiser = (self.settings.betas, self.settings.weight_decay);
            let tensors = &best.tensors;
            learner = Learner::new(self.configuration, tensors, optimiser, self.device)?;
        }
        let share = self.settings.start_share;
        if share > 0.0 {
            let mut tensors = self.initial_tensors()?;
            for (name, trained) in learner.tensors()? {
                let start = tensors.get(&name);
                let start = start.ok_or_else(|| {
                    candle_core::Error::msg(format!("`{name}` was not there at the start"))
                })?;
                let mixed = ((start * share)? + (trained * (1.0 - share))?)?;
                tensors.insert(name, mixed);
            }
            let optimiser = (self.settings.betas, self.settings.weight_decay);
            learner = Learner::new(self.configuration, &tensors, optimiser, self.device)?;
        }
        let tensors = self.with_statistics(&learner, batches)?;
        let (network, seed) = (self.configuration, self.settings.seed);
        finished_head(network, tensors, self.set, seed, self.device)
    }
}

/// Notes an epoch's F1@5: whether it is the best so far.
fn note_f1(progress: &mut TrainingProgress, f1: Option<f64>) -> bool {
    let is_best = f1 > progress.best;
    if is_best {
        progress.best = f1;
        progress.epochs_since_best = 0;
    } else {
        progress.epochs_since_best += 1;
    }
    is_best
}
