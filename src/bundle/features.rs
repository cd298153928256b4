//! Features of photos in the forms that a bundle's networks take.

use candle_core::{Result, Tensor};
use image::RgbImage;

use super::Bundle;
use crate::backbone::RegionFeatures;
use crate::model::Takes;

/// Features of `N` photos for every network of a bundle.
#[derive(Clone, Debug)]
pub struct PhotoFeatures {
    /// Regions as the trained heads take them: projected where the bundle projects.
    pub heads: RegionFeatures,
    /// The backbone's own regions, where a network of the bundle takes them.
    pub raw: Option<RegionFeatures>,
}

impl PhotoFeatures {
    /// The form that a network takes.
    pub fn of(&self, takes: Takes) -> &RegionFeatures {
        match &self.raw {
            Some(raw) if takes.raw_regions => raw,
            _ => &self.heads,
        }
    }
}

impl Bundle {
    /// Features of a photo of any size, brought to the backbone's input.
    ///
    /// # Errors
    /// A device that fails.
    pub fn features_of_photo(&self, photo: &RgbImage) -> Result<PhotoFeatures> {
        let side = self.input.side as usize;
        let pixels = self.input.pixels(photo).into_raw();
        let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &self.device)?;
        self.photo_features(&pixels)
    }

    /// Features of `pixels`, `[N, S, S, 3]` in u8, for every network of this bundle.
    ///
    /// # Errors
    /// Pixels of another shape, a device that fails.
    pub fn photo_features(&self, pixels: &Tensor) -> Result<PhotoFeatures> {
        let raw = self.raw_features(pixels)?;
        Ok(PhotoFeatures {
            heads: RegionFeatures {
                regions: self.projected(&raw.regions)?,
                ..raw.clone()
            },
            raw: self.takes_raw_regions().then_some(raw),
        })
    }

    /// Whether a network of this bundle takes the backbone's own regions.
    pub fn takes_raw_regions(&self) -> bool {
        let mut networks = self.variants.iter();
        networks.any(|trained| trained.network.takes().raw_regions)
    }
}
