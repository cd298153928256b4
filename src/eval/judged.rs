//! Scores of photos and labels beside what people said of them: what every metric looks at.

/// Scores and truth of N photos and L labels, both `[N, L]`, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    labels: usize,
    scores: &'a [f32],
    truth: &'a [i8],
}

impl<'a> Judged<'a> {
    /// `truth` is 1 where the label is there, -1 where it is not, 0 where nobody knows. `None` when
    /// the two are not of one size, or not of whole rows of `labels`.
    pub fn new(labels: usize, scores: &'a [f32], truth: &'a [i8]) -> Option<Self> {
        let fits = scores.len() == truth.len() && labels > 0 && scores.len().is_multiple_of(labels);
        fits.then_some(Self {
            labels,
            scores,
            truth,
        })
    }

    /// N.
    pub fn photos(&self) -> usize {
        self.scores.len() / self.labels
    }

    /// One photo's scores of all labels.
    pub fn scores(&self, photo: usize) -> &'a [f32] {
        &self.scores[photo * self.labels..(photo + 1) * self.labels]
    }

    /// One photo's truth of all labels.
    pub fn truth(&self, photo: usize) -> &'a [i8] {
        &self.truth[photo * self.labels..(photo + 1) * self.labels]
    }

    /// The photos that have at least one of `labels`.
    pub fn with_a_positive(&self, labels: &[usize]) -> Vec<usize> {
        (0..self.photos())
            .filter(|&photo| {
                let truth = self.truth(photo);
                labels.iter().any(|&label| truth[label] == 1)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_agree() {
        assert!(Judged::new(2, &[0.0; 4], &[0; 4]).is_some());
        assert!(Judged::new(2, &[0.0; 4], &[0; 3]).is_none());
        assert!(Judged::new(3, &[0.0; 4], &[0; 4]).is_none());
        assert!(Judged::new(0, &[], &[]).is_none());
    }

    #[test]
    fn only_positives_of_the_asked_labels_count() {
        let truth = [1, -1, 0, 1, -1, 0];
        let judged = Judged::new(2, &[0.0; 6], &truth).expect("of one size");
        assert_eq!(judged.with_a_positive(&[0, 1]), [0, 1]);
        assert_eq!(judged.with_a_positive(&[1]), [1]);
        assert_eq!(judged.with_a_positive(&[]), [0; 0]);
    }
}
