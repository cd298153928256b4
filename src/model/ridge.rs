//! The baseline that saw no photo: responses of single regions to W a, where W maps label vectors
//! to rows of the backbone's own classifier.
//!
//! W is the ridge regression that [`crate::train::ridge`] computes. Every trained network has to beat
//! it.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::biam::Encoded;
use super::layers::Mix;
use crate::backbone::RegionFeatures;
use crate::kernels::Activation;

/// m = x · W a: the backbone's own region features x times a label's vector brought to their space.
pub struct Ridge {
    /// Channels C of the regions.
    channels: usize,
    label_projection: Mix,
}

impl Ridge {
    /// Reads `classifier.weight`, `[C, D]`: W of label vectors of size D for regions of C channels.
    ///
    /// # Errors
    /// The tensor is missing or has another shape.
    pub fn new(channels: usize, label_dimension: usize, vb: VarBuilder) -> Result<Self> {
        let size = [label_dimension, channels];
        Ok(Self {
            channels,
            label_projection: Mix::new(size, false, Activation::None, vb.pp("classifier"))?,
        })
    }

    /// The regions as they are: `regions` `[N, C, h, w]` must be the backbone's own.
    ///
    /// # Errors
    /// Regions of another number of channels.
    pub fn encode(&self, photos: &RegionFeatures) -> Result<Encoded> {
        let (_, channels, rows, columns) = photos.regions.dims4()?;
        if channels != self.channels {
            candle_core::bail!(
                "region features have {channels} channels, the ridge baseline takes the \
                 backbone's own {}",
                self.channels
            )
        }
        let features = photos.regions.permute((0, 2, 3, 1))?.contiguous()?;
        Ok(Encoded {
            features: features.flatten(1, 2)?,
            grid: (rows, columns),
            covered: photos.covered,
        })
    }

    /// W a, `[L, C]`, of label vectors `[L, D]`.
    ///
    /// # Errors
    /// Vectors of another size.
    pub fn project_labels(&self, labels: &Tensor) -> Result<Tensor> {
        self.label_projection.forward(labels)
    }
}
