//! The one resize: bicubic and bilinear interpolation that agree with Pillow's `Image.resize` to the
//! bit, so that a network sees the pixels it was trained on.
//!
//! The filters are Keys' cubic (1981) with a = -1/2 and a triangle. Where the photo shrinks, they are
//! stretched over all source pixels that an output pixel stands for (antialiasing). Weights are rounded to
//! 22-bit fixed point; columns and rows are filtered one after the other, rounded to 8 bits
//! between.

use image::RgbImage;
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256i;
use std::array;
use std::ops::Range;

const CHANNELS: usize = 3;
/// Fraction bits of a weight: 32 less 8 for the pixel and 2 for the filter's overshoot.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// One half in fixed point, so that the final shift rounds.
const HALF: i32 = 1 << (FRACTION_BITS - 1);
/// Bytes filtered at a time along a row: whole pixels and whole vectors both.
const BLOCK: usize = 24;
/// Rows filtered together: what fits the registers of a vector unit.
const STRIP: usize = 4;

/// The bytes or the sums of eight neighbouring pixels.
type Block<T> = [T; BLOCK];

/// How the pixels between pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    Bilinear,
    Bicubic,
}

impl Interpolation {
    /// Distance from its centre, in source pixels, at which the unstretched filter ends.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// The filter at this distance from its centre.
    fn weight(self, distance: f64) -> f64 {
        match self {
            Self::Bilinear => (1.0 - distance.abs()).max(0.0),
            Self::Bicubic => cubic(distance),
        }
    }
}

/// One axis of a resized photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Pixels that the whole photo would have.
    pub whole: u32,
    /// Those that are made.
    pub kept: Range<u32>,
}

impl Axis {
    pub(super) fn whole(length: u32) -> Self {
        Self {
            whole: length,
            kept: 0..length,
        }
    }

    fn is_whole(&self) -> bool {
        self.kept == (0..self.whole)
    }
}

/// The photo squashed to `size` x `size` pixels whatever its aspect: `[size, size, 3]`.
///
/// `size` is a network's input side; sides beyond what an image can have are cut to that.
pub fn squash(photo: &RgbImage, size: usize) -> RgbImage {
    let side = u32::try_from(size).unwrap_or(u32::MAX);
    resize_bicubic(photo, side, side)
}

/// The photo at `width` x `height` pixels, as Pillow's bicubic resize gives it.
///
/// A photo without pixels gives a black one.
pub fn resize_bicubic(photo: &RgbImage, width: u32, height: u32) -> RgbImage {
    let axes = (Axis::whole(width), Axis::whole(height));
    resize(photo, Interpolation::Bicubic, &axes.0, &axes.1)
}

/// The kept part of the photo resized to whole columns and rows.
///
/// A photo without pixels gives a black one.
pub(super) fn resize(
    photo: &RgbImage,
    interpolation: Interpolation,
    columns: &Axis,
    rows: &Axis,
) -> RgbImage {
    let mut resized = RgbImage::new(columns.kept.len() as u32, rows.kept.len() as u32);
    if photo.is_empty() || resized.is_empty() {
        return resized;
    }
    let same_width = columns.is_whole() && columns.whole == photo.width();
    let rows_first = rows_come_first(photo, columns.whole, rows.whole);
    let columns = Filter::new(photo.width(), columns, interpolation);
    let rows = Filter::new(photo.height(), rows, interpolation);
    let target_bytes = columns.starts.len() * CHANNELS;
    if rows_first {
        let source_bytes = photo.width() as usize * CHANNELS;
        let mut lowered = vec![0; rows.starts.len() * source_bytes];
        filter_rows(photo.as_raw(), &rows, source_bytes, &mut lowered);
        filter_columns(&lowered, source_bytes, &columns, resized.as_mut());
    } else if same_width {
        filter_rows(photo.as_raw(), &rows, target_bytes, resized.as_mut());
    } else {
        let source_bytes = photo.width() as usize * CHANNELS;
        let mut narrowed = vec![0; photo.height() as usize * target_bytes];
        filter_columns(photo.as_raw(), source_bytes, &columns, &mut narrowed);
        filter_rows(&narrowed, &rows, target_bytes, resized.as_mut());
    }
    resized
}

/// Whether rows are filtered before columns, which shows because of the rounding between: since
/// Pillow 13 where the height loses more than twice as many pixels as the width. Earlier versions
/// always filter columns first.
fn rows_come_first(photo: &RgbImage, width: u32, height: u32) -> bool {
    let lost_columns = i64::from(photo.width()) - i64::from(width);
    let lost_rows = i64::from(photo.height()) - i64::from(height);
    lost_rows > 0 && lost_rows > 2 * lost_columns
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
    fn new(source: u32, axis: &Axis, interpolation: Interpolation) -> Self {
        let scale = f64::from(source) / f64::from(axis.whole);
        let (source, outputs) = (source as usize, axis.kept.len());
        let stretch = scale.max(1.0);
        let support = interpolation.support() * stretch;
        let stride = support.ceil() as usize * 2 + 1;
        let mut filter = Self {
            starts: Vec::with_capacity(outputs),
            lengths: Vec::with_capacity(outputs),
            weights: vec![0; outputs * stride],
            stride,
        };
        let mut exact = Vec::with_capacity(stride);
        for (output, fixed) in axis
            .kept
            .clone()
            .zip(filter.weights.chunks_exact_mut(stride))
        {
            let centre = (f64::from(output) + 0.5) * scale;
            // Casting cuts off, and turns what lies before the first pixel into 0.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(source);
            exact.clear();
            // Dividing by the stretch once and multiplying, and adding in this order, is part of
            // agreeing to the bit.
            let shrink = 1.0 / stretch;
            exact.extend(
                (0..end - start)
                    .map(|tap| (tap as f64 + start as f64 - centre + 0.5) * shrink)
                    .map(|distance| interpolation.weight(distance)),
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
    } else if x < 2.0 {
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

/// Filters along each row: `[rows, source_bytes]` → `[rows, outputs, 3]`.
fn filter_columns(pixels: &[u8], source_bytes: usize, columns: &Filter, narrowed: &mut [u8]) {
    let target_bytes = columns.starts.len() * CHANNELS;
    let taps = InterleavedTaps::new(columns);
    narrowed
        .par_chunks_mut(STRIP * target_bytes)
        .enumerate()
        .with_min_len(4)
        .for_each_init(Vec::new, |padded, (strip, target)| {
            let from_strip = &pixels[strip * STRIP * source_bytes..];
            // The last block of a row reads on, with weights of zero, into the next row; the last
            // strip, which has none below it or fewer rows than a strip, is padded.
            let needed = (STRIP - 1) * source_bytes + taps.end;
            let source = if from_strip.len() >= needed {
                from_strip
            } else {
                padded.clear();
                padded.extend_from_slice(from_strip);
                padded.resize(needed, 0);
                padded.as_slice()
            };
            let rows = array::from_fn(|row| &source[row * source_bytes..]);
            filter_strip(rows, &taps, target);
        });
}

/// The column filter's weights laid out for rows of interleaved channels: each weight three times,
/// filled up with zeros to whole blocks.
struct InterleavedTaps {
    /// Byte at which each output's first block starts in a row.
    starts: Vec<usize>,
    /// `[outputs, blocks]`.
    weights: Vec<Block<i32>>,
    blocks: usize,
    /// Byte behind the last one that is read in a row.
    end: usize,
}

impl InterleavedTaps {
    fn new(columns: &Filter) -> Self {
        let longest = columns.lengths.iter().copied().max().unwrap_or(0);
        let blocks = (longest * CHANNELS).div_ceil(BLOCK);
        let mut weights = vec![[0; BLOCK]; columns.starts.len() * blocks];
        for (output, laid_out) in weights.chunks_exact_mut(blocks).enumerate() {
            let pixels = laid_out.as_flattened_mut().chunks_exact_mut(CHANNELS);
            for (pixel, &weight) in pixels.zip(columns.taps(output)) {
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

/// Filters along [`STRIP`] rows at once, so that each weight that is read serves all of them.
/// `target` may have fewer rows.
fn filter_strip(rows: [&[u8]; STRIP], taps: &InterleavedTaps, target: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = pulp::x86::V3::try_new() {
        avx2.vectorize(Avx2Strip {
            avx2,
            rows,
            taps,
            target,
        });
        return;
    }
    filter_strip_with(rows, taps, target, portable_sums);
}

/// [`filter_strip`] with the sums of one output pixel, `[STRIP, BLOCK]` lanes whose channel is
/// their index modulo three, from `sums`.
#[inline(always)]
fn filter_strip_with(
    rows: [&[u8]; STRIP],
    taps: &InterleavedTaps,
    target: &mut [u8],
    sums: impl Fn([&[Block<u8>]; STRIP], &[Block<i32>]) -> [Block<i32>; STRIP],
) {
    let outputs = taps.starts.len();
    let weights = taps.weights.chunks_exact(taps.blocks);
    for (output, (weights, &start)) in weights.zip(&taps.starts).enumerate() {
        let end = start + taps.blocks * BLOCK;
        let blocks = rows.map(|row| row[start..end].as_chunks::<BLOCK>().0);
        let sums = sums(blocks, weights);
        for (row, lanes) in target.chunks_exact_mut(outputs * CHANNELS).zip(&sums) {
            for channel in 0..CHANNELS {
                let mut sum = HALF;
                for lane in (channel..BLOCK).step_by(CHANNELS) {
                    sum += lanes[lane];
                }
                row[output * CHANNELS + channel] = to_byte(sum);
            }
        }
    }
}

fn portable_sums(rows: [&[Block<u8>]; STRIP], weights: &[Block<i32>]) -> [Block<i32>; STRIP] {
    rows.map(|blocks| {
        let mut sums = [0; BLOCK];
        for (bytes, weights) in blocks.iter().zip(weights) {
            for lane in 0..BLOCK {
                sums[lane] += i32::from(bytes[lane]) * weights[lane];
            }
        }
        sums
    })
}

/// [`filter_strip`] with the instructions that every x86 processor since 2015 has. Compilers do
/// not find them: left alone they unroll the lanes into single numbers.
#[cfg(target_arch = "x86_64")]
struct Avx2Strip<'a> {
    avx2: pulp::x86::V3,
    rows: [&'a [u8]; STRIP],
    taps: &'a InterleavedTaps,
    target: &'a mut [u8],
}

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for Avx2Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let simd = self.avx2;
        let sums = |rows: [&[Block<u8>]; STRIP], weights: &[Block<i32>]| {
            let mut sums = [[simd.avx._mm256_setzero_si256(); 3]; STRIP];
            for (index, weights) in weights.iter().enumerate() {
                let weights: [__m256i; 3] = pulp::cast(*weights);
                for (sums, blocks) in sums.iter_mut().zip(rows) {
                    let eights: [u64; 3] = pulp::cast(blocks[index]);
                    for part in 0..3 {
                        let bytes = pulp::cast([eights[part], 0]);
                        let values = simd.avx2._mm256_cvtepu8_epi32(bytes);
                        let products = simd.avx2._mm256_mullo_epi32(values, weights[part]);
                        sums[part] = simd.avx2._mm256_add_epi32(sums[part], products);
                    }
                }
            }
            pulp::cast(sums)
        };
        filter_strip_with(self.rows, self.taps, self.target, sums);
    }
}

/// Filters across rows: `[rows, row_bytes]` → `[outputs, row_bytes]`.
fn filter_rows(pixels: &[u8], rows: &Filter, row_bytes: usize, lowered: &mut [u8]) {
    let arch = Arch::new();
    lowered
        .par_chunks_exact_mut(row_bytes)
        .enumerate()
        .with_min_len(4)
        .for_each_init(Vec::new, |sums, (output, target)| {
            let start = rows.starts[output] * row_bytes;
            sums.clear();
            sums.resize(row_bytes, HALF);
            arch.dispatch(FilterAcross {
                source: &pixels[start..],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_every_output_sum_to_one() {
        for (source, outputs) in [(6000, 448), (5, 448), (448, 448), (1, 9), (9, 1)] {
            let filter = Filter::new(source, &Axis::whole(outputs), Interpolation::Bicubic);
            for output in 0..outputs as usize {
                let total: i32 = filter.taps(output).iter().sum();
                let off = (total - (1 << FRACTION_BITS)).unsigned_abs() as usize;
                assert!(off <= filter.stride, "{source} to {outputs}: {total}");
            }
        }
    }

    #[test]
    fn processors_without_vector_units_get_the_same_bytes() {
        let (width, outputs) = (203, 57);
        let bytes: Vec<u8> = (0..STRIP * width * CHANNELS + BLOCK * 8)
            .map(|i| (i * i % 251) as u8)
            .collect();
        let axis = Axis::whole(outputs as u32);
        let filter = Filter::new(width as u32, &axis, Interpolation::Bicubic);
        let taps = InterleavedTaps::new(&filter);
        let rows = array::from_fn(|row| &bytes[row * width * CHANNELS..]);
        let mut portable = vec![0; STRIP * outputs * CHANNELS];
        filter_strip_with(rows, &taps, &mut portable, portable_sums);
        let mut fastest = vec![0; STRIP * outputs * CHANNELS];
        filter_strip(rows, &taps, &mut fastest);
        assert_eq!(portable, fastest);
    }

    #[test]
    fn nothing_gives_nothing_without_a_panic() {
        assert!(
            resize_bicubic(&RgbImage::new(0, 5), 3, 3)
                .iter()
                .all(|&b| b == 0)
        );
        assert!(resize_bicubic(&RgbImage::new(5, 5), 0, 3).is_empty());
    }
}
