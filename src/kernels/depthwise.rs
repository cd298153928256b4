//! Depthwise convolution: every channel with a window of its own.

use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{Aligned, SharedMut, contiguous, filled, with_scratch};
use super::{Activation, Padding, parallel};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use std::ops::Range;
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

/// The weights as the kernel reads them: for each place of the window all channels.
pub(crate) struct PackedDepthwise {
    set: InstructionSet,
    channels: usize,
    /// Channels up to whole vectors.
    padded_channels: usize,
    window: Window,
    taps: Aligned,
    bias: Aligned,
    activation: Activation,
}

impl PackedDepthwise {
    /// Packs `taps` `[C, k, k]` and `bias` `[C]`.
    pub(crate) fn new(
        set: InstructionSet,
        window: Window,
        taps: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        let places = window.kernel * window.kernel;
        let channels = taps.len() / places;
        let padded_channels = channels.div_ceil(set.width()) * set.width();
        let mut packed = Aligned::zeros(places * padded_channels);
        for (channel, taps) in taps.chunks(places).enumerate() {
            for (place, &tap) in taps.iter().enumerate() {
                packed.as_mut_slice()[place * padded_channels + channel] = tap;
            }
        }
        Self {
            set,
            channels,
            padded_channels,
            window,
            taps: packed,
            bias: Aligned::padded(bias.unwrap_or(&[]), padded_channels),
            activation,
        }
    }

    /// Channels in and out.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// One row of `width` output pixels from the `kernel` padded input rows under it.
    ///
    /// # Safety
    /// Every row holds all pixels under the windows, and `output` has room for the pixels.
    pub(crate) unsafe fn row(&self, rows: &[*const f32], output: *mut f32, width: usize) {
        debug_assert_eq!(rows.len(), self.window.kernel);
        // SAFETY: the set was detected on this processor; the rest is the caller's.
        unsafe { row_entry(self.set, self, rows, output, width) }
    }

    /// Floats of scratch memory that [`PackedDepthwise::band`] needs for images of `width`.
    pub(crate) fn band_scratch(&self, width: usize) -> usize {
        (self.window.kernel + 1) * self.padded_row(width)
    }

    fn padded_row(&self, width: usize) -> usize {
        (self.window.padded_width(width) * self.channels).next_multiple_of(16)
    }

    /// Goes down the output rows `output_rows` of an image of `height` x `width`, keeping in
    /// `scratch` only the input rows under the window: `fill(y, row)` writes input row y without
    /// padding, each once; `take(y, rows)` gets output row y's padded input rows.
    pub(crate) fn band(
        &self,
        (height, width): (usize, usize),
        output_rows: Range<usize>,
        scratch: &mut [f32],
        mut fill: impl FnMut(usize, &mut [f32]),
        mut take: impl FnMut(usize, &[*const f32]),
    ) {
        let Window {
            kernel,
            stride,
            padding,
        } = self.window;
        let length = self.padded_row(width);
        let (zeros, ring) = scratch.split_at_mut(length);
        let before = padding.left * self.channels;
        let inside = before..before + width * self.channels;
        zeros.fill(0.0);
        for row in ring.chunks_mut(length).take(kernel) {
            row[..inside.start].fill(0.0);
            row[inside.end..].fill(0.0);
        }
        let mut filled = 0;
        let mut rows = [std::ptr::null(); 7];
        for y in output_rows {
            // In padded rows: the first of the image is `top`.
            let window = y * stride..y * stride + kernel;
            for row in window.clone().filter(|&row| row >= filled) {
                let image = row.wrapping_sub(padding.top);
                if image < height {
                    let slot = (row % kernel) * length;
                    fill(image, &mut ring[slot + inside.start..slot + inside.end]);
                }
            }
            for (under, row) in rows.iter_mut().zip(window.clone()) {
                *under = if row.wrapping_sub(padding.top) < height {
                    ring[(row % kernel) * length..].as_ptr()
                } else {
                    zeros.as_ptr()
                };
            }
            filled = window.end;
            take(y, &rows[..kernel]);
        }
    }
}

impl CustomOp1 for PackedDepthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("depthwise", storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let (rows, columns) = self.window.output(height, width)?;
        let length = images * rows * columns * channels;
        let work = length * self.window.kernel * self.window.kernel;
        let bands = (parallel::pieces(work) / images.max(1)).clamp(1, rows);
        let run = |output: SharedMut| {
            parallel::for_each_piece(images * bands, |piece| {
                let image = &values[piece / bands * height * width * channels..];
                let band = parallel::part(rows, bands, piece % bands);
                with_scratch(self.band_scratch(width), |scratch| {
                    self.band(
                        (height, width),
                        band,
                        scratch,
                        |y, row| row.copy_from_slice(&image[y * row.len()..(y + 1) * row.len()]),
                        |y, under| {
                            let place = (piece / bands * rows + y) * columns * channels;
                            // SAFETY: the row lies in the output and belongs to this piece.
                            unsafe { self.row(under, output.at(place), columns) };
                        },
                    );
                });
            });
        };
        // SAFETY: every row of every image is written.
        let output = unsafe { filled(length, run) };
        let shape = Shape::from((images, rows, columns, channels));
        Ok((CpuStorage::F32(output), shape))
    }
}

instruction_set_entry!(
    /// [`PackedDepthwise::row`] for one instruction set.
    row_entry => depthwise_row(
        layer: &PackedDepthwise,
        rows: &[*const f32],
        output: *mut f32,
        width: usize,
    )
);

/// Output pixels that are summed side by side, so that an input pixel is read once for all.
const SIDE_BY_SIDE: usize = 7;

#[inline(always)]
unsafe fn depthwise_row<L: Lanes>(
    layer: &PackedDepthwise,
    rows: &[*const f32],
    output: *mut f32,
    width: usize,
) {
    macro_rules! pick {
        ($(($kernel:literal, $stride:literal))*) => {
            match (layer.window.kernel, layer.window.stride) {
                // SAFETY: the caller's.
                $(($kernel, $stride) => unsafe {
                    channels::<L, $kernel, $stride>(layer, rows, output, width, $stride)
                },)*
                // SAFETY: the caller's.
                (3, stride) => unsafe { channels::<L, 3, 0>(layer, rows, output, width, stride) },
                // SAFETY: the caller's.
                (5, stride) => unsafe { channels::<L, 5, 0>(layer, rows, output, width, stride) },
                // SAFETY: the caller's.
                (_, stride) => unsafe { channels::<L, 7, 0>(layer, rows, output, width, stride) },
            }
        };
    }
    pick!((3, 1)(3, 2)(5, 1)(5, 2));
}

/// All channels, a vector at a time: a column of the row stays in the first-level cache while the
/// window moves along. `S` is the stride where it is known when compiling, else 0.
#[inline(always)]
unsafe fn channels<L: Lanes, const K: usize, const S: usize>(
    layer: &PackedDepthwise,
    rows: &[*const f32],
    output: *mut f32,
    width: usize,
    stride: usize,
) {
    for channel in (0..layer.channels).step_by(L::WIDTH) {
        let mut x = 0;
        // SAFETY: `x` and `channel` stay inside the row; the rest is the caller's.
        unsafe {
            if S != 0 && layer.channels - channel >= L::WIDTH {
                while x + SIDE_BY_SIDE <= width {
                    side_by_side::<L, K, S>(layer, rows, output, channel, x);
                    x += SIDE_BY_SIDE;
                }
            }
            while x < width {
                one::<L, K>(layer, rows, output, channel, x, stride);
                x += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn side_by_side<L: Lanes, const K: usize, const S: usize>(
    layer: &PackedDepthwise,
    rows: &[*const f32],
    output: *mut f32,
    channel: usize,
    x: usize,
) {
    // SAFETY: whole vectors of existing channels; the rest is the caller's.
    unsafe {
        let taps = layer.taps.as_ptr().add(channel);
        let mut sums = [L::load(layer.bias.as_ptr().add(channel)); SIDE_BY_SIDE];
        for ky in 0..K {
            let mut weights = [L::splat(0.0); K];
            for (kx, lanes) in weights.iter_mut().enumerate() {
                *lanes = L::load(taps.add((ky * K + kx) * layer.padded_channels));
            }
            let row = rows.get_unchecked(ky).add(x * S * layer.channels + channel);
            for place in 0..(SIDE_BY_SIDE - 1) * S + K {
                let pixel = L::load(row.add(place * layer.channels));
                for (i, sum) in sums.iter_mut().enumerate() {
                    if place >= i * S && place - i * S < K {
                        *sum = pixel.mul_add(weights[place - i * S], *sum);
                    }
                }
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            layer
                .activation
                .apply_lanes(sum)
                .store(output.add((x + i) * layer.channels + channel));
        }
    }
}

#[inline(always)]
unsafe fn one<L: Lanes, const K: usize>(
    layer: &PackedDepthwise,
    rows: &[*const f32],
    output: *mut f32,
    channel: usize,
    x: usize,
    stride: usize,
) {
    let count = layer.channels - channel;
    // SAFETY: no more lanes than channels; the rest is the caller's.
    unsafe {
        let taps = layer.taps.as_ptr().add(channel);
        let mut sum = L::load(layer.bias.as_ptr().add(channel));
        for ky in 0..K {
            let row = rows
                .get_unchecked(ky)
                .add(x * stride * layer.channels + channel);
            for kx in 0..K {
                let pixel = L::load_up_to(row.add(kx * layer.channels), count);
                let weight = L::load(taps.add((ky * K + kx) * layer.padded_channels));
                sum = pixel.mul_add(weight, sum);
            }
        }
        layer
            .activation
            .apply_lanes(sum)
            .store_up_to(output.add(x * layer.channels + channel), count);
    }
}
