//! Top-k pooling: a label's score is the mean of the k largest responses of its map.

/// The indices of the `k` largest responses, largest first; ties go to the earlier region.
/// `k` is clamped to 1..=responses.len(); an empty map gives no index.
pub fn top_regions(responses: &[f32], k: usize) -> Vec<usize> {
    if responses.is_empty() {
        return Vec::new();
    }
    let k = k.clamp(1, responses.len());
    let mut order: Vec<usize> = (0..responses.len()).collect();
    let larger_first = |&a: &usize, &b: &usize| {
        responses[b]
            .total_cmp(&responses[a])
            .then_with(|| a.cmp(&b))
    };
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, larger_first);
        order.truncate(k);
    }
    order.sort_unstable_by(larger_first);
    order
}

/// The score of one response map: the mean of its `k` largest responses.
///
/// With `k = responses.len()` this is the paper's spatial pooling, since Eq. 1 is linear in e_f.
/// An empty map scores 0.
pub fn top_k_mean(responses: &[f32], k: usize) -> f32 {
    let top = top_regions(responses, k);
    if top.is_empty() {
        return 0.0;
    }
    let sum: f64 = top.iter().map(|&region| f64::from(responses[region])).sum();
    (sum / top.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_ties_keep_their_order() {
        assert_eq!(top_regions(&[1.0, 3.0, 3.0, -2.0], 3), vec![1, 2, 0]);
    }

    #[test]
    fn k_is_clamped_and_all_regions_give_the_mean() {
        assert_eq!(top_k_mean(&[1.0, 2.0, 6.0], 99), 3.0);
        assert_eq!(top_k_mean(&[1.0, 2.0, 6.0], 0), 6.0);
        assert_eq!(top_k_mean(&[1.0, 2.0, 6.0], 2), 4.0);
        assert_eq!(top_k_mean(&[], 3), 0.0);
    }
}
