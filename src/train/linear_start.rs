//! What networks of the paper's layers start as: the kernel baseline, inside Eq. 9. A head then begins
//! with what the backbone's own classifier says of any word, and learns the rest.
//!
//! The baseline answers a label of row r with r · (x_r - b). Codes of x_r are those directions in which
//! the teacher's responses vary most: with mean m and covariance Σ = G Gᵀ of x_r, and U the first
//! eigenvectors of Gᵀ Tᵀ T G for rows T `[n, R]`, z = Uᵀ G⁻¹ (x_r - m) has variance 1 in every
//! direction and x_r ≈ m + G U z. [`crate::model::linear_start`] lays this over a network's weights.

use candle_core::{DType, Device, Result, Tensor};
use rand::Rng as _;
use rand::seq::index;

use super::cholesky;
use super::error::TrainError;
use super::photos::TrainingSet;
use super::random::generator;
use super::teacher::Baseline;
use crate::model::LinearStart;

/// Photos that statistics are taken of, where there are so many.
const PHOTOS: usize = 1024;
/// Regions of each of them.
const REGIONS: usize = 16;
/// Photos read at once.
const BATCH: usize = 32;
/// Keeps the codes steady where channels of x_r say the same, as a fraction of their mean variance.
const DAMPING: f64 = 1e-4;
/// Rounds of subspace iteration.
const ROUNDS: usize = 40;

/// A start with `codes` codes for labels of `label_dimension` numbers, whose responses to the
/// teacher's classes have a standard deviation of about 1, a margin of the ranking loss.
///
/// # Errors
/// Features that cannot be read, and those of candle's operators.
pub fn linear_start(
    codes: usize,
    label_dimension: usize,
    baseline: &Baseline,
    set: &TrainingSet<'_>,
    seed: u64,
) -> std::result::Result<LinearStart, TrainError> {
    let rows = baseline
        .rows
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?;
    let offset = baseline
        .offset
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F64)?;
    let regions = sample(set, seed)?;
    Ok(start(
        codes,
        label_dimension,
        (&rows, &offset),
        &regions,
        seed,
    )?)
}

/// Of rows T `[n, R]`, offset b `[R]` and regions `[N, R]`, in 64 bits.
fn start(
    codes: usize,
    label_dimension: usize,
    (rows, offset): (&Tensor, &Tensor),
    regions: &Tensor,
    seed: u64,
) -> Result<LinearStart> {
    let channels = regions.dim(1)?;
    let mean = regions.mean(0)?;
    let centred = regions.broadcast_sub(&mean)?;
    let covariance = damped(&(centred.t()?.matmul(&centred)? / centred.dim(0)? as f64)?)?;
    let square = |values: Vec<f64>| Tensor::from_vec(values, (channels, channels), &Device::Cpu);
    let not_positive = || candle_core::Error::msg("region features that are no numbers");
    let lower = cholesky::lower(covariance.clone(), channels).ok_or_else(not_positive)?;
    let lower = square(lower)?;
    let seen = rows.matmul(&lower)?;
    let moments = seen.t()?.contiguous()?.matmul(&seen)?;
    let directions = eigenvectors(&moments, codes, seed)?;
    // G U, from codes to what they stand for, [R, K]; and Σ⁻¹ G U = (Uᵀ G⁻¹)ᵀ.
    let decode = lower.matmul(&directions)?;
    let values = decode.flatten_all()?.to_vec1::<f64>()?;
    let encode = cholesky::solve(covariance, values, channels).ok_or_else(not_positive)?;
    let encode = Tensor::from_vec(encode, (channels, codes), &Device::Cpu)?;
    let found = centred.matmul(&encode)?;
    let both = Tensor::cat(&[found.relu()?, found.neg()?.relu()?], 1)?;
    let activations = [both.mean(0)?, both.var(0)?.sqrt()?];
    let from_offset = (&mean - offset)?;
    let rebuilt = found.matmul(&decode.t()?)?.broadcast_add(&from_offset)?;
    let responses = rebuilt.matmul(&rows.t()?)?;
    let scale = responses.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt();
    let scale = 1.0 / scale.max(f64::MIN_POSITIVE);
    let identity = Tensor::eye(channels, DType::F64, &Device::Cpu)?;
    Ok(LinearStart {
        codes: encode.t()?.contiguous()?,
        mean,
        activations,
        decode: (decode * scale)?,
        decode_bias: (from_offset * scale)?,
        classifier: identity.pad_with_zeros(1, 0, label_dimension.saturating_sub(channels))?,
    })
}

/// Σ with a little more on its diagonal, row by row.
fn damped(covariance: &Tensor) -> Result<Vec<f64>> {
    let size = covariance.dim(0)?;
    let mut values = covariance.flatten_all()?.to_vec1::<f64>()?;
    let trace: f64 = values.iter().step_by(size + 1).sum();
    for place in values.iter_mut().step_by(size + 1) {
        *place += DAMPING * trace / size as f64;
    }
    Ok(values)
}

/// The first `count` eigenvectors of a symmetric matrix without negative eigenvalues, `[n, count]`, as
/// far as a subspace iteration brings them: they span the right space long before each is itself.
fn eigenvectors(matrix: &Tensor, count: usize, seed: u64) -> Result<Tensor> {
    let size = matrix.dim(0)?;
    let mut random = generator(seed, "eigenvectors", 0);
    let values: Vec<f64> = (0..size * count)
        .map(|_| random.random_range(-1.0..1.0))
        .collect();
    // Vectors are rows here, so that each lies in one piece.
    let mut vectors = orthonormal(values, size);
    for _ in 0..ROUNDS {
        let rows = Tensor::from_vec(vectors, (count, size), &Device::Cpu)?;
        vectors = orthonormal(rows.matmul(matrix)?.flatten_all()?.to_vec1()?, size);
    }
    Tensor::from_vec(vectors, (count, size), &Device::Cpu)?
        .t()?
        .contiguous()
}

/// Rows of `size` made orthogonal to those before and of length 1 (Gram-Schmidt, twice, for what
/// rounding leaves).
fn orthonormal(mut values: Vec<f64>, size: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for at in (0..values.len()).step_by(size.max(1)) {
        let (done, rest) = values.split_at_mut(at);
        let row = &mut rest[..size];
        for _ in 0..2 {
            for other in done.chunks_exact(size) {
                let along = dot(other, row);
                for (value, other) in row.iter_mut().zip(other) {
                    *value -= along * other;
                }
            }
            let length = dot(row, row).sqrt().max(f64::MIN_POSITIVE);
            for value in row.iter_mut() {
                *value /= length;
            }
        }
    }
    values
}

/// Random regions of random photos in 64 bits, `[N, R]`.
fn sample(set: &TrainingSet<'_>, seed: u64) -> std::result::Result<Tensor, TrainError> {
    let mut random = generator(seed, "linear start", 0);
    let [rows, columns] = set.features.grid();
    let regions = rows * columns;
    let each = REGIONS.min(regions);
    let count = set.photos.len();
    let photos = index::sample(&mut random, count, PHOTOS.min(count)).into_vec();
    let mut inputs = Vec::new();
    for chunk in photos.chunks(BATCH) {
        let records = set.records(chunk);
        let features = set
            .features
            .regions(&records, &vec![false; records.len()])?;
        let features = features.permute((0, 2, 3, 1))?.flatten(1, 2)?;
        for photo in 0..records.len() {
            let places = index::sample(&mut random, regions, each).into_vec();
            let places: Vec<u32> = places.into_iter().map(|place| place as u32).collect();
            let places = Tensor::new(places, &Device::Cpu)?;
            inputs.push(features.get(photo)?.index_select(&places, 0)?);
        }
    }
    Ok(Tensor::cat(&inputs, 0)?.to_dtype(DType::F64)?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::backbone::{Covered, RegionFeatures};
    use crate::model::{EncodeOptions, HeadFile, ModelConfig, Preset, PresetConfig, registry};
    use crate::train::initial::initial_weights;

    fn random(name: &str, shape: (usize, usize)) -> Tensor {
        let mut generator = generator(3, name, 0);
        let values: Vec<f64> = (0..shape.0 * shape.1)
            .map(|_| generator.random_range(-1.0..1.0))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn eigenvectors_are_those_of_the_matrix() {
        let half = random("half", (7, 7));
        let matrix = half.t().unwrap().matmul(&half).unwrap();
        let vectors = eigenvectors(&matrix, 3, 1).unwrap();
        let product = vectors.t().unwrap().matmul(&vectors).unwrap();
        let inside = vectors
            .t()
            .unwrap()
            .matmul(&matrix.matmul(&vectors).unwrap())
            .unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let expected = f64::from(u8::from(i == j));
                let found: f64 = product.get(i).unwrap().get(j).unwrap().to_scalar().unwrap();
                assert!((found - expected).abs() < 1e-9);
                let off: f64 = inside.get(i).unwrap().get(j).unwrap().to_scalar().unwrap();
                assert!(i == j || off.abs() < 0.05, "{i} {j}: {off}");
            }
        }
    }

    /// Every network of the paper, with as many codes as the rows need, answers as the baseline does.
    #[test]
    fn networks_start_as_the_baseline_up_to_one_scale() {
        let (channels, labels) = (6, 9);
        let rows = random("rows", (5, 3))
            .matmul(&random("span", (3, channels)))
            .unwrap();
        let offset = random("offset", (1, channels)).squeeze(0).unwrap();
        let regions = (random("regions", (400, channels)) + 0.3).unwrap();
        let start = start(3, labels, (&rows, &offset), &regions, 1).unwrap();
        let config = ModelConfig {
            region_channels: channels,
            out_channels: channels,
            channels: 6,
            heads: 2,
            global_channels: 4,
            label_dimension: labels,
            top_k: 2,
            ..ModelConfig::preset(Preset::Paper)
        };
        let photos = RegionFeatures {
            regions: regions
                .narrow(0, 0, 12)
                .and_then(|r| r.t()?.to_dtype(DType::F32)?.reshape((1, channels, 3, 4)))
                .unwrap(),
            global: Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap(),
            covered: Covered::WHOLE,
        };
        let wanted = regions
            .narrow(0, 0, 12)
            .unwrap()
            .broadcast_sub(&offset)
            .unwrap();
        let wanted = rows.matmul(&wanted.t().unwrap()).unwrap();
        let wanted = wanted.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let vectors = rows.pad_with_zeros(1, 0, labels - channels).unwrap();
        let vectors = vectors.to_dtype(DType::F32).unwrap();
        for name in ["standard", "rcb", "scb", "biam"] {
            let settings = PresetConfig::of(Preset::Paper, config.clone()).table();
            let configuration = (registry::row(name).unwrap().configuration)(&settings).unwrap();
            assert_eq!(configuration.linear_codes(channels), Some(3));
            let mut weights = initial_weights(&*configuration, 1).unwrap();
            configuration.start_linear(&start, &mut weights).unwrap();
            let weights: HashMap<_, _> = weights.into_iter().collect();
            let network = configuration
                .load(&HeadFile::of_tensors(weights, &Device::Cpu))
                .unwrap();
            let encoded = network.encode(&photos, &EncodeOptions::default()).unwrap();
            let vectors = network.prepare_labels(&vectors).unwrap();
            let maps = network.respond(&encoded, &vectors).unwrap().maps.unwrap();
            let found = maps.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found: Vec<f64> = found.into_iter().map(f64::from).collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let cosine =
                dot(&found, &wanted) / (dot(&found, &found) * dot(&wanted, &wanted)).sqrt();
            // What stands beside the linear map is random and small.
            assert!(cosine > 0.95, "{name}: {cosine}");
        }
    }
}
