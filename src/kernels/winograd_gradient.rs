//! The gradient of a 3x3 convolution's weights, by the transpose of Winograd's method: where the
//! forward pass computes Aᵀ [(G w Gᵀ) ∘ (Bᵀ d B)] A for each tile and sums over channels, the
//! gradient is Gᵀ [Σ over tiles of (Bᵀ d B) ∘ (A g Aᵀ)] G.
//!
//! Each of the 16 places is a matrix product, `[in, tiles]` times `[tiles, out]`.

use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{Aligned, SharedMut, filled, with_scratch};
use super::parallel;
use super::winograd::{Grid, transform_pixels};
use super::winograd_tiles::{TileSize, Two};
use gemm::{Parallelism, gemm};
use std::ops::Range;

/// Places of a transformed tile.
const PLACES: usize = 16;
/// Tiles that are worked on at once: their transformed values stay in the cache.
const TILES: usize = 196;
/// Rows of a product that is one piece of work.
const ROWS: usize = 128;

/// The gradient of the weights, `[out, in, 3, 3]`, from the input's values and the output's
/// gradient, each with its number of channels; `size` is images, height, width.
///
/// # Panics
/// `values` or `gradient` are not as many as such images have.
pub(crate) fn weight_gradient(
    set: InstructionSet,
    (values, inputs): (&[f32], usize),
    (gradient, outputs): (&[f32], usize),
    (images, height, width): (usize, usize, usize),
) -> Vec<f32> {
    let pixels = images * height * width;
    assert_eq!(values.len(), pixels * inputs, "values of whole images");
    assert_eq!(
        gradient.len(),
        pixels * outputs,
        "a gradient of whole images"
    );
    let grid = Grid::new(TileSize::Two, height, width);
    let tiles = images * grid.tiles();
    let work = Work {
        set,
        grid,
        values,
        inputs,
        gradient,
        outputs,
    };
    let mut places = Aligned::zeros(PLACES * inputs * outputs);
    for first in (0..tiles).step_by(TILES) {
        work.add_tiles(first..tiles.min(first + TILES), places.as_mut_slice());
    }
    transformed_back(set, places.as_mut_slice(), inputs, outputs)
}

/// What the gradient is computed from.
struct Work<'a> {
    set: InstructionSet,
    grid: Grid,
    values: &'a [f32],
    inputs: usize,
    gradient: &'a [f32],
    outputs: usize,
}

impl Work<'_> {
    /// Adds the products of some tiles to `sums`, `[16, in, out]`.
    fn add_tiles(&self, tiles: Range<usize>, sums: &mut [f32]) {
        assert!(sums.len() >= PLACES * self.inputs * self.outputs);
        let sums = SharedMut(sums.as_mut_ptr());
        let count = tiles.len();
        let (inputs, outputs) = (
            self.inputs.next_multiple_of(16),
            self.outputs.next_multiple_of(16),
        );
        with_scratch(PLACES * count * (inputs + outputs), |scratch| {
            let (left, right) = scratch.split_at_mut(PLACES * count * inputs);
            let (left, right) = (SharedMut(left.as_mut_ptr()), SharedMut(right.as_mut_ptr()));
            let multiply_adds = PLACES * count * self.inputs * self.outputs;
            let pieces = parallel::pieces(multiply_adds).min(count);
            parallel::for_each_piece(pieces, |piece| {
                let part = parallel::part(count, pieces, piece);
                let place = (tiles.start, count, part);
                // SAFETY: each piece transforms tiles of its own.
                unsafe { transform_entry(self.set, self, place, left, right) };
            });
            let row_parts = self.inputs.div_ceil(ROWS);
            let pieces = if pieces == 1 { 1 } else { PLACES * row_parts };
            parallel::for_each_piece(pieces, |piece| {
                for product in parallel::part(PLACES * row_parts, pieces, piece) {
                    let (place, part) = (product % PLACES, product / PLACES);
                    let rows = parallel::part(self.inputs, row_parts, part);
                    // SAFETY: both were filled above; each product has sums of its own.
                    unsafe {
                        multiply(
                            [rows.len(), self.outputs, count],
                            (left.at(place * count * inputs + rows.start), inputs),
                            (right.at(place * count * outputs), outputs),
                            sums.at((place * self.inputs + rows.start) * self.outputs),
                        );
                    }
                }
            });
        });
    }
}

/// Adds leftᵀ · right to `sums`: `left` is `[depth, rows]`, `right` `[depth, columns]`, each with
/// the floats from one row to the next; `sums` is contiguous.
///
/// # Safety
/// All can be read, and nobody else uses the sums.
unsafe fn multiply(
    [rows, columns, depth]: [usize; 3],
    (left, left_stride): (*mut f32, usize),
    (right, right_stride): (*mut f32, usize),
    sums: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe {
        gemm(
            rows,
            columns,
            depth,
            sums,
            1,
            columns as isize,
            true,
            left.cast_const(),
            left_stride as isize,
            1,
            right.cast_const(),
            1,
            right_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

instruction_set_entry!(
    /// The transforms of some tiles: of the input to `left`, of the gradient to `right`.
    transform_entry => transform(
        work: &Work<'_>,
        tiles: (usize, usize, Range<usize>),
        left: SharedMut,
        right: SharedMut,
    )
);

#[inline(always)]
unsafe fn transform<L: Lanes>(
    work: &Work<'_>,
    (first, count, part): (usize, usize, Range<usize>),
    left: SharedMut,
    right: SharedMut,
) {
    for tile in part {
        // SAFETY: the caller's: this tile's places are this piece's.
        unsafe {
            let from = (work.values, work.inputs);
            transform_pixels::<L, Two, 4, 2>(from, &work.grid, first + tile, (count, tile), left);
            transform_gradient::<L>(work, first + tile, (count, tile), right);
        }
    }
}

/// A g Aᵀ with A = [1 0; 1 1; 1 -1; 0 -1], gradients outside the image zero.
#[inline(always)]
unsafe fn transform_gradient<L: Lanes>(
    work: &Work<'_>,
    tile: usize,
    (count, to): (usize, usize),
    right: SharedMut,
) {
    let grid = &work.grid;
    let stride = work.outputs.next_multiple_of(16);
    let (image, top, left) = grid.place(tile);
    for channel in (0..work.outputs).step_by(L::WIDTH) {
        // SAFETY: gradients inside the image have `outputs` floats; the rest is the caller's.
        unsafe {
            let mut g = [[L::splat(0.0); 2]; 2];
            for (i, lanes) in g.as_flattened_mut().iter_mut().enumerate() {
                let (y, x) = (top + i / 2, left + i % 2);
                if y < grid.height && x < grid.width {
                    let pixel = (image * grid.height + y) * grid.width + x;
                    let from = work.gradient[pixel * work.outputs..].as_ptr().add(channel);
                    *lanes = L::load_up_to(from, work.outputs - channel);
                }
            }
            let zero = L::splat(0.0);
            let along = |a: L, b: L| [a, a.add(b), a.sub(b), zero.sub(b)];
            let left_column = along(g[0][0], g[1][0]);
            let right_column = along(g[0][1], g[1][1]);
            for (y, (a, b)) in left_column.into_iter().zip(right_column).enumerate() {
                for (x, value) in along(a, b).into_iter().enumerate() {
                    value.store(right.at(((y * 4 + x) * count + to) * stride + channel));
                }
            }
        }
    }
}

/// Gᵀ u G of every pair of channels, from `[16, in, out]` to `[out, in, 3, 3]`.
fn transformed_back(
    set: InstructionSet,
    places: &mut [f32],
    inputs: usize,
    outputs: usize,
) -> Vec<f32> {
    assert!(places.len() >= PLACES * inputs * outputs);
    let places = SharedMut(places.as_mut_ptr());
    let run = |output: SharedMut| {
        let pieces = parallel::pieces(PLACES * inputs * outputs).min(inputs);
        parallel::for_each_piece(pieces, |piece| {
            for input in parallel::part(inputs, pieces, piece) {
                // SAFETY: all places of this input were computed, and only this piece writes its
                // weights.
                unsafe { back_entry(set, places, input, [inputs, outputs], output) };
            }
        });
    };
    // SAFETY: every input's weights are written.
    unsafe { filled(9 * inputs * outputs, run) }
}

instruction_set_entry!(
    /// The weights of one input.
    back_entry => back(places: SharedMut, input: usize, size: [usize; 2], output: SharedMut)
);

#[inline(always)]
unsafe fn back<L: Lanes>(
    places: SharedMut,
    input: usize,
    [inputs, outputs]: [usize; 2],
    output: SharedMut,
) {
    for first in (0..outputs).step_by(L::WIDTH) {
        let lanes = (outputs - first).min(L::WIDTH);
        let mut weights = [[0.0; 16]; 9];
        // SAFETY: only values that exist are read and written, by the caller's promise.
        unsafe {
            let half = L::splat(0.5);
            let along = |u: [L; 4]| {
                let (even, odd) = (u[1].add(u[2]).mul(half), u[1].sub(u[2]).mul(half));
                [u[0].add(even), odd, even.add(u[3])]
            };
            let mut columns = [[L::splat(0.0); 3]; 4];
            for (x, column) in columns.iter_mut().enumerate() {
                let mut u = [L::splat(0.0); 4];
                for (y, value) in u.iter_mut().enumerate() {
                    let place = ((y * 4 + x) * inputs + input) * outputs + first;
                    *value = L::load_up_to(places.at(place), lanes);
                }
                *column = along(u);
            }
            for y in 0..3 {
                let row = along(columns.map(|column| column[y]));
                for (x, value) in row.into_iter().enumerate() {
                    value.store(weights[y * 3 + x].as_mut_ptr());
                }
            }
            for lane in 0..lanes {
                let to = output.at(((first + lane) * inputs + input) * 9);
                for (i, weight) in weights.iter().enumerate() {
                    to.add(i).write(weight[lane]);
                }
            }
        }
    }
}
