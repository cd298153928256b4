//! The ridge baseline: from label vectors to rows of the backbone's classifier in closed form, with
//! no photo.
//!
//! W = (VᵀV + λI)⁻¹ VᵀR, where V `[T, D]` holds the vectors of the T teacher classes that training may
//! use and R `[T, C]` their rows: a class's row is the mean of its leaves' rows of the backbone's own
//! classifier, less the mean of all rows, since what all classes share says nothing of any.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::cholesky;
use super::teacher::teacher_rows;
use crate::bundle::{Bundle, TrainedVariant};
use crate::files::first_line;
use crate::model::{Ridge, VariantId};
use crate::semantics::{SemanticsError, TeacherClass};

/// λ of the baseline that ships.
pub const LAMBDA: f64 = 1.0;
/// Names that are encoded at once.
const BATCH: usize = 64;

/// Why there is no ridge baseline for a bundle.
#[derive(Debug, thiserror::Error)]
pub enum RidgeError {
    #[error(
        "this bundle has no teacher classes that training may use, which label features and baselines are made of; use a bundle with a teacher.tsv"
    )]
    NoTeacher,
    #[error(
        "this bundle's backbone has no classifier, whose rows label features and baselines are made of; use another bundle"
    )]
    NoClassifier,
    #[error("λ = {0} gives no ridge regression; use a number above 0")]
    Lambda(f64),
    #[error(transparent)]
    Semantics(#[from] SemanticsError),
    #[error("the ridge regression failed: {}", first_line(.0))]
    Tensor(#[from] candle_core::Error),
}

/// The tensors of the ridge baseline that the used ones of `classes` make, by the names that
/// [`Ridge::new`] reads: `classifier.weight`, `[C, D]` in f32, which is Wᵀ.
///
/// # Errors
/// A bundle without a teacher or a classifier, λ that is not above 0, a device that fails.
pub fn ridge(
    bundle: &Bundle,
    classes: &[TeacherClass],
    lambda: f64,
) -> Result<HashMap<String, Tensor>, RidgeError> {
    let classes: Vec<&TeacherClass> = classes.iter().filter(|class| class.used).collect();
    if classes.is_empty() {
        return Err(RidgeError::NoTeacher);
    }
    let rows = bundle.classifier_rows().ok_or(RidgeError::NoClassifier)?;
    let targets = teacher_rows(&classes, rows)?;
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let batches = names
        .chunks(BATCH)
        .map(|names| bundle.encoder.encode_known(names));
    let vectors = Tensor::cat(&batches.collect::<Result<Vec<_>, _>>()?, 0)?;
    let weight = regression(&vectors.to_device(&Device::Cpu)?, &targets, lambda)?;
    Ok(HashMap::from([("classifier.weight".to_owned(), weight)]))
}

/// The ridge baseline of a bundle as one of its networks, without ordinary regions.
///
/// # Errors
/// As [`ridge`].
pub fn ridge_network(bundle: &Bundle, lambda: f64) -> Result<TrainedVariant, RidgeError> {
    let tensors = ridge(bundle, bundle.lists.teacher(), lambda)?;
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &bundle.device);
    // Its scores are pooled as those of the networks that it is compared with.
    let network = Ridge::new(bundle.sizes.label_dimension, bundle.top_k(), vb)?;
    Ok(TrainedVariant {
        id: VariantId::RIDGE,
        network: Arc::new(network),
        ordinary_regions: None,
        label_features: None,
    })
}

/// Wᵀ = ((VᵀV + λI)⁻¹ VᵀR)ᵀ, `[C, D]` in f32, of `vectors` V `[T, D]` and `targets` R `[T, C]` in f64.
pub(super) fn regression(
    vectors: &Tensor,
    targets: &Tensor,
    lambda: f64,
) -> Result<Tensor, RidgeError> {
    if !(lambda > 0.0 && lambda.is_finite()) {
        return Err(RidgeError::Lambda(lambda));
    }
    let vectors = vectors.to_dtype(DType::F64)?;
    let (dimension, channels) = (vectors.dim(1)?, targets.dim(1)?);
    let transposed = vectors.t()?.contiguous()?;
    let mut gram = transposed
        .matmul(&vectors)?
        .flatten_all()?
        .to_vec1::<f64>()?;
    for place in 0..dimension {
        gram[place * dimension + place] += lambda;
    }
    let products = transposed
        .matmul(targets)?
        .flatten_all()?
        .to_vec1::<f64>()?;
    let solution = cholesky::solve(gram, products, dimension).ok_or(RidgeError::Lambda(lambda))?;
    let weight = Tensor::from_vec(solution, (dimension, channels), &Device::Cpu)?;
    Ok(weight.t()?.to_dtype(DType::F32)?.contiguous()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regression_is_that_of_scikit_learn() -> Result<(), RidgeError> {
        #[derive(serde::Deserialize)]
        struct Fixture {
            vectors: Vec<Vec<f64>>,
            targets: Vec<Vec<f64>>,
            lambda: f64,
            weight: Vec<Vec<f32>>,
        }
        let text = include_str!("../../tests/reference/ridge.json");
        let fixture: Fixture = serde_json::from_str(text).expect("the fixture");
        let vectors = Tensor::new(fixture.vectors, &Device::Cpu)?;
        let targets = Tensor::new(fixture.targets, &Device::Cpu)?;
        let weight = regression(&vectors, &targets, fixture.lambda)?;
        let expected = Tensor::new(fixture.weight, &Device::Cpu)?;
        assert_eq!(weight.dims(), expected.dims());
        let off = (weight - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(off < 1e-6, "off by {off}");
        for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(regression(&vectors, &targets, lambda).is_err());
        }
        Ok(())
    }
}
