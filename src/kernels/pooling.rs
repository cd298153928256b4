//! The mean over all regions of an image: the global feature, and the paper's spatial pooling.

use super::memory::contiguous;
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

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
