//! Everything that an evaluation found, for tables and JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::agreement::PairAgreement;
use super::average_precision::{MeanAveragePrecision, average_precisions};
use super::bootstrap::PairDifferences;
use super::cost::Cost;
use super::localisation::{Localisation, Located};
use super::predictions::{Pair, Predictions, VariantPredictions};
use super::protocol::{Task, TaskMeasures};
use super::split::{LabelSets, NEAR_TWIN};
use crate::model::VariantId;

/// An evaluation of a bundle's networks on a data set.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub bundle: String,
    pub data: String,
    pub photos: usize,
    /// Photos that could not be read and are in no number.
    pub unreadable: usize,
    pub labels: usize,
    pub seen: usize,
    pub unseen: usize,
    /// Unseen labels without a seen label as near as [`Report::near_twin_cosine`].
    pub unseen_apart: usize,
    pub near_twin_cosine: f32,
    /// k of the score: the mean of the k largest responses.
    pub top_k: usize,
    pub variants: Vec<VariantReport>,
    /// Networks held against each other, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// Every pair of networks.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub agreements: Vec<PairAgreement>,
    pub differences: Vec<PairDifferences>,
}

/// One network's results.
#[derive(Clone, Debug, Serialize)]
pub struct VariantReport {
    pub variant: VariantId,
    pub tasks: Vec<TaskReport>,
    /// Where photos have boxes.
    pub localisation: Option<LocalisationReport>,
    /// Where it was asked for.
    pub cost: Option<Cost>,
    #[serde(skip)]
    pub per_label: Vec<LabelReport>,
}

/// One network's results in one task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskReport {
    pub task: Task,
    /// How many labels it ranks.
    pub labels: usize,
    #[serde(flatten)]
    pub measures: TaskMeasures,
}

/// Pointing game and energy in box on the labels that have boxes.
#[derive(Clone, Debug, Serialize)]
pub struct LocalisationReport {
    pub all: BoxedLabels,
    /// On the unseen ones among them.
    pub unseen: Option<BoxedLabels>,
}

/// Localisation of some labels, and the mean average precision of the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BoxedLabels {
    pub labels: usize,
    /// Pairs of a photo and a label.
    pub pairs: usize,
    pub map: Option<MeanAveragePrecision>,
    pub over_labels: Localisation,
    pub over_pairs: Localisation,
}

/// One network's results for one label.
#[derive(Clone, Debug)]
pub struct LabelReport {
    /// Place among the data set's labels.
    pub label: usize,
    /// Photos with truth 1, -1 and 0.
    pub positives: usize,
    pub negatives: usize,
    pub unknown: usize,
    /// Over all photos.
    pub average_precision: Option<f64>,
    /// Photos in which the label has boxes.
    pub box_pairs: usize,
    pub localisation: Option<Localisation>,
}

impl VariantReport {
    /// Measures one network's predictions. `None` when they have no label.
    pub fn new(
        predictions: &Predictions,
        variant: &VariantPredictions,
        sets: &LabelSets,
        tasks: &[Task],
        ks: &[usize],
    ) -> Option<Self> {
        let judged = predictions.judged(variant)?;
        let photos: Vec<usize> = (0..judged.photos()).collect();
        let labels: Vec<usize> = (0..predictions.labels).collect();
        let precisions = average_precisions(judged, &photos, &labels);
        let tasks = tasks.iter().filter_map(|&task| {
            let labels = task.labels(sets);
            (!labels.is_empty()).then(|| TaskReport {
                task,
                labels: labels.len(),
                measures: TaskMeasures::new(judged, &labels, ks),
            })
        });
        Some(Self {
            variant: variant.variant,
            tasks: tasks.collect(),
            localisation: LocalisationReport::new(&variant.pairs, &precisions, sets),
            cost: None,
            per_label: per_label(predictions, variant, &precisions),
        })
    }

    /// The results in one task.
    pub fn task(&self, task: Task) -> Option<&TaskReport> {
        self.tasks.iter().find(|report| report.task == task)
    }
}

impl Report {
    /// The counts that every network shares, without results yet.
    pub fn new(
        bundle: &str,
        data: &str,
        top_k: usize,
        predictions: &Predictions,
        sets: &LabelSets,
    ) -> Self {
        Self {
            bundle: bundle.to_owned(),
            data: data.to_owned(),
            photos: predictions.photos(),
            unreadable: predictions.unreadable.len(),
            labels: predictions.labels,
            seen: sets.seen.len(),
            unseen: sets.unseen.len(),
            unseen_apart: sets.apart().len(),
            near_twin_cosine: NEAR_TWIN,
            top_k,
            variants: Vec::new(),
            comparison: None,
        }
    }
}

impl LocalisationReport {
    fn new(pairs: &[Pair], precisions: &[Option<f64>], sets: &LabelSets) -> Option<Self> {
        let is_unseen = |pair: &&Pair| sets.unseen.binary_search(&pair.label).is_ok();
        let all: Vec<&Pair> = pairs.iter().collect();
        let unseen: Vec<&Pair> = pairs.iter().filter(is_unseen).collect();
        Some(Self {
            all: BoxedLabels::new(&all, precisions)?,
            unseen: BoxedLabels::new(&unseen, precisions),
        })
    }
}

impl BoxedLabels {
    /// `None` without a pair.
    fn new(pairs: &[&Pair], precisions: &[Option<f64>]) -> Option<Self> {
        let mut by_label: BTreeMap<usize, Vec<&Located>> = BTreeMap::new();
        for pair in pairs {
            by_label.entry(pair.label).or_default().push(&pair.located);
        }
        let of_labels: Vec<_> = by_label.keys().map(|&label| precisions[label]).collect();
        let means = by_label
            .values()
            .filter_map(|located| Localisation::over_pairs(located.iter().copied()));
        Some(Self {
            labels: by_label.len(),
            pairs: pairs.len(),
            map: MeanAveragePrecision::of(&of_labels),
            over_labels: Localisation::over_labels(means)?,
            over_pairs: Localisation::over_pairs(pairs.iter().map(|pair| &pair.located))?,
        })
    }
}

fn per_label(
    predictions: &Predictions,
    variant: &VariantPredictions,
    precisions: &[Option<f64>],
) -> Vec<LabelReport> {
    let mut located: Vec<Vec<&Located>> = vec![Vec::new(); precisions.len()];
    for pair in &variant.pairs {
        located[pair.label].push(&pair.located);
    }
    let mut reports: Vec<LabelReport> = precisions
        .iter()
        .zip(located)
        .enumerate()
        .map(|(label, (&average_precision, located))| LabelReport {
            label,
            positives: 0,
            negatives: 0,
            unknown: 0,
            average_precision,
            box_pairs: located.len(),
            localisation: Localisation::over_pairs(located),
        })
        .collect();
    for row in predictions.truth.chunks_exact(predictions.labels.max(1)) {
        for (report, truth) in reports.iter_mut().zip(row) {
            match truth {
                1 => report.positives += 1,
                -1 => report.negatives += 1,
                _ => report.unknown += 1,
            }
        }
    }
    reports
}
