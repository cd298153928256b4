//! Scores of labels with their gradient: the mean of a label's k largest responses (Eq. 1).
//!
//! The responses of a photo, regions times labels, stay in the cache. Only k of P regions of each
//! label have a gradient, so the backward pass adds up rows where candle and PyTorch multiply
//! matrices of zeros.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{SharedMut, contiguous, filled, read, with_scratch};
use super::parallel;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;

/// Labels of a piece of the backward pass.
const LABELS: usize = 16;

/// Scores `[N, L]`: the mean of the `k` largest of the P responses of e_f `[N, P, out]` to each of
/// the projected labels `[L, out]`, in main memory; differentiable. `k` is clamped to 1..=P; of
/// equal responses the earlier regions count. A response that is not a number makes a score that
/// is not one.
///
/// # Errors
/// The widths differ.
pub fn top_k_scores(features: &Tensor, labels: &Tensor, k: usize) -> Result<Tensor> {
    let (_, regions, width) = features.dims3()?;
    if labels.dims2()?.1 != width || regions == 0 {
        bail!(
            "features {:?} do not fit labels {:?}",
            features.dims(),
            labels.dims()
        );
    }
    let k = k.clamp(1, regions);
    if k == regions {
        return features.mean(1)?.matmul(&labels.t()?);
    }
    features.contiguous()?.apply_op2(
        &labels.contiguous()?,
        Operator {
            set: InstructionSet::detect(),
            k,
            largest: OnceLock::new(),
        },
    )
}

/// The scores as candle's operator.
struct Operator {
    set: InstructionSet,
    k: usize,
    /// The k regions of every photo and label, `[N, L, k]`, from the forward pass.
    largest: OnceLock<Vec<u32>>,
}

/// Photos, regions, width of e_f and labels.
#[derive(Clone, Copy)]
struct Size {
    photos: usize,
    regions: usize,
    width: usize,
    labels: usize,
}

impl Operator {
    fn forward(&self, features: &[f32], labels: &[f32], size: Size) -> (Vec<f32>, Vec<u32>) {
        let Size {
            photos,
            regions,
            width,
            labels: count,
        } = size;
        let entry = |i: usize, label: usize| labels[label * width + i];
        let matrix = PackedMatrix::new(self.set, width, count, entry, None, Activation::None);
        let stride = count.next_multiple_of(16);
        let mut largest = vec![0u32; photos * count * self.k];
        let mut scores = vec![0.0; photos * count];
        let largest_of = largest.chunks_mut((count * self.k).max(1));
        let photos = largest_of.zip(scores.chunks_mut(count.max(1)));
        rayon::scope(|scope| {
            for (photo, (largest, scores)) in photos.enumerate() {
                let features = &features[photo * regions * width..][..regions * width];
                let matrix = &matrix;
                scope.spawn(move |_| {
                    with_scratch((regions + 1) * stride, |scratch| {
                        let (responses, thresholds) = scratch.split_at_mut(regions * stride);
                        let target = Target {
                            start: responses.as_mut_ptr(),
                            stride,
                            residual: std::ptr::null(),
                        };
                        let rows = Rows::plain(features.as_ptr(), regions, width, width);
                        // SAFETY: `features` holds the rows, and there is room for the responses.
                        unsafe {
                            matrix.multiply(0..matrix.panels(), &rows, &target);
                            let thresholds = &mut thresholds[..count];
                            thresholds_entry(self.set, responses, stride, self.k, thresholds);
                        }
                        self.select(responses, stride, &thresholds[..count], largest, scores);
                    });
                });
            }
        });
        (scores, largest)
    }

    /// Finds each label's regions from its k-th largest response on, and their mean.
    fn select(
        &self,
        responses: &[f32],
        stride: usize,
        thresholds: &[f32],
        largest: &mut [u32],
        scores: &mut [f32],
    ) {
        let k = self.k;
        let mut found = vec![0usize; thresholds.len()];
        for (region, responses) in responses.chunks_exact(stride).enumerate() {
            for (label, &threshold) in thresholds.iter().enumerate() {
                let response = responses[label];
                if response >= threshold || response.is_nan() {
                    if found[label] < k {
                        largest[label * k + found[label]] = region as u32;
                    }
                    found[label] += 1;
                }
            }
        }
        for (label, &threshold) in thresholds.iter().enumerate() {
            let of = |region: usize| responses[region * stride + label];
            let largest = &mut largest[label * k..][..k];
            let regions = 0..responses.len() / stride;
            if found[label] != k {
                if regions.clone().any(|region| of(region).is_nan()) {
                    scores[label] = f32::NAN;
                    continue;
                }
                let above = regions.clone().filter(|&region| of(region) > threshold);
                let equal = regions.filter(|&region| of(region) == threshold);
                for (place, region) in largest.iter_mut().zip(above.chain(equal)) {
                    *place = region as u32;
                }
            }
            let sum: f32 = largest.iter().map(|&region| of(region as usize)).sum();
            scores[label] = sum / k as f32;
        }
    }

    /// The gradients of e_f and of the labels.
    fn backward(
        &self,
        features: &[f32],
        labels: &[f32],
        gradient: &[f32],
        size: Size,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let Some(largest) = self.largest.get() else {
            bail!("the scores' backward pass comes after their forward pass")
        };
        let share = 1.0 / self.k as f32;
        let places = Places {
            largest,
            k: self.k,
            size,
            gradient,
            share,
        };
        let photo_length = size.regions * size.width;
        assert_eq!(features.len(), size.photos * photo_length);
        assert_eq!(labels.len(), size.labels * size.width);
        // SAFETY: each piece writes photos, then labels, of its own, all of them; the regions are
        // those that the forward pass counted in features of this size.
        unsafe {
            let to_features = filled(features.len(), |output| {
                parallel::for_each_piece(size.photos, |photo| {
                    let output = output.at(photo * photo_length);
                    // Zeros first: a slice is made only of floats that are there.
                    output.write_bytes(0, photo_length);
                    let output = std::slice::from_raw_parts_mut(output, photo_length);
                    features_entry(self.set, &places, photo, labels, output);
                });
            });
            let mut to_labels = vec![0.0; labels.len()];
            let output = SharedMut(to_labels.as_mut_ptr());
            parallel::for_each_piece(size.labels.div_ceil(LABELS), |piece| {
                let first = piece * LABELS;
                let labels = first..size.labels.min(first + LABELS);
                labels_entry(self.set, &places, labels, features, output);
            });
            Ok((to_features, to_labels))
        }
    }
}

/// Where the gradient goes.
struct Places<'a> {
    largest: &'a [u32],
    k: usize,
    size: Size,
    /// Of the scores, `[N, L]`.
    gradient: &'a [f32],
    /// 1 / k.
    share: f32,
}

impl Places<'_> {
    /// The regions of a label in a photo, and the gradient of each.
    #[inline(always)]
    fn of(&self, photo: usize, label: usize) -> (&[u32], f32) {
        let place = photo * self.size.labels + label;
        let regions = &self.largest[place * self.k..][..self.k];
        (regions, self.gradient[place] * self.share)
    }
}

instruction_set_entry!(
    /// The k-th largest of each column of `responses`.
    thresholds_entry => find_thresholds(
        responses: &[f32],
        stride: usize,
        k: usize,
        thresholds: &mut [f32],
    )
);

/// Keeps the k largest of a vector of columns sorted: a new value sinks past the larger ones.
#[inline(always)]
unsafe fn find_thresholds<L: Lanes>(
    responses: &[f32],
    stride: usize,
    k: usize,
    thresholds: &mut [f32],
) {
    let columns = thresholds.len();
    // SAFETY: a value only; the caller vouches for the instruction set.
    let mut sorted = vec![unsafe { L::splat(f32::NEG_INFINITY) }; k];
    for column in (0..columns).step_by(L::WIDTH) {
        let lanes = columns - column;
        // SAFETY: only columns that exist are read and written.
        unsafe {
            sorted.fill(L::splat(f32::NEG_INFINITY));
            for row in responses.chunks_exact(stride) {
                let mut value = L::load_up_to(row.as_ptr().add(column), lanes);
                for place in &mut sorted {
                    let larger = place.max(value);
                    value = place.min(value);
                    *place = larger;
                }
            }
            sorted[k - 1].store_up_to(thresholds.as_mut_ptr().add(column), lanes);
        }
    }
}

instruction_set_entry!(
    /// Adds the gradient of one photo's e_f to `output`.
    features_entry => add_labels(
        places: &Places<'_>,
        photo: usize,
        labels: &[f32],
        output: &mut [f32],
    )
);

#[inline(always)]
unsafe fn add_labels<L: Lanes>(
    places: &Places<'_>,
    photo: usize,
    labels: &[f32],
    output: &mut [f32],
) {
    let width = places.size.width;
    for (label, row) in labels.chunks_exact(width).enumerate() {
        let (regions, gradient) = places.of(photo, label);
        for &region in regions {
            let output = &mut output[region as usize * width..][..width];
            for (sum, value) in output.iter_mut().zip(row) {
                *sum += gradient * value;
            }
        }
    }
}

instruction_set_entry!(
    /// The gradient of some labels.
    labels_entry => add_regions(
        places: &Places<'_>,
        labels: std::ops::Range<usize>,
        features: &[f32],
        output: SharedMut,
    )
);

#[inline(always)]
unsafe fn add_regions<L: Lanes>(
    places: &Places<'_>,
    labels: std::ops::Range<usize>,
    features: &[f32],
    output: SharedMut,
) {
    let Size {
        photos,
        regions: in_photo,
        width,
        ..
    } = places.size;
    for photo in 0..photos {
        let features = &features[photo * in_photo * width..][..in_photo * width];
        for label in labels.clone() {
            let (regions, gradient) = places.of(photo, label);
            for i in (0..width).step_by(L::WIDTH) {
                let lanes = width - i;
                // SAFETY: every region's row has `width` floats, and so has the label's gradient,
                // which is the caller's.
                unsafe {
                    let mut sum = L::splat(0.0);
                    for &region in regions {
                        let row = features.as_ptr().add(region as usize * width + i);
                        sum = sum.add(L::load_up_to(row, lanes));
                    }
                    let to = output.at(label * width + i);
                    sum.mul_add(L::splat(gradient), L::load_up_to(to, lanes))
                        .store_up_to(to, lanes);
                }
            }
        }
    }
}

impl CustomOp2 for Operator {
    fn name(&self) -> &'static str {
        "top-k scores"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (photos, regions, width) = layout.shape().dims3()?;
        let (count, _) = labels_layout.shape().dims2()?;
        let size = Size {
            photos,
            regions,
            width,
            labels: count,
        };
        let (scores, largest) = self.forward(
            contiguous(self.name(), features, layout)?,
            contiguous(self.name(), labels, labels_layout)?,
            size,
        );
        // One operator runs forward once.
        let _ = self.largest.set(largest);
        Ok((CpuStorage::F32(scores), Shape::from((photos, count))))
    }

    fn bwd(
        &self,
        features: &Tensor,
        labels: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (photos, regions, width) = features.dims3()?;
        let size = Size {
            photos,
            regions,
            width,
            labels: labels.dim(0)?,
        };
        let name = self.name();
        let (to_features, to_labels) = read(name, features, |features| {
            read(name, labels, |labels| {
                read(name, gradient, |gradient| {
                    self.backward(features, labels, gradient, size)
                })
            })
        })?;
        let device = features.device();
        Ok((
            Some(Tensor::from_vec(to_features, features.shape(), device)?),
            Some(Tensor::from_vec(to_labels, labels.shape(), device)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        assert_close, assert_same_gradients, on_every_instruction_set, random,
    };
    use super::*;
    use candle_core::Device;

    fn plain(features: &Tensor, labels: &Tensor, k: usize) -> Result<Tensor> {
        let responses = labels.broadcast_matmul(&features.t()?)?;
        let order = responses.arg_sort_last_dim(false)?;
        let largest = order.narrow(2, 0, k)?.contiguous()?;
        responses.contiguous()?.gather(&largest, 2)?.mean(2)
    }

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for (photos, regions, width, labels, k) in [
                (1, 1, 1, 1, 1),
                (2, 5, 7, 3, 2),
                (3, 49, 20, 37, 10),
                (2, 30, 33, 50, 29),
                (2, 12, 16, 16, 12),
            ] {
                let arguments = [
                    random(1.0, &[photos, regions, width]),
                    random(2.0, &[labels, width]),
                ];
                assert_same_gradients(
                    &arguments,
                    |[features, labels]| top_k_scores(features, labels, k),
                    |[features, labels]| plain(features, labels, k),
                    2e-5,
                )?;
            }
            Ok(())
        })
    }

    #[test]
    fn of_equal_responses_the_earlier_regions_count() -> Result<()> {
        let features = Tensor::new(&[[[1f32], [2.0], [1.0], [1.0], [3.0]]], &Device::Cpu)?;
        let features = candle_core::Var::from_tensor(&features)?;
        let labels = Tensor::ones((1, 1), features.dtype(), features.device())?;
        let scores = top_k_scores(&features, &labels, 3)?;
        assert_close(&scores, &Tensor::new(&[[2f32]], &Device::Cpu)?, 1e-6)?;
        let gradients = scores.backward()?;
        let expected = Tensor::new(&[[[1f32], [1.0], [0.0], [0.0], [1.0]]], &Device::Cpu)?;
        assert_close(gradients.get(&features).unwrap(), &(expected / 3.0)?, 1e-6)
    }

    #[test]
    fn what_is_no_number_is_not_hidden() -> Result<()> {
        on_every_instruction_set(|| {
            for bad in [0, 3, 8] {
                let mut features = vec![1f32; 9];
                features[bad] = f32::NAN;
                let features = Tensor::from_vec(features, (1, 9, 1), &Device::Cpu)?;
                let labels = Tensor::ones((20, 1), features.dtype(), features.device())?;
                for k in [1, 4, 8] {
                    let scores = top_k_scores(&features, &labels, k)?;
                    let scores = scores.flatten_all()?.to_vec1::<f32>()?;
                    assert!(scores.iter().all(|score| score.is_nan()), "{bad} {k}");
                }
            }
            Ok(())
        })
    }

    #[test]
    fn says_what_does_not_fit() {
        let message = top_k_scores(&random(1.0, &[2, 4, 5]), &random(2.0, &[3, 6]), 2)
            .unwrap_err()
            .to_string();
        assert!(message.contains("[2, 4, 5]") && message.contains("[3, 6]"));
    }
}
