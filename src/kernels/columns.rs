//! Sums over the rows of a matrix, one for each column: what gradients of biases and batch
//! normalisation are made of.
//!
//! Rows are cut into a fixed number of pieces whose sums are added in order, so that the result
//! does not depend on the threads.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::SharedMut;
use super::parallel;

/// Pieces the rows are cut into.
const PIECES: usize = 32;

/// Adds up, over all pieces of `rows` rows, what `add(rows of the piece, sums)` adds to `count`
/// sums.
pub(crate) fn sums(
    rows: usize,
    count: usize,
    add: impl Fn(std::ops::Range<usize>, &mut [f32]) + Send + Sync,
) -> Vec<f32> {
    let mut partial = vec![0.0; PIECES * count];
    let shared = SharedMut(partial.as_mut_ptr());
    parallel::for_each_piece(PIECES, |piece| {
        // SAFETY: each piece has sums of its own.
        let sums = unsafe { std::slice::from_raw_parts_mut(shared.at(piece * count), count) };
        add(parallel::part(rows, PIECES, piece), sums);
    });
    (0..count)
        .map(|i| {
            let pieces = partial.iter().skip(i).step_by(count.max(1));
            pieces.map(|&sum| f64::from(sum)).sum::<f64>() as f32
        })
        .collect()
}

/// The gradient before `activation`, whose result is `result`, and its sum over the rows of
/// `columns` values; no gradient where it is the same as after.
pub(crate) fn masked_sums(
    set: InstructionSet,
    gradient: &[f32],
    result: &[f32],
    columns: usize,
    activation: Activation,
) -> (Option<Vec<f32>>, Vec<f32>) {
    let rows = gradient.len() / columns;
    let piece_of = |piece: std::ops::Range<usize>| piece.start * columns..piece.end * columns;
    let slopes = match activation {
        Activation::None => {
            let sums = sums(rows, columns, |piece, sums| {
                // SAFETY: the set was detected on this processor.
                unsafe { add_rows_entry(set, &gradient[piece_of(piece)], sums) };
            });
            return (None, sums);
        }
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::LeakyRelu(slope) => (slope, f32::INFINITY),
    };
    let mut masked = Vec::with_capacity(gradient.len());
    let output = SharedMut(masked.as_mut_ptr());
    let sums = sums(rows, columns, |piece, sums| {
        let place = piece_of(piece);
        // SAFETY: the pieces write every value once; the set was detected on this processor.
        unsafe {
            let masked = output.at(place.start);
            mask_rows_entry(
                set,
                &gradient[place.clone()],
                &result[place],
                masked,
                sums,
                slopes,
            );
        }
    });
    // SAFETY: written above.
    unsafe { masked.set_len(gradient.len()) };
    (Some(masked), sums)
}

instruction_set_entry!(
    /// Adds the rows of `values` to `sums`.
    add_rows_entry => add_rows(values: &[f32], sums: &mut [f32])
);

#[inline(always)]
unsafe fn add_rows<L: Lanes>(values: &[f32], sums: &mut [f32]) {
    for row in values.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

instruction_set_entry!(
    /// Writes the masked gradient and adds its rows to `sums`.
    mask_rows_entry => mask_rows(
        gradient: &[f32],
        result: &[f32],
        masked: *mut f32,
        sums: &mut [f32],
        slopes: (f32, f32),
    )
);

/// The slope is `low` where the result is not positive, 0 where it reached `ceiling`, else 1.
#[inline(always)]
unsafe fn mask_rows<L: Lanes>(
    gradient: &[f32],
    result: &[f32],
    masked: *mut f32,
    sums: &mut [f32],
    (low, ceiling): (f32, f32),
) {
    let columns = sums.len();
    let rows = gradient
        .chunks_exact(columns)
        .zip(result.chunks_exact(columns));
    for (row, (gradient, result)) in rows.enumerate() {
        for i in 0..columns {
            let slope = if result[i] > 0.0 { 1.0 } else { low };
            let slope = if result[i] < ceiling { slope } else { 0.0 };
            let value = gradient[i] * slope;
            // SAFETY: the caller has room for as many values as the gradient has.
            unsafe { masked.add(row * columns + i).write(value) };
            sums[i] += value;
        }
    }
}
