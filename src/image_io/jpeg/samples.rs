//! Quantised coefficients → samples of each component.

use std::sync::LazyLock;

use rayon::prelude::*;

use super::coefficients::Plane;

/// The samples of one component, `[high, wide]`, of which `[height, width]` belong to the photo.
pub(super) struct Samples {
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    pub values: Vec<u8>,
}

/// The inverse cosine transform's basis: by frequency, then by place.
static BASIS: LazyLock<[[f32; 8]; 8]> = LazyLock::new(|| {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|place| {
            let scale = if frequency == 0 { 0.5f64.sqrt() } else { 1.0 };
            let angle = (2 * place + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
            (0.5 * scale * angle.cos()) as f32
        })
    })
});

/// The samples of a plane whose coefficients are multiples of `steps`.
pub(super) fn samples(plane: Plane, steps: &[u16; 64]) -> Samples {
    let stride = plane.wide * 8;
    let mut values = vec![0; stride * plane.high * 8];
    let steps = steps.map(f32::from);
    let basis = *BASIS;
    values
        .par_chunks_mut(stride * 8)
        .zip(plane.coefficients.par_chunks(plane.wide * 64))
        .for_each(|(rows, blocks)| {
            for (column, block) in blocks.as_chunks::<64>().0.iter().enumerate() {
                let square = transformed(block, &steps, &basis);
                for (row, line) in rows.chunks_exact_mut(stride).zip(&square) {
                    line_into(&mut row[column * 8..][..8], line);
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

#[inline]
fn line_into(target: &mut [u8], line: &[f32; 8]) {
    for (value, &exact) in target.iter_mut().zip(line) {
        // Casting saturates.
        *value = (exact + 128.5) as u8;
    }
}

/// One block's samples around zero.
#[inline]
fn transformed(block: &[i16; 64], steps: &[f32; 64], basis: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    if block[1..].iter().all(|coefficient| *coefficient == 0) {
        return [[f32::from(block[0]) * steps[0] / 8.0; 8]; 8];
    }
    let mut square = [[0.0; 8]; 8];
    let (rows, _) = block.as_chunks::<8>();
    for (frequency, row) in rows.iter().enumerate() {
        if row.iter().all(|coefficient| *coefficient == 0) {
            continue;
        }
        let mut line = [0.0f32; 8];
        for (across, &coefficient) in row.iter().enumerate() {
            let value = f32::from(coefficient) * steps[frequency * 8 + across];
            for (sum, wave) in line.iter_mut().zip(&basis[across]) {
                *sum += value * wave;
            }
        }
        for (sums, wave) in square.iter_mut().zip(basis[frequency]) {
            for (sum, value) in sums.iter_mut().zip(&line) {
                *sum += value * wave;
            }
        }
    }
    square
}
