//! Average precision of a label, and its mean over labels in both conventions.

use rayon::prelude::*;
use serde::Serialize;

use super::Judged;

/// Average precision of one label: photos with truth 0 are left out, the others sorted by score;
/// AP = mean over the positives of the precision at their rank. `None` without a positive.
///
/// Photos of equal score stand at one rank, the last of them all, so that the order in which they
/// come does not matter. This is scikit-learn's `average_precision_score`, ties included; the
/// authors' code leaves the order of ties to its sort. Scores must be numbers.
pub fn average_precision(judged: impl IntoIterator<Item = (f32, i8)>) -> Option<f64> {
    let mut rows: Vec<(f32, bool)> = judged
        .into_iter()
        .filter(|&(_, truth)| truth != 0)
        .map(|(score, truth)| (score, truth > 0))
        .collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut rank, mut found, mut sum) = (0, 0, 0.0);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let positives = tied.iter().filter(|(_, positive)| *positive).count();
        rank += tied.len();
        found += positives;
        sum += positives as f64 * found as f64 / rank as f64;
    }
    (found > 0).then(|| sum / found as f64)
}

/// [`average_precision`] of each of `labels` over `photos`.
pub fn average_precisions(judged: Judged, photos: &[usize], labels: &[usize]) -> Vec<Option<f64>> {
    labels
        .par_iter()
        .map(|&label| {
            average_precision(
                photos
                    .iter()
                    .map(|&photo| (judged.scores(photo)[label], judged.truth(photo)[label])),
            )
        })
        .collect()
}

/// The mean over labels of their average precision (mAP).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanAveragePrecision {
    /// Over the labels that have a positive.
    pub mean: f64,
    /// Over all labels; one without a positive counts as 0 (the authors' convention).
    pub empty_as_zero: f64,
    /// How many labels have a positive.
    pub labels_with_positives: usize,
}

impl MeanAveragePrecision {
    /// `None` when no label has a positive.
    pub fn of(precisions: &[Option<f64>]) -> Option<Self> {
        let labels_with_positives = precisions.iter().flatten().count();
        let sum: f64 = precisions.iter().flatten().sum();
        (labels_with_positives > 0).then(|| Self {
            mean: sum / labels_with_positives as f64,
            empty_as_zero: sum / precisions.len() as f64,
            labels_with_positives,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ap(scores: &[f32], truth: &[i8]) -> Option<f64> {
        average_precision(scores.iter().copied().zip(truth.iter().copied()))
    }

    #[test]
    fn precision_is_averaged_over_the_positives() {
        let scores = [0.1, 0.9, 0.5, 0.4];
        assert_eq!(ap(&scores, &[1, 1, -1, -1]), Some((1.0 + 0.5) / 2.0));
        assert_eq!(ap(&scores, &[1, 1, 0, 0]), Some(1.0));
        assert_eq!(ap(&scores, &[-1, 0, -1, -1]), None);
        assert_eq!(ap(&[], &[]), None);
    }

    #[test]
    fn ties_do_not_depend_on_the_order_of_photos() {
        assert_eq!(ap(&[0.5, 0.5, 0.1], &[1, -1, -1]), Some(0.5));
        assert_eq!(ap(&[0.5, 0.5, 0.1], &[-1, 1, -1]), Some(0.5));
        assert_eq!(ap(&[0.0, -0.0], &[1, -1]), Some(0.5));
    }

    #[test]
    fn both_conventions_for_labels_without_a_positive() {
        let mean = MeanAveragePrecision::of(&[Some(0.5), None, Some(1.0), None]);
        let expected = MeanAveragePrecision {
            mean: 0.75,
            empty_as_zero: 0.375,
            labels_with_positives: 2,
        };
        assert_eq!(mean, Some(expected));
        assert_eq!(MeanAveragePrecision::of(&[None]), None);
    }
}
