//! 3x3 convolution by Winograd's minimal filtering F(2x2, 3x3): 16 multiplications give four output
//! pixels, where the definition takes 36 (Lavin and Gray, CVPR 2016, section 4.1).
//!
//! Tiles of 4x4 input pixels overlap by two. Each of the 16 places of the transformed tiles is a
//! matrix product of its own: `[tiles, in]` times `[in, out]`.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{Aligned, SharedMut, filled, with_scratch};
use super::parallel;
use rayon::prelude::*;

/// Places of a transformed tile.
pub(crate) const PLACES: usize = 16;
/// Tiles that are worked on at once: their transformed values stay in the cache.
const TILES: usize = 196;

/// The weights of a 3x3 convolution of stride 1 and padding 1, transformed and packed.
pub(crate) struct PackedWinograd {
    set: InstructionSet,
    inputs: usize,
    outputs: usize,
    /// One matrix for each place.
    matrices: Vec<PackedMatrix>,
    bias: Aligned,
    activation: Activation,
    scale: Aligned,
    shift: Aligned,
}

impl PackedWinograd {
    /// Transforms `weight` `[out, in, 3, 3]`: U = G g Gᵀ.
    pub(crate) fn new(
        set: InstructionSet,
        [outputs, inputs]: [usize; 2],
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        affine: Option<(Vec<f32>, Vec<f32>)>,
    ) -> Self {
        let transformed = transform_weights(weight, [outputs, inputs]);
        let size = inputs * outputs;
        let matrices = (0..PLACES)
            .into_par_iter()
            .map(|place| {
                let values = &transformed[place * size..(place + 1) * size];
                let entry = |k: usize, c: usize| values[k * outputs + c];
                PackedMatrix::new(set, inputs, outputs, entry, None, Activation::None)
            })
            .collect();
        let padded = outputs.next_multiple_of(16);
        let (scale, shift) = affine.unwrap_or_else(|| (vec![1.0; outputs], vec![0.0; outputs]));
        Self {
            set,
            inputs,
            outputs,
            matrices,
            bias: Aligned::padded(bias.unwrap_or(&[]), padded),
            activation,
            scale: Aligned::padded(&scale, padded),
            shift: Aligned::padded(&shift, padded),
        }
    }

    /// Channels out.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The convolution of `images` images of `height` x `width`.
    pub(crate) fn forward(
        &self,
        values: &[f32],
        images: usize,
        (height, width): (usize, usize),
    ) -> Vec<f32> {
        let grid = Grid::new(height, width);
        let tiles = images * grid.tiles();
        let run = |output: SharedMut| {
            for first in (0..tiles).step_by(TILES) {
                let count = TILES.min(tiles - first);
                self.tiles(values, &grid, first, count, output);
            }
        };
        // SAFETY: the tiles cover every pixel.
        unsafe { filled(images * height * width * self.outputs, run) }
    }

    /// `count` tiles from `first` on: transform, multiply, transform back.
    fn tiles(&self, values: &[f32], grid: &Grid, first: usize, count: usize, output: SharedMut) {
        let inputs = self.inputs.next_multiple_of(16);
        let outputs = self.outputs.next_multiple_of(16);
        with_scratch(PLACES * count * (inputs + outputs), |scratch| {
            let (left, product) = scratch.split_at_mut(PLACES * count * inputs);
            let (left, product) = (
                SharedMut(left.as_mut_ptr()),
                SharedMut(product.as_mut_ptr()),
            );
            let work = PLACES * count * self.inputs * self.outputs;
            let pieces = parallel::pieces(work).min(count);
            let across = |piece: usize| {
                let part = parallel::part(count, pieces, piece);
                (first, count, part)
            };
            parallel::for_each_piece(pieces, |piece| {
                // SAFETY: each piece transforms tiles of its own.
                unsafe { input_entry(self.set, self, values, grid, across(piece), left) };
            });
            // As many pieces as places, each with weights that no other piece reads.
            let pieces_of_product = if pieces == 1 { 1 } else { PLACES };
            parallel::for_each_piece(pieces_of_product, |piece| {
                for place in parallel::part(PLACES, pieces_of_product, piece) {
                    // SAFETY: each place has a part of both scratch memories for itself.
                    unsafe {
                        let start = left.at(place * count * inputs);
                        let rows = Rows::plain(start, count, self.inputs, inputs);
                        let target = Target {
                            start: product.at(place * count * outputs),
                            stride: outputs,
                            residual: std::ptr::null(),
                        };
                        let matrix = &self.matrices[place];
                        matrix.multiply(0..matrix.panels(), &rows, &target);
                    }
                }
            });
            parallel::for_each_piece(pieces, |piece| {
                // SAFETY: each piece writes the output pixels of its own tiles.
                unsafe { output_entry(self.set, self, grid, across(piece), product, output) };
            });
        });
    }
}

/// An image and its tiles.
pub(crate) struct Grid {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Rows of tiles.
    rows: usize,
    /// Tiles in a row.
    columns: usize,
}

impl Grid {
    pub(crate) fn new(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            rows: height.div_ceil(2),
            columns: width.div_ceil(2),
        }
    }

    /// Tiles of an image.
    pub(crate) fn tiles(&self) -> usize {
        self.rows * self.columns
    }

    /// Image, top and left output pixel of tile `tile`.
    #[inline(always)]
    pub(crate) fn place(&self, tile: usize) -> (usize, usize, usize) {
        let in_image = tile % (self.rows * self.columns);
        (
            tile / (self.rows * self.columns),
            in_image / self.columns * 2,
            in_image % self.columns * 2,
        )
    }
}

/// The transformed weights, place after place and in the order in which each place's matrix is
/// packed: `[16, in, out]` of `[out, in, 3, 3]`.
fn transform_weights(weight: &[f32], [outputs, inputs]: [usize; 2]) -> Vec<f32> {
    let size = inputs * outputs;
    let transform = |to: SharedMut| {
        let pieces = parallel::pieces(PLACES * size).min(inputs);
        parallel::for_each_piece(pieces, |piece| {
            for input in parallel::part(inputs, pieces, piece) {
                for output in 0..outputs {
                    let window = &weight[(output * inputs + input) * 9..][..9];
                    let places = transform_weight(window).into_iter().enumerate();
                    for (place, value) in places {
                        let entry = place * size + input * outputs + output;
                        // SAFETY: in the allocation; each piece writes inputs of its own.
                        unsafe { to.at(entry).write(value) };
                    }
                }
            }
        });
    };
    // SAFETY: every entry of every place is written.
    unsafe { filled(PLACES * size, transform) }
}

/// G g Gᵀ with G = [1 0 0; ½ ½ ½; ½ -½ ½; 0 0 1].
fn transform_weight(weight: &[f32]) -> [f32; PLACES] {
    let along = |[a, b, c]: [f32; 3]| {
        let (even, odd) = ((a + c) * 0.5, b * 0.5);
        [a, even + odd, even - odd, c]
    };
    let mut columns = [[0.0; 3]; 4];
    for x in 0..3 {
        for (y, value) in along([weight[x], weight[3 + x], weight[6 + x]])
            .into_iter()
            .enumerate()
        {
            columns[y][x] = value;
        }
    }
    let mut transformed = [0.0; PLACES];
    for (y, row) in columns.into_iter().enumerate() {
        transformed[y * 4..y * 4 + 4].copy_from_slice(&along(row));
    }
    transformed
}

instruction_set_entry!(
    /// The input transform of some tiles.
    input_entry => transform_input(
        layer: &PackedWinograd,
        values: &[f32],
        grid: &Grid,
        tiles: (usize, usize, std::ops::Range<usize>),
        left: SharedMut,
    )
);

#[inline(always)]
unsafe fn transform_input<L: Lanes>(
    layer: &PackedWinograd,
    values: &[f32],
    grid: &Grid,
    (first, count, part): (usize, usize, std::ops::Range<usize>),
    left: SharedMut,
) {
    for tile in part {
        // SAFETY: the places of this tile are this piece's.
        unsafe {
            let from = (values, layer.inputs);
            transform_pixels::<L>(from, grid, first + tile, (count, tile), left);
        }
    }
}

/// V = Bᵀ d B with Bᵀ = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1], pixels outside the image zero.
///
/// `values` have `inputs` channels; the result is tile `to` of `count` in `left`.
///
/// # Safety
/// `left` has room for the tile in every place, and nobody else uses it.
#[inline(always)]
pub(crate) unsafe fn transform_pixels<L: Lanes>(
    (values, inputs): (&[f32], usize),
    grid: &Grid,
    tile: usize,
    (count, to): (usize, usize),
    left: SharedMut,
) {
    let stride = inputs.next_multiple_of(16);
    let (image, top, left_pixel) = grid.place(tile);
    // Addresses of the 16 pixels; null outside the image.
    let mut pixels = [std::ptr::null::<f32>(); 16];
    for (i, pixel) in pixels.iter_mut().enumerate() {
        let y = (top + i / 4).wrapping_sub(1);
        let x = (left_pixel + i % 4).wrapping_sub(1);
        if y < grid.height && x < grid.width {
            *pixel = values[((image * grid.height + y) * grid.width + x) * inputs..].as_ptr();
        }
    }
    for channel in (0..inputs).step_by(L::WIDTH) {
        let lanes = inputs - channel;
        // SAFETY: pixels inside the image have `inputs` floats; the room is the
        // caller's.
        unsafe {
            let mut d = [[L::splat(0.0); 4]; 4];
            for (i, &pixel) in pixels.iter().enumerate() {
                if !pixel.is_null() {
                    d[i / 4][i % 4] = L::load_up_to(pixel.add(channel), lanes);
                }
            }
            let mut columns = [[L::splat(0.0); 4]; 4];
            for x in 0..4 {
                columns[0][x] = d[0][x].sub(d[2][x]);
                columns[1][x] = d[1][x].add(d[2][x]);
                columns[2][x] = d[2][x].sub(d[1][x]);
                columns[3][x] = d[1][x].sub(d[3][x]);
            }
            for (y, row) in columns.iter().enumerate() {
                let transformed = [
                    row[0].sub(row[2]),
                    row[1].add(row[2]),
                    row[2].sub(row[1]),
                    row[1].sub(row[3]),
                ];
                for (x, value) in transformed.into_iter().enumerate() {
                    let place = ((y * 4 + x) * count + to) * stride + channel;
                    value.store(left.at(place));
                }
            }
        }
    }
}

instruction_set_entry!(
    /// The output transform of some tiles.
    output_entry => transform_output(
        layer: &PackedWinograd,
        grid: &Grid,
        tiles: (usize, usize, std::ops::Range<usize>),
        product: SharedMut,
        output: SharedMut,
    )
);

/// Aᵀ m A with Aᵀ = [1 1 1 0; 0 1 -1 -1], then bias, activation and affine map.
#[inline(always)]
unsafe fn transform_output<L: Lanes>(
    layer: &PackedWinograd,
    grid: &Grid,
    (first, count, part): (usize, usize, std::ops::Range<usize>),
    product: SharedMut,
    output: SharedMut,
) {
    let outputs = layer.outputs;
    let stride = outputs.next_multiple_of(16);
    for tile in part {
        let (image, top, left) = grid.place(first + tile);
        for channel in (0..outputs).step_by(L::WIDTH) {
            // SAFETY: this tile's products were written; only pixels inside the image are written,
            // and they are this piece's.
            unsafe {
                let mut columns = [[L::splat(0.0); 4]; 2];
                let [upper, lower] = &mut columns;
                for (x, (upper, lower)) in upper.iter_mut().zip(lower).enumerate() {
                    let m = |y: usize| ((y * 4 + x) * count + tile) * stride + channel;
                    let (m0, m1) = (L::load(product.at(m(0))), L::load(product.at(m(1))));
                    let (m2, m3) = (L::load(product.at(m(2))), L::load(product.at(m(3))));
                    *upper = m0.add(m1).add(m2);
                    *lower = m1.sub(m2).sub(m3);
                }
                let bias = L::load(layer.bias.as_ptr().add(channel));
                let scale = L::load(layer.scale.as_ptr().add(channel));
                let shift = L::load(layer.shift.as_ptr().add(channel));
                for (y, row) in columns.iter().enumerate() {
                    let pair = [
                        row[0].add(row[1]).add(row[2]),
                        row[1].sub(row[2]).sub(row[3]),
                    ];
                    for (x, value) in pair.into_iter().enumerate() {
                        if top + y >= grid.height || left + x >= grid.width {
                            continue;
                        }
                        let pixel = (image * grid.height + top + y) * grid.width + left + x;
                        layer
                            .activation
                            .apply_lanes(value.add(bias))
                            .mul_add(scale, shift)
                            .store_up_to(output.at(pixel * outputs + channel), outputs - channel);
                    }
                }
            }
        }
    }
}
