//! The function applied to every output of a layer.

use super::lanes::Lanes;
use candle_core::{Result, Tensor};

/// The function applied to every output of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// x
    #[default]
    None,
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// x where positive, else this slope times x
    LeakyRelu(f32),
}

impl Activation {
    /// Applies it with candle's own operators, on any device.
    ///
    /// # Errors
    /// Those of candle's operators.
    pub fn apply(self, xs: &Tensor) -> Result<Tensor> {
        match self {
            Self::None => Ok(xs.clone()),
            Self::Relu => xs.relu(),
            Self::Relu6 => xs.clamp(0f32, 6f32),
            Self::LeakyRelu(slope) => {
                xs.relu()? + xs.minimum(0f32)?.affine(f64::from(slope), 0.0)?
            }
        }
    }

    /// The values it clamps to, where it does nothing else.
    pub(crate) fn bounds(self) -> Option<(f32, f32)> {
        match self {
            Self::None => Some((f32::NEG_INFINITY, f32::INFINITY)),
            Self::Relu => Some((0.0, f32::INFINITY)),
            Self::Relu6 => Some((0.0, 6.0)),
            Self::LeakyRelu(_) => None,
        }
    }

    /// Applies it to one vector; what is not a number stays so.
    ///
    /// # Safety
    /// The processor has the vector's instruction set.
    #[inline(always)]
    pub(crate) unsafe fn apply_lanes<L: Lanes>(self, x: L) -> L {
        // SAFETY: values only; the caller vouches for the instruction set.
        unsafe {
            match self {
                Self::None => x,
                Self::Relu => L::splat(0.0).max(x),
                Self::Relu6 => L::splat(6.0).min(L::splat(0.0).max(x)),
                Self::LeakyRelu(slope) => L::splat(0.0)
                    .min(x)
                    .mul_add(L::splat(slope), L::splat(0.0).max(x)),
            }
        }
    }
}
