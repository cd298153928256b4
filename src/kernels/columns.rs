//! Sums over the rows of a matrix, one for each column: what gradients of biases and batch
//! normalisation are made of.
//!
//! Rows are cut into a fixed number of pieces whose sums are added in order, so that the result
//! does not depend on the threads.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{SharedMut, filled};
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
///
/// # Panics
/// Both are not the same number of whole rows.
pub(crate) fn masked_sums(
    set: InstructionSet,
    gradient: &[f32],
    result: &[f32],
    columns: usize,
    activation: Activation,
) -> (Option<Vec<f32>>, Vec<f32>) {
    let rows = gradient.len() / columns;
    // Else some floats of the masked gradient would never be written.
    assert_eq!(gradient.len(), rows * columns, "whole rows");
    assert_eq!(gradient.len(), result.len(), "a gradient of the result");
    let piece_of = |piece: std::ops::Range<usize>| piece.start * columns..piece.end * columns;
    let slopes = match activation {
        Activation::None => {
            let sums = sums(rows, columns, |piece, sums| {
                // SAFETY: adds up slices only.
                unsafe { add_rows_entry(set, &gradient[piece_of(piece)], sums) };
            });
            return (None, sums);
        }
        Activation::Relu => (0.0, f32::INFINITY),
        Activation::Relu6 => (0.0, 6.0),
        Activation::LeakyRelu(slope) => (slope, f32::INFINITY),
    };
    let mut totals = Vec::new();
    let run = |output: SharedMut| {
        totals = sums(rows, columns, |piece, sums| {
            let place = piece_of(piece);
            let (gradient, result) = (&gradient[place.clone()], &result[place.clone()]);
            // SAFETY: the output has room for as many values as the gradient has.
            unsafe {
                mask_rows_entry(set, gradient, result, output.at(place.start), sums, slopes);
            }
        });
    };
    // SAFETY: the pieces are all rows, and the rows all values.
    let masked = unsafe { filled(gradient.len(), run) };
    (Some(masked), totals)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(gradient: &[f32], result: &[f32]) -> (Option<Vec<f32>>, Vec<f32>) {
        masked_sums(
            InstructionSet::detect(),
            gradient,
            result,
            2,
            Activation::Relu,
        )
    }

    #[test]
    fn a_gradient_passes_where_the_result_is_positive() {
        let (masked, sums) = masked(&[1.0, 2.0, 3.0, 4.0], &[0.0, 1.0, 1.0, 1.0]);
        assert_eq!(masked, Some(vec![0.0, 2.0, 3.0, 4.0]));
        assert_eq!(sums, [3.0, 6.0]);
    }

    #[test]
    #[should_panic = "whole rows"]
    fn a_broken_row_is_refused_not_left_unwritten() {
        masked(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]);
    }

    #[test]
    #[should_panic = "a gradient of the result"]
    fn a_shorter_result_is_refused_not_left_unwritten() {
        masked(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0]);
    }
}
