//! What is asked of the engine and what it answers: plain data, no tensor, no lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::inside::{PhotoInside, RegionLooks};
use super::occlusion::{Covering, Occluded};
use super::scene::OtherScene;
use crate::backbone::Covered;
use crate::files::{path_text, shown};
use crate::image_io::PhotoFact;
use crate::model::VariantId;
use crate::model::pooling::{top_k_mean, top_regions};
use crate::semantics::LabelStatus;

/// Where a photo comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PhotoSource {
    /// A file on disk.
    File(PathBuf),
    /// A sample inside the program, by the name in [`crate::engine::samples`].
    Sample(&'static str),
}

impl PhotoSource {
    /// The name people read: the file's name or the sample's.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path_text(Path::new(path.file_name().unwrap_or(path.as_os_str()))),
            Self::Sample(name) => (*name).to_owned(),
        }
    }

    /// The file's path; samples have none.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Sample(_) => None,
        }
    }
}

/// A decoded photo, ready to be painted.
#[derive(Debug)]
pub struct ShownPhoto {
    pub source: PhotoSource,
    /// Width and height of the photo in pixels, upright.
    pub size: [usize; 2],
    /// RGB, scaled down (never up) so that the longer side is at most [`ShownPhoto::LONGEST_SHOWN`].
    pub shown: image::RgbImage,
    /// What the camera wrote down.
    pub facts: Vec<PhotoFact>,
    /// The labels that a list beside the photo gives it.
    pub true_labels: Option<TrueLabels>,
}

/// Labels that somebody gave a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueLabels {
    pub labels: Vec<String>,
    /// The list they are from.
    pub list: PathBuf,
}

impl ShownPhoto {
    /// Longest side in pixels of a photo as it is kept for painting.
    pub const LONGEST_SHOWN: u32 = 2048;

    /// Width over height of the whole photo.
    pub fn aspect(&self) -> f32 {
        self.size[0] as f32 / self.size[1].max(1) as f32
    }

    /// One line for each thing that the photo's file asks for and did not get, such as its colour
    /// profile.
    pub fn cautions(&self) -> Vec<String> {
        let name = match self.source.path() {
            Some(path) => shown(path).to_string(),
            None => self.source.name(),
        };
        let cautions = self.facts.iter().filter_map(PhotoFact::caution);
        cautions
            .map(|caution| format!("{name}: {caution}"))
            .collect()
    }
}

/// Rows and columns of regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    /// Number of regions.
    pub fn regions(self) -> usize {
        self.rows * self.columns
    }
}

/// One label's responses over the bundle's ordinary regions, for one variant.
///
/// They give any response a meaning of its own: how far it stands above what is usual.
#[derive(Debug)]
pub struct OrdinaryResponses {
    mean: f32,
    deviation: f32,
    sorted: Box<[f32]>,
}

impl OrdinaryResponses {
    /// From the responses of all ordinary regions, in any order. `None` when there are fewer than
    /// two or they do not vary, since no standard score exists then.
    pub fn new(mut responses: Vec<f32>) -> Option<Self> {
        responses.sort_unstable_by(f32::total_cmp);
        let count = responses.len() as f64;
        let mean = responses.iter().map(|&m| f64::from(m)).sum::<f64>() / count;
        let variance = responses
            .iter()
            .map(|&m| (f64::from(m) - mean).powi(2))
            .sum::<f64>()
            / count;
        let deviation = variance.sqrt();
        (responses.len() > 1 && deviation.is_finite() && deviation > 0.0).then(|| Self {
            mean: mean as f32,
            deviation: deviation as f32,
            sorted: responses.into_boxed_slice(),
        })
    }

    /// The standard score of a response: (m - mean) / standard deviation, "σ above ordinary".
    pub fn sigma(&self, response: f32) -> f32 {
        (response - self.mean) / self.deviation
    }

    /// The mean over ordinary regions.
    pub fn mean(&self) -> f32 {
        self.mean
    }

    /// The standard deviation over ordinary regions: what one σ is.
    pub fn deviation(&self) -> f32 {
        self.deviation
    }

    /// The responses of all ordinary regions, lowest first.
    pub fn sorted(&self) -> &[f32] {
        &self.sorted
    }

    /// The response whose standard score is `sigma`.
    pub fn response_at(&self, sigma: f32) -> f32 {
        self.mean + sigma * self.deviation
    }

    /// The fraction of ordinary regions that respond less, 0 to 1.
    pub fn rank(&self, response: f32) -> f32 {
        self.sorted.partition_point(|&m| m < response) as f32 / self.sorted.len() as f32
    }
}

/// One label's response map in one variant.
#[derive(Clone, Debug)]
pub struct ResponseMap {
    /// Raw responses m (Eq. 1), row by row, `grid.regions()` of them.
    pub responses: Arc<[f32]>,
    /// The label's score, where it is not that of the map's largest responses: no k changes it.
    pub own_score: Option<f32>,
    /// The label's responses over ordinary regions; `None` when the bundle has none.
    pub ordinary: Option<Arc<OrdinaryResponses>>,
}

impl ResponseMap {
    /// Standard score of every region, where ordinary regions are known.
    pub fn sigmas(&self) -> Option<Vec<f32>> {
        let ordinary = self.ordinary.as_ref()?;
        Some(self.responses.iter().map(|&m| ordinary.sigma(m)).collect())
    }

    /// The largest response.
    pub fn largest(&self) -> f32 {
        self.responses
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max)
    }

    /// The label's score: the mean of the `k` largest responses, or the network's own.
    pub fn score(&self, k: usize) -> f32 {
        match self.own_score {
            Some(score) => score,
            None => top_k_mean(&self.responses, k),
        }
    }

    /// The regions that the score is the mean of, largest response first; none where it is no such
    /// mean.
    pub fn pooled_regions(&self, k: usize) -> Vec<usize> {
        match self.own_score {
            Some(_) => Vec::new(),
            None => top_regions(&self.responses, k),
        }
    }
}

/// What is known of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelFacts {
    pub text: String,
    pub status: LabelStatus,
    /// The seen labels nearest in meaning with their cosines, nearest first.
    pub nearest: Vec<(String, f32)>,
    /// What of the label its vector is made without, and why, in one line.
    pub left_out: Option<String>,
}

/// A label that the bundle's label encoder has no vector for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLabel {
    pub label: String,
    /// Why, and what might be typed instead, in one line.
    pub reason: String,
}

/// How long one stage took.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTime {
    /// Stage names are those of `bench`: `decode`, `resize`, `backbone`, `text`, `encode.biam`, …
    pub stage: String,
    pub milliseconds: f64,
    /// Whether the result came from a cache, so that the time says nothing of the work.
    pub cached: bool,
}

/// Scores of many labels for one photo.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The bundle's labels, then the typed ones that are not among them.
    pub labels: Arc<[(String, LabelStatus)]>,
    /// `scores[variant][label]`, in the order of [`Comparison::variants`] and of `labels`.
    pub scores: Vec<Vec<f32>>,
    /// `pooled[variant]`: whether its scores are those of the maps' largest responses, so that another
    /// k gives others.
    pub pooled: Vec<bool>,
    /// `responses[variant]`: raw responses, region by region, each with all of `labels`
    /// (`[regions, labels]`), so that one region's labels or another k need no network.
    pub responses: Vec<Arc<[f32]>>,
}

impl Ranking {
    /// One region's raw responses to all of `labels` in a variant, by their places.
    pub fn region(&self, variant: usize, region: usize) -> Option<&[f32]> {
        let count = self.labels.len();
        self.responses
            .get(variant)?
            .get(region * count..(region + 1) * count)
    }

    /// Scores of all labels in a variant when the `k` largest responses are pooled; the network's own
    /// where it does not pool.
    pub fn scores_at(&self, variant: usize, k: usize) -> Vec<f32> {
        if self.pooled.get(variant) == Some(&false) {
            return self.scores.get(variant).cloned().unwrap_or_default();
        }
        let count = self.labels.len();
        let Some(responses) = self.responses.get(variant).filter(|_| count > 0) else {
            return Vec::new();
        };
        let mut map = Vec::with_capacity(responses.len() / count);
        (0..count)
            .map(|label| {
                map.clear();
                map.extend(responses.iter().skip(label).step_by(count));
                top_k_mean(&map, k)
            })
            .collect()
    }
}

/// The answer to [`Request::Compare`]: response maps of one photo, labels by variants.
#[derive(Debug)]
pub struct Comparison {
    pub photo: Arc<ShownPhoto>,
    pub grid: Grid,
    /// Where the grid lies in the photo.
    pub covered: Covered,
    /// The k the bundle's networks were trained with.
    pub trained_k: usize,
    pub labels: Vec<LabelFacts>,
    /// Labels that were asked for and have no vector; they are not among `labels`.
    pub refused: Vec<RefusedLabel>,
    pub variants: Vec<VariantId>,
    /// `maps[variant][label]`.
    pub maps: Vec<Vec<ResponseMap>>,
    /// Scores of all the bundle's labels, with the trained k, when they were asked for.
    pub ranking: Option<Ranking>,
    pub times: Vec<StageTime>,
    /// The device in words: `CPU, 2 threads` or `CUDA 0 (NVIDIA …)`.
    pub device: String,
}

/// What the loaded bundle offers, for lists and captions.
#[derive(Clone, Debug)]
pub struct BundleFacts {
    pub name: String,
    pub folder: PathBuf,
    pub variants: Vec<VariantId>,
    /// Every label of the bundle with seen or unseen, in the bundle's order.
    pub labels: Arc<[(String, LabelStatus)]>,
    pub trained_k: usize,
    pub has_ordinary_regions: bool,
    pub device: String,
    /// Why the CPU is used although a GPU was asked for or might have been expected.
    pub device_note: Option<String>,
}

/// What the window may ask for. A newer request of a kind replaces an older one not yet answered.
#[derive(Clone, Debug)]
pub enum Request {
    /// Maps of `labels` in `variants` on `photo`.
    Compare {
        photo: PhotoSource,
        labels: Vec<String>,
        variants: Vec<VariantId>,
        /// Also score every label of the bundle.
        ranking: bool,
    },
    /// A small picture for the photo list, at most `side` pixels wide and high. These queue; they
    /// do not replace one another.
    Thumbnail { photo: PhotoSource, side: u32 },
    /// Photos that will perhaps be asked for next: computed while nothing else is, and not answered.
    Ahead {
        photos: Vec<PhotoSource>,
        labels: Vec<String>,
        variants: Vec<VariantId>,
    },
    /// What happens inside `variants` on `photo` for `labels`.
    LookInside {
        photo: PhotoSource,
        labels: Vec<String>,
        variants: Vec<VariantId>,
    },
    /// Where a region of `photo` looks in `variants`, and who looks at it.
    Attend {
        photo: PhotoSource,
        region: usize,
        variants: Vec<VariantId>,
    },
    /// Gates and maps of `photo` with the global feature of `scene` in the place of its own.
    OtherScene {
        photo: PhotoSource,
        scene: PhotoSource,
        labels: Vec<String>,
        variants: Vec<VariantId>,
    },
    /// Scores with a part of a photo covered.
    Occlude(Covering),
    /// Move to another device and answer the last comparison again.
    Device(super::DeviceChoice),
    /// Drop what is being computed.
    Cancel,
}

/// Something under way.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkProgress {
    /// What is happening, in words: `Opening photo.jpg`.
    pub doing: String,
    /// 0 to 1 where it is known.
    pub fraction: Option<f32>,
}

/// Something that did not work, in one line that says what and the way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub message: String,
    /// The photo it happened with, if one.
    pub photo: Option<PhotoSource>,
    /// Nothing more can be computed (no bundle).
    pub fatal: bool,
}

/// What the engine answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Bundle(Arc<BundleFacts>),
    /// The photo is decoded; its maps follow.
    Photo(Arc<ShownPhoto>),
    Comparison(Arc<Comparison>),
    Inside(Arc<PhotoInside>),
    Looks(Arc<RegionLooks>),
    Scene(Arc<OtherScene>),
    Occluded(Arc<Occluded>),
    Thumbnail {
        photo: PhotoSource,
        picture: Arc<image::RgbImage>,
    },
    /// `None`: nothing is under way any more.
    Progress(Option<WorkProgress>),
    Failure(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_scores_and_ranks_follow_their_definitions() {
        let ordinary = OrdinaryResponses::new(vec![3.0, 1.0, 1.0, 3.0]).expect("they vary");
        assert_eq!(ordinary.sigma(4.0), 2.0);
        assert_eq!(ordinary.response_at(2.0), 4.0);
        assert_eq!(ordinary.rank(2.0), 0.5);
        assert_eq!(ordinary.rank(9.0), 1.0);
        assert_eq!(ordinary.rank(1.0), 0.0);
    }

    #[test]
    fn a_ranking_can_be_read_by_region_and_pooled_with_another_k() {
        let status = LabelStatus::Seen;
        let ranking = Ranking {
            labels: [("a".to_owned(), status), ("b".to_owned(), status)].into(),
            scores: vec![vec![3.0, 6.0]],
            pooled: vec![true],
            responses: vec![[1.0, 2.0, 3.0, 4.0, 2.0, 6.0].into()],
        };
        assert_eq!(ranking.region(0, 1), Some(&[3.0, 4.0][..]));
        assert_eq!(ranking.region(0, 3), None);
        assert_eq!(ranking.region(1, 0), None);
        assert_eq!(ranking.scores_at(0, 1), ranking.scores[0]);
        assert_eq!(ranking.scores_at(0, 3), [2.0, 4.0]);
    }

    #[test]
    fn no_k_changes_the_score_of_a_network_that_does_not_pool() {
        let map = |own_score| ResponseMap {
            responses: [1.0, 5.0, 3.0].into(),
            own_score,
            ordinary: None,
        };
        assert_eq!((map(None).score(1), map(None).score(2)), (5.0, 4.0));
        assert_eq!(
            (map(Some(9.0)).score(1), map(Some(9.0)).score(2)),
            (9.0, 9.0)
        );
        assert_eq!(map(None).pooled_regions(2), [1, 2]);
        assert!(map(Some(9.0)).pooled_regions(2).is_empty());
        let ranking = Ranking {
            labels: [("a".to_owned(), LabelStatus::Seen)].into(),
            scores: vec![vec![9.0]],
            pooled: vec![false],
            responses: vec![[1.0, 5.0, 3.0].into()],
        };
        assert_eq!(ranking.scores_at(0, 2), [9.0]);
    }

    #[test]
    fn responses_that_do_not_vary_have_no_standard_score() {
        assert!(OrdinaryResponses::new(vec![1.0; 8]).is_none());
        assert!(OrdinaryResponses::new(vec![]).is_none());
        assert!(OrdinaryResponses::new(vec![f32::NAN, 1.0]).is_none());
    }
}
