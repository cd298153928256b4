//! The ranking loss (Eq. 10): every label that a photo has should score higher, by a margin of 1,
//! than every label that it has not; and the same across the photos of a label.

use candle_core::{DType, Result, Tensor, bail};

/// Keeps a photo without violating pairs from dividing by zero, as in the authors' code.
const EPSILON: f64 = 1e-8;
/// How far a positive label's score should be above a negative's.
const MARGIN: f32 = 1.0;

/// The loss of a batch.
#[derive(Clone, Debug)]
pub struct RankingLoss {
    /// The loss as a differentiable scalar.
    pub loss: Tensor,
    /// The same, summed in 64 bits.
    pub value: f64,
}

/// The ranking loss of scores `[N, L]`, given +1, -1 or 0 (unknown) for each photo and label, row
/// by row.
///
/// For each photo: the sum over its positives p and negatives n of max(0, 1 + s\[n\] - s\[p\]),
/// divided by the number of pairs for which this is above 0 (and 1e-8); then the mean over photos.
/// Unknown labels take no part, so neither does a label that is unknown in the whole batch.
///
/// Which pairs violate the margin is settled by the scores as they are; given these pairs the loss
/// is linear in the scores. So its value and gradient are computed here, pair by pair and without
/// a matrix of labels by labels, and the tensor that is returned is that linear function.
///
/// # Errors
/// Shapes that do not agree, and those of candle's operators.
pub fn ranking_loss(scores: &Tensor, labels: &[i8]) -> Result<RankingLoss> {
    let (photos, _) = check(scores, labels)?;
    over_rows(scores, labels, photos)
}

/// The same across the photos of a label: photos that have it should score higher, by a margin of 1,
/// than photos that have it not. The mean over those labels that some photos of the batch have and
/// others have not; 0 where there is no such label.
///
/// Eq. 10 leaves each photo's level free, since it only compares labels of one photo; but a search
/// for photos of a label, and its average precision, compare photos.
///
/// # Errors
/// As [`ranking_loss`].
pub fn photo_ranking_loss(scores: &Tensor, labels: &[i8]) -> Result<RankingLoss> {
    let (photos, count) = check(scores, labels)?;
    let turned: Vec<i8> = (0..count)
        .flat_map(|label| labels.iter().skip(label).step_by(count))
        .copied()
        .collect();
    let has_both = |row: &&[i8]| row.iter().any(|&l| l > 0) && row.iter().any(|&l| l < 0);
    let rows = turned.chunks(photos.max(1)).filter(has_both).count();
    over_rows(&scores.t()?, &turned, rows.max(1))
}

fn check(scores: &Tensor, labels: &[i8]) -> Result<(usize, usize)> {
    let (photos, count) = scores.dims2()?;
    if labels.len() != photos * count {
        bail!(
            "{} labels do not fit scores of {photos} photos and {count} labels",
            labels.len()
        )
    }
    Ok((photos, count))
}

/// The sum of the rows' losses over `divisor`.
fn over_rows(scores: &Tensor, labels: &[i8], divisor: usize) -> Result<RankingLoss> {
    let width = scores.dim(1)?;
    let values = scores
        .detach()
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let mut gradient = vec![0.0; values.len()];
    let mut value = 0.0;
    if width > 0 {
        let rows = values.chunks(width).zip(labels.chunks(width));
        for ((scores, labels), gradient) in rows.zip(gradient.chunks_mut(width)) {
            value += row_loss(scores, labels, divisor, gradient) / divisor as f64;
        }
    }
    let at_zero = value - dot(&values, &gradient);
    let gradient = Tensor::from_vec(gradient, scores.shape(), scores.device())?;
    Ok(RankingLoss {
        loss: (scores * gradient)?.sum_all()?.affine(1.0, at_zero)?,
        value,
    })
}

/// One row's loss; its gradient for the sum over rows by `rows` goes to `gradient`, which is zero.
fn row_loss(scores: &[f32], labels: &[i8], rows: usize, gradient: &mut [f32]) -> f64 {
    let negatives: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] < 0).collect();
    let mut sum = 0.0;
    let mut pairs = 0_u64;
    let mut pairs_of = vec![0_u32; labels.len()];
    for positive in (0..labels.len()).filter(|&i| labels[i] > 0) {
        for &negative in &negatives {
            let violation = MARGIN + scores[negative] - scores[positive];
            // Written so that a score that is no number shows in the loss.
            if violation <= 0.0 {
                continue;
            }
            sum += f64::from(violation);
            pairs += 1;
            pairs_of[positive] += 1;
            pairs_of[negative] += 1;
        }
    }
    let divisor = pairs as f64 + EPSILON;
    for (label, place) in gradient.iter_mut().enumerate() {
        let share = f64::from(pairs_of[label]) / (divisor * rows as f64);
        *place = (if labels[label] > 0 { -share } else { share }) as f32;
    }
    sum / divisor
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn loss_and_gradient(scores: &[f32], labels: &[i8], count: usize) -> (f64, Vec<f32>) {
        let shape = (scores.len() / count, count);
        let var = Var::from_slice(scores, shape, &Device::Cpu).unwrap();
        let loss = ranking_loss(&var, labels).unwrap();
        let scalar = loss.loss.to_scalar::<f32>().unwrap();
        assert!((f64::from(scalar) - loss.value).abs() <= 1e-5 * loss.value.max(1.0));
        let gradients = loss.loss.backward().unwrap();
        let gradient = gradients.get(&var).unwrap().flatten_all().unwrap();
        (loss.value, gradient.to_vec1().unwrap())
    }

    #[test]
    fn a_photo_by_hand() {
        // Pairs: 1 + 0.5 - 1 = 0.5 and 1 - 3 - 1 < 0; the third label is unknown.
        let (value, gradient) = loss_and_gradient(&[1.0, 0.5, 9.0, -3.0], &[1, -1, 0, -1], 4);
        assert!((value - 0.5).abs() < 1e-7, "{value}");
        assert_eq!(gradient, [-1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn photos_without_a_positive_or_a_negative_cost_nothing() {
        let labels = [-1, -1, 1, 1, 0, 0];
        let (value, gradient) = loss_and_gradient(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &labels, 2);
        assert_eq!((value, gradient), (0.0, vec![0.0; 6]));
    }

    #[test]
    fn a_pair_at_the_margin_is_no_violation_and_equal_scores_are_one() {
        let (value, gradient) = loss_and_gradient(&[1.0, 0.0, 2.0, 2.0], &[1, -1, 1, -1], 2);
        assert!((value - 0.5).abs() < 1e-7, "{value}");
        assert_eq!(gradient, [0.0, 0.0, -0.5, 0.5]);
    }

    #[test]
    fn photos_of_a_label_by_hand() {
        // The first label's photos: 1 + 0.5 - 1 = 0.5, the photo where it is unknown takes no part.
        // The second: 1 + 2 - 3 = 0 is no violation. The third is in no photo.
        let scores = Tensor::new(
            &[[1f32, 3.0, 5.0], [0.5, 2.0, 5.0], [9.0, -4.0, 5.0]],
            &Device::Cpu,
        );
        let var = Var::from_tensor(&scores.unwrap()).unwrap();
        let labels = [1, 1, -1, -1, -1, -1, 0, -1, -1];
        let loss = photo_ranking_loss(&var, &labels).unwrap();
        assert!((loss.value - 0.25).abs() < 1e-7, "{}", loss.value);
        let gradients = loss.loss.backward().unwrap();
        let gradient = gradients.get(&var).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(gradient, [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0; 3]]);
    }

    #[test]
    fn without_a_label_to_compare_photos_by_nothing_is_lost() {
        let scores = Tensor::new(&[[1f32, 3.0]], &Device::Cpu).unwrap();
        assert_eq!(photo_ranking_loss(&scores, &[1, -1]).unwrap().value, 0.0);
        assert!(photo_ranking_loss(&scores, &[1]).is_err());
    }

    #[test]
    fn a_score_that_is_no_number_shows() {
        let scores = Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu).unwrap();
        assert!(ranking_loss(&scores, &[1, -1]).unwrap().value.is_nan());
    }
}
