//! What features come from.

use candle_core::{Result, Tensor};

use crate::backbone::RegionFeatures;
use crate::bundle::Bundle;

/// Features of a batch of `N` photos.
pub struct Features {
    /// The backbone's own, `[N, C, h, w]` (channels-last memory) and `[N, G]`.
    pub raw: RegionFeatures,
    /// Region features as the heads take them, `[N, D, h, w]` (channels-last memory); the raw ones
    /// where the bundle has no projection.
    pub projected: Tensor,
}

/// Whatever can compute features: a bundle.
pub trait FeatureSource: Sync {
    /// What tells this source's features from any other's: 64 hexadecimal digits that depend on the
    /// weights and on how a photo is brought to the input.
    fn identity(&self) -> String;
    /// Side of the square input in pixels.
    fn input_size(&self) -> u32;
    /// Features of `pixels`, `[N, S, S, 3]` in u8.
    fn features(&self, pixels: &Tensor) -> Result<Features>;
}

impl FeatureSource for Bundle {
    fn identity(&self) -> String {
        self.features_identity().to_owned()
    }

    fn input_size(&self) -> u32 {
        Bundle::input_size(self)
    }

    fn features(&self, pixels: &Tensor) -> Result<Features> {
        let raw = self.raw_features(pixels)?;
        let projected = self.projected(&raw.regions)?;
        Ok(Features { raw, projected })
    }
}
