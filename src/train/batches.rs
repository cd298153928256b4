//! Batches of photos in a shuffled order, one prepared in the background while another trains.

use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::thread;

use candle_core::{Device, Tensor};
use rand::Rng;
use rand::seq::{SliceRandom as _, index};

use super::error::TrainError;
use super::photos::TrainingSet;
use super::random::generator;
use super::settings::TrainSettings;
use super::teacher::Teacher;
use crate::backbone::RegionFeatures;
use crate::model::coarse_grid::regions_of;

/// What one step trains on.
pub struct Batch {
    pub photos: RegionFeatures,
    /// +1, -1 or 0 for each photo and seen label, row by row.
    pub labels: Vec<i8>,
    /// The regions that the teacher speaks about, where there is one.
    pub taught: Option<TaughtRegions>,
}

/// Random regions of a batch and the teacher's responses to them.
pub struct TaughtRegions {
    /// Places among the batch's N · P regions, `[R]` in u32.
    pub places: Tensor,
    /// T, `[R, classes]`.
    pub targets: Tensor,
}

/// What batches are made of.
#[derive(Clone, Copy)]
pub struct Batches<'a> {
    pub set: &'a TrainingSet<'a>,
    pub teacher: Option<&'a Teacher>,
    pub settings: &'a TrainSettings,
    pub device: &'a Device,
    /// The photos that are trained on, by place in the set.
    pub photos: &'a [usize],
}

impl Batches<'_> {
    /// Photos of one batch.
    fn size(&self) -> usize {
        self.settings.batch.min(self.photos.len())
    }

    /// Batches of an epoch. What is left over when the photos do not come out even is left out,
    /// other photos in each epoch.
    pub fn steps(&self) -> usize {
        self.photos.len() / self.size().max(1)
    }

    /// Calls `work` with the epoch's batches in turn until it says no.
    ///
    /// # Errors
    /// Of features that cannot be read, and those of `work`.
    pub fn each(
        &self,
        epoch: usize,
        steps: Range<usize>,
        mut work: impl FnMut(usize, Batch) -> Result<bool, TrainError>,
    ) -> Result<(), TrainError> {
        let order = self.order(epoch);
        // Of no size: a batch that is ready waits until the one before it is done with.
        let (sender, receiver) = sync_channel(0);
        thread::scope(|scope| {
            let (order, wanted) = (&order, steps.clone());
            scope.spawn(move || {
                for step in wanted {
                    // Nobody waits for it any more when a step has failed.
                    if sender.send(self.prepare(epoch, step, order)).is_err() {
                        break;
                    }
                }
            });
            // Moved in here, so that it goes, and the thread ends, when a step fails.
            let receiver = receiver;
            for step in steps {
                let Ok(batch) = receiver.recv() else { break };
                if !work(step, batch?)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order = self.photos.to_vec();
        order.shuffle(&mut generator(self.settings.seed, "shuffle", epoch as u64));
        order
    }

    /// A batch of the epoch, always the same one for the same seed.
    fn prepare(&self, epoch: usize, step: usize, order: &[usize]) -> Result<Batch, TrainError> {
        let size = self.size();
        let photos = &order[step * size..][..size];
        let at = (epoch * self.steps() + step) as u64;
        let mut random = generator(self.settings.seed, "batch", at);
        let flips: Vec<bool> = photos
            .iter()
            .map(|_| self.settings.flips && random.random())
            .collect();
        let records = self.set.records(photos);
        let taught = match self.teacher {
            Some(teacher) => Some(self.taught(teacher, &records, &flips, &mut random)?),
            None => None,
        };
        Ok(Batch {
            photos: self.set.region_features(photos, &flips, self.device)?,
            labels: self.set.seen_labels(photos),
            taught,
        })
    }

    fn taught(
        &self,
        teacher: &Teacher,
        records: &[usize],
        flips: &[bool],
        random: &mut impl Rng,
    ) -> Result<TaughtRegions, TrainError> {
        let features = self.set.features;
        let grid = features.grid();
        let coarse = self.settings.model.coarse_grid;
        let regions = coarse.map_or(grid[0] * grid[1], |side| side * side);
        let each = self.settings.distillation_regions.min(regions);
        let mut places = Vec::with_capacity(records.len() * each);
        let mut raw = Vec::new();
        for (photo, (&record, &flip)) in records.iter().zip(flips).enumerate() {
            let sampled = index::sample(random, regions, each).into_vec();
            match coarse {
                None => features.raw_rows(record, &sampled, flip, &mut raw)?,
                Some(side) => {
                    for &region in &sampled {
                        let averaged = regions_of(region, side, grid);
                        self.mean_row(record, &averaged, flip, &mut raw)?;
                    }
                }
            }
            places.extend(
                sampled
                    .iter()
                    .map(|&region| (photo * regions + region) as u32),
            );
        }
        let count = places.len();
        let raw = Tensor::from_vec(raw, (count, teacher.rows.dim(1)?), &Device::Cpu)?;
        let targets = raw.to_device(self.device)?.matmul(&teacher.rows.t()?)?;
        Ok(TaughtRegions {
            places: Tensor::from_vec(places, count, self.device)?,
            targets,
        })
    }

    /// Appends the mean of some regions' raw features.
    fn mean_row(
        &self,
        record: usize,
        regions: &[usize],
        flip: bool,
        rows: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let mut all = Vec::new();
        self.set
            .features
            .raw_rows(record, regions, flip, &mut all)?;
        let channels = all.len() / regions.len().max(1);
        let share = 1.0 / regions.len() as f32;
        rows.extend((0..channels).map(|channel| {
            let values = all.iter().skip(channel).step_by(channels);
            values.sum::<f32>() * share
        }));
        Ok(())
    }
}
