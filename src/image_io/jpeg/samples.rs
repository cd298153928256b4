//! Quantised coefficients → samples of each component.

use std::num::Wrapping;

use rayon::prelude::*;

use super::coefficients::Plane;

/// The samples of one component, `[high, wide]`, of which `[height, width]` belong to the photo.
pub(super) struct Samples {
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    pub values: Vec<u8>,
}

/// The samples of a plane whose coefficients are multiples of `steps`.
pub(super) fn samples(plane: Plane, steps: &[u16; 64]) -> Samples {
    let stride = plane.wide * 8;
    let mut values = vec![0; stride * plane.high * 8];
    let steps = steps.map(|step| Wrapping(i32::from(step)));
    values
        .par_chunks_mut(stride * 8)
        .zip(plane.coefficients.par_chunks(plane.wide * 64))
        .for_each(|(rows, blocks)| {
            for (column, block) in blocks.as_chunks::<64>().0.iter().enumerate() {
                let square = transformed(block, &steps);
                for (row, line) in rows.chunks_exact_mut(stride).zip(&square) {
                    row[column * 8..][..8].copy_from_slice(line);
                }
            }
        });
    Samples {
        stride,
        width: plane.width,
        height: plane.height,
        values,
    }
}

/// Fixed-point numbers, which damaged data may carry over their end.
type Number = Wrapping<i32>;

/// Bits behind the point of the factors below, and those that columns keep.
const FACTOR_BITS: usize = 13;
const KEPT_BITS: usize = 2;

/// One block's samples: libjpeg's slow integer transform to the bit, so that photos are the pixels
/// that nearly all programs see.
#[inline]
fn transformed(block: &[i16; 64], steps: &[Number; 64]) -> [[u8; 8]; 8] {
    let at = |place: usize| Wrapping(i32::from(block[place])) * steps[place];
    if block[1..].iter().all(|coefficient| *coefficient == 0) {
        let level = byte((at(0) + Wrapping(4)) >> 3);
        return [[level; 8]; 8];
    }
    let mut columns = [[Wrapping(0); 8]; 8];
    for (x, column) in columns.iter_mut().enumerate() {
        let column_is_flat = (1..8).all(|y| block[8 * y + x] == 0);
        *column = match column_is_flat {
            true => [at(x) << KEPT_BITS; 8],
            false => line(
                [0, 1, 2, 3, 4, 5, 6, 7].map(|y| at(8 * y + x)),
                FACTOR_BITS - KEPT_BITS,
            ),
        };
    }
    let mut square = [[0; 8]; 8];
    for (y, row) in square.iter_mut().enumerate() {
        // The transform scales by 8.
        let line = line(columns.map(|column| column[y]), FACTOR_BITS + KEPT_BITS + 3);
        *row = line.map(byte);
    }
    square
}

/// A sample around zero as one from 0 to 255.
#[inline]
fn byte(value: Number) -> u8 {
    (value.0.saturating_add(128)).clamp(0, 255) as u8
}

/// Eight frequencies → eight places, with `shift` bits dropped (Loeffler, Ligtenberg and Moschytz).
#[inline]
fn line(f: [Number; 8], shift: usize) -> [Number; 8] {
    let times = |value: Number, factor: i32| value * Wrapping(factor);
    let shared = times(f[2] + f[6], 4433);
    let (low, high) = (shared - times(f[6], 15_137), shared + times(f[2], 6270));
    let (sum, difference) = ((f[0] + f[4]) << FACTOR_BITS, (f[0] - f[4]) << FACTOR_BITS);
    let even = [sum + high, difference + low, difference - low, sum - high];
    let all = times(f[7] + f[3] + f[5] + f[1], 9633);
    let outer = times(f[7] + f[1], -7373);
    let inner = times(f[5] + f[3], -20_995);
    let thirds = times(f[7] + f[3], -16_069) + all;
    let firsts = times(f[5] + f[1], -3196) + all;
    let odd = [
        times(f[1], 12_299) + outer + firsts,
        times(f[3], 25_172) + inner + thirds,
        times(f[5], 16_819) + inner + firsts,
        times(f[7], 2446) + outer + thirds,
    ];
    let half = Wrapping(1) << (shift - 1);
    [0, 1, 2, 3, 4, 5, 6, 7].map(|place| {
        let value = match place {
            0..4 => even[place] + odd[place],
            _ => even[7 - place] - odd[7 - place],
        };
        (value + half) >> shift
    })
}
