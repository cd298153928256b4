//! How far a difference between two networks can be trusted: intervals over resampled photos.
//!
//! A resample draws as many photos as there are, with replacement (Efron's bootstrap); both networks
//! are measured on the same draw. The interval holds 95 % of the differences.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rayon::prelude::*;
use serde::Serialize;

use super::predictions::{Predictions, VariantPredictions};
use super::protocol::Task;
use super::split::LabelSets;
use crate::model::VariantId;

/// Resamples.
const DRAWS: usize = 200;
/// The part of the differences on either side of the interval.
const TAIL: f64 = 0.025;

/// A difference, second network less first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub value: f64,
    /// 95 % of the resampled differences lie within.
    pub interval: [f64; 2],
}

impl Difference {
    /// Whether the interval leaves 0 out.
    pub fn is_clear(&self) -> bool {
        self.interval[0] > 0.0 || self.interval[1] < 0.0
    }
}

/// Differences between two networks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairDifferences {
    pub variants: [VariantId; 2],
    /// Of the mean average precision in each task that has a label with a positive.
    pub map: Vec<(Task, Difference)>,
    /// Of the pointing game over pairs of a photo and a label, where photos have boxes.
    pub pointing: Option<Difference>,
}

/// One label's photos from the best score to the worst: place, whether the label is there.
type Ranking = Vec<Vec<(u32, bool)>>;

/// Differences of every pair of networks.
pub fn differences(
    predictions: &Predictions,
    sets: &LabelSets,
    tasks: &[Task],
) -> Vec<PairDifferences> {
    let photos = predictions.photos();
    let mut random = StdRng::seed_from_u64(0);
    let draws: Vec<Vec<u16>> = std::iter::once(vec![1; photos])
        .chain((0..DRAWS).map(|_| {
            let mut counts = vec![0; photos];
            for _ in 0..photos {
                counts[random.random_range(0..photos)] += 1;
            }
            counts
        }))
        .collect();
    let measured: Vec<Vec<Measured>> = predictions
        .variants
        .iter()
        .map(|variant| measure(predictions, variant, sets, tasks, &draws))
        .collect();
    let mut found = Vec::new();
    for (second, variant) in predictions.variants.iter().enumerate() {
        for first in 0..second {
            let pair = [&measured[first], &measured[second]];
            let of = |value: &dyn Fn(&Measured) -> Option<f64>| difference(pair, value);
            let map = tasks.iter().enumerate();
            let map = map.filter_map(|(place, &task)| Some((task, of(&|m| m.map[place])?)));
            found.push(PairDifferences {
                variants: [predictions.variants[first].variant, variant.variant],
                map: map.collect(),
                pointing: of(&|m| m.pointing),
            });
        }
    }
    found
}

/// One network on one draw.
struct Measured {
    /// For each task.
    map: Vec<Option<f64>>,
    pointing: Option<f64>,
}

fn measure(
    predictions: &Predictions,
    variant: &VariantPredictions,
    sets: &LabelSets,
    tasks: &[Task],
    draws: &[Vec<u16>],
) -> Vec<Measured> {
    let rankings: Ranking = (0..predictions.labels)
        .into_par_iter()
        .map(|label| ranking(predictions, variant, label))
        .collect();
    let labels: Vec<Vec<usize>> = tasks.iter().map(|task| task.labels(sets)).collect();
    draws
        .par_iter()
        .map(|counts| {
            let precisions: Vec<Option<f64>> = rankings
                .iter()
                .map(|ranking| precision(ranking, counts))
                .collect();
            let of_task =
                |labels: &Vec<usize>| mean(labels.iter().filter_map(|&label| precisions[label]));
            Measured {
                map: labels.iter().map(of_task).collect(),
                pointing: pointing(variant, counts),
            }
        })
        .collect()
}

fn ranking(
    predictions: &Predictions,
    variant: &VariantPredictions,
    label: usize,
) -> Vec<(u32, bool)> {
    let all = predictions.labels;
    let mut rows: Vec<(f32, u32, bool)> = (0..predictions.photos())
        .filter_map(|photo| {
            let place = photo * all + label;
            let truth = predictions.truth[place];
            (truth != 0).then(|| (variant.scores[place], photo as u32, truth > 0))
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    rows.into_iter().map(|(_, photo, is)| (photo, is)).collect()
}

/// Average precision where each photo counts as often as it was drawn. `None` without a positive.
fn precision(ranking: &[(u32, bool)], counts: &[u16]) -> Option<f64> {
    let (mut rank, mut found, mut sum) = (0.0, 0.0, 0.0);
    for &(photo, is_positive) in ranking {
        let times = f64::from(counts[photo as usize]);
        rank += times;
        if is_positive {
            found += times;
            if times > 0.0 {
                sum += times * found / rank;
            }
        }
    }
    (found > 0.0).then(|| sum / found)
}

fn pointing(variant: &VariantPredictions, counts: &[u16]) -> Option<f64> {
    let (mut all, mut hit) = (0.0, 0.0);
    for pair in &variant.pairs {
        let times = f64::from(counts[pair.photo]);
        all += times;
        hit += times * f64::from(u8::from(pair.located.pointed));
    }
    (all > 0.0).then(|| hit / all)
}

/// The first draw is the photos as they are.
fn difference(
    [first, second]: [&Vec<Measured>; 2],
    value: &dyn Fn(&Measured) -> Option<f64>,
) -> Option<Difference> {
    let mut all = first
        .iter()
        .zip(second)
        .map(|(first, second)| Some(value(second)? - value(first)?));
    let own = all.next()??;
    let mut drawn: Vec<f64> = all.flatten().collect();
    drawn.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = (part * (drawn.len().saturating_sub(1)) as f64).round();
        drawn.get(place as usize).copied().unwrap_or(own)
    };
    Some(Difference {
        value: own,
        interval: [at(TAIL), at(1.0 - TAIL)],
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::average_precision;

    fn variant(name: VariantId, scores: Vec<f32>) -> VariantPredictions {
        VariantPredictions {
            variant: name,
            scores,
            pairs: Vec::new(),
        }
    }

    #[test]
    fn drawn_once_each_the_precision_is_the_usual_one() {
        let scores = [0.1f32, 0.9, 0.5, 0.4];
        let truth = [1i8, 1, -1, 0];
        let predictions = Predictions {
            labels: 1,
            truth: truth.to_vec(),
            variants: vec![variant(VariantId::RCB, scores.to_vec())],
            ..Predictions::default()
        };
        let ranking = ranking(&predictions, &predictions.variants[0], 0);
        let usual = average_precision(scores.into_iter().zip(truth));
        assert_eq!(precision(&ranking, &[1; 4]), usual);
        // A photo drawn twice counts twice, one not drawn not at all.
        assert_eq!(
            precision(&ranking, &[2, 0, 1, 0]),
            Some((2.0 * 2.0 / 3.0) / 2.0)
        );
        assert_eq!(precision(&ranking, &[0, 0, 5, 0]), None);
    }

    #[test]
    fn a_better_network_is_clearly_better_and_a_network_is_not_better_than_itself() {
        let photos = 60;
        let truth: Vec<i8> = (0..photos)
            .map(|p| if p % 3 == 0 { 1 } else { -1 })
            .collect();
        let good: Vec<f32> = truth.iter().map(|&t| f32::from(t)).collect();
        let bad: Vec<f32> = (0..photos).map(|p| ((p * 37) % 61) as f32).collect();
        let predictions = Predictions {
            labels: 1,
            truth,
            variants: vec![
                variant(VariantId::STANDARD, bad.clone()),
                variant(VariantId::RCB, bad),
                variant(VariantId::BIAM, good),
            ],
            ..Predictions::default()
        };
        let sets = LabelSets {
            seen: vec![0],
            ..LabelSets::default()
        };
        let found = differences(&predictions, &sets, &[Task::Seen]);
        assert_eq!(found.len(), 3);
        let of = |pair: usize| found[pair].map[0].1;
        assert_eq!((of(0).value, of(0).interval), (0.0, [0.0, 0.0]));
        assert!(!of(0).is_clear());
        assert!(of(1).value > 0.3 && of(1).is_clear(), "{:?}", of(1));
        assert_eq!(found[1].variants, [VariantId::STANDARD, VariantId::BIAM]);
        assert_eq!(found[1].pointing, None);
    }
}
