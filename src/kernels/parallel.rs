//! How work is cut for the threads.

use super::matrix::{PackedMatrix, Rows, Target};
use rayon::prelude::*;
use std::ops::Range;

/// Multiply-adds below which a product is not worth waking another thread for.
const SMALL: usize = 200_000;
/// Floats of the left matrix that stay in the second-level cache while the panels pass by.
const CACHED: usize = 64 * 1024;
/// Pieces of work for each thread: a few, so that a thread that is held up does not hold up all.
const PIECES: usize = 2;

/// The `piece`-th of `pieces` nearly equal parts of `0..length`.
pub(crate) fn part(length: usize, pieces: usize, piece: usize) -> Range<usize> {
    length * piece / pieces..length * (piece + 1) / pieces
}

/// Pieces that work of `multiply_adds` is cut into.
pub(crate) fn pieces(multiply_adds: usize) -> usize {
    let threads = rayon::current_num_threads();
    if threads == 1 || multiply_adds < SMALL {
        1
    } else {
        threads * PIECES
    }
}

/// Calls `work` for each piece, on all threads.
pub(crate) fn for_each_piece(pieces: usize, work: impl Fn(usize) + Send + Sync) {
    if pieces == 1 {
        work(0);
    } else {
        (0..pieces).into_par_iter().with_max_len(1).for_each(work);
    }
}

/// A product's rows and target, for use on several threads.
#[derive(Clone, Copy)]
struct Product {
    rows: Rows,
    target: Target,
}

// SAFETY: addresses only; who reads and writes through them is vouched for in `multiply`.
unsafe impl Send for Product {}
// SAFETY: as above.
unsafe impl Sync for Product {}

/// The whole product of `rows` with `matrix`, on all threads.
///
/// # Safety
/// As [`PackedMatrix::multiply`].
pub(crate) unsafe fn multiply(matrix: &PackedMatrix, rows: Rows, target: Target) {
    let product = Product { rows, target };
    let pieces = pieces(rows.count * matrix.depth() * matrix.columns());
    // Each thread reads all of one side: let that be the smaller one.
    let by_columns = matrix.panels() >= pieces && rows.count < matrix.columns();
    for_each_piece(pieces, |piece| {
        let product = &product;
        let (panels, rows) = if by_columns {
            (part(matrix.panels(), pieces, piece), 0..product.rows.count)
        } else {
            (0..matrix.panels(), part(product.rows.count, pieces, piece))
        };
        let step = (CACHED / matrix.depth()).max(16);
        for first in rows.clone().step_by(step) {
            let last = (first + step).min(rows.end);
            // SAFETY: pieces are disjoint in rows or columns; the rest is the caller's.
            unsafe {
                let target = product.target.part(first);
                matrix.multiply(panels.clone(), &product.rows.part(first..last), &target);
            }
        }
    });
}
