//! Backbone features, computed once per photo and backbone and kept on the disk in half precision.

mod error;
mod source;

pub use error::CacheError;
pub use source::{FeatureSource, Features};

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use candle_core::Tensor;

/// What is kept of every photo beside its global feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The backbone's own region features, `[h·w, C]`: what distillation targets and the ridge
    /// baseline are made of.
    pub raw: bool,
    /// Region features as the heads take them, `[h·w, D]`.
    pub projected: bool,
}

/// One kind of region features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Raw,
    Projected,
}

/// How far [`FeatureCache::fill`] is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Photos looked at, and all of them.
    pub done: usize,
    pub total: usize,
    /// Photos a second that are being computed; 0 before the first.
    pub rate: f64,
    /// Seconds that the rest will take; `None` before the first.
    pub seconds_left: Option<f64>,
    /// Bytes that the photos still to be computed will take on the disk.
    pub bytes: u64,
}

/// What [`FeatureCache::fill`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FillReport {
    /// Photos that cannot be read, each with one line that says why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Photos whose features were computed.
    pub added: usize,
    /// Photos whose features were there already.
    pub reused: usize,
    /// Whether it was stopped before all photos were done.
    pub stopped: bool,
}

/// Features of photos on the disk, mapped into memory.
pub struct FeatureCache {}

impl FeatureCache {
    /// Opens the features of `source`'s backbone in `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// A folder that cannot be made or written, files that are not this cache's.
    pub fn open(
        folder: &Path,
        source: &dyn FeatureSource,
        want: Content,
    ) -> Result<Self, CacheError> {
        todo!("{folder:?} {:?} {want:?}", source.input_size())
    }

    /// Computes the features of those `photos` that the cache does not have. `progress` is called
    /// first with the size to come, then after every few photos; `stop` ends the work soon, and what
    /// is done stays.
    ///
    /// # Errors
    /// A full disk, another process that fills the same cache, a network that fails. Photos that
    /// cannot be read are no error: the report names them.
    pub fn fill(
        &mut self,
        source: &dyn FeatureSource,
        photos: &[PathBuf],
        progress: &mut dyn FnMut(Progress),
        stop: &AtomicBool,
    ) -> Result<FillReport, CacheError> {
        todo!(
            "{:?} {photos:?} {stop:?} {}",
            source.input_size(),
            std::mem::size_of_val(progress)
        )
    }

    /// The record of a photo that a [`FeatureCache::fill`] of this session was given and could read.
    pub fn find(&self, path: &Path) -> Option<usize> {
        todo!("{path:?}")
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows and columns of regions.
    pub fn grid(&self) -> [usize; 2] {
        todo!()
    }

    /// C of [`Which::Raw`], D of [`Which::Projected`]; `None` where the cache does not keep them.
    pub fn channels(&self, which: Which) -> Option<usize> {
        todo!("{which:?}")
    }

    /// G, the length of a global feature.
    pub fn global_channels(&self) -> usize {
        todo!()
    }

    /// Region features of `records` (N of them) in f32 on the CPU, `[N, C, h, w]` as a permuted view
    /// of channels-last memory, as [`crate::backbone::RegionFeatures`] has them. Where `flips` says
    /// so the columns of the grid come in reverse order; it has N entries.
    ///
    /// # Errors
    /// A record that is not there, features that this cache does not keep.
    pub fn gather(
        &self,
        records: &[usize],
        which: Which,
        flips: &[bool],
    ) -> Result<Tensor, CacheError> {
        todo!("{records:?} {which:?} {flips:?}")
    }

    /// Global features of `records`, `[N, G]` in f32 on the CPU.
    ///
    /// # Errors
    /// A record that is not there.
    pub fn globals(&self, records: &[usize]) -> Result<Tensor, CacheError> {
        todo!("{records:?}")
    }

    /// Appends raw features of some regions of a record to `rows`, `[regions, C]` in f32. Regions
    /// count row by row; with `flip` they are places in the grid that [`FeatureCache::gather`] gives
    /// for a flipped photo.
    ///
    /// # Errors
    /// A record or a region that is not there, a cache without raw features.
    pub fn rows(
        &self,
        record: usize,
        regions: &[usize],
        flip: bool,
        rows: &mut Vec<f32>,
    ) -> Result<(), CacheError> {
        todo!("{record:?} {regions:?} {flip:?} {rows:?}")
    }
}
