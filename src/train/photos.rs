//! The photos of a run: where their features are, and which labels the loss may see.

use candle_core::{Device, Tensor};

use crate::backbone::{Covered, RegionFeatures};
use crate::dataset::{CacheError, FeatureCache, PhotoLabels, Which};

/// Features of photos, known by their record's place: the cache on the disk, in tests made-up ones.
pub trait TrainingFeatures: Sync {
    /// Rows and columns of regions.
    fn grid(&self) -> [usize; 2];
    /// x_r `[N, D, h, w]` of records, as the heads take it; columns reversed where `flips` says so.
    fn regions(&self, records: &[usize], flips: &[bool]) -> Result<Tensor, CacheError>;
    /// x_g `[N, G]`.
    fn globals(&self, records: &[usize]) -> Result<Tensor, CacheError>;
    /// Appends the backbone's own features of some regions of one record, `[regions, C]`.
    fn raw_rows(
        &self,
        record: usize,
        regions: &[usize],
        flip: bool,
        rows: &mut Vec<f32>,
    ) -> Result<(), CacheError>;
}

impl TrainingFeatures for FeatureCache {
    fn grid(&self) -> [usize; 2] {
        FeatureCache::grid(self)
    }

    fn regions(&self, records: &[usize], flips: &[bool]) -> Result<Tensor, CacheError> {
        self.gather(records, Which::Projected, flips)
    }

    fn globals(&self, records: &[usize]) -> Result<Tensor, CacheError> {
        FeatureCache::globals(self, records)
    }

    fn raw_rows(
        &self,
        record: usize,
        regions: &[usize],
        flip: bool,
        rows: &mut Vec<f32>,
    ) -> Result<(), CacheError> {
        self.rows(record, regions, flip, rows)
    }
}

/// One photo to train on.
#[derive(Clone, Debug)]
pub struct TrainingPhoto {
    /// Its place among the features.
    pub record: usize,
    pub labels: PhotoLabels,
}

/// The photos to train on and the labels that may be seen.
pub struct TrainingSet<'a> {
    pub features: &'a dyn TrainingFeatures,
    pub photos: Vec<TrainingPhoto>,
    /// Places, in the data set's list, of the labels that the loss may see.
    pub seen: Vec<u32>,
    /// How many labels the data set's list has.
    pub labels: usize,
}

impl TrainingSet<'_> {
    /// +1, -1 or 0 for each of these photos and each seen label, row by row.
    pub fn seen_labels(&self, photos: &[usize]) -> Vec<i8> {
        let mut row = vec![0; self.labels];
        let mut rows = Vec::with_capacity(photos.len() * self.seen.len());
        for &photo in photos {
            self.photos[photo].labels.fill(&mut row);
            rows.extend(self.seen.iter().map(|&label| row[label as usize]));
        }
        rows
    }

    /// What a head takes of these photos, mirrored where `flips` says so, on `device`.
    ///
    /// # Errors
    /// Features that cannot be read, a device that fails.
    pub fn region_features(
        &self,
        photos: &[usize],
        flips: &[bool],
        device: &Device,
    ) -> Result<RegionFeatures, CacheError> {
        let records = self.records(photos);
        Ok(RegionFeatures {
            regions: self.features.regions(&records, flips)?.to_device(device)?,
            global: self.features.globals(&records)?.to_device(device)?,
            covered: Covered::WHOLE,
        })
    }

    /// The records of these photos.
    pub fn records(&self, photos: &[usize]) -> Vec<usize> {
        photos.iter().map(|&i| self.photos[i].record).collect()
    }
}
