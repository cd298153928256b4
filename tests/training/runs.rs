//! Whole runs on made-up photos: resumed, stopped, broken.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use biam_lens::dataset::{CacheError, PhotoLabels};
use biam_lens::model::{ModelConfig, VariantId};
use biam_lens::train::checkpoint::Checkpoint;
use biam_lens::train::log::Log;
use biam_lens::train::photos::{TrainingFeatures, TrainingPhoto, TrainingSet};
use biam_lens::train::schedule::WarmUp;
use biam_lens::train::teacher::Teacher;
use biam_lens::train::{Ending, Run, TrainError, TrainSettings};
use candle_core::{DType, Device, Result, Tensor};

use crate::{assert_close, configuration, small_config};

/// Photos of which every region is one of a few directions and noise; the labels are the
/// directions.
#[derive(Default)]
struct MadeUp {
    photos: usize,
    /// From this batch on global features are no numbers.
    broken_from: Option<usize>,
    /// With this batch the run is asked to stop.
    stop_at: Option<usize>,
    stop: AtomicBool,
    batches: AtomicUsize,
}

const GRID: [usize; 2] = [4, 4];
const RAW: usize = 6;

impl MadeUp {
    fn value(photo: usize, region: usize, channel: usize) -> f32 {
        let noise = ((photo * 131 + region * 37 + channel * 17) % 101) as f32 / 101.0 - 0.5;
        let lit = region.is_multiple_of(3) && channel % 4 == photo % 4;
        noise + if lit { 2.0 } else { 0.0 }
    }
}

impl TrainingFeatures for MadeUp {
    fn grid(&self) -> [usize; 2] {
        GRID
    }

    fn regions(
        &self,
        records: &[usize],
        flips: &[bool],
    ) -> std::result::Result<Tensor, CacheError> {
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        if self.stop_at == Some(batch) {
            self.stop.store(true, Ordering::Relaxed);
        }
        let [rows, columns] = GRID;
        let mut values = Vec::new();
        for (&photo, &flip) in records.iter().zip(flips) {
            for region in 0..rows * columns {
                let column = region % columns;
                let column = if flip { columns - 1 - column } else { column };
                let source = region / columns * columns + column;
                values.extend((0..12).map(|channel| Self::value(photo, source, channel)));
            }
        }
        let shape = (records.len(), rows, columns, 12);
        let regions = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok(regions.permute((0, 3, 1, 2))?)
    }

    fn globals(&self, records: &[usize]) -> std::result::Result<Tensor, CacheError> {
        // The regions of this batch were counted just before.
        let next = self.batches.load(Ordering::Relaxed);
        let broken = self.broken_from.is_some_and(|first| next > first);
        let value = |&photo: &usize| {
            (0..24).map(move |c| match broken {
                true => f32::NAN,
                false => Self::value(photo, 0, c),
            })
        };
        let values: Vec<f32> = records.iter().flat_map(value).collect();
        Ok(Tensor::from_vec(values, (records.len(), 24), &Device::Cpu)?)
    }

    fn raw_rows(
        &self,
        record: usize,
        regions: &[usize],
        flip: bool,
        rows: &mut Vec<f32>,
    ) -> std::result::Result<(), CacheError> {
        let columns = GRID[1];
        for &region in regions {
            let column = region % columns;
            let column = if flip { columns - 1 - column } else { column };
            let source = region / columns * columns + column;
            rows.extend((0..RAW).map(|channel| Self::value(record, source, channel)));
        }
        Ok(())
    }
}

/// A set-up for runs of a few seconds.
struct Workshop {
    features: MadeUp,
    settings: TrainSettings,
    config: ModelConfig,
    label_vectors: Tensor,
    teacher: Teacher,
}

impl Workshop {
    fn new() -> Self {
        let vectors = |rows: usize| {
            let value = |i: usize| ((i * 29 + 7) % 23) as f32 / 23.0 - 0.5;
            let values = (0..rows * 10).map(value).collect();
            Tensor::from_vec(values, (rows, 10), &Device::Cpu).expect("vectors")
        };
        let rows = (0..5 * RAW).map(|i| ((i * 13 + 3) % 11) as f32 / 11.0 - 0.5);
        let rows = Tensor::from_vec(rows.collect(), (5, RAW), &Device::Cpu);
        Self {
            features: MadeUp {
                photos: 22,
                ..MadeUp::default()
            },
            settings: TrainSettings {
                epochs: 4,
                batch: 5,
                warm_up: WarmUp::Steps(3),
                distillation_regions: 3,
                ..TrainSettings::default()
            },
            config: small_config(),
            label_vectors: vectors(4),
            teacher: Teacher {
                rows: rows.expect("rows"),
                vectors: vectors(5),
                baseline: None,
            },
        }
    }

    fn train(
        &self,
        variant: VariantId,
        folder: &Path,
        resume: bool,
    ) -> std::result::Result<Ending, TrainError> {
        let labels =
            |photo: usize| PhotoLabels::judged(vec![photo as u32 % 4], [0, 1, 2, 3].into());
        let set = TrainingSet {
            features: &self.features,
            photos: (0..self.features.photos)
                .map(|record| TrainingPhoto {
                    record,
                    labels: labels(record),
                })
                .collect(),
            seen: vec![0, 1, 2, 3],
            labels: 4,
        };
        let configuration = configuration(variant, self.config.clone());
        let run = Run {
            variant,
            configuration: &*configuration,
            settings: &self.settings,
            set: &set,
            label_vectors: &self.label_vectors,
            teacher: (self.settings.distillation > 0.0).then_some(&self.teacher),
            device: &Device::Cpu,
            folder,
            data: "made up",
            resume,
            stop: &self.features.stop,
        };
        let mut log = Log::open(&folder.join("log.jsonl"))?;
        run.train(&mut log)
    }
}

fn head(ending: Ending) -> BTreeMap<String, Tensor> {
    match ending {
        Ending::Finished(finished) => finished.head,
        Ending::Stopped { epochs } => panic!("stopped after {epochs}"),
    }
}

fn bytes(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    safetensors::serialize(tensors, None).expect("bytes")
}

fn losses(folder: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(folder.join("log.jsonl")).expect("a log");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
    lines
        .filter(|line| line["event"] == "epoch")
        .map(|line| line["loss"].as_f64().expect("a loss"))
        .collect()
}

/// Steps of an epoch: 22 photos in batches of 5.
const STEPS: usize = 4;

#[test]
fn a_run_that_was_stopped_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    for folder in [&whole, &parts] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let mut workshop = Workshop::new();
    let at_once = head(
        workshop
            .train(VariantId::BIAM, &whole, false)
            .expect("a run"),
    );
    // Stopped within the third epoch.
    workshop.features = MadeUp {
        photos: 22,
        stop_at: Some(2 * STEPS + 1),
        ..MadeUp::default()
    };
    let ending = workshop
        .train(VariantId::BIAM, &parts, false)
        .expect("a run");
    assert!(matches!(ending, Ending::Stopped { epochs: 2 }));
    workshop.features.stop.store(false, Ordering::Relaxed);
    let continued = head(
        workshop
            .train(VariantId::BIAM, &parts, true)
            .expect("a run"),
    );
    assert_eq!(bytes(&at_once), bytes(&continued));
    let last = |folder: &Path| {
        let read = Checkpoint::read(&folder.join("biam.checkpoint.safetensors")).expect("kept");
        let [first, second] = &read.moments["rcb.key.weight"];
        let moments = [
            first.clone(),
            second.clone(),
            read.tensors["fuse.weight"].clone(),
        ];
        let flat = moments.map(|tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()));
        (
            read.progress.steps,
            flat.map(|values| values.expect("values")),
        )
    };
    assert_eq!(last(&whole), last(&parts));
    assert_eq!(last(&whole).0, 4 * STEPS);
}

#[test]
fn the_loss_falls_and_another_seed_gives_another_head() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.settings.epochs = 12;
    workshop.settings.learning_rate = 5e-3;
    for variant in VariantId::PAPER {
        workshop
            .train(variant, folder.path(), false)
            .expect("a run");
    }
    for losses in losses(folder.path()).chunks(12) {
        assert!(losses[11] < 0.7 * losses[0], "{losses:?}");
    }
    let again = head(
        workshop
            .train(VariantId::RCB, folder.path(), true)
            .expect("a run"),
    );
    workshop.settings.seed = 2;
    let other = head(
        workshop
            .train(VariantId::RCB, folder.path(), false)
            .expect("a run"),
    );
    assert_ne!(bytes(&again), bytes(&other));
}

#[test]
fn a_head_has_what_a_bundle_wants() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.settings.epochs = 1;
    let head = head(
        workshop
            .train(VariantId::BIAM, folder.path(), false)
            .expect("a run"),
    );
    assert!(head.values().all(|tensor| tensor.dtype() == DType::F16));
    // As many regions as there are: 22 photos of 16.
    assert_eq!(head["ordinary_regions"].dims(), [22 * 16, 20]);
    assert_eq!(head["fuse.input_mean"].dims(), [32]);
    assert_eq!(head["scb.norm.running_var"].dims(), [16]);
}

#[test]
fn norms_have_the_statistics_of_all_batches() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.settings.epochs = 1;
    workshop.settings.flips = false;
    // One batch of all photos, so that its statistics are those of all.
    workshop.settings.batch = 22;
    let head = head(
        workshop
            .train(VariantId::STANDARD, folder.path(), false)
            .expect("a run"),
    );
    let single = |name: &str| head[name].to_dtype(DType::F32);
    let records: Vec<usize> = (0..22).collect();
    let regions = workshop
        .features
        .regions(&records, &[false; 22])
        .expect("regions");
    let weight = single("latent.conv.weight")?;
    let bias = single("latent.conv.bias")?.reshape((1, 16, 1, 1))?;
    let convolved = regions.contiguous()?.conv2d(&weight, 1, 1, 1, 1)?;
    let input = convolved
        .broadcast_add(&bias)?
        .relu()?
        .transpose(0, 1)?
        .flatten_from(1)?;
    let mean = input.mean_keepdim(1)?;
    let count = input.dim(1)? as f64;
    let variance = (input.broadcast_sub(&mean)?.sqr()?.sum(1)? / (count - 1.0))?;
    assert_close(
        &single("latent.norm.running_mean")?,
        &mean.flatten_all()?,
        2e-3,
        "mean",
    );
    assert_close(
        &single("latent.norm.running_var")?,
        &variance,
        2e-3,
        "variance",
    );
    Ok(())
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_the_last_epoch_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.features.broken_from = Some(STEPS + 2);
    let refusal = workshop
        .train(VariantId::SCB, folder.path(), false)
        .err()
        .expect("an error");
    let text = refusal.to_string();
    assert!(
        text.contains("epoch 2, step 3 of 4") && !text.contains('\n'),
        "{text}"
    );
    let path = folder.path().join("scb.checkpoint.safetensors");
    assert!(text.contains(&path.display().to_string()), "{text}");
    let kept = Checkpoint::read(&path).expect("the first epoch");
    assert_eq!(kept.progress.epochs, 1);
    assert!(kept.not_finite().expect("numbers").is_empty());
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.settings.epochs = 1;
    workshop
        .train(VariantId::STANDARD, folder.path(), false)
        .expect("a run");
    workshop.settings.learning_rate = 2e-3;
    let refusal = workshop
        .train(VariantId::STANDARD, folder.path(), true)
        .err()
        .expect("an error");
    assert!(
        refusal.to_string().contains("made with other settings"),
        "{refusal}"
    );
}

#[test]
fn an_early_stop_keeps_photos_aside_and_ends_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.settings.epochs = 60;
    workshop.settings.early_stop = 2;
    let ending = workshop
        .train(VariantId::STANDARD, folder.path(), false)
        .expect("a run");
    let Ending::Finished(finished) = ending else {
        panic!("stopped");
    };
    assert!(
        finished.progress.epochs < 60,
        "{}",
        finished.progress.epochs
    );
    assert_eq!(finished.progress.epochs_since_best, 2);
    assert!(finished.progress.best.is_some());
}

#[test]
fn one_photo_or_no_label_is_too_little() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut workshop = Workshop::new();
    workshop.features.photos = 1;
    let refusal = workshop
        .train(VariantId::RCB, folder.path(), false)
        .err()
        .expect("an error");
    assert!(refusal.to_string().contains("too few photos"), "{refusal}");
}
