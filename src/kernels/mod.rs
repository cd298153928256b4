//! CPU operators that candle lacks or does slowly, one file each; channels-last, checked against
//! plain candle.
//!
//! Layers are for use: every layer holds its weights as candle tensors and, for the CPU, packed
//! when it is built. Functions with gradients are for training ([`linear`], [`conv3x3_gradient`],
//! [`batch_norm`], [`attention_gradient`], [`channel_gate`], [`top_k`], [`dropout`]); they pack the
//! weights whenever they are called. On any other device both run candle's own operators.
//! Activations are contiguous f32 tensors `[N, h, w, C]`.

#![allow(
    unsafe_code,
    reason = "vectors of the processor, and threads that share one output"
)]

pub mod activation;
pub mod attention;
pub mod attention_gradient;
pub mod batch_norm;
pub mod channel_gate;
mod columns;
pub mod conv3x3;
pub mod conv3x3_gradient;
pub mod depthwise;
pub mod dropout;
pub mod half_linear;
pub mod inverted_residual;
mod lanes;
pub mod linear;
mod matrix;
mod memory;
mod packed_depthwise;
mod parallel;
pub mod pointwise;
pub mod pooling;
#[cfg(test)]
mod testing;
pub mod top_k;
mod winograd;
mod winograd_gradient;
mod winograd_tiles;

use candle_core::{DType, Result, Tensor, bail};

pub use activation::Activation;
pub use attention::{attention, attention_weights};
pub use conv3x3::Conv3x3;
pub use depthwise::Depthwise;
pub use half_linear::HalfLinear;
pub use inverted_residual::InvertedResidual;
pub use memory::keep_freed_memory;
pub use pointwise::Pointwise;
pub use pooling::{max_of_squares, mean_over_regions};

/// Rows and columns of zeros around an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    pub left: usize,
    pub top: usize,
    pub right: usize,
    pub bottom: usize,
}

impl Padding {
    /// `before` on the left and top, `after` on the right and bottom.
    #[must_use]
    pub const fn new(before: usize, after: usize) -> Self {
        Self {
            left: before,
            top: before,
            right: after,
            bottom: after,
        }
    }

    /// The same on all four sides.
    #[must_use]
    pub const fn same(margin: usize) -> Self {
        Self::new(margin, margin)
    }
}

/// `vector` as f32, checked to hold `length` values.
fn vector_of(name: &str, vector: Option<&Tensor>, length: usize) -> Result<Option<Tensor>> {
    let Some(vector) = vector else {
        return Ok(None);
    };
    if vector.dims() != [length] {
        bail!("a {name} is [{length}], not {:?}", vector.dims());
    }
    Ok(Some(vector.to_dtype(DType::F32)?.contiguous()?))
}
