//! Matrix product with a weight matrix that is packed once: the heart of every convolution here.
//!
//! The weights lie in panels of up to three vectors of columns, row after row of the product's
//! inner dimension, so that the innermost loop reads them in order; a tile of the result stays in
//! registers until bias, activation, affine map and residual have been applied.

use super::activation::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::Aligned;
use std::mem::MaybeUninit;
use std::ops::Range;

/// One panel: `vectors` vectors of columns from `column` on.
#[derive(Clone, Copy)]
struct Panel {
    column: usize,
    vectors: usize,
    offset: usize,
}

/// A weight matrix `[depth, columns]` in panels, with what is applied to the product.
#[derive(Clone)]
pub(crate) struct PackedMatrix {
    set: InstructionSet,
    depth: usize,
    columns: usize,
    panels: Vec<Panel>,
    weights: Aligned,
    bias: Aligned,
    activation: Activation,
    /// Scale and shift of each column, applied after the activation.
    affine: Option<(Aligned, Aligned)>,
}

/// The rows of the left matrix, read in place.
///
/// A row is `segments` runs of floats, `segment_stride` apart: one run for a pointwise layer; for a
/// 3x3 convolution the three pixel rows under the window.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) start: *const f32,
    pub(crate) count: usize,
    /// Floats from one row to the next.
    pub(crate) stride: usize,
    pub(crate) segments: usize,
    pub(crate) segment_length: usize,
    pub(crate) segment_stride: usize,
}

impl Rows {
    /// `count` rows of `depth` floats, `stride` apart.
    pub(crate) fn plain(start: *const f32, count: usize, depth: usize, stride: usize) -> Self {
        Self {
            start,
            count,
            stride,
            segments: 1,
            segment_length: depth,
            segment_stride: 0,
        }
    }

    /// Those from `first` on.
    ///
    /// # Safety
    /// They exist.
    pub(crate) unsafe fn part(&self, rows: Range<usize>) -> Self {
        Self {
            // SAFETY: passed on to the caller.
            start: unsafe { self.start.add(rows.start * self.stride) },
            count: rows.len(),
            ..*self
        }
    }
}

/// Where the product goes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) start: *mut f32,
    /// Floats from one row to the next.
    pub(crate) stride: usize,
    /// Added last, where not null; laid out as the product.
    pub(crate) residual: *const f32,
}

impl Target {
    /// The target of the rows from `row` on.
    ///
    /// # Safety
    /// They exist.
    pub(crate) unsafe fn part(&self, row: usize) -> Self {
        // SAFETY: passed on to the caller.
        unsafe {
            Self {
                start: self.start.add(row * self.stride),
                stride: self.stride,
                residual: if self.residual.is_null() {
                    self.residual
                } else {
                    self.residual.add(row * self.stride)
                },
            }
        }
    }
}

impl PackedMatrix {
    /// Packs a matrix given by its entries `weight(row of depth, column)`.
    pub(crate) fn new(
        set: InstructionSet,
        depth: usize,
        columns: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
        activation: Activation,
    ) -> Self {
        let set = set.for_columns(columns);
        let width = set.width();
        let padded = columns.next_multiple_of(width);
        let mut panels = Vec::new();
        let mut weights = Aligned::zeros(padded * depth);
        let values = weights.as_mut_slice();
        let mut column = 0;
        for vectors in panel_vectors(padded / width, set.widest_panel()) {
            let offset = column * depth;
            panels.push(Panel {
                column,
                vectors,
                offset,
            });
            let panel_width = vectors * width;
            for k in 0..depth {
                for c in column..(column + panel_width).min(columns) {
                    values[offset + k * panel_width + c - column] = weight(k, c);
                }
            }
            column += panel_width;
        }
        Self {
            set,
            depth,
            columns,
            panels,
            weights,
            bias: Aligned::padded(bias.unwrap_or(&[]), padded),
            activation,
            affine: None,
        }
    }

    /// Applies `scale · x + shift` to each column after the activation.
    pub(crate) fn with_affine(mut self, scale: &[f32], shift: &[f32]) -> Self {
        let width = self.set.width();
        let padded = self.columns.next_multiple_of(width);
        self.affine = Some((
            Aligned::padded(scale, padded),
            Aligned::padded(shift, padded),
        ));
        self
    }

    /// The inner dimension of the product.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the product.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.panels.len()
    }

    /// The columns of panel `panel`.
    pub(crate) fn panel_columns(&self, panel: usize) -> Range<usize> {
        let Panel {
            column, vectors, ..
        } = self.panels[panel];
        column..(column + vectors * self.set.width()).min(self.columns)
    }

    /// Computes the columns of `panels` of the product of `rows` with this matrix.
    ///
    /// # Safety
    /// `rows` can be read; `target` has room for the product and nobody else uses that room
    /// meanwhile.
    ///
    /// # Panics
    /// `rows` have another depth than this matrix, whose weights would be read past their end.
    pub(crate) unsafe fn multiply(&self, panels: Range<usize>, rows: &Rows, target: &Target) {
        assert_eq!(rows.segments * rows.segment_length, self.depth, "depth");
        // SAFETY: the weights hold `depth` rows; the rest is the caller's.
        unsafe { multiply_entry(self.set, self, panels, rows, target) }
    }
}

/// Cuts `vectors` vectors of columns into panels of `widest`, and the rest into narrower ones.
fn panel_vectors(vectors: usize, widest: usize) -> Vec<usize> {
    let mut panels = vec![widest; vectors / widest];
    match (vectors % widest, panels.pop()) {
        (0, last) => panels.extend(last),
        // Two panels of two are faster than one of three and a narrow one.
        (1, Some(3)) => panels.extend([2, 2]),
        (rest, last) => panels.extend(last.into_iter().chain([rest])),
    }
    panels
}

instruction_set_entry!(
    /// [`PackedMatrix::multiply`] for one instruction set.
    multiply_entry => multiply_panels(
        matrix: &PackedMatrix,
        panels: Range<usize>,
        rows: &Rows,
        target: &Target,
    )
);

#[inline(always)]
unsafe fn multiply_panels<L: Lanes>(
    matrix: &PackedMatrix,
    panels: Range<usize>,
    rows: &Rows,
    target: &Target,
) {
    for panel in &matrix.panels[panels] {
        // As many rows at once as the registers hold, and all blocks about the same height.
        let most = L::TILE_ROWS[panel.vectors - 1];
        let blocks = rows.count.div_ceil(most);
        let mut row = 0;
        for block in 0..blocks {
            let count = (rows.count - row) / (blocks - block);
            // SAFETY: `row` + `count` stays within the rows; the rest is the caller's.
            unsafe {
                let rows = rows.part(row..row + count);
                let target = target.part(row);
                match panel.vectors {
                    1 => tile_rows::<L, 1>(matrix, panel, &rows, &target),
                    2 => tile_rows::<L, 2>(matrix, panel, &rows, &target),
                    _ => tile_rows::<L, 3>(matrix, panel, &rows, &target),
                }
            }
            row += count;
        }
    }
}

/// Picks the tile of the right height.
#[inline(always)]
unsafe fn tile_rows<L: Lanes, const V: usize>(
    matrix: &PackedMatrix,
    panel: &Panel,
    rows: &Rows,
    target: &Target,
) {
    macro_rules! pick {
        ($($count:literal)*) => {
            match rows.count {
                // The first test is known when compiling: no tile is built that is never used.
                $($count if $count <= L::TILE_ROWS[V - 1] => {
                    // SAFETY: the caller's.
                    unsafe { tile::<L, $count, V>(matrix, panel, rows, target) }
                })*
                _ => unreachable!("a tile has at most {} rows", L::TILE_ROWS[V - 1]),
            }
        };
    }
    pick!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// One tile: `M` rows of the result, `V` vectors of columns.
#[inline(always)]
unsafe fn tile<L: Lanes, const M: usize, const V: usize>(
    matrix: &PackedMatrix,
    panel: &Panel,
    rows: &Rows,
    target: &Target,
) {
    // SAFETY: the panel holds depth · V vectors and the bias V; reads of `rows` and writes to
    // `target` are the caller's promise.
    unsafe {
        let mut sums = [[L::splat(0.0); V]; M];
        let bias = matrix.bias.as_ptr().add(panel.column);
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = L::load(bias.add(v * L::WIDTH));
            }
        }
        let mut weights = matrix.weights.as_ptr().add(panel.offset);
        for segment in 0..rows.segments {
            let mut left = rows.start.add(segment * rows.segment_stride);
            for _ in 0..rows.segment_length {
                let mut right = [L::splat(0.0); V];
                for (v, lanes) in right.iter_mut().enumerate() {
                    *lanes = L::load(weights.add(v * L::WIDTH));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let value = L::splat(*left.add(m * rows.stride));
                    for v in 0..V {
                        row[v] = value.mul_add(right[v], row[v]);
                    }
                }
                weights = weights.add(V * L::WIDTH);
                left = left.add(1);
            }
        }
        finish_tile(matrix, panel, target, sums);
    }
}

/// Applies what follows the product and writes the tile.
///
/// The common case keeps the tile in registers: its loops are short enough to be unrolled whole.
/// Everything else goes through memory, so that the innermost loop never has to.
#[inline(always)]
unsafe fn finish_tile<L: Lanes, const M: usize, const V: usize>(
    matrix: &PackedMatrix,
    panel: &Panel,
    target: &Target,
    sums: [[L; V]; M],
) {
    let whole = panel.column + V * L::WIDTH <= matrix.columns;
    // SAFETY: only columns that exist are read and written; the rest is the caller's promise.
    unsafe {
        match matrix.activation.bounds() {
            Some(bounds) if whole && matrix.affine.is_none() => {
                let place = target.start.add(panel.column);
                if target.residual.is_null() {
                    store_tile::<L, M, V, false>(bounds, sums, place, target.stride, place);
                } else {
                    let residual = target.residual.add(panel.column);
                    store_tile::<L, M, V, true>(bounds, sums, place, target.stride, residual);
                }
            }
            _ => {
                let mut buffer = MaybeUninit::<[[L; V]; M]>::uninit();
                let first = buffer.as_mut_ptr().cast::<f32>();
                store_tile::<L, M, V, false>(
                    (f32::NEG_INFINITY, f32::INFINITY),
                    sums,
                    first,
                    V * L::WIDTH,
                    first,
                );
                finish_rows::<L>(matrix, panel, target, first, M);
            }
        }
    }
}

/// Writes the tile, clamped to `bounds` and with the residual added.
#[inline(always)]
unsafe fn store_tile<L: Lanes, const M: usize, const V: usize, const RESIDUAL: bool>(
    (low, high): (f32, f32),
    sums: [[L; V]; M],
    to: *mut f32,
    stride: usize,
    residual: *const f32,
) {
    // SAFETY: whole vectors; room for them is the caller's promise.
    unsafe {
        let (low, high) = (L::splat(low), L::splat(high));
        for (m, row) in sums.into_iter().enumerate() {
            for (v, sum) in row.into_iter().enumerate() {
                let place = m * stride + v * L::WIDTH;
                // In this order what is not a number stays so.
                let mut value = high.min(low.max(sum));
                if RESIDUAL {
                    value = value.add(L::load(residual.add(place)));
                }
                value.store(to.add(place));
            }
        }
    }
}

/// Applies any activation, affine map and residual to the `count` rows of a tile in `sums`, and
/// writes the columns that exist.
#[inline(always)]
unsafe fn finish_rows<L: Lanes>(
    matrix: &PackedMatrix,
    panel: &Panel,
    target: &Target,
    sums: *const f32,
    count: usize,
) {
    let width = panel.vectors * L::WIDTH;
    let last = matrix.columns.min(panel.column + width);
    for row in 0..count {
        for column in (panel.column..last).step_by(L::WIDTH) {
            let lanes = last - column;
            // SAFETY: only columns that exist are read and written; the rest is the caller's.
            unsafe {
                let sum = L::load(sums.add(row * width + column - panel.column));
                let mut value = matrix.activation.apply_lanes(sum);
                if let Some((scale, shift)) = &matrix.affine {
                    value = value.mul_add(
                        L::load(scale.as_ptr().add(column)),
                        L::load(shift.as_ptr().add(column)),
                    );
                }
                let place = row * target.stride + column;
                if !target.residual.is_null() {
                    value = value.add(L::load_up_to(target.residual.add(place), lanes));
                }
                value.store_up_to(target.start.add(place), lanes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "depth"]
    fn rows_of_another_depth_are_refused() {
        let set = InstructionSet::detect();
        let matrix = PackedMatrix::new(set, 3, 2, |_, _| 1.0, None, Activation::None);
        let (rows, mut product) = ([1.0; 4], [0.0; 2]);
        let target = Target {
            start: product.as_mut_ptr(),
            stride: 2,
            residual: std::ptr::null(),
        };
        // SAFETY: one row of four floats, and room for one of two.
        unsafe { matrix.multiply(0..1, &Rows::plain(rows.as_ptr(), 1, 4, 4), &target) };
    }

    #[test]
    fn panels_hold_every_vector_once() {
        for widest in [2, 3] {
            for vectors in 1..40 {
                let panels = panel_vectors(vectors, widest);
                assert_eq!(panels.iter().sum::<usize>(), vectors);
                assert!(panels.iter().all(|&panel| (1..=widest).contains(&panel)));
                let narrow = panels.iter().filter(|&&panel| panel == 1).count();
                assert!(narrow == 0 || widest == 2 || vectors == 1);
            }
        }
    }
}
