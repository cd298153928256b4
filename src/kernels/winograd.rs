//! 3x3 convolution by Winograd's minimal filtering, for two sizes of tile: see `winograd_tiles.rs`.
//!
//! Tiles of input pixels overlap by two. Each of the 16 or 36 places of the transformed tiles is a
//! matrix product of its own: `[tiles, in]` times `[in, out]`.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{Aligned, SharedMut, filled, with_scratch};
use super::parallel;
use super::winograd_tiles::{Filtering, Four, TileSize, Two, transform_window};
use rayon::prelude::*;
use std::ops::Range;

/// Tiles of two by two that are worked on at once: their transformed values stay in the cache.
const TILES: usize = 196;
/// Floats of transformed values of tiles of four by four that a thread works on at once: they stay
/// in its own cache.
const CACHED: usize = 256 * 1024;
/// The fewest tiles of four by four that are worth reading all weights for.
const FEWEST: usize = 48;

/// The weights of a 3x3 convolution of stride 1 and padding 1, transformed and packed.
pub(crate) struct PackedWinograd {
    set: InstructionSet,
    size: TileSize,
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
        (set, size): (InstructionSet, TileSize),
        [outputs, inputs]: [usize; 2],
        weight: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        affine: Option<(Vec<f32>, Vec<f32>)>,
    ) -> Self {
        let channels = [outputs, inputs];
        let transformed = match size {
            TileSize::Two => transform_weights::<Two, 4, 2>(weight, channels),
            TileSize::Four => transform_weights::<Four, 6, 4>(weight, channels),
        };
        let pairs = inputs * outputs;
        let matrices = (0..size.places())
            .into_par_iter()
            .map(|place| {
                let values = &transformed[place * pairs..(place + 1) * pairs];
                let entry = |k: usize, c: usize| values[k * outputs + c];
                PackedMatrix::new(set, inputs, outputs, entry, None, Activation::None)
            })
            .collect();
        let padded = outputs.next_multiple_of(16);
        let (scale, shift) = affine.unwrap_or_else(|| (vec![1.0; outputs], vec![0.0; outputs]));
        Self {
            set,
            size,
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
    ///
    /// # Panics
    /// `values` are not as many as such images have.
    pub(crate) fn forward(
        &self,
        values: &[f32],
        images: usize,
        (height, width): (usize, usize),
    ) -> Vec<f32> {
        assert_eq!(
            values.len(),
            images * height * width * self.inputs,
            "values of whole images"
        );
        let grid = Grid::new(self.size, height, width);
        let tiles = images * grid.tiles();
        let run = |output: SharedMut| {
            let blocks = tiles.div_ceil(self.block());
            // With blocks enough each thread takes some whole; else all threads share each block.
            let whole = self.size == TileSize::Four && blocks >= 2 * rayon::current_num_threads();
            let block = |block: usize| {
                let block = parallel::part(tiles, blocks, block);
                // SAFETY: the output has room for all images; each block writes tiles of its own.
                unsafe { self.tiles(values, &grid, block, whole, output) };
            };
            match whole {
                true => parallel::for_each_piece(blocks, block),
                false => (0..blocks).for_each(block),
            }
        };
        // SAFETY: the tiles cover every pixel.
        unsafe { filled(images * height * width * self.outputs, run) }
    }

    /// Tiles that are worked on at once, at most.
    fn block(&self) -> usize {
        match self.size {
            TileSize::Two => TILES,
            TileSize::Four => {
                let floats = self.size.places() * (self.inputs + self.outputs);
                (CACHED / floats).clamp(FEWEST, TILES)
            }
        }
    }

    /// The tiles of `block`: transform, multiply, transform back; on this thread `alone` or on all.
    ///
    /// # Safety
    /// `values` are whole images of `inputs` channels, `output` has room for as many of `outputs`,
    /// and nobody else uses these tiles' pixels in it.
    unsafe fn tiles(
        &self,
        values: &[f32],
        grid: &Grid,
        block: Range<usize>,
        alone: bool,
        output: SharedMut,
    ) {
        let (places, count) = (self.size.places(), block.len());
        let inputs = self.inputs.next_multiple_of(16);
        let outputs = self.outputs.next_multiple_of(16);
        with_scratch(places * count * (inputs + outputs), |scratch| {
            let (left, product) = scratch.split_at_mut(places * count * inputs);
            let (left, product) = (
                SharedMut(left.as_mut_ptr()),
                SharedMut(product.as_mut_ptr()),
            );
            let work = places * count * self.inputs * self.outputs;
            let pieces = match alone {
                true => 1,
                false => parallel::pieces(work).min(count),
            };
            let across = |piece: usize| {
                let part = parallel::part(count, pieces, piece);
                (block.start, count, part)
            };
            parallel::for_each_piece(pieces, |piece| {
                // SAFETY: each piece transforms tiles of its own.
                unsafe { input_entry(self.set, self, values, grid, across(piece), left) };
            });
            // As many pieces as places, each with weights that no other piece reads.
            let pieces_of_product = if pieces == 1 { 1 } else { places };
            parallel::for_each_piece(pieces_of_product, |piece| {
                for place in parallel::part(places, pieces_of_product, piece) {
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
    /// Output pixels along a tile's side.
    pixels: usize,
    /// Rows of tiles.
    rows: usize,
    /// Tiles in a row.
    columns: usize,
}

impl Grid {
    pub(crate) fn new(size: TileSize, height: usize, width: usize) -> Self {
        let pixels = size.pixels();
        Self {
            height,
            width,
            pixels,
            rows: height.div_ceil(pixels),
            columns: width.div_ceil(pixels),
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
            in_image / self.columns * self.pixels,
            in_image % self.columns * self.pixels,
        )
    }
}

/// The transformed weights, place after place and in the order in which each place's matrix is
/// packed: `[T · T, in, out]` of `[out, in, 3, 3]`.
fn transform_weights<F: Filtering<T, M>, const T: usize, const M: usize>(
    weight: &[f32],
    [outputs, inputs]: [usize; 2],
) -> Vec<f32> {
    let pairs = inputs * outputs;
    let transform = |to: SharedMut| {
        let pieces = parallel::pieces(T * T * pairs).min(inputs);
        parallel::for_each_piece(pieces, |piece| {
            for input in parallel::part(inputs, pieces, piece) {
                for output in 0..outputs {
                    let window = &weight[(output * inputs + input) * 9..][..9];
                    let places = transform_window::<F, T, M>(window);
                    for (place, &value) in places.as_flattened().iter().enumerate() {
                        let entry = place * pairs + input * outputs + output;
                        // SAFETY: in the allocation; each piece writes inputs of its own.
                        unsafe { to.at(entry).write(value) };
                    }
                }
            }
        });
    };
    // SAFETY: every entry of every place is written.
    unsafe { filled(T * T * pairs, transform) }
}

instruction_set_entry!(
    /// The input transform of some tiles.
    input_entry => transform_input(
        layer: &PackedWinograd,
        values: &[f32],
        grid: &Grid,
        tiles: (usize, usize, Range<usize>),
        left: SharedMut,
    )
);

#[inline(always)]
unsafe fn transform_input<L: Lanes>(
    layer: &PackedWinograd,
    values: &[f32],
    grid: &Grid,
    (first, count, part): (usize, usize, Range<usize>),
    left: SharedMut,
) {
    for tile in part {
        let from = (values, layer.inputs);
        let to = (count, tile);
        // SAFETY: the places of this tile are this piece's.
        unsafe {
            match layer.size {
                TileSize::Two => {
                    transform_pixels::<L, Two, 4, 2>(from, grid, first + tile, to, left);
                }
                TileSize::Four => {
                    transform_pixels::<L, Four, 6, 4>(from, grid, first + tile, to, left);
                }
            }
        }
    }
}

/// V = Bᵀ d B, pixels outside the image zero.
///
/// `values` have `inputs` channels; the result is tile `to` of `count` in `left`.
///
/// # Safety
/// `left` has room for the tile in every place, and nobody else uses it.
#[inline(always)]
pub(crate) unsafe fn transform_pixels<
    L: Lanes,
    F: Filtering<T, M>,
    const T: usize,
    const M: usize,
>(
    (values, inputs): (&[f32], usize),
    grid: &Grid,
    tile: usize,
    (count, to): (usize, usize),
    left: SharedMut,
) {
    let stride = inputs.next_multiple_of(16);
    let (image, top, left_pixel) = grid.place(tile);
    // Addresses of the pixels; null outside the image.
    let mut pixels = [[std::ptr::null::<f32>(); T]; T];
    for (i, pixel) in pixels.as_flattened_mut().iter_mut().enumerate() {
        let y = (top + i / T).wrapping_sub(1);
        let x = (left_pixel + i % T).wrapping_sub(1);
        if y < grid.height && x < grid.width {
            *pixel = values[((image * grid.height + y) * grid.width + x) * inputs..].as_ptr();
        }
    }
    for channel in (0..inputs).step_by(L::WIDTH) {
        let lanes = inputs - channel;
        // SAFETY: pixels inside the image have `inputs` floats; the room is the
        // caller's.
        unsafe {
            let mut columns = [[L::splat(0.0); T]; T];
            for x in 0..T {
                let mut d = [L::splat(0.0); T];
                for (y, value) in d.iter_mut().enumerate() {
                    let pixel = pixels[y][x];
                    if !pixel.is_null() {
                        *value = L::load_up_to(pixel.add(channel), lanes);
                    }
                }
                for (y, value) in F::input(d).into_iter().enumerate() {
                    columns[y][x] = value;
                }
            }
            for (y, row) in columns.into_iter().enumerate() {
                for (x, value) in F::input(row).into_iter().enumerate() {
                    let place = ((y * T + x) * count + to) * stride + channel;
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
        tiles: (usize, usize, Range<usize>),
        product: SharedMut,
        output: SharedMut,
    )
);

#[inline(always)]
unsafe fn transform_output<L: Lanes>(
    layer: &PackedWinograd,
    grid: &Grid,
    (first, count, part): (usize, usize, Range<usize>),
    product: SharedMut,
    output: SharedMut,
) {
    for tile in part {
        let from = (product, count, tile);
        // SAFETY: the caller's.
        unsafe {
            match layer.size {
                TileSize::Two => {
                    finish_pixels::<L, Two, 4, 2>(layer, grid, first + tile, from, output);
                }
                TileSize::Four => {
                    finish_pixels::<L, Four, 6, 4>(layer, grid, first + tile, from, output);
                }
            }
        }
    }
}

/// Aᵀ m A, then bias, activation and affine map, of tile `from` of `count` in `product`.
#[inline(always)]
unsafe fn finish_pixels<L: Lanes, F: Filtering<T, M>, const T: usize, const M: usize>(
    layer: &PackedWinograd,
    grid: &Grid,
    tile: usize,
    (product, count, from): (SharedMut, usize, usize),
    output: SharedMut,
) {
    let outputs = layer.outputs;
    let stride = outputs.next_multiple_of(16);
    let (image, top, left) = grid.place(tile);
    for channel in (0..outputs).step_by(L::WIDTH) {
        // SAFETY: this tile's products were written; only pixels inside the image are written, and
        // they are this piece's.
        unsafe {
            let mut columns = [[L::splat(0.0); M]; T];
            for (x, column) in columns.iter_mut().enumerate() {
                let mut m = [L::splat(0.0); T];
                for (y, value) in m.iter_mut().enumerate() {
                    let place = ((y * T + x) * count + from) * stride + channel;
                    *value = L::load(product.at(place));
                }
                *column = F::output(m);
            }
            let bias = L::load(layer.bias.as_ptr().add(channel));
            let scale = L::load(layer.scale.as_ptr().add(channel));
            let shift = L::load(layer.shift.as_ptr().add(channel));
            for y in 0..M {
                let mut row = [L::splat(0.0); T];
                for (value, column) in row.iter_mut().zip(&columns) {
                    *value = column[y];
                }
                for (x, value) in F::output(row).into_iter().enumerate() {
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
