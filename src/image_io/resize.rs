//! The one resize: bicubic interpolation that agrees with Pillow's `Image.resize(size, BICUBIC)`
//! to the bit, so that a network sees the pixels it was trained on.
//!
//! The filter is Keys' cubic (1981) with a = -1/2. Where the photo shrinks, the filter is stretched
//! over all source pixels that an output pixel stands for (antialiasing). Weights are rounded to
//! 22-bit fixed point; columns are filtered first and rounded to 8 bits, then rows.

use image::RgbImage;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

const CHANNELS: usize = 3;
/// Fraction bits of a weight: 32 less 8 for the pixel and 2 for the filter's overshoot.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// One half in fixed point, so that the final shift rounds.
const HALF: i32 = 1 << (FRACTION_BITS - 1);
/// Distance from its centre, in source pixels, at which the unstretched filter ends.
const SUPPORT: f64 = 2.0;
/// Bytes filtered at a time along a row: whole pixels and whole vectors both.
const BLOCK: usize = 24;

/// The photo squashed to `size` x `size` pixels whatever its aspect: `[size, size, 3]`.
pub fn squash(photo: &RgbImage, size: u32) -> RgbImage {
    resize_bicubic(photo, size, size)
}

/// The photo at `width` x `height` pixels, as Pillow's bicubic resize gives it.
///
/// A photo without pixels gives a black one.
pub fn resize_bicubic(photo: &RgbImage, width: u32, height: u32) -> RgbImage {
    let mut resized = RgbImage::new(width, height);
    if photo.is_empty() || resized.is_empty() {
        return resized;
    }
    let columns = Filter::new(photo.width() as usize, width as usize);
    let rows = Filter::new(photo.height() as usize, height as usize);
    let needed = rows.reach();
    let row_bytes = width as usize * CHANNELS;
    let narrowed = if photo.width() == width {
        let whole = photo.as_raw();
        Cow::Borrowed(&whole[needed.start * row_bytes..needed.end * row_bytes])
    } else {
        Cow::Owned(filter_columns(photo, &columns, needed.clone()))
    };
    filter_rows(&narrowed, &rows, needed.start, row_bytes, resized.as_mut());
    resized
}

/// For each output position of one axis, which source pixels it is made of and by what weights.
struct Filter {
    /// First source pixel of each output.
    starts: Vec<usize>,
    /// How many source pixels each output takes, at most [`Filter::stride`].
    lengths: Vec<usize>,
    /// Weights in fixed point, `[outputs, stride]`, zero behind each output's length.
    weights: Vec<i32>,
    stride: usize,
}

impl Filter {
    fn new(source: usize, outputs: usize) -> Self {
        let scale = source as f64 / outputs as f64;
        let stretch = scale.max(1.0);
        let support = SUPPORT * stretch;
        let stride = support.ceil() as usize * 2 + 1;
        let mut filter = Self {
            starts: Vec::with_capacity(outputs),
            lengths: Vec::with_capacity(outputs),
            weights: vec![0; outputs * stride],
            stride,
        };
        let mut exact = Vec::with_capacity(stride);
        for (output, fixed) in filter.weights.chunks_exact_mut(stride).enumerate() {
            let centre = (output as f64 + 0.5) * scale;
            // Casting cuts off, and turns what lies before the first pixel into 0.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(source);
            exact.clear();
            // Dividing by the stretch once and multiplying, and adding in this order, is part of
            // agreeing to the bit.
            let shrink = 1.0 / stretch;
            exact.extend(
                (0..end - start)
                    .map(|tap| cubic((tap as f64 + start as f64 - centre + 0.5) * shrink)),
            );
            let total: f64 = exact.iter().fold(0.0, |sum, weight| sum + weight);
            for (fixed, &weight) in fixed.iter_mut().zip(&exact) {
                *fixed = to_fixed(if total == 0.0 { weight } else { weight / total });
            }
            filter.starts.push(start);
            filter.lengths.push(end - start);
        }
        filter
    }

    /// The source pixels that any output is made of.
    fn reach(&self) -> Range<usize> {
        let start = self.starts.first().copied().unwrap_or(0);
        let last = self.starts.last().zip(self.lengths.last());
        start..last.map_or(start, |(start, length)| start + length)
    }

    fn taps(&self, output: usize) -> &[i32] {
        &self.weights[output * self.stride..][..self.lengths[output]]
    }
}

/// Keys' cubic convolution kernel with a = -1/2.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.5;
    let x = distance.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < SUPPORT {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Rounds half away from zero.
fn to_fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1u32 << FRACTION_BITS);
    (scaled + 0.5f64.copysign(weight)) as i32
}

fn to_byte(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// Filters along the rows in `needed`: `[needed rows, outputs, 3]`.
fn filter_columns(photo: &RgbImage, columns: &Filter, needed: Range<usize>) -> Vec<u8> {
    let source_bytes = photo.width() as usize * CHANNELS;
    let target_bytes = columns.starts.len() * CHANNELS;
    let taps = InterleavedTaps::new(columns);
    let pixels = photo.as_raw();
    let mut narrowed = vec![0; needed.len() * target_bytes];
    let arch = Arch::new();
    narrowed
        .par_chunks_exact_mut(target_bytes)
        .zip(needed)
        .with_min_len(16)
        .for_each_init(Vec::new, |padded, (target, row)| {
            let from_row = &pixels[row * source_bytes..];
            // The last block of a row reads on, with weights of zero, into the next row; below
            // the last row there is none.
            let source = if from_row.len() >= taps.end {
                from_row
            } else {
                padded.clear();
                padded.extend_from_slice(&from_row[..source_bytes.min(from_row.len())]);
                padded.resize(taps.end.max(source_bytes), 0);
                padded.as_slice()
            };
            arch.dispatch(FilterRow {
                source,
                taps: &taps,
                target,
            });
        });
    narrowed
}

/// The column filter's weights laid out for rows of interleaved channels: each weight three times,
/// filled up with zeros to whole blocks.
struct InterleavedTaps {
    /// Byte at which each output's first block starts in a row.
    starts: Vec<usize>,
    /// `[outputs, blocks, BLOCK]`.
    weights: Vec<i32>,
    blocks: usize,
    /// Byte behind the last one that is read in a row.
    end: usize,
}

impl InterleavedTaps {
    fn new(columns: &Filter) -> Self {
        let longest = columns.lengths.iter().copied().max().unwrap_or(0);
        let blocks = (longest * CHANNELS).div_ceil(BLOCK);
        let mut weights = vec![0; columns.starts.len() * blocks * BLOCK];
        for (output, laid_out) in weights.chunks_exact_mut(blocks * BLOCK).enumerate() {
            for (pixel, &weight) in laid_out
                .chunks_exact_mut(CHANNELS)
                .zip(columns.taps(output))
            {
                pixel.fill(weight);
            }
        }
        let starts: Vec<_> = columns.starts.iter().map(|s| s * CHANNELS).collect();
        let end = starts.last().map_or(0, |start| start + blocks * BLOCK);
        Self {
            starts,
            weights,
            blocks,
            end,
        }
    }
}

/// One row of the column pass.
struct FilterRow<'a> {
    source: &'a [u8],
    taps: &'a InterleavedTaps,
    target: &'a mut [u8],
}

impl NullaryFnOnce for FilterRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let length = self.taps.blocks * BLOCK;
        let weights = self.taps.weights.chunks_exact(length);
        let outputs = self.target.chunks_exact_mut(CHANNELS);
        for ((pixel, weights), &start) in outputs.zip(weights).zip(&self.taps.starts) {
            let source = &self.source[start..start + length];
            let mut sums = [0i32; BLOCK];
            for (bytes, weights) in source.chunks_exact(BLOCK).zip(weights.chunks_exact(BLOCK)) {
                for lane in 0..BLOCK {
                    sums[lane] += i32::from(bytes[lane]) * weights[lane];
                }
            }
            for (channel, value) in pixel.iter_mut().enumerate() {
                let sum: i32 = sums.iter().skip(channel).step_by(CHANNELS).sum();
                *value = to_byte(HALF + sum);
            }
        }
    }
}

/// Filters across rows: `narrowed` `[rows from first, row_bytes]` → `target` `[outputs, row_bytes]`.
fn filter_rows(narrowed: &[u8], rows: &Filter, first: usize, row_bytes: usize, target: &mut [u8]) {
    let arch = Arch::new();
    target
        .par_chunks_exact_mut(row_bytes)
        .enumerate()
        .with_min_len(4)
        .for_each_init(Vec::new, |sums, (output, target)| {
            let start = (rows.starts[output] - first) * row_bytes;
            sums.clear();
            sums.resize(row_bytes, HALF);
            arch.dispatch(FilterAcross {
                source: &narrowed[start..],
                weights: rows.taps(output),
                sums,
                target,
            });
        });
}

/// One output row of the row pass.
struct FilterAcross<'a> {
    source: &'a [u8],
    weights: &'a [i32],
    sums: &'a mut [i32],
    target: &'a mut [u8],
}

impl NullaryFnOnce for FilterAcross<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.source.chunks_exact(self.target.len());
        for (row, &weight) in rows.zip(self.weights) {
            for (sum, &value) in self.sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, &sum) in self.target.iter_mut().zip(self.sums.iter()) {
            *value = to_byte(sum);
        }
    }
}
