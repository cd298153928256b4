//! A loaded bundle on a device with its caches: photos and labels in, response maps out.

mod inside;
mod occlusion;
mod ranking;
mod scene;

pub use occlusion::TOGETHER;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};

use ranking::{Ranked, answer};

use super::cache::Cache;
use super::labels::KnownLabels;
use super::messages::{
    BundleFacts, Comparison, Grid, Ranking, RefusedLabel, ResponseMap, StageTime,
};
use super::photos::PreparedPhoto;
use super::{DeviceChoice, EngineError};
use crate::bundle::{Bundle, PhotoFeatures, TrainedVariant};
use crate::files::shown;
use crate::image_io::NetworkInput;
use crate::model::{EncodeOptions, Encoded, Inside, PreparedLabels, VariantId};
use crate::semantics::label_key;

/// Photos whose features and encodings are kept (some 2 MB each).
const KEPT_PHOTOS: usize = 64;
/// Photo and variant pairs whose answers to all the bundle's labels are kept: the last photos'
/// (0.3 MB each with 442 labels, 6 MB with 7,586).
const KEPT_RANKINGS: usize = 8;

/// Photos whose insides are kept (some 3 MB for each network): the one on screen and another.
const KEPT_INSIDES: usize = 2;

/// What of a comparison is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub labels: &'a [String],
    pub variants: &'a [VariantId],
    /// Also score every label of the bundle.
    pub ranking: bool,
    /// Also the labels' responses over ordinary regions, which σ and ranks need.
    pub ordinary: bool,
}

/// Owns the networks and computes on the calling thread.
pub struct Session {
    bundle: Bundle,
    facts: Arc<BundleFacts>,
    labels: KnownLabels,
    features: Cache<PixelsKey, PhotoFeatures>,
    encoded: Cache<(PixelsKey, VariantId), Encoded>,
    /// All the bundle's labels as each network sees them.
    own: Cache<VariantId, PreparedLabels>,
    /// The labels that were asked for last: many photos are asked about the same.
    asked: Option<LabelSet>,
    /// How the photos looked at last answer the bundle's own labels.
    ranked: Cache<(PixelsKey, VariantId), Arc<Ranked>>,
    insides: Cache<(PixelsKey, VariantId), Arc<Option<Inside>>>,
}

/// Labels that were asked for, with what is computed of them once.
struct LabelSet {
    asked: Vec<String>,
    /// Those of them that have a vector.
    known: Vec<String>,
    refused: Vec<RefusedLabel>,
    /// `[L, D]`.
    vectors: Tensor,
    prepared: HashMap<VariantId, PreparedLabels>,
}

impl LabelSet {
    /// The labels as a network sees them.
    fn prepared_for(&mut self, trained: &TrainedVariant) -> Result<&PreparedLabels, EngineError> {
        Ok(match self.prepared.entry(trained.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(trained.prepare_labels(&self.vectors)?),
        })
    }
}

/// A photo's pixels by their content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PixelsKey([u64; 2]);

impl PixelsKey {
    fn of(pixels: &[u8]) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            pixels.hash(&mut hasher);
            hasher.finish()
        };
        Self([half(0), half(1)])
    }
}

/// Times of one comparison.
struct Clock<'a> {
    device: &'a Device,
    times: Vec<StageTime>,
}

impl Clock<'_> {
    fn time<T, E>(&mut self, stage: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: From<candle_core::Error>,
    {
        let start = Instant::now();
        let result = work()?;
        // A GPU works on after the call has returned.
        self.device.synchronize()?;
        self.push(stage, start.elapsed().as_secs_f64() * 1e3, false);
        Ok(result)
    }

    fn push(&mut self, stage: &str, milliseconds: f64, cached: bool) {
        log::debug!("{stage}: {milliseconds:.1} ms, cached: {cached}");
        self.times.push(StageTime {
            stage: stage.to_owned(),
            milliseconds,
            cached,
        });
    }
}

impl Session {
    /// Loads the bundle in `folder` onto a device.
    ///
    /// # Errors
    /// A device that cannot be had, a bundle that cannot be read.
    pub fn open(folder: &Path, choice: DeviceChoice) -> Result<Self, EngineError> {
        let device = choice.open()?;
        let bundle = Bundle::open(folder, &device.device)?;
        let facts = BundleFacts {
            name: bundle.name.clone(),
            folder: bundle.folder.clone(),
            variants: bundle.variant_names(),
            labels: bundle
                .lists
                .labels()
                .iter()
                .map(|listed| (listed.label.clone(), bundle.lists.status(&listed.label)))
                .collect(),
            trained_k: bundle.top_k(),
            has_ordinary_regions: bundle
                .variants
                .iter()
                .all(|trained| trained.ordinary_regions.is_some()),
            device: device.name,
            device_note: device.note,
        };
        log::info!("{}: open on {}", shown(folder), facts.device);
        Ok(Self {
            labels: KnownLabels::new(&bundle)?,
            facts: Arc::new(facts),
            features: Cache::new(KEPT_PHOTOS),
            encoded: Cache::new(KEPT_PHOTOS * bundle.variants.len()),
            own: Cache::new(bundle.variants.len()),
            asked: None,
            ranked: Cache::new(KEPT_RANKINGS),
            insides: Cache::new(KEPT_INSIDES * bundle.variants.len()),
            bundle,
        })
    }

    pub fn facts(&self) -> &Arc<BundleFacts> {
        &self.facts
    }

    /// How photos are brought to the network.
    pub fn input(&self) -> NetworkInput {
        self.bundle.input
    }

    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Forgets all photos: who goes through many and never returns to one needs no memory of them.
    pub fn forget_photos(&mut self) {
        self.features.clear();
        self.encoded.clear();
        self.insides.clear();
    }

    /// Those of `labels` that have a vector, and the others with the reason.
    ///
    /// # Errors
    /// An encoder that fails for another reason than a label.
    pub fn resolve_labels(
        &mut self,
        labels: &[String],
    ) -> Result<(Vec<String>, Vec<RefusedLabel>), EngineError> {
        self.labels.resolve_labels(&self.bundle, labels)
    }

    /// What of a label its vector is made without, in one line.
    ///
    /// # Errors
    /// A label without a vector, an encoder that fails.
    pub fn left_out(&self, label: &str) -> Result<Option<String>, EngineError> {
        self.labels.left_out(&self.bundle, label)
    }

    /// Response maps of `wanted` on a photo; labels without a vector are told beside them. `Ok(None)`
    /// when `stop` said so between two stages.
    ///
    /// # Errors
    /// A variant that the bundle lacks, a failing device.
    pub fn compare(
        &mut self,
        photo: &PreparedPhoto,
        wanted: &Wanted,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Comparison>, EngineError> {
        self.check_variants(wanted.variants)?;
        let device = self.bundle.device.clone();
        let mut clock = Clock {
            device: &device,
            times: photo.times.clone(),
        };
        let all_encoded = self.labels.all_encoded(wanted.labels);
        let mut set = clock.time("text", || self.label_set(wanted.labels))?;
        let known = set.known.clone();
        let wanted = &Wanted {
            labels: &known,
            ..*wanted
        };
        if let Some(text) = clock.times.last_mut() {
            text.cached = all_encoded;
        }
        if stop() {
            return Ok(None);
        }
        let key = PixelsKey::of(&photo.pixels);
        // A photo that was looked at before was not opened anew either.
        let known = self.features.get(&key).is_some();
        clock.times[..photo.times.len()]
            .iter_mut()
            .for_each(|time| time.cached = known);
        let mut maps = Vec::with_capacity(wanted.variants.len());
        let mut scores = Vec::new();
        let mut responses = Vec::new();
        let mut grid = (1, 1);
        for &variant in wanted.variants {
            let Some(encoded) = self.encode(key, &photo.pixels, variant, &mut clock, stop)? else {
                return Ok(None);
            };
            if stop() {
                return Ok(None);
            }
            maps.push(clock.time(&format!("respond.{variant}"), || {
                self.respond(&encoded, variant, wanted, &mut set)
            })?);
            if wanted.ranking {
                let variant_maps = maps.last().map_or(&[][..], Vec::as_slice);
                let ranked = clock.time(&format!("rank.{variant}"), || {
                    self.rank(key, &encoded, variant, wanted.labels, variant_maps)
                })?;
                scores.push(ranked.scores);
                responses.push(ranked.responses);
            }
            grid = encoded.grid;
        }
        let (rows, columns) = grid;
        let labels = wanted.labels.iter().enumerate().map(|(row, label)| {
            self.labels
                .facts(&self.bundle, label, &set.vectors.get(row)?)
        });
        let comparison = Comparison {
            photo: photo.photo.clone(),
            grid: Grid { rows, columns },
            covered: photo.covered,
            trained_k: self.facts.trained_k,
            labels: labels.collect::<Result<_, EngineError>>()?,
            refused: set.refused.clone(),
            variants: wanted.variants.to_vec(),
            maps,
            ranking: wanted.ranking.then(|| Ranking {
                labels: self.ranked_labels(wanted.labels),
                scores,
                pooled: wanted
                    .variants
                    .iter()
                    .map(|&variant| self.pools(variant))
                    .collect(),
                responses,
            }),
            times: clock.times,
            device: self.facts.device.clone(),
        };
        self.asked = Some(set);
        Ok(Some(comparison))
    }

    /// What is known of `labels`: from the last time, where the same were asked for.
    fn label_set(&mut self, labels: &[String]) -> Result<LabelSet, EngineError> {
        if let Some(set) = self.asked.take_if(|set| set.asked == labels) {
            return Ok(set);
        }
        let (known, refused) = self.labels.resolve_labels(&self.bundle, labels)?;
        Ok(LabelSet {
            asked: labels.to_vec(),
            vectors: self.labels.vectors(&self.bundle, &known)?,
            known,
            refused,
            prepared: HashMap::new(),
        })
    }

    fn check_variants(&self, variants: &[VariantId]) -> Result<(), EngineError> {
        let has = &self.facts.variants;
        match variants.iter().find(|variant| !has.contains(variant)) {
            None => Ok(()),
            Some(&missing) => {
                let names: Vec<&str> = has.iter().map(|variant| variant.name()).collect();
                Err(EngineError::NoVariant(missing, names.join(", ")))
            }
        }
    }

    fn trained(&self, variant: VariantId) -> Result<&TrainedVariant, EngineError> {
        self.bundle
            .variant(variant)
            .ok_or_else(|| EngineError::NoVariant(variant, String::new()))
    }

    /// Whether a variant's scores are those of its maps' largest responses.
    fn pools(&self, variant: VariantId) -> bool {
        let trained = self.bundle.variant(variant);
        trained.is_some_and(|trained| trained.network.top_k().is_some())
    }

    /// The photo as a variant sees it, from the cache where it is known.
    fn encode(
        &mut self,
        key: PixelsKey,
        pixels: &[u8],
        variant: VariantId,
        clock: &mut Clock,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Encoded>, EngineError> {
        let stage = format!("encode.{variant}");
        if let Some(encoded) = self.encoded.get(&(key, variant)) {
            clock.push(&stage, 0.0, true);
            return Ok(Some(encoded.clone()));
        }
        let features = match self.features.get(&key) {
            Some(features) => features.clone(),
            None => {
                let features = clock.time("backbone", || self.features(pixels))?;
                self.features.insert(key, features.clone());
                features
            }
        };
        if stop() {
            return Ok(None);
        }
        let trained = self.trained(variant)?;
        let encoded = clock.time(&stage, || {
            let features = features.of(trained.network.takes());
            trained.network.encode(features, &EncodeOptions::default())
        })?;
        self.encoded.insert((key, variant), encoded.clone());
        Ok(Some(encoded))
    }

    /// Features of one photo's `[S, S, 3]` pixels.
    pub fn features(&self, pixels: &[u8]) -> Result<PhotoFeatures, candle_core::Error> {
        let side = self.input().side as usize;
        let pixels = Tensor::from_slice(pixels, (1, side, side, 3), &self.bundle.device)?;
        self.bundle.photo_features(&pixels)
    }

    fn respond(
        &mut self,
        encoded: &Encoded,
        variant: VariantId,
        wanted: &Wanted,
        set: &mut LabelSet,
    ) -> Result<Vec<ResponseMap>, EngineError> {
        if wanted.labels.is_empty() {
            return Ok(Vec::new());
        }
        let trained = self
            .bundle
            .variant(variant)
            .ok_or_else(|| EngineError::NoVariant(variant, String::new()))?;
        let prepared = set.prepared_for(trained)?;
        let answer = answer(trained, encoded, prepared)?;
        let ordinary = match wanted.ordinary {
            true => self.labels.ordinary(trained, wanted.labels, prepared)?,
            false => vec![None; wanted.labels.len()],
        };
        let maps = answer.maps.into_iter().zip(answer.scores).zip(ordinary);
        Ok(maps
            .map(|((responses, score), ordinary)| ResponseMap {
                responses: responses.into(),
                own_score: (!answer.pooled).then_some(score),
                ordinary,
            })
            .collect())
    }
}

/// Labels once each, in their order, compared as [`label_key`] does.
pub fn distinct(labels: &[String]) -> Vec<String> {
    let mut known = std::collections::HashSet::new();
    labels
        .iter()
        .filter(|label| known.insert(label_key(label)))
        .cloned()
        .collect()
}
