//! Every network's scores of all labels on every photo of a data set, and how its maps meet boxes.

use candle_core::Tensor;
use rayon::prelude::*;

use super::agreement::{Gathered, PairAgreement, PhotoAnswer};
use super::localisation::{Located, Rectangle, locate};
use super::{EvalError, Judged};
use crate::backbone::{Covered, RegionFeatures};
use crate::bundle::{Bundle, PhotoFeatures, TrainedVariant};
use crate::dataset::{Content, Dataset, DatasetPhoto, FeatureCache, Which};
use crate::engine::{EngineError, PhotoSource, PreparedPhoto, prepare_unshown};
use crate::image_io::{Framing, PhotoLimits, open_photo};
use crate::model::{EncodeOptions, PreparedLabels, VariantId};

/// Photos that go through the networks together, while the next ones are decoded: enough to keep
/// every core busy, few enough to keep memory flat.
const BATCH: usize = 8;

/// What the networks said of the photos that could be read.
#[derive(Debug, Default)]
pub struct Predictions {
    /// How many labels each photo was scored for.
    pub labels: usize,
    /// Truth of the photos that were read, `[N, L]`: 1, -1 or 0 for unknown.
    pub truth: Vec<i8>,
    pub variants: Vec<VariantPredictions>,
    /// How alike each pair of networks with maps is, where that was asked.
    pub agreements: Vec<PairAgreement>,
    /// Photos that could not be read, each with one line that names it and says why.
    pub unreadable: Vec<String>,
    /// What is to be told of the others' pixels, one line each, with the photo's name.
    pub cautions: Vec<String>,
}

/// One network's predictions.
#[derive(Debug)]
pub struct VariantPredictions {
    pub variant: VariantId,
    /// `[N, L]`, each the mean of the k largest responses.
    pub scores: Vec<f32>,
    /// Every pair of a photo and a label that has boxes in it.
    pub pairs: Vec<Pair>,
}

/// How a label's map in one photo meets its boxes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Place among the photos that were read.
    pub photo: usize,
    /// Place among the data set's labels.
    pub label: usize,
    pub located: Located,
}

impl Predictions {
    /// How many photos were read.
    pub fn photos(&self) -> usize {
        self.truth.len() / self.labels.max(1)
    }

    /// Scores and truth of one network.
    pub fn judged<'a>(&'a self, variant: &'a VariantPredictions) -> Option<Judged<'a>> {
        Judged::new(self.labels, &variant.scores, &self.truth)
    }
}

/// Puts every photo of `dataset` through every network of `bundle`. `labels` `[L, D]` are the vectors
/// of the data set's labels; `compare` says whether networks are held against each other; `progress`
/// is told how many photos are done.
///
/// # Errors
/// No labels, a device that fails, scores that are no numbers. Photos that cannot be read are no
/// error: they are named and left out.
pub fn predict_photos(
    bundle: &Bundle,
    dataset: &Dataset,
    labels: &Tensor,
    compare: bool,
    progress: &mut dyn FnMut(usize),
) -> Result<Predictions, EvalError> {
    let mut run = Run::new(bundle, dataset, labels, compare)?;
    let input = bundle.input;
    let prepare_all = |photos: &[DatasetPhoto]| -> Vec<Result<PreparedPhoto, EngineError>> {
        let prepare =
            |photo: &DatasetPhoto| prepare_unshown(&PhotoSource::File(photo.path.clone()), input);
        photos.par_iter().map(prepare).collect()
    };
    let mut chunks = dataset.photos.chunks(BATCH);
    let mut photos = chunks.next().unwrap_or_default();
    let mut prepared = prepare_all(photos);
    let mut done = 0;
    while !photos.is_empty() {
        let next = chunks.next().unwrap_or_default();
        // Decoding the next photos shares the cores with looking at these.
        let (ahead, answered) =
            rayon::join(|| prepare_all(next), || run.prepared(photos, &prepared));
        answered?;
        done += photos.len();
        progress(done);
        (photos, prepared) = (next, ahead);
    }
    run.finish()
}

/// What [`predict_cached`] needs of a cache for the networks of `bundle`.
pub fn cache_content(bundle: &Bundle) -> Content {
    let mut networks = bundle.variants.iter().map(|trained| &trained.network);
    Content {
        raw: bundle.takes_raw_regions(),
        projected: networks.any(|network| !network.takes().raw_regions),
    }
}

/// [`predict_photos`] from features in `cache`, which has been filled with this data set's photos.
/// Photos that it does not have are left out without a word: the filling has named them.
///
/// # Errors
/// As [`predict_photos`]; a cache that cannot be read.
pub fn predict_cached(
    bundle: &Bundle,
    dataset: &Dataset,
    labels: &Tensor,
    cache: &FeatureCache,
    compare: bool,
    progress: &mut dyn FnMut(usize),
) -> Result<Predictions, EvalError> {
    let mut run = Run::new(bundle, dataset, labels, compare)?;
    let content = cache_content(bundle);
    let mut done = 0;
    for photos in dataset.photos.chunks(BATCH) {
        let (found, records): (Vec<&DatasetPhoto>, Vec<usize>) = photos
            .iter()
            .filter_map(|photo| Some((photo, cache.find(&photo.path)?)))
            .unzip();
        if !found.is_empty() {
            let global = cache.globals(&records)?.to_device(&bundle.device)?;
            let gather = |which| -> Result<RegionFeatures, EvalError> {
                let regions = cache.gather(&records, which, &vec![false; records.len()])?;
                Ok(RegionFeatures {
                    regions: regions.to_device(&bundle.device)?,
                    global: global.clone(),
                    covered: Covered::WHOLE,
                })
            };
            let raw = content.raw.then(|| gather(Which::Raw)).transpose()?;
            let heads = match (&raw, content.projected) {
                (Some(raw), false) => raw.clone(),
                _ => gather(Which::Projected)?,
            };
            let covered: Vec<_> = found.iter().map(|photo| covered(bundle, photo)).collect();
            run.features(&found, &covered, &PhotoFeatures { heads, raw })?;
        }
        done += photos.len();
        progress(done);
    }
    run.finish()
}

/// The part of a photo that the network saw, where boxes are to be met there; `None` where it can
/// no longer be told.
fn covered(bundle: &Bundle, photo: &DatasetPhoto) -> Option<Covered> {
    if photo.boxes.is_empty() || bundle.input.framing == Framing::Squash {
        return Some(Covered::WHOLE);
    }
    let opened = open_photo(&photo.path, PhotoLimits::default()).ok()?;
    let covered = bundle.input.covered(opened.width(), opened.height());
    Some(covered.into())
}

/// An evaluation under way.
struct Run<'a> {
    bundle: &'a Bundle,
    dataset: &'a Dataset,
    /// The labels as each network sees them.
    prepared: Vec<PreparedLabels>,
    predictions: Predictions,
    /// For each pair of networks, first the smaller place, where networks are compared.
    gathered: Option<Vec<([usize; 2], Gathered)>>,
}

impl<'a> Run<'a> {
    fn new(
        bundle: &'a Bundle,
        dataset: &'a Dataset,
        labels: &Tensor,
        compare: bool,
    ) -> Result<Self, EvalError> {
        let networks = bundle.variants.len();
        let pairs = (0..networks).flat_map(|b| (0..b).map(move |a| [a, b]));
        let count = labels.dim(0)?;
        if count == 0 || count != dataset.labels.len() {
            return Err(EvalError::NoLabels);
        }
        let variants = bundle.variants.iter().map(|trained| VariantPredictions {
            variant: trained.id,
            scores: Vec::with_capacity(dataset.photos.len() * count),
            pairs: Vec::new(),
        });
        Ok(Self {
            predictions: Predictions {
                labels: count,
                truth: Vec::with_capacity(dataset.photos.len() * count),
                variants: variants.collect(),
                ..Predictions::default()
            },
            gathered: compare.then(|| pairs.map(|pair| (pair, Gathered::default())).collect()),
            prepared: bundle
                .variants
                .iter()
                .map(|trained| trained.prepare_labels(labels))
                .collect::<Result<_, _>>()?,
            bundle,
            dataset,
        })
    }

    fn prepared(
        &mut self,
        photos: &[DatasetPhoto],
        prepared: &[Result<PreparedPhoto, EngineError>],
    ) -> Result<(), EvalError> {
        let mut read = Vec::with_capacity(photos.len());
        let (mut pixels, mut covered) = (Vec::new(), Vec::new());
        for (photo, prepared) in photos.iter().zip(prepared) {
            match prepared {
                Ok(prepared) => {
                    read.push(photo);
                    self.predictions.cautions.extend(prepared.photo.cautions());
                    pixels.extend_from_slice(&prepared.pixels);
                    covered.push(Some(prepared.covered));
                }
                Err(error) => self.predictions.unreadable.push(error.to_string()),
            }
        }
        if read.is_empty() {
            return Ok(());
        }
        let side = self.bundle.input_size() as usize;
        let shape = (read.len(), side, side, 3);
        let pixels = Tensor::from_vec(pixels, shape, &self.bundle.device)?;
        let features = self.bundle.photo_features(&pixels)?;
        self.features(&read, &covered, &features)
    }

    /// Predictions for photos with these features, in order, and where their grids lie.
    fn features(
        &mut self,
        photos: &[&DatasetPhoto],
        covered: &[Option<Covered>],
        features: &PhotoFeatures,
    ) -> Result<(), EvalError> {
        let labels = self.predictions.labels;
        let before = self.predictions.photos();
        let mut row = vec![0; labels];
        for photo in photos {
            photo.labels.fill(&mut row);
            self.predictions.truth.extend_from_slice(&row);
        }
        let mut kept: Vec<(Vec<f32>, Option<Maps>)> = Vec::new();
        let networks = self.bundle.variants.iter().zip(&self.prepared);
        for ((trained, prepared), predictions) in networks.zip(&mut self.predictions.variants) {
            let (scores, maps) = answer(trained, prepared, features)?;
            if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
                return Err(EvalError::NotANumber {
                    variant: predictions.variant,
                    photo: photos[place / labels].path.clone(),
                    label: self.dataset.labels[place % labels].clone(),
                });
            }
            predictions.scores.extend_from_slice(&scores);
            for (row, (photo, covered)) in photos.iter().zip(covered).enumerate() {
                if let (Some(maps), Some(covered)) = (&maps, covered) {
                    let pairs = maps.pairs([row, before + row], photo, *covered);
                    predictions.pairs.extend(pairs);
                }
            }
            if self.gathered.is_some() {
                kept.push((scores, maps));
            }
        }
        self.compare(&kept, photos.len());
        Ok(())
    }

    /// Holds the networks' answers for a few photos against each other.
    fn compare(&mut self, kept: &[(Vec<f32>, Option<Maps>)], photos: usize) {
        let (labels, k) = (self.predictions.labels, self.bundle.top_k());
        for ([first, second], gathered) in self.gathered.iter_mut().flatten() {
            for photo in 0..photos {
                let of = |network: usize| {
                    let (scores, maps) = kept.get(network)?;
                    let maps = maps.as_ref()?;
                    let each = labels * maps.regions();
                    Some(PhotoAnswer {
                        maps: maps.responses.get(photo * each..(photo + 1) * each)?,
                        scores: scores.get(photo * labels..(photo + 1) * labels)?,
                    })
                };
                if let (Some(one), Some(other)) = (of(*first), of(*second)) {
                    gathered.add(one, other, k);
                }
            }
        }
    }

    fn finish(mut self) -> Result<Predictions, EvalError> {
        match self.predictions.photos() {
            0 => Err(EvalError::NoPhotos),
            _ => {
                let variants = &self.predictions.variants;
                let agreements = self
                    .gathered
                    .iter()
                    .flatten()
                    .filter_map(|(pair, gathered)| {
                        Some(PairAgreement {
                            variants: pair.map(|place| variants[place].variant),
                            agreement: gathered.mean()?,
                        })
                    });
                self.predictions.agreements = agreements.collect();
                Ok(self.predictions)
            }
        }
    }
}

/// One network's response maps of a few photos.
struct Maps {
    /// `[N, L, h, w]`.
    responses: Vec<f32>,
    labels: usize,
    grid: (usize, usize),
}

/// One network's scores `[N, L]` and, where it has them, its maps.
fn answer(
    trained: &TrainedVariant,
    labels: &PreparedLabels,
    features: &PhotoFeatures,
) -> Result<(Vec<f32>, Option<Maps>), EvalError> {
    let network = &trained.network;
    let features = features.of(network.takes());
    let encoded = network.encode(features, &EncodeOptions::default())?;
    let responses = network.respond(&encoded, labels)?;
    let scores = responses.scores.flatten_all()?.to_vec1()?;
    let maps = match responses.maps {
        Some(maps) => Some(Maps {
            labels: maps.dim(1)?,
            responses: maps.flatten_all()?.to_vec1()?,
            grid: encoded.grid,
        }),
        None => None,
    };
    Ok((scores, maps))
}

impl Maps {
    fn regions(&self) -> usize {
        self.grid.0 * self.grid.1
    }

    /// How the maps of the photo in `row`, number `number` of all, meet the boxes it has.
    fn pairs<'a>(
        &'a self,
        [row, number]: [usize; 2],
        photo: &'a DatasetPhoto,
        covered: Covered,
    ) -> impl Iterator<Item = Pair> + 'a {
        let mut boxed: Vec<usize> = photo.boxes.iter().map(|b| b.label as usize).collect();
        boxed.sort_unstable();
        boxed.dedup();
        boxed.into_iter().filter_map(move |label| {
            let boxes: Vec<Rectangle> = photo
                .boxes
                .iter()
                .filter(|b| b.label as usize == label)
                .map(|b| [b.x0, b.y0, b.x1, b.y1])
                .collect();
            let regions = self.regions();
            let start = (row * self.labels + label) * regions;
            let map = self.responses.get(start..start + regions)?;
            let located = locate(map, self.grid, covered, &boxes)?;
            Some(Pair {
                photo: number,
                label,
                located,
            })
        })
    }
}
