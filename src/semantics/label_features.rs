//! Label features: a label's sentence vector seen through a kernel over named anchors.
//!
//! A linear map from sentence vectors to what the backbone sees is too poor: it knows a word by where
//! it lies in 384 directions. Here a word is known by the named things that it is close to. With c(a)
//! a sentence vector less the anchors' mean, brought back to length 1, and κ(a, b) = (c(a) · c(b))³,
//!
//! row(a) = Σ_j κ(a, a_j) S_j,
//!
//! where S solves the kernel ridge regression (K + λI) S = R from the anchors to their rows R in the
//! backbone's own classifier, brought to the space of the region features. What a network takes of a
//! label is `[row(a); a]`. [`crate::train::label_features`] makes S, a bundle keeps it.

use std::sync::{Mutex, PoisonError};

use candle_core::{D, Result, Tensor, TensorId, bail};
use candle_nn::VarBuilder;

/// Exponent of the kernel: odd, so that opposite meanings count against each other.
const POWER: f64 = 3.0;

/// The anchors of a bundle, and the solution over them.
pub struct LabelFeatures {
    /// Mean of the anchors' sentence vectors, `[1, D]`.
    mean: Tensor,
    /// c of each anchor, one a column, `[D, A]`.
    anchors: Tensor,
    /// S, `[A, R]`.
    solution: Tensor,
    /// b, `[R]`: what region features have where a row says nothing.
    region_offset: Tensor,
    /// What was asked last and the answer: the networks of a bundle all ask for the same labels.
    last: Mutex<Option<(TensorId, Tensor)>>,
}

impl LabelFeatures {
    /// Reads `label_features.mean` `[D]`, `.anchors` `[A, D]`, `.solution` `[A, R]` and
    /// `.region_offset` `[R]`.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    pub fn new(vb: &VarBuilder<'_>) -> Result<Self> {
        let vb = vb.pp("label_features");
        let (count, dimension) = vb.get_unchecked("anchors")?.dims2()?;
        let (_, row) = vb.get_unchecked("solution")?.dims2()?;
        if count == 0 || row == 0 {
            bail!("label features without anchors or rows")
        }
        Ok(Self {
            mean: vb.get(dimension, "mean")?.unsqueeze(0)?,
            anchors: vb.get((count, dimension), "anchors")?.t()?.contiguous()?,
            solution: vb.get((count, row), "solution")?,
            region_offset: vb.get(row, "region_offset")?,
            last: Mutex::new(None),
        })
    }

    /// D, the length of the sentence vectors that it takes.
    pub fn sentence_dimension(&self) -> usize {
        self.anchors.dims()[0]
    }

    /// R, the length of a predicted row.
    pub fn row_dimension(&self) -> usize {
        self.solution.dims()[1]
    }

    /// b, `[R]`: a row r answers region features x_r with r · (x_r - b).
    pub fn region_offset(&self) -> &Tensor {
        &self.region_offset
    }

    /// R + D, the length of a label's features.
    pub fn dimension(&self) -> usize {
        self.row_dimension() + self.sentence_dimension()
    }

    /// `[L, R + D]` of sentence vectors `[L, D]`.
    ///
    /// # Errors
    /// Vectors of another length.
    pub fn of(&self, vectors: &Tensor) -> Result<Tensor> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, features)) = &*last
            && *asked == vectors.id()
        {
            return Ok(features.clone());
        }
        let similar = centred(vectors, &self.mean)?.matmul(&self.anchors)?;
        let rows = kernel(&similar)?.matmul(&self.solution)?;
        let features = Tensor::cat(&[&rows, vectors], 1)?;
        *last = Some((vectors.id(), features.clone()));
        Ok(features)
    }
}

/// c: `vectors` `[L, D]` less `mean` `[1, D]`, each of length 1; the mean itself stays 0.
///
/// # Errors
/// Vectors of another length.
pub fn centred(vectors: &Tensor, mean: &Tensor) -> Result<Tensor> {
    let apart = vectors.broadcast_sub(mean)?;
    let length = apart.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
    apart.broadcast_div(&length.maximum(f64::from(f32::MIN_POSITIVE))?)
}

/// κ of cosines.
///
/// # Errors
/// Those of candle's operators.
pub fn kernel(cosines: &Tensor) -> Result<Tensor> {
    cosines.powf(POWER)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};

    use super::*;

    fn features(mean: [f32; 2], anchors: [[f32; 2]; 2], solution: [[f32; 3]; 2]) -> LabelFeatures {
        let device = Device::Cpu;
        let tensors = HashMap::from([
            ("mean", Tensor::new(&mean, &device).unwrap()),
            ("anchors", Tensor::new(&anchors, &device).unwrap()),
            ("solution", Tensor::new(&solution, &device).unwrap()),
            ("region_offset", Tensor::new(&[0f32; 3], &device).unwrap()),
        ]);
        let tensors = tensors
            .into_iter()
            .map(|(name, tensor)| (format!("label_features.{name}"), tensor))
            .collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F32, &device);
        LabelFeatures::new(&vb).unwrap()
    }

    #[test]
    fn a_label_is_told_by_its_anchors_and_keeps_its_sentence() {
        let solution = [[1.0, 0.0, 2.0], [0.0, 4.0, 8.0]];
        let features = features([1.0, 0.0], [[1.0, 0.0], [0.6, -0.8]], solution);
        assert_eq!(features.dimension(), 5);
        // c = (1, 0) for (3, 0); cosines 1 and 0.6, cubed 1 and 0.216.
        let vectors = Tensor::new(&[[3f32, 0.0], [1.0, 0.0], [-2.0, 0.0]], &Device::Cpu).unwrap();
        let found = features.of(&vectors).unwrap().to_vec2::<f32>().unwrap();
        let expected = [1.0, 0.864, 3.728, 3.0, 0.0];
        for (found, expected) in found[0].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        // The mean says nothing; what is opposite counts against.
        assert_eq!(found[1], [0.0, 0.0, 0.0, 1.0, 0.0]);
        assert!((found[2][0] + 1.0).abs() < 1e-6);
        // Other vectors are not answered with what was kept.
        let other = Tensor::new(&[[1f32, 5.0]], &Device::Cpu).unwrap();
        assert_eq!(features.of(&other).unwrap().dims(), [1, 5]);
        assert_eq!(features.of(&vectors).unwrap().dims(), [3, 5]);
    }

    #[test]
    fn vectors_of_another_encoder_are_refused() {
        let features = features([1.0, 0.0], [[1.0, 0.0], [0.6, -0.8]], [[0.0; 3]; 2]);
        let other = Tensor::zeros((1, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(features.of(&other).is_err());
    }
}
