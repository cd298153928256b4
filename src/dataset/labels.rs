//! What is known of one photo, kept sparse: Open Images has 7,586 labels and over a million photos.

use std::collections::HashMap;
use std::sync::Arc;

/// The labels of one photo. Places are those of [`super::Dataset::labels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhotoLabels {
    /// Labels that are there (+1), in rising order, each once.
    pub positives: Vec<u32>,
    /// Labels that are not there (-1). All others are unknown (0).
    pub negatives: Negatives,
}

/// Which labels a photo is known not to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Negatives {
    /// These, in rising order, none of them positive.
    Listed(Vec<u32>),
    /// Every label of this judged set (in rising order, shared among photos) that is not positive.
    AllOthersOf(Arc<[u32]>),
}

impl PhotoLabels {
    /// Labels from lists in any order. A label that is in both counts as positive: who saw it once
    /// has seen it.
    pub fn listed(mut positives: Vec<u32>, mut negatives: Vec<u32>) -> Self {
        sort_once(&mut positives);
        sort_once(&mut negatives);
        negatives.retain(|label| positives.binary_search(label).is_err());
        Self {
            positives,
            negatives: Negatives::Listed(negatives),
        }
    }

    /// Labels of a photo for which all of `judged` (in rising order) were looked for.
    pub fn judged(mut positives: Vec<u32>, judged: Arc<[u32]>) -> Self {
        sort_once(&mut positives);
        Self {
            positives,
            negatives: Negatives::AllOthersOf(judged),
        }
    }

    /// Writes +1, -1 or 0 for every label; `row` has one place for each. Labels beyond its end are
    /// passed over.
    pub fn fill(&self, row: &mut [i8]) {
        row.fill(0);
        let negatives: &[u32] = match &self.negatives {
            Negatives::Listed(listed) => listed,
            Negatives::AllOthersOf(judged) => judged,
        };
        for (labels, value) in [(negatives, -1), (&self.positives[..], 1)] {
            for &label in labels {
                if let Some(place) = row.get_mut(label as usize) {
                    *place = value;
                }
            }
        }
    }

    /// How many labels the photo is known not to have.
    pub fn negative_count(&self) -> usize {
        match &self.negatives {
            Negatives::Listed(listed) => listed.len(),
            Negatives::AllOthersOf(judged) => {
                let positive = |label: &&u32| judged.binary_search(label).is_ok();
                judged.len() - self.positives.iter().filter(positive).count()
            }
        }
    }

    /// The same labels at other places, several of which may become one; those without a place go.
    /// `judged` keeps the judged sets that have moved already, by where they were, so that they stay
    /// shared.
    pub(super) fn moved(
        self,
        place: &impl Fn(u32) -> Option<u32>,
        judged: &mut HashMap<*const u32, Arc<[u32]>>,
    ) -> Self {
        let all = |labels: &[u32]| -> Vec<u32> {
            labels.iter().filter_map(|&label| place(label)).collect()
        };
        match self.negatives {
            Negatives::Listed(listed) => Self::listed(all(&self.positives), all(&listed)),
            Negatives::AllOthersOf(set) => {
                let moved = judged.entry(set.as_ptr()).or_insert_with(|| {
                    let mut moved = all(&set);
                    sort_once(&mut moved);
                    moved.into()
                });
                Self::judged(all(&self.positives), Arc::clone(moved))
            }
        }
    }
}

fn sort_once(labels: &mut Vec<u32>) {
    labels.sort_unstable();
    labels.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_known_and_unknown_labels() {
        let mut row = [7; 5];
        PhotoLabels::listed(vec![3, 0, 3], vec![1, 3]).fill(&mut row);
        assert_eq!(row, [1, -1, 0, 1, 0]);
        let labels = PhotoLabels::judged(vec![2], vec![0, 2, 4].into());
        labels.fill(&mut row);
        assert_eq!(row, [-1, 0, 1, 0, -1]);
        assert_eq!(labels.negative_count(), 2);
    }

    #[test]
    fn a_positive_outside_the_judged_set_counts_too() {
        let labels = PhotoLabels::judged(vec![1, 3], vec![0, 1].into());
        let mut row = [0; 4];
        labels.fill(&mut row);
        assert_eq!(row, [-1, 1, 0, 1]);
        assert_eq!(labels.negative_count(), 1);
    }

    #[test]
    fn a_row_that_is_too_short_is_filled_as_far_as_it_goes() {
        let mut row = [0; 2];
        PhotoLabels::listed(vec![0, 9], vec![8]).fill(&mut row);
        assert_eq!(row, [1, 0]);
    }
}
