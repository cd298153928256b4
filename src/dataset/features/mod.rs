//! Backbone features, computed once per photo and backbone and kept on the disk in half precision.

//!
//! A photo is known by the SHA-256 of its file, a backbone by the hash of its weights, its input's
//! size and the way photos are brought to it; the folder of a cache may hold features of several
//! backbones. The cache survives being killed, a full disk and a second process.

mod cautions;
mod compute;
mod error;
mod gather;
mod layout;
mod source;
mod stamps;
mod store;

pub use error::CacheError;
pub use source::{FeatureSource, Features};

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use candle_core::Tensor;

use crate::files::{free_bytes, shown, write_error};
use cautions::{CAUTIONS, CautionWriter, Cautions};
use compute::Writers;
use layout::RecordLayout;
use stamps::{STAMPS, StampWriter, Stamps};
use store::{Facts, Hash, Store};

/// The file that a process locks while it fills the cache.
const LOCK: &str = "lock";
/// Bytes that are left free on the disk.
const SPARE: u64 = 64 << 20;

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
pub struct FillProgress {
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
    /// What is to be told of photos' pixels, one line each, with the photo's name.
    pub cautions: Vec<String>,
    /// Photos whose features were computed.
    pub added: usize,
    /// Photos whose features were there already.
    pub reused: usize,
    /// Whether it was stopped before all photos were done.
    pub stopped: bool,
}

/// Where a photo's record is.
struct Found {
    place: usize,
    hash: Hash,
}

/// Features of photos on the disk, mapped into memory.
pub struct FeatureCache {
    root: PathBuf,
    store: Store,
    stamps: Stamps,
    cautions: Cautions,
    /// Records of the photos that were asked for.
    found: HashMap<PathBuf, Found>,
}

impl FeatureCache {
    /// Opens the features of `source`'s backbone in `folder`, which is made where it is not there.
    /// A cache that keeps more than is wanted serves too.
    ///
    /// # Errors
    /// A folder that cannot be made or written, files that are not this cache's, a network that
    /// fails.
    pub fn open(
        folder: &Path,
        source: &dyn FeatureSource,
        want: Content,
    ) -> Result<Self, CacheError> {
        let everything = Content {
            raw: true,
            projected: true,
        };
        let mut opened = None;
        for content in [want, everything] {
            let place = store_folder(folder, source, content);
            if let Some(facts) = Store::facts(&place)? {
                opened = Some((place, facts));
                break;
            }
        }
        let (place, facts) = match opened {
            Some(opened) => opened,
            None => {
                let place = store_folder(folder, source, want);
                let facts = Facts::new(source.identity().to_owned(), layout_of(source, want)?);
                Store::create(&place, &facts)?;
                (place, facts)
            }
        };
        if facts.identity != source.identity() {
            return Err(CacheError::OtherSource(place));
        }
        Ok(Self {
            root: folder.to_owned(),
            store: Store::open(&place, facts)?,
            stamps: Stamps::read(&folder.join(STAMPS))?,
            cautions: Cautions::read(&folder.join(CAUTIONS))?,
            found: HashMap::new(),
        })
    }

    /// Computes the features of those `photos` that the cache does not have. `progress` is called
    /// first with the size to come, then after every few photos; `stop` ends the work soon, and what
    /// is done stays.
    ///
    /// # Errors
    /// A disk that is full or would be, another process that fills the same cache, a network that
    /// fails. Photos that cannot be read are no error: the report names them.
    pub fn fill(
        &mut self,
        source: &dyn FeatureSource,
        photos: &[PathBuf],
        progress: &mut dyn FnMut(FillProgress),
        stop: &AtomicBool,
    ) -> Result<FillReport, CacheError> {
        if self.store.facts.identity != source.identity() {
            return Err(CacheError::OtherSource(self.store.folder.clone()));
        }
        let mut report = FillReport::default();
        if self.find_known(photos).is_empty() {
            report.reused = photos.len();
            report.cautions = self.cautions_of(photos);
            return Ok(report);
        }
        let _lock = self.lock()?;
        // Another process may have added some before this one had the lock.
        self.reload()?;
        let pending = self.find_known(photos);
        report.reused = photos.len() - pending.len();
        let result = self.compute(source, &pending, progress, stop, &mut report);
        self.reload()?;
        let hashes = result?;
        for (path, hash) in hashes {
            if let Some(place) = self.store.place(&hash) {
                self.found.insert(path, Found { place, hash });
            }
        }
        report.cautions = self.cautions_of(photos);
        Ok(report)
    }

    /// One line for each photo and each thing to be told of its pixels.
    fn cautions_of(&self, photos: &[PathBuf]) -> Vec<String> {
        let mut asked = HashSet::new();
        let mut cautions = Vec::new();
        for path in photos.iter().filter(|path| asked.insert(*path)) {
            let hash = self.found.get(path).map(|found| &found.hash);
            for caution in hash.map_or(&[][..], |hash| self.cautions.of(hash)) {
                cautions.push(format!("{}: {caution}", shown(path)));
            }
        }
        cautions
    }

    /// The record of a photo that a [`FeatureCache::fill`] of this session was given and could read.
    pub fn find(&self, path: &Path) -> Option<usize> {
        self.found.get(path).map(|found| found.place)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that one photo takes on the disk.
    pub fn record_bytes(&self) -> u64 {
        self.store.facts.record.bytes() as u64
    }

    /// Rows and columns of regions.
    pub fn grid(&self) -> [usize; 2] {
        let RecordLayout { rows, columns, .. } = self.store.facts.record;
        [rows, columns]
    }

    /// C of [`Which::Raw`], D of [`Which::Projected`]; `None` where the cache does not keep them.
    pub fn channels(&self, which: Which) -> Option<usize> {
        let channels = self.store.facts.record.channels(which);
        (channels > 0).then_some(channels)
    }

    /// G, the length of a global feature.
    pub fn global_channels(&self) -> usize {
        self.store.facts.record.global
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
        gather::regions(&self.store, records, which, flips)
    }

    /// Global features of `records`, `[N, G]` in f32 on the CPU.
    ///
    /// # Errors
    /// A record that is not there.
    pub fn globals(&self, records: &[usize]) -> Result<Tensor, CacheError> {
        gather::globals(&self.store, records)
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
        gather::rows(&self.store, record, regions, flip, rows)
    }

    /// Finds the photos whose features are known to be there without reading a photo; returns the
    /// others, each once.
    fn find_known(&mut self, photos: &[PathBuf]) -> Vec<PathBuf> {
        let mut pending = Vec::new();
        let mut asked = HashSet::new();
        for path in photos {
            if !asked.insert(path) {
                continue;
            }
            let known = compute::stamp_of(path)
                .and_then(|(absolute, stamp)| self.stamps.hash(&absolute, stamp))
                .and_then(|hash| {
                    let place = self.store.place(&hash)?;
                    Some(Found { place, hash })
                });
            match known {
                Some(found) => {
                    self.found.insert(path.clone(), found);
                }
                None => {
                    self.found.remove(path);
                    pending.push(path.clone());
                }
            }
        }
        pending
    }

    /// Computes what is pending; returns the hashes of all photos that could be read.
    fn compute(
        &self,
        source: &dyn FeatureSource,
        pending: &[PathBuf],
        progress: &mut dyn FnMut(FillProgress),
        stop: &AtomicBool,
        report: &mut FillReport,
    ) -> Result<Vec<(PathBuf, Hash)>, CacheError> {
        let record = self.record_bytes();
        let mut now = FillProgress {
            done: report.reused,
            total: report.reused + pending.len(),
            rate: 0.0,
            seconds_left: None,
            bytes: pending.len() as u64 * record,
        };
        progress(now);
        self.refuse_without_room(pending.len(), now.bytes)?;
        let writers = Writers {
            records: self.store.writer()?,
            stamps: StampWriter::open(&self.root.join(STAMPS))?,
            cautions: CautionWriter::open(&self.root.join(CAUTIONS))?,
        };
        let mut hashes = Vec::new();
        let start = Instant::now();
        let before = now.done;
        compute::compute(source, &self.store, pending, writers, &mut |step| {
            report.added += step.computed;
            report.reused += step.read.len() - step.computed;
            now.done += step.read.len() + step.unreadable.len();
            hashes.extend(step.read);
            report.unreadable.extend(step.unreadable);
            let left = now.total - now.done;
            now.rate = (now.done - before) as f64 / start.elapsed().as_secs_f64().max(1e-9);
            now.seconds_left = Some(left as f64 / now.rate);
            now.bytes = left as u64 * record;
            progress(now);
            report.stopped = left > 0 && stop.load(Ordering::Relaxed);
            !report.stopped
        })?;
        Ok(hashes)
    }

    fn refuse_without_room(&self, photos: usize, need_bytes: u64) -> Result<(), CacheError> {
        match free_bytes(&self.store.folder) {
            Some(free_bytes) if free_bytes < need_bytes.saturating_add(SPARE) => {
                Err(CacheError::NoRoom {
                    folder: self.root.clone(),
                    photos,
                    need_bytes,
                    free_bytes,
                })
            }
            _ => Ok(()),
        }
    }

    /// The right to write; it ends when the file is closed, also by the end of the process.
    fn lock(&self) -> Result<File, CacheError> {
        let path = self.root.join(LOCK);
        let mut options = fs::OpenOptions::new();
        let open = options.write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|error| write_error(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(CacheError::Busy(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(write_error(&path, error).into()),
        }
    }

    fn reload(&mut self) -> Result<(), CacheError> {
        self.store = Store::open(&self.store.folder, self.store.facts.clone())?;
        self.stamps = Stamps::read(&self.root.join(STAMPS))?;
        self.cautions = Cautions::read(&self.root.join(CAUTIONS))?;
        Ok(())
    }
}

/// Where a backbone's features of some content lie in a cache's folder.
fn store_folder(root: &Path, source: &dyn FeatureSource, content: Content) -> PathBuf {
    let kept = match (content.raw, content.projected) {
        (true, true) => "both",
        (true, false) => "raw",
        (false, true) => "projected",
        (false, false) => "global",
    };
    // Sixteen digits tell backbones apart; `cache.toml` has them all.
    let identity: String = source.identity().chars().take(16).collect();
    root.join(format!("{identity}-{kept}"))
}

/// The shape of the records, as a black photo shows it.
fn layout_of(source: &dyn FeatureSource, content: Content) -> Result<RecordLayout, CacheError> {
    let side = source.input().side as usize;
    let features = source.features(vec![0; side * side * 3], 1)?;
    let (_, raw, rows, columns) = features.raw.regions.dims4()?;
    let (_, projected, _, _) = features.projected.dims4()?;
    let (_, global) = features.raw.global.dims2()?;
    let kept = |keep: bool, channels: usize| if keep { channels } else { 0 };
    Ok(RecordLayout {
        rows,
        columns,
        raw: kept(content.raw, raw),
        projected: kept(content.projected, projected),
        global,
    })
}

#[cfg(test)]
mod tests;
