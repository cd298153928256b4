//! The inverted residual block: widen (1x1), depthwise, narrow (1x1), in one pass.
//!
//! The wide tensor in the middle is six times the block's input. It never goes to memory: each
//! thread goes down a band of the image row by row and keeps just the rows under the depthwise
//! window. Bands of a small image would share many of these rows; there the wide tensor, which is
//! small too, is computed at once, so that no row is widened twice.

use super::depthwise::Depthwise;
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{SharedMut, contiguous, filled, with_scratch};
use super::packed_depthwise::PackedDepthwise;
use super::parallel;
use super::pointwise::Pointwise;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use std::ops::Range;

/// Share of the input rows that bands may widen twice.
const SHARED_ROWS: f64 = 0.08;
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
                assert!(row.len() >= image.width * expand.columns());
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

    /// The bands that each of `images` images is cut into; none if they would share too many rows.
    fn bands(&self, images: usize, height: usize) -> Option<usize> {
        let most = parallel::pieces(usize::MAX);
        let threads = rayon::current_num_threads();
        let window = self.depthwise.window();
        [most, threads]
            .into_iter()
            .map(|pieces| (pieces / images.max(1)).clamp(1, self.output.0))
            .find(|bands| {
                let shared = (bands - 1) * window.kernel.saturating_sub(window.stride);
                self.expand.is_none() || shared as f64 <= SHARED_ROWS * height as f64
            })
    }

    /// One image, the whole wide tensor first.
    fn whole(&self, image: &Image) {
        let channels = self.depthwise.channels();
        let window = self.depthwise.window();
        let length = self.depthwise.padded_row(image.width);
        // The last row is zeros, for windows that reach over the top or the bottom.
        with_scratch((image.height + 1) * length, |wide| {
            wide[image.height * length..].fill(0.0);
            self.widen_all(image, SharedMut(wide.as_mut_ptr()), length);
            let wide = &*wide;
            let (rows, columns) = self.output;
            let pieces = parallel::pieces(usize::MAX).min(rows);
            parallel::for_each_piece(pieces, |piece| {
                let band = parallel::part(rows, pieces, piece);
                with_scratch(band.len() * columns * channels, |deep| {
                    for (y, row) in band.clone().zip(deep.chunks_mut(columns * channels)) {
                        let mut under = [std::ptr::null(); 7];
                        for (i, under) in under.iter_mut().enumerate().take(window.kernel) {
                            let y = (y * window.stride + i).wrapping_sub(window.padding.top);
                            *under = wide[y.min(image.height) * length..].as_ptr();
                        }
                        let under = &under[..window.kernel];
                        // SAFETY: the rows are padded as the window needs, and `row` has room.
                        unsafe { self.depthwise.row(under, row.as_mut_ptr(), columns) };
                    }
                    let first = band.start * columns;
                    self.narrow(image, deep, first, band.len() * columns);
                });
            });
        });
    }

    /// Widens all rows of `image` into rows of `length`, with their padding on the left and right.
    /// A piece does some channels of some rows; of a small image all rows, so that each weight is
    /// read by one thread only.
    fn widen_all(&self, image: &Image, wide: SharedMut, length: usize) {
        let Some(expand) = self.expand else {
            return;
        };
        let channels = expand.columns();
        let padding = self.depthwise.window().padding;
        let depth = expand.depth();
        let pieces = parallel::pieces(usize::MAX);
        let pixels = image.height * image.width;
        let (row_parts, panel_parts) =
            parallel::cut(pieces, pixels, expand.panels(), expand.columns());
        parallel::for_each_piece(row_parts * panel_parts, |piece| {
            let band = parallel::part(image.height, row_parts, piece / panel_parts);
            for panel in parallel::part(expand.panels(), panel_parts, piece % panel_parts) {
                let columns = expand.panel_columns(panel);
                for y in band.clone() {
                    let input = image.input[y * image.width * depth..].as_ptr();
                    let rows = Rows::plain(input, image.width, depth, depth);
                    // SAFETY: every piece has these columns of its rows for itself.
                    unsafe {
                        let row = wide.at(y * length);
                        let outside = (0..padding.left).chain(
                            padding.left + image.width..padding.left + image.width + padding.right,
                        );
                        for x in outside {
                            row.add(x * channels + columns.start)
                                .write_bytes(0, columns.len());
                        }
                        let target = Target {
                            start: row.add(padding.left * channels),
                            stride: channels,
                            residual: std::ptr::null(),
                        };
                        expand.multiply(panel..panel + 1, &rows, &target);
                    }
                }
            }
        });
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
        let run = |output: SharedMut| {
            let image = |index: usize| Image {
                input: &values[index * image_length..(index + 1) * image_length],
                height,
                width,
                // SAFETY: the output holds that many images.
                output: SharedMut(unsafe { output.at(index * output_length) }),
            };
            match self.bands(images, height) {
                Some(bands) => parallel::for_each_piece(images * bands, |piece| {
                    let band = parallel::part(rows, bands, piece % bands);
                    self.band(&image(piece / bands), band);
                }),
                None => (0..images).for_each(|index| self.whole(&image(index))),
            }
        };
        // SAFETY: the bands cover every row of every image.
        let output = unsafe { filled(images * output_length, run) };
        let shape = Shape::from((images, rows, columns, self.project.columns()));
        Ok((CpuStorage::F32(output), shape))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::super::{Activation, Padding};
    use super::*;

    /// Input shape, expansion, channels out, kernel, stride, padding.
    type Case = ([usize; 4], usize, usize, usize, usize, Padding);

    fn block(case: Case) -> Result<InvertedResidual> {
        let (shape, expand, outputs, kernel, stride, padding) = case;
        let inputs = shape[3];
        let wide = inputs * expand;
        let pointwise = |from: usize, to: usize, activation| {
            let bias = random(2.0, &[to]);
            Pointwise::new(&random(1.0, &[to, from]), Some(&bias), activation)
        };
        let expand = (expand > 1).then(|| pointwise(inputs, wide, Activation::Relu6));
        let depthwise = Depthwise::new(
            &random(3.0, &[wide, 1, kernel, kernel]),
            Some(&random(4.0, &[wide])),
            stride,
            padding,
            Activation::Relu6,
        )?;
        let project = pointwise(wide, outputs, Activation::None)?;
        let skip = stride == 1 && inputs == outputs;
        InvertedResidual::new(expand.transpose()?, depthwise, project, skip)
    }

    fn check(cases: &[Case]) -> Result<()> {
        on_every_instruction_set(|| {
            for &case in cases {
                let block = block(case)?;
                let xs = random(5.0, &case.0);
                assert_close(&block.forward(&xs)?, &block.plain(&xs)?, 1e-5)?;
            }
            Ok(())
        })
    }

    #[test]
    fn by_bands_it_is_its_layers_one_after_the_other() -> Result<()> {
        check(&[
            ([1, 120, 22, 6], 6, 6, 3, 1, Padding::same(1)),
            ([2, 121, 21, 5], 6, 8, 5, 2, Padding::new(1, 2)),
            ([1, 96, 20, 16], 1, 16, 3, 1, Padding::same(1)),
            ([3, 17, 19, 8], 1, 24, 3, 2, Padding::new(0, 1)),
        ])
    }

    #[test]
    fn at_once_it_is_its_layers_one_after_the_other() -> Result<()> {
        check(&[
            ([1, 14, 14, 20], 6, 20, 5, 1, Padding::same(2)),
            ([2, 9, 11, 8], 6, 16, 3, 1, Padding::same(1)),
            ([1, 13, 12, 7], 6, 9, 5, 2, Padding::same(2)),
            ([1, 2, 3, 16], 6, 16, 5, 1, Padding::same(2)),
        ])
    }

    #[test]
    fn layers_that_do_not_fit_are_refused() -> Result<()> {
        let pointwise = |from: usize, to: usize| {
            Pointwise::new(&random(1.0, &[to, from]), None, Activation::None)
        };
        let depthwise = |stride| {
            let weight = random(1.0, &[12, 1, 3, 3]);
            Depthwise::new(&weight, None, stride, Padding::same(1), Activation::None)
        };
        let new = InvertedResidual::new;
        assert!(
            new(
                Some(pointwise(2, 10)?),
                depthwise(1)?,
                pointwise(12, 2)?,
                false
            )
            .is_err()
        );
        assert!(
            new(
                Some(pointwise(2, 12)?),
                depthwise(1)?,
                pointwise(10, 2)?,
                false
            )
            .is_err()
        );
        assert!(
            new(
                Some(pointwise(2, 12)?),
                depthwise(1)?,
                pointwise(12, 3)?,
                true
            )
            .is_err()
        );
        assert!(
            new(
                Some(pointwise(2, 12)?),
                depthwise(2)?,
                pointwise(12, 2)?,
                true
            )
            .is_err()
        );
        let block = new(
            Some(pointwise(2, 12)?),
            depthwise(1)?,
            pointwise(12, 2)?,
            true,
        )?;
        assert!(block.forward(&random(1.0, &[1, 6, 6, 3])).is_err());
        Ok(())
    }
}
