//! Pooling: the mean over all regions of an image (the global feature, and the paper's spatial
//! pooling), and the maximum of every 2x2 pixels.

use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{SharedMut, contiguous, filled};
use super::parallel;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// The mean over all pixels, `[N, h, w, C]` to `[N, C]`.
///
/// # Errors
/// The input has another number of dimensions.
pub fn mean_over_regions(xs: &Tensor) -> Result<Tensor> {
    xs.dims4()?;
    if xs.device().is_cpu() {
        xs.contiguous()?.apply_op1_no_bwd(&Mean)
    } else {
        xs.mean((1, 2))
    }
}

/// The mean as candle's operator: candle's own walks the image channel by channel.
struct Mean;

impl CustomOp1 for Mean {
    fn name(&self) -> &'static str {
        "mean over regions"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("mean over regions", storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let mut means = vec![0.0; images * channels];
        let length = height * width * channels;
        if length > 0 {
            let share = 1.0 / (height * width) as f32;
            for (image, mean) in values.chunks(length).zip(means.chunks_mut(channels)) {
                for pixel in image.chunks(channels) {
                    for (sum, value) in mean.iter_mut().zip(pixel) {
                        *sum += value;
                    }
                }
                mean.iter_mut().for_each(|sum| *sum *= share);
            }
        }
        Ok((CpuStorage::F32(means), Shape::from((images, channels))))
    }
}

/// The largest of every 2x2 pixels, `[N, h, w, C]` to `[N, h / 2, w / 2, C]`; an odd last row or
/// column is left out.
///
/// # Errors
/// The input has another number of dimensions.
pub fn max_of_squares(xs: &Tensor) -> Result<Tensor> {
    xs.dims4()?;
    if xs.device().is_cpu() {
        xs.contiguous()?
            .apply_op1_no_bwd(&Squares(InstructionSet::detect()))
    } else {
        plain_max_of_squares(xs)
    }
}

/// The same with candle's own operators.
fn plain_max_of_squares(xs: &Tensor) -> Result<Tensor> {
    xs.permute((0, 3, 1, 2))?
        .contiguous()?
        .max_pool2d(2)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}

/// The maximum as candle's operator.
struct Squares(InstructionSet);

impl CustomOp1 for Squares {
    fn name(&self) -> &'static str {
        "maximum of squares"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous(self.name(), storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let (rows, columns) = (height / 2, width / 2);
        let length = columns * channels;
        let run = |output: SharedMut| {
            let pieces = parallel::pieces(images * rows * length).min(images * rows);
            parallel::for_each_piece(pieces.max(1), |piece| {
                for row in parallel::part(images * rows, pieces.max(1), piece) {
                    let first = (row / rows * height + row % rows * 2) * width * channels;
                    let pair = &values[first..first + 2 * width * channels];
                    // SAFETY: each piece writes rows of its own.
                    unsafe { squares_entry(self.0, pair, channels, output.at(row * length)) };
                }
            });
        };
        // SAFETY: every row is written.
        let largest = unsafe { filled(images * rows * length, run) };
        let shape = Shape::from((images, rows, columns, channels));
        Ok((CpuStorage::F32(largest), shape))
    }
}

instruction_set_entry!(
    /// One row of the result from two rows of pixels.
    squares_entry => squares(pair: &[f32], channels: usize, output: *mut f32)
);

#[inline(always)]
unsafe fn squares<L: Lanes>(pair: &[f32], channels: usize, output: *mut f32) {
    let (upper, lower) = pair.split_at(pair.len() / 2);
    for column in 0..upper.len() / channels / 2 {
        for channel in (0..channels).step_by(L::WIDTH) {
            let (at, lanes) = (2 * column * channels + channel, channels - channel);
            // SAFETY: both rows have two pixels there; room for the result is the caller's promise.
            unsafe {
                let row = |row: &[f32]| {
                    let left = L::load_up_to(row.as_ptr().add(at), lanes);
                    L::load_up_to(row.as_ptr().add(at + channels), lanes).max(left)
                };
                row(lower)
                    .max(row(upper))
                    .store_up_to(output.add(column * channels + channel), lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_largest_of_every_square() -> Result<()> {
        on_every_instruction_set(|| {
            for shape in [[1, 2, 2, 1], [2, 7, 9, 5], [3, 28, 28, 37], [2, 1, 4, 8]] {
                let xs = random(1.0, &shape);
                let found = max_of_squares(&xs)?;
                if shape[1] < 2 {
                    assert_eq!(found.dims(), [2, 0, 2, 8]);
                } else {
                    assert_close(&found, &plain_max_of_squares(&xs)?, 0.0)?;
                }
            }
            Ok(())
        })
    }

    #[test]
    fn is_the_mean_of_each_channel() -> Result<()> {
        let xs = Tensor::randn(0f32, 1., (2, 5, 3, 7), &Device::Cpu)?;
        let difference = (mean_over_regions(&xs)? - xs.mean((1, 2))?)?
            .abs()?
            .max_all()?;
        assert!(difference.to_scalar::<f32>()? < 1e-6);
        assert!(mean_over_regions(&xs.get(0)?).is_err());
        Ok(())
    }
}
