//! What features come from.

use candle_core::{Result, Tensor};

use crate::backbone::RegionFeatures;
use crate::bundle::Bundle;
use crate::image_io::NetworkInput;

/// Photos that a GPU computes at once; a processor is as fast one by one.
const GPU_BATCH: usize = 16;

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
    fn identity(&self) -> &str;
    /// How photos are brought to the square input.
    fn input(&self) -> NetworkInput;
    /// Photos that are best computed at once, at least 1.
    fn batch(&self) -> usize;
    /// Features of `photos` photos, whose `pixels` are `[photos, S, S, 3]`.
    ///
    /// # Errors
    /// A tensor operation that fails, usually for want of memory.
    fn features(&self, pixels: Vec<u8>, photos: usize) -> Result<Features>;
}

impl FeatureSource for Bundle {
    fn identity(&self) -> &str {
        self.features_identity()
    }

    fn input(&self) -> NetworkInput {
        self.input
    }

    fn batch(&self) -> usize {
        match self.device.is_cpu() {
            true => 1,
            false => GPU_BATCH,
        }
    }

    fn features(&self, pixels: Vec<u8>, photos: usize) -> Result<Features> {
        let side = Bundle::input_size(self) as usize;
        let pixels = Tensor::from_vec(pixels, (photos, side, side, 3), &self.device)?;
        let raw = self.raw_features(&pixels)?;
        let projected = self.projected(&raw.regions)?;
        Ok(Features { raw, projected })
    }
}
