//! What a shortcut from region features to e_f starts as: the ridge baseline. A head then begins with
//! what the backbone's own classifier says of any word, and learns the rest.
//!
//! The baseline answers a label a with x R a, where x is a raw region feature and R `[C, D]` comes
//! from [`super::ridge`]. With Q `[out, D]`, whose columns are orthonormal, the classifier starts as
//! W = Q and the shortcut as the linear map of x_r that comes closest to Q (x R) over regions of
//! training photos: then e_f · W a = x R QᵀQ a = x R a.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use rand::Rng as _;
use rand::seq::index;

use super::cholesky;
use super::error::TrainError;
use super::photos::TrainingSet;
use super::random::generator;
use super::ridge::{LAMBDA, regression};
use super::teacher::Teacher;
use crate::model::registry::Shortcut;

/// Photos that the map is fitted to, where there are so many.
const PHOTOS: usize = 512;
/// Regions of each of them.
const REGIONS: usize = 16;
/// Photos read at once.
const BATCH: usize = 32;
/// Keeps the fit steady where channels of x_r say the same, as a fraction of their mean square.
const DAMPING: f64 = 1e-4;

/// `shortcut.weight`, `shortcut.bias` and `classifier.weight` of a new head, whose responses to the
/// teacher's classes have a standard deviation of about 1, a margin of the ranking loss.
///
/// Where e_f has fewer channels than label vectors have, the baseline is met only in part.
///
/// # Errors
/// Features that cannot be read, and those of candle's operators.
pub fn ridge_shortcut(
    sizes: Shortcut,
    teacher: &Teacher,
    set: &TrainingSet<'_>,
    seed: u64,
) -> std::result::Result<BTreeMap<String, Tensor>, TrainError> {
    let (channels, out) = (sizes.region_channels, sizes.out_channels);
    let vectors = teacher.vectors.to_device(&Device::Cpu)?;
    let rows = teacher.rows.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let ridge = regression(&vectors, &rows, LAMBDA)
        .map_err(candle_core::Error::wrap)?
        .to_dtype(DType::F64)?;
    let (inputs, raw) = sample(set, seed)?;
    // [R, D]: times a label's vector this is the baseline's response.
    let wanted = raw.matmul(&ridge)?;
    let responses = wanted.matmul(&vectors.to_dtype(DType::F64)?.t()?)?;
    let square = responses.sqr()?.mean_all()?.to_scalar::<f64>()?;
    let wanted = (wanted / square.sqrt().max(f64::MIN_POSITIVE))?;
    let basis = orthonormal(out, sizes.label_dimension, seed)?;
    // [out, region channels + 1]
    let map = least_squares(&inputs, &wanted)?.matmul(&basis.t()?)?.t()?;
    let single = |tensor: Tensor| tensor.to_dtype(DType::F32)?.contiguous();
    let weight = single(map.narrow(1, 0, channels)?)?.reshape((out, channels, 1, 1))?;
    Ok(BTreeMap::from([
        ("shortcut.weight".to_owned(), weight),
        (
            "shortcut.bias".to_owned(),
            single(map.narrow(1, channels, 1)?.squeeze(1)?)?,
        ),
        ("classifier.weight".to_owned(), single(basis)?),
    ]))
}

/// Random regions of random photos in 64 bits: x_r with a 1 behind it, `[R, channels + 1]`, and the
/// backbone's own, `[R, C]`.
fn sample(set: &TrainingSet<'_>, seed: u64) -> std::result::Result<(Tensor, Tensor), TrainError> {
    let mut random = generator(seed, "shortcut", 0);
    let [rows, columns] = set.features.grid();
    let regions = rows * columns;
    let each = REGIONS.min(regions);
    let count = set.photos.len();
    let photos = index::sample(&mut random, count, PHOTOS.min(count)).into_vec();
    let (mut inputs, mut raw) = (Vec::new(), Vec::new());
    for chunk in photos.chunks(BATCH) {
        let records = set.records(chunk);
        let projected = set
            .features
            .regions(&records, &vec![false; records.len()])?;
        let projected = projected.permute((0, 2, 3, 1))?.flatten(1, 2)?;
        for (photo, &record) in records.iter().enumerate() {
            let places = index::sample(&mut random, regions, each).into_vec();
            set.features.raw_rows(record, &places, false, &mut raw)?;
            let places: Vec<u32> = places.into_iter().map(|place| place as u32).collect();
            let places = Tensor::new(places, &Device::Cpu)?;
            inputs.push(projected.get(photo)?.index_select(&places, 0)?);
        }
    }
    let inputs = Tensor::cat(&inputs, 0)?.to_dtype(DType::F64)?;
    let found = inputs.dim(0)?;
    let one = Tensor::ones((found, 1), DType::F64, &Device::Cpu)?;
    let raw_channels = raw.len() / found.max(1);
    let raw = Tensor::from_vec(raw, (found, raw_channels), &Device::Cpu)?;
    Ok((Tensor::cat(&[inputs, one], 1)?, raw.to_dtype(DType::F64)?))
}

/// (XᵀX + λI)⁻¹ XᵀY, `[n, D]`, of X `[R, n]` and Y `[R, D]`.
fn least_squares(inputs: &Tensor, wanted: &Tensor) -> Result<Tensor> {
    let size = inputs.dim(1)?;
    let transposed = inputs.t()?.contiguous()?;
    let values = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f64>();
    let mut gram = values(transposed.matmul(inputs)?)?;
    let trace: f64 = gram.iter().step_by(size + 1).sum();
    for place in gram.iter_mut().step_by(size + 1) {
        *place += DAMPING * trace / size as f64;
    }
    let products = values(transposed.matmul(wanted)?)?;
    let solution = cholesky::solve(gram, products, size)
        .ok_or_else(|| candle_core::Error::msg("region features that are no numbers"))?;
    Tensor::from_vec(solution, (size, wanted.dim(1)?), &Device::Cpu)
}

/// A random matrix `[out, dimension]` in 64 bits whose columns are orthonormal, or its rows where
/// there are fewer of them.
fn orthonormal(out: usize, dimension: usize, seed: u64) -> Result<Tensor> {
    let mut random = generator(seed, "orthonormal", 0);
    let (long, short) = (out.max(dimension), out.min(dimension));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(short);
    for _ in 0..short {
        let mut vector: Vec<f64> = (0..long).map(|_| random.random_range(-1.0..1.0)).collect();
        for other in &vectors {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            for (value, &other) in vector.iter_mut().zip(other) {
                *value -= along * other;
            }
        }
        let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        vectors.push(vector.into_iter().map(|value| value / norm).collect());
    }
    let rows = Tensor::from_vec(vectors.concat(), (short, long), &Device::Cpu)?;
    match out >= dimension {
        true => rows.t()?.contiguous(),
        false => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{CacheError, PhotoLabels};
    use crate::train::photos::{TrainingFeatures, TrainingPhoto};

    /// Raw features are a linear map of x_r, with an offset.
    struct Linear {
        /// `[N, 6, 2, 3]`
        regions: Tensor,
        /// `[6, 9]`
        map: Tensor,
    }

    impl Linear {
        fn raw(&self, record: usize) -> Tensor {
            let rows = self.regions.get(record).unwrap().flatten_from(1).unwrap();
            let raw = rows.t().unwrap().matmul(&self.map).unwrap();
            (raw + 0.7).unwrap()
        }
    }

    impl TrainingFeatures for Linear {
        fn grid(&self) -> [usize; 2] {
            [2, 3]
        }

        fn regions(
            &self,
            records: &[usize],
            _: &[bool],
        ) -> std::result::Result<Tensor, CacheError> {
            let records: Vec<u32> = records.iter().map(|&record| record as u32).collect();
            let records = Tensor::new(records, &Device::Cpu)?;
            Ok(self.regions.index_select(&records, 0)?)
        }

        fn globals(&self, _: &[usize]) -> std::result::Result<Tensor, CacheError> {
            unreachable!()
        }

        fn raw_rows(
            &self,
            record: usize,
            regions: &[usize],
            _: bool,
            rows: &mut Vec<f32>,
        ) -> std::result::Result<(), CacheError> {
            let raw = self.raw(record).to_vec2::<f32>()?;
            rows.extend(regions.iter().flat_map(|&region| raw[region].clone()));
            Ok(())
        }
    }

    fn random(name: &str, shape: &[usize]) -> Tensor {
        let mut generator = generator(3, name, 0);
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| generator.random_range(-1.0..1.0))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_shortcut_alone_answers_as_the_ridge_baseline_up_to_one_scale() {
        let features = Linear {
            regions: random("regions", &[40, 6, 2, 3]),
            map: random("map", &[6, 9]),
        };
        let photos = (0..40).map(|record| TrainingPhoto {
            record,
            labels: PhotoLabels::listed(Vec::new(), Vec::new()),
        });
        let set = TrainingSet {
            features: &features,
            photos: photos.collect(),
            seen: Vec::new(),
            labels: 0,
        };
        let teacher = Teacher {
            rows: random("rows", &[30, 9]),
            vectors: random("vectors", &[30, 5]),
        };
        let sizes = Shortcut {
            region_channels: 6,
            out_channels: 8,
            label_dimension: 5,
        };
        let start = ridge_shortcut(sizes, &teacher, &set, 1).unwrap();
        assert_eq!(start["shortcut.weight"].dims(), [8, 6, 1, 1]);
        let rows = teacher.rows.to_dtype(DType::F64).unwrap();
        let ridge = regression(&teacher.vectors, &rows, LAMBDA).unwrap();
        let answers = || -> Result<(Vec<f32>, Vec<f32>)> {
            let labels = random("labels", &[4, 5]);
            let baseline = features.raw(7).matmul(&ridge)?.matmul(&labels.t()?)?;
            let regions = features.regions.get(7)?.flatten_from(1)?.t()?;
            let weight = start["shortcut.weight"].reshape((8, 6))?;
            let fused = regions
                .matmul(&weight.t()?)?
                .broadcast_add(&start["shortcut.bias"])?;
            let projected = labels.matmul(&start["classifier.weight"].t()?)?;
            let found = fused.matmul(&projected.t()?)?;
            Ok((
                found.flatten_all()?.to_vec1()?,
                baseline.flatten_all()?.to_vec1()?,
            ))
        };
        let (found, baseline) = answers().unwrap();
        let scale = found[0] / baseline[0];
        assert!(scale > 0.0);
        for (found, baseline) in found.iter().zip(&baseline) {
            let off = (found - scale * baseline).abs();
            assert!(off < 5e-3, "{found} for {}", scale * baseline);
        }
    }

    #[test]
    fn columns_or_rows_are_orthonormal() {
        for (out, dimension) in [(9, 4), (4, 9)] {
            let matrix = orthonormal(out, dimension, 1).unwrap();
            let product = match out > dimension {
                true => matrix.t().unwrap().matmul(&matrix),
                false => matrix.matmul(&matrix.t().unwrap()),
            };
            for (i, row) in product
                .unwrap()
                .to_vec2::<f64>()
                .unwrap()
                .iter()
                .enumerate()
            {
                for (j, value) in row.iter().enumerate() {
                    let expected = f64::from(u8::from(i == j));
                    assert!((value - expected).abs() < 1e-12, "{value}");
                }
            }
        }
    }
}
