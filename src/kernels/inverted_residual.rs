//! The inverted residual block: widen (1x1), depthwise, narrow (1x1), in one pass.
//!
//! The wide tensor in the middle is six times the block's input. It never goes to memory: the block
//! goes down the image row by row and keeps just the rows under the depthwise window. Where the
//! whole wide tensor fits in the cache anyway, it is computed at once, which widens no row twice.

use super::depthwise::{Depthwise, PackedDepthwise};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{SharedMut, contiguous, filled, with_scratch};
use super::parallel;
use super::pointwise::Pointwise;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use std::ops::Range;

/// Pixels that are narrowed together, so that the weights are not read for each row anew.
const NARROWED: usize = 96;

/// An inverted residual block, `project(depthwise(expand(x)))` plus x where it skips.
#[derive(Clone)]
pub struct InvertedResidual {
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    skip: bool,
}

impl InvertedResidual {
    /// A block of these layers; with `skip` the input is added to the output.
    ///
    /// # Errors
    /// The layers' channels do not fit each other, or the output cannot have the input's shape.
    pub fn new(
        expand: Option<Pointwise>,
        depthwise: Depthwise,
        project: Pointwise,
        skip: bool,
    ) -> Result<Self> {
        let inputs = expand
            .as_ref()
            .map_or(depthwise.channels(), Pointwise::inputs);
        let wide = expand.as_ref().map_or(inputs, Pointwise::outputs);
        if wide != depthwise.channels() || wide != project.inputs() {
            bail!(
                "an inverted residual's layers do not fit: {wide} channels, then {}, then {}",
                depthwise.channels(),
                project.inputs()
            );
        }
        let window = depthwise.window();
        if skip && (inputs != project.outputs() || window.output(64, 64)? != (64, 64)) {
            bail!("only a block whose output has its input's shape can add it");
        }
        Ok(Self {
            expand,
            depthwise,
            project,
            skip,
        })
    }

    fn inputs(&self) -> usize {
        self.expand
            .as_ref()
            .map_or(self.depthwise.channels(), Pointwise::inputs)
    }

    /// `[N, h, w, C]` to `[N, h', w', C']`.
    ///
    /// # Errors
    /// The input has another number of channels or dimensions, or is smaller than the window.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, height, width, channels) = xs.dims4()?;
        if channels != self.inputs() {
            bail!(
                "an inverted residual of {} channels was given {channels}",
                self.inputs()
            );
        }
        self.depthwise.window().output(height, width)?;
        match (self.depthwise.packed(), self.project.packed()) {
            (Some(depthwise), Some(project)) => xs.contiguous()?.apply_op1_no_bwd(&Fused {
                expand: self
                    .expand
                    .as_ref()
                    .and_then(|layer| layer.packed().map(|p| &**p)),
                depthwise,
                project,
                skip: self.skip,
                output: self.depthwise.window().output(height, width)?,
            }),
            _ => self.plain(xs),
        }
    }

    fn plain(&self, xs: &Tensor) -> Result<Tensor> {
        let wide = match &self.expand {
            Some(expand) => expand.forward(xs)?,
            None => xs.clone(),
        };
        let wide = self.depthwise.forward(&wide)?;
        if self.skip {
            self.project.forward_add(&wide, xs)
        } else {
            self.project.forward(&wide)
        }
    }
}

/// The block as one operator.
struct Fused<'a> {
    expand: Option<&'a PackedMatrix>,
    depthwise: &'a PackedDepthwise,
    project: &'a PackedMatrix,
    skip: bool,
    /// Height and width of the output.
    output: (usize, usize),
}

/// One image on its way through the block.
#[derive(Clone, Copy)]
struct Image<'a> {
    input: &'a [f32],
    height: usize,
    width: usize,
    output: SharedMut,
}

impl Fused<'_> {
    /// Widens input row `y` of `image` into `row`.
    fn widen(&self, image: &Image, y: usize, row: &mut [f32]) {
        let channels = image.input.len() / (image.height * image.width);
        let input = &image.input[y * image.width * channels..(y + 1) * image.width * channels];
        match self.expand {
            None => row.copy_from_slice(input),
            Some(expand) => {
                let rows = Rows::plain(input.as_ptr(), image.width, channels, channels);
                let target = Target {
                    start: row.as_mut_ptr(),
                    stride: expand.columns(),
                    residual: std::ptr::null(),
                };
                // SAFETY: `input` is a row of pixels and `row` has room for it, widened.
                unsafe { expand.multiply(0..expand.panels(), &rows, &target) };
            }
        }
    }

    /// Narrows `count` pixels from `wide` to the output's pixels from `first` on.
    fn narrow(&self, image: &Image, wide: &[f32], first: usize, count: usize) {
        let depth = self.project.depth();
        let columns = self.project.columns();
        let rows = Rows::plain(wide[..count * depth].as_ptr(), count, depth, depth);
        // SAFETY: the pixels lie in this piece's part of the output; with a skip the input has the
        // output's shape.
        unsafe {
            let target = Target {
                start: image.output.at(first * columns),
                stride: columns,
                residual: if self.skip {
                    image.input[first * columns..].as_ptr()
                } else {
                    std::ptr::null()
                },
            };
            self.project
                .multiply(0..self.project.panels(), &rows, &target);
        }
    }

    /// Output rows that are narrowed together.
    fn rows_together(&self) -> usize {
        NARROWED.div_ceil(self.output.1).min(self.output.0)
    }

    /// The output rows `band`, keeping only the wide rows under the window.
    fn band(&self, image: &Image, band: Range<usize>) {
        let width = self.output.1;
        let channels = self.depthwise.channels();
        let together = self.rows_together();
        let ring = self
            .depthwise
            .band_scratch(image.width)
            .next_multiple_of(16);
        with_scratch(ring + together * width * channels, |scratch| {
            let (ring, wide) = scratch.split_at_mut(ring);
            let mut waiting = 0;
            let end = band.end;
            self.depthwise.band(
                (image.height, image.width),
                band,
                ring,
                |y, row| self.widen(image, y, row),
                |y, under| {
                    let row = &mut wide[waiting * width * channels..][..width * channels];
                    // SAFETY: the rows are padded as the window needs, and `row` has room.
                    unsafe { self.depthwise.row(under, row.as_mut_ptr(), width) };
                    waiting += 1;
                    if waiting == together || y + 1 == end {
                        self.narrow(image, wide, (y + 1 - waiting) * width, waiting * width);
                        waiting = 0;
                    }
                },
            );
        });
    }
}

impl CustomOp1 for Fused<'_> {
    fn name(&self) -> &'static str {
        "inverted residual"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("inverted residual", storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let (rows, columns) = self.output;
        let image_length = height * width * channels;
        let output_length = rows * columns * self.project.columns();
        let bands = (parallel::pieces(usize::MAX) / images.max(1)).clamp(1, rows);
        let run = |output: SharedMut| {
            parallel::for_each_piece(images * bands, |piece| {
                let index = piece / bands;
                let image = Image {
                    input: &values[index * image_length..(index + 1) * image_length],
                    height,
                    width,
                    // SAFETY: the output holds that many images.
                    output: SharedMut(unsafe { output.at(index * output_length) }),
                };
                self.band(&image, parallel::part(rows, bands, piece % bands));
            });
        };
        // SAFETY: the bands cover every row of every image.
        let output = unsafe { filled(images * output_length, run) };
        let shape = Shape::from((images, rows, columns, self.project.columns()));
        Ok((CpuStorage::F32(output), shape))
    }
}
