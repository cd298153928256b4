//! 3x3 convolution over all channels.

use super::depthwise::Window;
use super::lanes::InstructionSet;
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{SharedMut, contiguous, filled, with_scratch};
use super::winograd::PackedWinograd;
use super::winograd_tiles::TileSize;
use super::{Activation, Padding, parallel};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use std::ops::Range;
use std::sync::Arc;

/// Channels in and out from which Winograd's method pays for its transforms.
const WINOGRAD_CHANNELS: usize = 32;

/// A 3x3 convolution with bias and activation, and after these an affine map of each channel where
/// there is one.
#[derive(Clone)]
pub struct Conv3x3 {
    weight: Tensor,
    bias: Option<Tensor>,
    affine: Option<(Tensor, Tensor)>,
    window: Window,
    activation: Activation,
    tiles: TileSize,
    packed: Option<Arc<Packed>>,
}

/// The weights for the CPU.
enum Packed {
    /// Stride 1 and padding 1 over many channels.
    Winograd(PackedWinograd),
    /// Everything else.
    Direct(PackedMatrix),
}

impl Packed {
    /// Whether it can start from pixels in u8.
    fn reads_pixels(&self) -> bool {
        matches!(self, Self::Direct(_))
    }
}

/// What is done to the input's values when they are read.
#[derive(Clone, Copy)]
struct Scale {
    scale: f32,
    shift: f32,
}

impl Scale {
    const NONE: Self = Self {
        scale: 1.0,
        shift: 0.0,
    };
}

/// The input's values, of all images.
#[derive(Clone, Copy)]
enum Values<'a> {
    Floats(&'a [f32]),
    Pixels(&'a [u8], Scale),
}

impl Values<'_> {
    /// How many there are.
    fn len(self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Pixels(values, _) => values.len(),
        }
    }

    /// Reads as many values as `row` holds from `start` on.
    fn read(self, start: usize, row: &mut [f32]) {
        match self {
            Self::Floats(values) => row.copy_from_slice(&values[start..start + row.len()]),
            Self::Pixels(values, Scale { scale, shift }) => {
                for (value, &pixel) in row.iter_mut().zip(&values[start..]) {
                    *value = f32::from(pixel) * scale + shift;
                }
            }
        }
    }
}

impl Conv3x3 {
    /// A layer of `weight` `[out, in, 3, 3]` and `bias` `[out]`.
    ///
    /// # Errors
    /// The shapes are others, or the stride is 0.
    pub fn new(
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        stride: usize,
        padding: Padding,
    ) -> Result<Self> {
        if stride == 0 {
            bail!("a 3x3 convolution needs a stride of at least 1");
        }
        let window = Window {
            kernel: 3,
            stride,
            padding,
        };
        Self::build(weight, bias, activation, window, TileSize::Two)
    }

    /// A layer of stride 1 and padding 1 for networks of many such layers: over many channels it is
    /// computed in tiles of 4x4 pixels, which are faster than the 2x2 of [`Conv3x3::new`], take four
    /// times the weights' memory and are less exact, by some 1e-5 of the largest output.
    ///
    /// # Errors
    /// The shapes are others.
    pub fn in_large_tiles(
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
    ) -> Result<Self> {
        let window = Window {
            kernel: 3,
            stride: 1,
            padding: Padding::same(1),
        };
        Self::build(weight, bias, activation, window, TileSize::Four)
    }

    fn build(
        weight: &Tensor,
        bias: Option<&Tensor>,
        activation: Activation,
        window: Window,
        tiles: TileSize,
    ) -> Result<Self> {
        let &[out, _, 3, 3] = weight.dims() else {
            bail!(
                "a 3x3 convolution's weight is [out, in, 3, 3], not {:?}",
                weight.dims()
            );
        };
        let weight = weight.to_dtype(DType::F32)?.contiguous()?;
        let bias = super::vector_of("3x3 convolution's bias", bias, out)?;
        let layer = Self {
            weight,
            bias,
            affine: None,
            window,
            activation,
            tiles,
            packed: None,
        };
        layer.pack()
    }

    /// Applies `scale · x + shift`, `[out]` each, to every channel after the activation.
    ///
    /// # Errors
    /// The shapes are others.
    pub fn with_affine(mut self, scale: &Tensor, shift: &Tensor) -> Result<Self> {
        let out = self.outputs();
        let scale = super::vector_of("scale after a convolution", Some(scale), out)?;
        let shift = super::vector_of("shift after a convolution", Some(shift), out)?;
        self.affine = scale.zip(shift);
        self.pack()
    }

    /// Channels in.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Channels out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// `[N, h, w, in]` to `[N, h', w', out]`.
    ///
    /// # Errors
    /// The input has another number of channels or dimensions, or is smaller than the window.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.run(xs, Scale::NONE)
    }

    /// As [`Conv3x3::forward`] of `scale · x + shift`, for pixels `[N, h, w, in]` in u8; the padding
    /// is zero after the scaling.
    ///
    /// # Errors
    /// As [`Conv3x3::forward`], or the pixels are not in u8.
    pub fn forward_pixels(&self, pixels: &Tensor, scale: f32, shift: f32) -> Result<Tensor> {
        if pixels.dtype() != DType::U8 {
            bail!("pixels are in u8, not {:?}", pixels.dtype());
        }
        if self.packed.as_deref().is_some_and(Packed::reads_pixels) {
            self.run(pixels, Scale { scale, shift })
        } else {
            let scaled = pixels
                .to_dtype(DType::F32)?
                .affine(f64::from(scale), f64::from(shift))?;
            self.run(&scaled, Scale::NONE)
        }
    }

    fn run(&self, xs: &Tensor, scale: Scale) -> Result<Tensor> {
        let (_, height, width, channels) = xs.dims4()?;
        if channels != self.inputs() {
            bail!(
                "a 3x3 convolution of {} channels was given {channels}",
                self.inputs()
            );
        }
        self.window.output(height, width)?;
        match &self.packed {
            Some(packed) => xs.contiguous()?.apply_op1_no_bwd(&Operator {
                packed,
                window: self.window,
                scale,
            }),
            None => self.plain(xs),
        }
    }

    /// Packs the weights where the CPU will use them.
    fn pack(mut self) -> Result<Self> {
        if !self.weight.device().is_cpu() {
            return Ok(self);
        }
        let (out, inputs) = (self.outputs(), self.inputs());
        let weight = self.weight.flatten_all()?.to_vec1::<f32>()?;
        let bias = self.bias.as_ref().map(Tensor::to_vec1).transpose()?;
        let affine = match &self.affine {
            Some((scale, shift)) => Some((scale.to_vec1()?, shift.to_vec1()?)),
            None => None,
        };
        let same = self.window.stride == 1 && self.window.padding == Padding::same(1);
        let set = InstructionSet::detect();
        let packed = if same && out.min(inputs) >= WINOGRAD_CHANNELS {
            Packed::Winograd(PackedWinograd::new(
                (set, self.tiles),
                [out, inputs],
                &weight,
                bias.as_deref(),
                self.activation,
                affine,
            ))
        } else {
            // Rows of the matrix in the order in which an image holds the window's pixels.
            let entry = |k: usize, c: usize| {
                let (place, channel) = (k / inputs, k % inputs);
                weight[(c * inputs + channel) * 9 + place]
            };
            let matrix = PackedMatrix::new(
                set,
                9 * inputs,
                out,
                entry,
                bias.as_deref(),
                self.activation,
            );
            Packed::Direct(match affine {
                Some((scale, shift)) => matrix.with_affine(&scale, &shift),
                None => matrix,
            })
        };
        self.packed = Some(Arc::new(packed));
        Ok(self)
    }

    /// The same with candle's own operators.
    fn plain(&self, xs: &Tensor) -> Result<Tensor> {
        let Padding {
            left,
            top,
            right,
            bottom,
        } = self.window.padding;
        let mut output = xs
            .permute((0, 3, 1, 2))?
            .pad_with_zeros(2, top, bottom)?
            .pad_with_zeros(3, left, right)?
            .contiguous()?
            .conv2d(&self.weight, 0, self.window.stride, 1, 1)?
            .permute((0, 2, 3, 1))?
            .contiguous()?;
        if let Some(bias) = &self.bias {
            output = output.broadcast_add(bias)?;
        }
        output = self.activation.apply(&output)?;
        match &self.affine {
            Some((scale, shift)) => output.broadcast_mul(scale)?.broadcast_add(shift),
            None => Ok(output),
        }
    }
}

/// The convolution as candle's operator.
struct Operator<'a> {
    packed: &'a Packed,
    window: Window,
    scale: Scale,
}

impl CustomOp1 for Operator<'_> {
    fn name(&self) -> &'static str {
        "conv3x3"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (images, height, width, _) = layout.shape().dims4()?;
        let (rows, columns) = self.window.output(height, width)?;
        let (output, channels) = match self.packed {
            Packed::Winograd(packed) => (
                packed.forward(
                    contiguous("conv3x3", storage, layout)?,
                    images,
                    (height, width),
                ),
                packed.outputs(),
            ),
            Packed::Direct(matrix) => (
                self.direct(
                    matrix,
                    self.values(storage, layout)?,
                    images,
                    (height, width),
                    (rows, columns),
                ),
                matrix.columns(),
            ),
        };
        let shape = Shape::from((images, rows, columns, channels));
        Ok((CpuStorage::F32(output), shape))
    }
}

impl Operator<'_> {
    fn values<'a>(&self, storage: &'a CpuStorage, layout: &Layout) -> Result<Values<'a>> {
        if let (CpuStorage::U8(pixels), Some((start, end))) = (storage, layout.contiguous_offsets())
        {
            Ok(Values::Pixels(&pixels[start..end], self.scale))
        } else {
            contiguous("conv3x3", storage, layout).map(Values::Floats)
        }
    }

    /// Images of `height` x `width`, to as many of `rows` x `columns`, which are the window's.
    fn direct(
        &self,
        matrix: &PackedMatrix,
        values: Values,
        images: usize,
        (height, width): (usize, usize),
        (rows, columns): (usize, usize),
    ) -> Vec<f32> {
        let inputs = matrix.depth() / self.window.kernel.pow(2);
        assert_eq!(
            values.len(),
            images * height * width * inputs,
            "values of whole images"
        );
        let output_length = rows * columns * matrix.columns();
        let work = rows * columns * images * matrix.depth() * matrix.columns();
        let bands = (parallel::pieces(work) / images.max(1)).clamp(1, rows);
        let run = |output: SharedMut| {
            parallel::for_each_piece(images * bands, |piece| {
                let index = piece / bands;
                let band = parallel::part(rows, bands, piece % bands);
                let first = index * height;
                // SAFETY: the output holds that many images; each piece writes rows of its own.
                unsafe {
                    let output = (output.at(index * output_length), columns);
                    self.direct_band(matrix, values, first, (height, width), band, output);
                }
            });
        };
        // SAFETY: the bands cover every row of every image.
        unsafe { filled(images * output_length, run) }
    }

    /// The output rows `band` of the image whose first row of pixels is `first`: the input rows under
    /// them are copied with their padding, in which the three pixel rows under a window are three
    /// runs of floats. The image goes to `output`, with its width.
    ///
    /// # Safety
    /// `output` has room for the image, whose width is the window's, and nobody else uses the band.
    unsafe fn direct_band(
        &self,
        matrix: &PackedMatrix,
        values: Values,
        first: usize,
        (height, width): (usize, usize),
        band: Range<usize>,
        (output, columns): (*mut f32, usize),
    ) {
        let Window {
            kernel,
            stride,
            padding,
        } = self.window;
        let channels = matrix.depth() / (kernel * kernel);
        let length = self.window.padded_width(width) * channels;
        let count = (band.len() - 1) * stride + kernel;
        with_scratch(count * length, |padded| {
            for (i, row) in padded.chunks_mut(length).enumerate() {
                let y = (band.start * stride + i).wrapping_sub(padding.top);
                if y < height {
                    let inside = padding.left * channels..(padding.left + width) * channels;
                    row[..inside.start].fill(0.0);
                    row[inside.end..].fill(0.0);
                    values.read((first + y) * width * channels, &mut row[inside]);
                } else {
                    row.fill(0.0);
                }
            }
            for panel in 0..matrix.panels() {
                for y in band.clone() {
                    let rows = Rows {
                        start: padded[(y - band.start) * stride * length..].as_ptr(),
                        count: columns,
                        stride: stride * channels,
                        segments: kernel,
                        segment_length: kernel * channels,
                        segment_stride: length,
                    };
                    // SAFETY: the windows lie in the padded rows; the output row is this piece's.
                    unsafe {
                        let target = Target {
                            start: output.add(y * columns * matrix.columns()),
                            stride: matrix.columns(),
                            residual: std::ptr::null(),
                        };
                        matrix.multiply(panel..panel + 1, &rows, &target);
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
