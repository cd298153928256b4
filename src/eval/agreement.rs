//! How alike the maps of two networks are: whether a difference between two columns is one.
//!
//! Every photo and every label of a data set give a map for each network. Two networks are as alike
//! as their maps correlate, as their k best regions overlap, as often as their best region is the
//! same, and as their scores rank a photo's labels alike.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::Serialize;

use crate::model::VariantId;
use crate::model::pooling::top_regions;

/// How alike two networks answer, averages over photos and labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Pearson's correlation of two maps, over photos and labels.
    pub map_correlation: f64,
    /// The part of the k best regions that both have, over photos and labels.
    pub top_k_overlap: f64,
    /// How often the best region is the same.
    pub same_best_region: f64,
    /// Spearman's correlation of a photo's scores of all labels, over photos.
    pub rank_correlation: f64,
}

/// Two networks that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairAgreement {
    pub variants: [VariantId; 2],
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// What one network said of a photo: a map for each label, row by row, and the scores.
#[derive(Clone, Copy)]
pub struct PhotoAnswer<'a> {
    /// `[L, P]`.
    pub maps: &'a [f32],
    /// `[L]`.
    pub scores: &'a [f32],
}

/// Sums of one pair of networks while photos come in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gathered {
    sums: Agreement,
    maps: usize,
    photos: usize,
}

impl Gathered {
    /// Adds one photo, for which both networks have answered.
    pub fn add(&mut self, one: PhotoAnswer<'_>, other: PhotoAnswer<'_>, k: usize) {
        let labels = one.scores.len().max(1);
        let regions = one.maps.len() / labels;
        if regions == 0 || one.maps.len() != other.maps.len() {
            return;
        }
        let pairs: Vec<_> = one
            .maps
            .par_chunks_exact(regions)
            .zip(other.maps.par_chunks_exact(regions))
            .map(|(one, other)| of_maps(one, other, k))
            .collect();
        for [correlation, overlap, same] in pairs {
            self.sums.map_correlation += correlation;
            self.sums.top_k_overlap += overlap;
            self.sums.same_best_region += same;
            self.maps += 1;
        }
        self.sums.rank_correlation += correlation(&ranks(one.scores), &ranks(other.scores));
        self.photos += 1;
    }

    /// The averages; `None` where nothing was added.
    pub fn mean(&self) -> Option<Agreement> {
        let (maps, photos) = (self.maps as f64, self.photos as f64);
        (self.maps > 0).then(|| Agreement {
            map_correlation: self.sums.map_correlation / maps,
            top_k_overlap: self.sums.top_k_overlap / maps,
            same_best_region: self.sums.same_best_region / maps,
            rank_correlation: self.sums.rank_correlation / photos,
        })
    }
}

/// Correlation, overlap of the k best, whether the best is the same.
fn of_maps(one: &[f32], other: &[f32], k: usize) -> [f64; 3] {
    let k = k.clamp(1, one.len());
    let (best, other_best) = (top_regions(one, k), top_regions(other, k));
    let chosen: HashSet<usize> = best.iter().copied().collect();
    let both = other_best.iter().filter(|region| chosen.contains(region));
    let overlap = both.count() as f64 / k as f64;
    let same = best.first() == other_best.first();
    let wide = |map: &[f32]| map.iter().map(|&m| f64::from(m)).collect::<Vec<_>>();
    [
        correlation(&wide(one), &wide(other)),
        overlap,
        f64::from(u8::from(same)),
    ]
}

/// Pearson's correlation; 0 where one side does not vary.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (a, b) = (mean(one), mean(other));
    let (mut product, mut squares) = (0.0, [0.0, 0.0]);
    for (x, y) in one.iter().zip(other) {
        product += (x - a) * (y - b);
        squares[0] += (x - a) * (x - a);
        squares[1] += (y - b) * (y - b);
    }
    let norm = (squares[0] * squares[1]).sqrt();
    if norm > 0.0 { product / norm } else { 0.0 }
}

/// The rank of each value, ties sharing the middle of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut place = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let middle = place as f64 + (tied.len() - 1) as f64 / 2.0;
        for &value in tied {
            ranks[value] = middle;
        }
        place += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_agrees_with_itself_and_not_with_its_opposite() {
        let maps = [1f32, 2.0, 3.0, 4.0, 0.0, 9.0, 1.0, 5.0];
        let opposite: Vec<f32> = maps.iter().map(|m| -m).collect();
        let answer = |maps, scores| PhotoAnswer { maps, scores };
        let mut same = Gathered::default();
        same.add(answer(&maps, &[3.5, 7.0]), answer(&maps, &[3.5, 7.0]), 2);
        let found = same.mean().expect("one photo");
        for value in [
            found.map_correlation,
            found.top_k_overlap,
            found.same_best_region,
            found.rank_correlation,
        ] {
            assert!((value - 1.0).abs() < 1e-12, "{found:?}");
        }
        let mut other = Gathered::default();
        other.add(
            answer(&maps, &[3.5, 7.0]),
            answer(&opposite, &[2.0, 1.0]),
            2,
        );
        let found = other.mean().expect("one photo");
        assert!((found.map_correlation + 1.0).abs() < 1e-12);
        assert_eq!((found.top_k_overlap, found.same_best_region), (0.0, 0.0));
        assert!((found.rank_correlation + 1.0).abs() < 1e-12);
        assert_eq!(Gathered::default().mean(), None);
    }

    #[test]
    fn half_of_the_best_regions_are_half_an_overlap() {
        let [_, overlap, same] = of_maps(&[9.0, 8.0, 1.0, 0.0], &[9.0, 0.0, 1.0, 8.0], 2);
        assert_eq!((overlap, same), (0.5, 1.0));
    }

    #[test]
    fn ties_share_a_rank_and_flat_maps_correlate_with_nothing() {
        assert_eq!(ranks(&[2.0, 1.0, 2.0, 5.0]), [1.5, 0.0, 1.5, 3.0]);
        assert_eq!(correlation(&[1.0, 1.0], &[0.0, 3.0]), 0.0);
    }
}
