//! Depthwise convolution: every channel with a window of its own.

use super::lanes::InstructionSet;
use super::packed_depthwise::PackedDepthwise;
use super::{Activation, Padding};
use candle_core::{DType, Result, Tensor, bail};
use std::sync::Arc;

/// A depthwise convolution with bias and activation.
#[derive(Clone)]
pub struct Depthwise {
    weight: Tensor,
    bias: Option<Tensor>,
    window: Window,
    activation: Activation,
    packed: Option<Arc<PackedDepthwise>>,
}

/// Where the windows of a convolution lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Side of the window.
    pub(crate) kernel: usize,
    /// Pixels from one window to the next.
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
}

impl Window {
    /// Height and width of the output.
    pub(crate) fn output(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let along = |length: usize, before: usize, after: usize| {
            (length + before + after)
                .checked_sub(self.kernel)
                .map(|room| room / self.stride + 1)
        };
        let Padding {
            left,
            top,
            right,
            bottom,
        } = self.padding;
        match (along(height, top, bottom), along(width, left, right)) {
            (Some(height), Some(width)) => Ok((height, width)),
            _ => bail!(
                "an image of {height}x{width} is smaller than the window of {0}x{0}",
                self.kernel
            ),
        }
    }

    /// Width of an input row with its padding.
    pub(crate) fn padded_width(&self, width: usize) -> usize {
        width + self.padding.left + self.padding.right
    }
}

impl Depthwise {
    /// A layer of `weight` `[C, 1, k, k]`, k = 3, 5 or 7, and `bias` `[C]`.
    ///
    /// # Errors
    /// The shapes are others, or the stride is 0.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        stride: usize,
        padding: Padding,
        activation: Activation,
    ) -> Result<Self> {
        let (channels, kernel) = match *weight.dims() {
            [channels, 1, height, width] if height == width && matches!(height, 3 | 5 | 7) => {
                (channels, height)
            }
            ref other => bail!("a depthwise weight is [C, 1, k, k], k = 3, 5 or 7, not {other:?}"),
        };
        if stride == 0 {
            bail!("a depthwise convolution needs a stride of at least 1");
        }
        let window = Window {
            kernel,
            stride,
            padding,
        };
        let weight = weight.to_dtype(DType::F32)?.contiguous()?;
        let bias = super::vector_of("depthwise bias", bias, channels)?;
        let packed = if weight.device().is_cpu() {
            let taps = weight.flatten_all()?.to_vec1::<f32>()?;
            let bias = bias.as_ref().map(Tensor::to_vec1::<f32>).transpose()?;
            let set = InstructionSet::detect();
            let packed = PackedDepthwise::new(set, window, &taps, bias.as_deref(), activation);
            Some(Arc::new(packed))
        } else {
            None
        };
        Ok(Self {
            weight,
            bias,
            window,
            activation,
            packed,
        })
    }

    /// Channels in and out.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.weight.dims()[0]
    }

    /// `[N, h, w, C]` to `[N, h', w', C]`.
    ///
    /// # Errors
    /// The input has another number of channels or dimensions, or is smaller than the window.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, height, width, channels) = xs.dims4()?;
        if channels != self.channels() {
            bail!(
                "a depthwise layer of {} channels was given {channels}",
                self.channels()
            );
        }
        self.window.output(height, width)?;
        match &self.packed {
            Some(packed) => xs.contiguous()?.apply_op1_no_bwd(&**packed),
            None => self.plain(xs),
        }
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }

    pub(crate) fn packed(&self) -> Option<&Arc<PackedDepthwise>> {
        self.packed.as_ref()
    }

    /// The same with candle's own operators: the image shifted to each place of the window, times
    /// that place's weights. Candle's grouped convolution would run once for each channel.
    fn plain(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, height, width, _) = xs.dims4()?;
        let (rows, columns) = self.window.output(height, width)?;
        let Window {
            kernel,
            stride,
            padding,
        } = self.window;
        // Enough zeros after the image that every shifted part has whole strides.
        let room = |outputs: usize| outputs * stride + kernel - 1;
        let bottom = room(rows).saturating_sub(height + padding.top);
        let right = room(columns).saturating_sub(width + padding.left);
        let padded =
            xs.pad_with_zeros(1, padding.top, bottom)?
                .pad_with_zeros(2, padding.left, right)?;
        let taps = self
            .weight
            .reshape((self.channels(), kernel * kernel))?
            .t()?
            .contiguous()?;
        let mut sum: Option<Tensor> = None;
        for tap in 0..kernel * kernel {
            let shifted = padded.narrow(1, tap / kernel, rows * stride)?;
            let shifted = every(&shifted, 1, stride)?;
            let shifted = shifted.narrow(2, tap % kernel, columns * stride)?;
            let shifted = every(&shifted, 2, stride)?;
            let product = shifted.broadcast_mul(&taps.get(tap)?)?;
            sum = Some(match sum {
                Some(sum) => (sum + product)?,
                None => product,
            });
        }
        let mut sum = match sum {
            Some(sum) => sum,
            None => bail!("a depthwise window has at least one place"),
        };
        if let Some(bias) = &self.bias {
            sum = sum.broadcast_add(bias)?;
        }
        self.activation.apply(&sum)
    }
}

/// Every `stride`-th slice of `dim`, whose length is a multiple of `stride`.
fn every(xs: &Tensor, dim: usize, stride: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(xs.clone());
    }
    let mut dims = xs.dims().to_vec();
    dims[dim] /= stride;
    dims.insert(dim + 1, stride);
    xs.contiguous()?
        .reshape(dims)?
        .narrow(dim + 1, 0, 1)?
        .squeeze(dim + 1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;

    /// Candle's grouped convolution: slow, and independent of everything here.
    fn grouped(layer: &Depthwise, xs: &Tensor) -> Result<Tensor> {
        let Padding {
            left,
            top,
            right,
            bottom,
        } = layer.window.padding;
        let sums = xs
            .permute((0, 3, 1, 2))?
            .pad_with_zeros(2, top, bottom)?
            .pad_with_zeros(3, left, right)?
            .contiguous()?
            .conv2d(&layer.weight, 0, layer.window.stride, 1, layer.channels())?
            .permute((0, 2, 3, 1))?
            .contiguous()?;
        let sums = match &layer.bias {
            Some(bias) => sums.broadcast_add(bias)?,
            None => sums,
        };
        layer.activation.apply(&sums)
    }

    #[test]
    fn is_candle_s_grouped_convolution() -> Result<()> {
        on_every_instruction_set(|| {
            for (images, height, width, channels) in [(1, 16, 15, 32), (2, 9, 21, 21), (1, 7, 8, 3)]
            {
                for kernel in [3, 5, 7] {
                    for stride in [1, 2, 3] {
                        for padding in [
                            Padding::same(kernel / 2),
                            Padding::new(0, 1),
                            Padding::new(kernel - 1, 0),
                            Padding {
                                left: 1,
                                top: 0,
                                right: 2,
                                bottom: 3,
                            },
                        ] {
                            let weight = random(1.0, &[channels, 1, kernel, kernel]);
                            let bias = random(2.0, &[channels]);
                            let bias = Some(&bias).filter(|_| stride != 3);
                            let activation = Activation::Relu6;
                            let layer = Depthwise::new(&weight, bias, stride, padding, activation)?;
                            let xs = random(3.0, &[images, height, width, channels]);
                            let expected = grouped(&layer, &xs)?;
                            assert_close(&layer.forward(&xs)?, &expected, 1e-5)?;
                            assert_close(&layer.plain(&xs)?, &expected, 1e-5)?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    #[test]
    fn work_for_several_threads_gives_the_same() -> Result<()> {
        let padding = Padding::same(2);
        let weight = random(1.0, &[48, 1, 5, 5]);
        let layer = Depthwise::new(&weight, None, 1, padding, Activation::None)?;
        let xs = random(3.0, &[2, 40, 30, 48]);
        assert_close(&layer.forward(&xs)?, &layer.plain(&xs)?, 1e-5)
    }

    #[test]
    fn says_what_does_not_fit() -> Result<()> {
        let new = |shape: &[usize], stride| {
            let weight = random(1.0, shape);
            Depthwise::new(&weight, None, stride, Padding::default(), Activation::None)
        };
        assert!(new(&[8, 1, 4, 4], 1).is_err());
        assert!(new(&[8, 2, 3, 3], 1).is_err());
        assert!(new(&[8, 1, 3, 3], 0).is_err());
        let layer = new(&[8, 1, 3, 3], 1)?;
        let message = layer
            .forward(&random(1.0, &[1, 5, 5, 9]))
            .unwrap_err()
            .to_string();
        assert!(message.contains("8 channels was given 9"), "{message}");
        let message = layer
            .forward(&random(1.0, &[1, 5, 2, 8]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("5x2 is smaller than the window of 3x3"),
            "{message}"
        );
        Ok(())
    }
}
