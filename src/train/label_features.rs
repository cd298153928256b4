//! Makes a bundle's [label features](crate::semantics::LabelFeatures): the kernel ridge regression
//! from names to rows of the backbone's classifier, with no photo.
//!
//! Anchors are the teacher's classes that training may use, and further names of theirs. A class's
//! row is brought to the space of the projected region features x_r = W x + b: what answers x with
//! r · x answers x_r with r W⁺ · (x_r - b).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::cholesky;
use super::error::TrainError;
use super::experiment::vectors;
use super::ridge::RidgeError;
use super::teacher::teacher_rows;
use crate::bundle::{Bundle, TrainedVariant};
use crate::files::read_bounded;
use crate::model::{KernelBaseline, KernelConfig, VariantId};
use crate::semantics::label_features::{centred, kernel};
use crate::semantics::labels::MAX_LIST_BYTES;
use crate::semantics::{LabelFeatures, SemanticsError, TeacherClass};

/// λ of the solve.
const LAMBDA: f64 = 0.5;
/// Keeps W Wᵀ steady where the projection leaves channels out.
const DAMPING: f64 = 1e-6;

/// Further names of the backbone's classes: tab-separated lines of a name and its classifier row, the
/// first line may be a heading.
///
/// # Errors
/// A file that cannot be read; the first line that is not understood.
pub fn read_synonyms(path: &Path) -> Result<Vec<TeacherClass>, TrainError> {
    let bytes = read_bounded(path, MAX_LIST_BYTES)?;
    let refuse = |line: usize, reason: &str| {
        TrainError::from(SemanticsError::List {
            path: path.to_owned(),
            line,
            reason: reason.to_owned(),
        })
    };
    let text = String::from_utf8(bytes).map_err(|_| refuse(1, "not UTF-8; save it as UTF-8"))?;
    let is_heading = |line: &str| {
        let row = line
            .split_once('\t')
            .map(|(_, row)| row.trim().parse::<u32>());
        row.is_none_or(|row| row.is_err())
    };
    let lines = (1..)
        .zip(text.trim_start_matches('\u{feff}').lines())
        .filter(|&(number, line)| number > 1 || !is_heading(line));
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let (name, row) = line
                .split_once('\t')
                .ok_or_else(|| refuse(number, "no tab; write a name, a tab and a row"))?;
            let row = row
                .trim()
                .parse()
                .map_err(|_| refuse(number, "the row is no number"))?;
            Ok(TeacherClass {
                name: name.trim().to_owned(),
                rows: vec![row],
                used: true,
            })
        })
        .collect()
}

/// Label features that were made.
pub struct MadeFeatures {
    /// What [`LabelFeatures::new`] and the kernel baseline read, as a bundle stores it, in half
    /// precision: `label_features.mean` `[D]`, `.anchors` `[A, D]`, `.solution` `[A, R]` and
    /// `.region_offset` `[R]`, the b of x_r.
    pub tensors: BTreeMap<String, Tensor>,
    /// What these make.
    pub features: LabelFeatures,
    /// The encoder's vectors of the used classes, `[T, D]`.
    pub classes: Tensor,
    /// How many anchors there are.
    pub anchors: usize,
}

/// Makes a bundle's label features.
///
/// # Errors
/// A bundle without a teacher or a classifier; a device that fails.
pub fn label_features(
    bundle: &Bundle,
    classes: &[TeacherClass],
    synonyms: &[TeacherClass],
) -> Result<MadeFeatures, TrainError> {
    let taught = classes.iter().filter(|class| class.used).count();
    let used = classes.iter().chain(synonyms).filter(|class| class.used);
    let used: Vec<&TeacherClass> = used.collect();
    if used.is_empty() {
        return Err(RidgeError::NoTeacher.into());
    }
    let classifier = bundle.classifier_rows().ok_or(RidgeError::NoClassifier)?;
    let rows = teacher_rows(&used, classifier)?;
    let (rows, offset) = match bundle.projection_parts() {
        Some((weight, offset)) => (projected_rows(&rows, weight)?, offset),
        None => (rows, None),
    };
    let offset = match offset {
        Some(offset) => offset.to_device(&Device::Cpu)?,
        None => Tensor::zeros(rows.dim(1)?, DType::F32, &Device::Cpu)?,
    };
    let names: Vec<&str> = used.iter().map(|class| class.name.as_str()).collect();
    let encoded = vectors(bundle, &names)?;
    let sentences = encoded.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let mean = sentences.mean_keepdim(0)?;
    let anchors = centred(&sentences, &mean)?;
    let solution = solved(&anchors, &rows)?;
    let half = |tensor: &Tensor| tensor.to_dtype(DType::F16)?.contiguous();
    let tensors = [
        ("mean", half(&mean.squeeze(0)?)?),
        ("anchors", half(&anchors)?),
        ("solution", half(&solution)?),
        ("region_offset", half(&offset)?),
    ];
    let named = tensors.map(|(name, tensor)| (format!("label_features.{name}"), tensor));
    let tensors = BTreeMap::from(named);
    Ok(MadeFeatures {
        features: loaded(&tensors, &bundle.device)?,
        tensors,
        classes: encoded.narrow(0, 0, taught)?,
        anchors: used.len(),
    })
}

/// R W⁺ᵀ: rows `[T, C]` for what W `[R, C]` makes of region features, `[T, R]`: (W Wᵀ)⁻¹ W r each.
fn projected_rows(rows: &Tensor, weight: &Tensor) -> Result<Tensor, TrainError> {
    let weight = weight.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let size = weight.dim(0)?;
    let mut gram = values(&weight.matmul(&weight.t()?)?)?;
    let trace: f64 = gram.iter().step_by(size + 1).sum();
    for place in gram.iter_mut().step_by(size + 1) {
        *place += DAMPING * trace / size as f64;
    }
    let products = values(&weight.matmul(&rows.t()?)?)?;
    let solution = cholesky::solve(gram, products, size)
        .ok_or_else(|| candle_core::Error::msg("a projection of numbers that are none"))?;
    let count = rows.dim(0)?;
    Ok(Tensor::from_vec(solution, (size, count), &Device::Cpu)?
        .t()?
        .contiguous()?)
}

/// S of (K + λI) S = R, scaled so that predicted rows have length 1 on average, as sentences have.
fn solved(anchors: &Tensor, rows: &Tensor) -> Result<Tensor, TrainError> {
    let (count, size) = rows.dims2()?;
    let similar = kernel(&anchors.matmul(&anchors.t()?)?)?;
    let mut gram = values(&similar)?;
    for place in gram.iter_mut().step_by(count + 1) {
        *place += LAMBDA;
    }
    let solution = cholesky::solve(gram, values(rows)?, count)
        .ok_or_else(|| candle_core::Error::msg("anchors of numbers that are none"))?;
    let solution = Tensor::from_vec(solution, (count, size), &Device::Cpu)?;
    let predicted = similar.matmul(&solution)?;
    let length = predicted
        .sqr()?
        .sum(1)?
        .sqrt()?
        .mean_all()?
        .to_scalar::<f64>()?;
    Ok((solution / length.max(f64::MIN_POSITIVE))?)
}

fn values(tensor: &Tensor) -> candle_core::Result<Vec<f64>> {
    tensor.flatten_all()?.to_vec1()
}

/// What a bundle with these tensors makes label features with.
fn loaded(
    tensors: &BTreeMap<String, Tensor>,
    device: &Device,
) -> candle_core::Result<LabelFeatures> {
    let tensors = tensors.iter().map(|(name, tensor)| {
        let tensor = tensor.to_dtype(DType::F32)?.to_device(device)?;
        Ok((name.clone(), tensor))
    });
    let tensors = tensors.collect::<candle_core::Result<HashMap<_, _>>>()?;
    LabelFeatures::new(&VarBuilder::from_tensors(tensors, DType::F32, device))
}

/// The kernel baseline of a bundle with label features as one of its networks, without ordinary
/// regions.
///
/// # Errors
/// A device that fails.
pub fn kernel_network(
    bundle: &Bundle,
    features: &Arc<LabelFeatures>,
) -> candle_core::Result<TrainedVariant> {
    let config = KernelConfig {
        label_dimension: features.dimension(),
        region_channels: features.row_dimension(),
        // Its scores are pooled as those of the networks that it is compared with.
        top_k: bundle.top_k(),
    };
    let network = KernelBaseline::new(config, features.region_offset().clone())?;
    Ok(TrainedVariant {
        id: VariantId::KERNEL,
        network: Arc::new(network),
        ordinary_regions: None,
        label_features: Some(features.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(name: &str, shape: (usize, usize)) -> Tensor {
        use rand::Rng as _;
        let mut generator = crate::train::random::generator(5, name, 0);
        let values: Vec<f64> = (0..shape.0 * shape.1)
            .map(|_| generator.random_range(-1.0..1.0))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn rows_answer_projected_features_as_they_answer_the_raw_ones() {
        // Features that lie in the space that W keeps: x = Wᵀ z.
        let (rows, weight) = (random("rows", (4, 9)), random("weight", (5, 9)));
        let features = random("codes", (7, 5)).matmul(&weight).unwrap();
        let raw = features.matmul(&rows.t().unwrap()).unwrap();
        let projected = features.matmul(&weight.t().unwrap()).unwrap();
        let found = projected_rows(&rows, &weight).unwrap();
        let found = projected.matmul(&found.t().unwrap()).unwrap();
        let off = (raw - found).unwrap().abs().unwrap().max_all().unwrap();
        assert!(off.to_scalar::<f64>().unwrap() < 1e-4);
    }

    #[test]
    fn anchors_come_near_their_rows_up_to_one_scale() {
        let anchors = centred(
            &random("anchors", (6, 40)),
            &Tensor::zeros((1, 40), DType::F64, &Device::Cpu).unwrap(),
        )
        .unwrap();
        let rows = random("targets", (6, 3));
        let solution = solved(&anchors, &rows).unwrap();
        let similar = kernel(&anchors.matmul(&anchors.t().unwrap()).unwrap()).unwrap();
        let found = values(&similar.matmul(&solution).unwrap()).unwrap();
        let wanted = values(&rows).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = dot(&found, &wanted) / (dot(&found, &found) * dot(&wanted, &wanted)).sqrt();
        assert!(cosine > 0.99, "{cosine}");
    }

    #[test]
    fn a_list_of_synonyms_is_read_and_its_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("synonyms.tsv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_synonyms(&path)
        };
        let classes = read("synonym\tclassifier row\nman-eater\t2\r\n\n").unwrap();
        assert_eq!(
            (classes[0].name.as_str(), &classes[0].rows[..]),
            ("man-eater", &[2][..])
        );
        assert_eq!(read("man-eater\t2\n").unwrap().len(), 1, "no heading");
        for (text, word) in [("a\tb\nx 2\n", "line 2"), ("a\tb\n\nx\ttwo\n", "line 3")] {
            let refusal = read(text).unwrap_err().to_string();
            assert!(refusal.contains(word), "{refusal}");
        }
    }
}
