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

/// Parts of the rows and of the panels that a product is cut into, about `pieces` together, such
/// that the threads read as little as possible: a piece reads its rows and its panels.
pub(crate) fn cut(pieces: usize, rows: usize, panels: usize, columns: usize) -> (usize, usize) {
    (1..=pieces.min(panels).max(1))
        .map(|panel_parts| (pieces.div_ceil(panel_parts).min(rows.max(1)), panel_parts))
        .filter(|(row_parts, panel_parts)| row_parts * panel_parts <= pieces.max(1))
        .min_by_key(|(row_parts, panel_parts)| {
            let idle = pieces.saturating_sub(row_parts * panel_parts);
            (idle, row_parts * columns + panel_parts * rows)
        })
        .unwrap_or((1, 1))
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
    let (row_parts, panel_parts) = cut(pieces, rows.count, matrix.panels(), matrix.columns());
    for_each_piece(row_parts * panel_parts, |piece| {
        let product = &product;
        let panels = part(matrix.panels(), panel_parts, piece % panel_parts);
        let rows = part(product.rows.count, row_parts, piece / panel_parts);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for length in [0, 1, 7, 196] {
            for pieces in [1, 2, 3, 8] {
                let parts: Vec<usize> = (0..pieces)
                    .flat_map(|piece| part(length, pieces, piece))
                    .collect();
                assert_eq!(parts, (0..length).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_product_is_cut_along_its_longer_side() {
        assert_eq!(cut(4, 196, 27, 1248), (1, 4));
        assert_eq!(cut(4, 12_544, 3, 144), (4, 1));
        assert_eq!(cut(4, 196, 5, 208), (2, 2));
        assert_eq!(cut(1, 196, 5, 208), (1, 1));
        // More pieces than panels: the rows are cut too, and no more pieces than rows are made.
        assert_eq!(cut(32, 196, 3, 144), (16, 2));
        assert_eq!(cut(32, 3, 4, 192), (3, 4));
        assert_eq!(cut(4, 0, 4, 192), (1, 4));
    }
}
