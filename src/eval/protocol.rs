//! What is measured: the label sets of zero-shot, generalised zero-shot and standard classification.

use serde::Serialize;

use super::average_precision::{MeanAveragePrecision, average_precisions};
use super::split::LabelSets;
use super::{F1, Judged, TopK};

/// Which tasks an evaluation has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Ranking of the unseen labels only
    Zsl,
    /// Ranking of seen and unseen labels together
    Gzsl,
    /// Ordinary multi-label classification: ranking of the labels that were trained
    Standard,
    /// All of them
    #[default]
    All,
}

/// A label set that is ranked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Zero-shot: the unseen labels.
    Zsl,
    /// Zero-shot of the labels that have no near-twin among the seen ones.
    ZslApart,
    /// Generalised zero-shot: seen and unseen labels.
    Gzsl,
    /// Standard multi-label classification: the seen labels.
    Seen,
}

impl Protocol {
    /// The tasks, in the order they are told.
    pub fn tasks(self) -> &'static [Task] {
        match self {
            Self::Zsl => &[Task::Zsl, Task::ZslApart],
            Self::Gzsl => &[Task::Gzsl],
            Self::Standard => &[Task::Seen],
            Self::All => &[Task::Zsl, Task::ZslApart, Task::Gzsl, Task::Seen],
        }
    }
}

impl Task {
    /// Places of the labels that the task ranks.
    pub fn labels(self, sets: &LabelSets) -> Vec<usize> {
        match self {
            Self::Zsl => sets.unseen.clone(),
            Self::ZslApart => sets.apart(),
            Self::Gzsl => sets.all(),
            Self::Seen => sets.seen.clone(),
        }
    }
}

/// One network's measures in one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskMeasures {
    /// Over all photos, as LESA and BiAM evaluate NUS-WIDE.
    pub all_photos: Measures,
    /// Over the photos that have a label of the task, as on Open Images.
    pub photos_with_a_positive: Measures,
}

/// mAP and F1 over some photos.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    pub photos: usize,
    /// `None` where no label has a positive.
    pub map: Option<MeanAveragePrecision>,
    pub top: Vec<AtK>,
}

/// F1 of the K best labels of each photo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtK {
    pub k: usize,
    /// All predictions together: F1@K, also called OF1.
    pub overall: Option<F1>,
    /// Means over labels: CP, CR, CF1.
    pub per_class: Option<F1>,
}

impl TaskMeasures {
    /// Measures the ranking of `labels` with `ks` best labels each.
    pub fn new(judged: Judged, labels: &[usize], ks: &[usize]) -> Self {
        let all: Vec<usize> = (0..judged.photos()).collect();
        let measure = |photos: &[usize]| Measures {
            photos: photos.len(),
            map: MeanAveragePrecision::of(&average_precisions(judged, photos, labels)),
            top: ks
                .iter()
                .map(|&k| {
                    let top = TopK::new(judged, photos, labels, k);
                    AtK {
                        k,
                        overall: top.overall(),
                        per_class: top.per_class(),
                    }
                })
                .collect(),
        };
        Self {
            all_photos: measure(&all),
            photos_with_a_positive: measure(&judged.with_a_positive(labels)),
        }
    }
}
