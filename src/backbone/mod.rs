//! Backbones: from pixels to region features and a global feature.

pub mod efficientnet_lite;
pub mod vgg19;

pub use efficientnet_lite::EfficientNetLite;
pub use vgg19::Vgg19;

use candle_core::{DType, Result, Tensor, bail};

/// The part of a photo that a grid of regions covers, as fractions of its width and height.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Covered {
    pub x0: f32,
    pub y0: f32,
    pub x1: f32,
    pub y1: f32,
}

impl Covered {
    /// The whole photo: what a squashing resize covers.
    pub const WHOLE: Self = Self {
        x0: 0.0,
        y0: 0.0,
        x1: 1.0,
        y1: 1.0,
    };
}

impl From<[f32; 4]> for Covered {
    fn from([x0, y0, x1, y1]: [f32; 4]) -> Self {
        Self { x0, y0, x1, y1 }
    }
}

/// What a backbone says of `N` photos.
#[derive(Clone, Debug)]
pub struct RegionFeatures {
    /// x_r, `[N, C, h, w]`. The memory behind it is channels-last (a permuted view), which is what
    /// every layer of the model works on.
    pub regions: Tensor,
    /// x_g, `[N, G]`.
    pub global: Tensor,
    /// Where the grid lies in the photo, as far as a backbone knows: in all of the pixels.
    pub covered: Covered,
}

/// A network that gives region features and a global feature.
pub trait Backbone: Send + Sync {
    /// Side of the square input in pixels.
    fn input_size(&self) -> usize;
    /// Region and global features of `pixels`, `[N, S, S, 3]` in u8, RGB, S = [`Backbone::input_size`].
    fn features(&self, pixels: &Tensor) -> Result<RegionFeatures>;
    /// The classifier's logits `[N, classes]` from global features `[N, G]`, where it has one.
    fn classify(&self, global: &Tensor) -> Result<Option<Tensor>>;
    /// The classifier's rows, `[classes, C]`, where it has one: applied to a single region they say
    /// what is there.
    fn classifier_rows(&self) -> Option<&Tensor>;
}

/// That `pixels` are what a network of this input side takes.
fn check_pixels(pixels: &Tensor, side: usize) -> Result<()> {
    if pixels.dtype() != DType::U8 || pixels.dims().get(1..) != Some(&[side, side, 3]) {
        bail!(
            "the backbone takes pixels [N, {side}, {side}, 3] in u8, not {:?} in {:?}",
            pixels.dims(),
            pixels.dtype()
        );
    }
    Ok(())
}
