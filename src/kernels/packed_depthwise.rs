//! The depthwise convolution's weights as the CPU reads them, and the kernel over one row of pixels.

use super::depthwise::Window;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{Aligned, SharedMut, contiguous, filled, with_scratch};
use super::{Activation, parallel};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};
use std::ops::Range;

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

    /// Where the windows lie.
    pub(crate) fn window(&self) -> Window {
        self.window
    }

    /// Channels in and out.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// One row of `width` output pixels from the `kernel` padded input rows under it.
    ///
    /// # Safety
    /// Every row holds all pixels under the windows, and `output` has room for the pixels.
    ///
    /// # Panics
    /// There are fewer or more rows.
    pub(crate) unsafe fn row(&self, rows: &[*const f32], output: *mut f32, width: usize) {
        assert_eq!(rows.len(), self.window.kernel, "rows under the window");
        // SAFETY: as many rows as the window has; the rest is the caller's.
        unsafe { row_entry(self.set, self, rows, output, width) }
    }

    /// Floats of scratch memory that [`PackedDepthwise::band`] needs for images of `width`.
    pub(crate) fn band_scratch(&self, width: usize) -> usize {
        (self.window.kernel + 1) * self.padded_row(width)
    }

    /// Floats of a padded input row, a multiple of sixteen.
    pub(crate) fn padded_row(&self, width: usize) -> usize {
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
