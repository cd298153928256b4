//! Precision, recall and F1 of each photo's K best labels.

use rayon::prelude::*;
use serde::Serialize;

use super::Judged;

/// Precision, recall and their harmonic mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct F1 {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

impl F1 {
    fn of(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        Self {
            precision,
            recall,
            f1: if sum > 0.0 {
                2.0 * precision * recall / sum
            } else {
                0.0
            },
        }
    }
}

/// What came of predicting every photo's K best labels.
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    /// For each label: how often predicted, how often rightly, how often there.
    counts: Vec<Counts>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    predicted: u64,
    right: u64,
    positive: u64,
}

impl TopK {
    /// Predicts for each of `photos` the `k` of `labels` with the largest scores; of equal scores
    /// the label that comes first in `labels`. A prediction is right where the truth is 1: on
    /// labels that are -1 or 0 it counts as false. Where there are fewer than `k` labels, all are
    /// predicted.
    pub fn new(judged: Judged, photos: &[usize], labels: &[usize], k: usize) -> Self {
        let none = || vec![Counts::default(); labels.len()];
        let counts = photos
            .par_iter()
            .fold(none, |mut counts, &photo| {
                let (scores, truth) = (judged.scores(photo), judged.truth(photo));
                for (count, &label) in counts.iter_mut().zip(labels) {
                    count.positive += u64::from(truth[label] == 1);
                }
                for place in best(scores, labels, k) {
                    counts[place].predicted += 1;
                    counts[place].right += u64::from(truth[labels[place]] == 1);
                }
                counts
            })
            .reduce(none, |mut a, b| {
                for (a, b) in a.iter_mut().zip(b) {
                    a.predicted += b.predicted;
                    a.right += b.right;
                    a.positive += b.positive;
                }
                a
            });
        Self { counts }
    }

    /// Over all predictions together (F1@K, OF1): P = TP / (K·N), R = TP / positives. `None`
    /// without a positive.
    pub fn overall(&self) -> Option<F1> {
        let sum = |of: fn(&Counts) -> u64| self.counts.iter().map(of).sum::<u64>() as f64;
        let (predicted, right) = (sum(|c| c.predicted), sum(|c| c.right));
        let positive = sum(|c| c.positive);
        let any = predicted > 0.0 && positive > 0.0;
        any.then(|| F1::of(right / predicted, right / positive))
    }

    /// Precision and recall of each label, averaged over the labels that have a positive (CP, CR),
    /// and the harmonic mean of the two averages (CF1). A label that is never predicted has
    /// precision 0. `None` without a positive.
    pub fn per_class(&self) -> Option<F1> {
        let with_positives = || self.counts.iter().filter(|c| c.positive > 0);
        let count = with_positives().count() as f64;
        let mean = |of: fn(&Counts) -> f64| with_positives().map(of).sum::<f64>() / count;
        (count > 0.0).then(|| {
            F1::of(
                mean(|c| c.right as f64 / c.predicted.max(1) as f64),
                mean(|c| c.right as f64 / c.positive as f64),
            )
        })
    }
}

/// Places in `labels` of the `k` largest scores.
fn best(scores: &[f32], labels: &[usize], k: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..labels.len()).collect();
    // 0 and -0 are equal; adding 0 makes them one.
    let score = |place: usize| scores[labels[place]] + 0.0;
    let larger_first =
        |&a: &usize, &b: &usize| score(b).total_cmp(&score(a)).then_with(|| a.cmp(&b));
    if k < places.len() && k > 0 {
        places.select_nth_unstable_by(k - 1, larger_first);
    }
    places.truncate(k);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_negative_predictions_are_false() {
        let scores = [3.0, 2.0, 1.0, 1.0, 2.0, 3.0];
        let truth = [1, 0, 1, 1, 1, -1];
        let judged = Judged::new(3, &scores, &truth).expect("of one size");
        let top = TopK::new(judged, &[0, 1], &[0, 1, 2], 2);
        // Predicted: 0 and 1, 2 and 1; right: 0 in the first, 1 in the second.
        assert_eq!(top.overall(), Some(F1::of(0.5, 0.5)));
        // Label 0: 1/1 and 1/2; label 1: 1/2 and 1/1; label 2: 0/1 and 0/1.
        assert_eq!(top.per_class(), Some(F1::of(0.5, 0.5)));
    }

    #[test]
    fn equal_scores_go_to_the_first_label() {
        assert_eq!(best(&[1.0; 4], &[3, 1, 2], 2), [0, 1]);
        assert_eq!(best(&[-0.0, 0.0], &[0, 1], 1), [0]);
        assert_eq!(best(&[1.0, 5.0, 1.0], &[0, 2, 1], 2).len(), 2);
        assert!(best(&[1.0, 5.0, 1.0], &[0, 2, 1], 2).contains(&2));
    }

    #[test]
    fn fewer_labels_than_k_are_all_predicted() {
        let judged = Judged::new(2, &[0.0, 1.0], &[1, -1]).expect("of one size");
        let top = TopK::new(judged, &[0], &[0, 1], 5);
        assert_eq!(top.overall(), Some(F1::of(0.5, 1.0)));
    }

    #[test]
    fn nothing_to_find_has_no_f1() {
        let judged = Judged::new(2, &[0.0, 1.0], &[0, -1]).expect("of one size");
        let top = TopK::new(judged, &[0], &[0, 1], 1);
        assert_eq!((top.overall(), top.per_class()), (None, None));
        assert_eq!(TopK::new(judged, &[], &[0], 1).overall(), None);
    }
}
