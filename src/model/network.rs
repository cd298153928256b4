//! Any network as engine, screen and evaluation know it: two halves, whatever is inside.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::biam::{Biam, EncodeOptions, Encoded};
use super::config::Variant;
use super::region_classifier;
use super::ridge::Ridge;
use super::silenced::SilencedView;
use crate::backbone::RegionFeatures;

/// A network of a bundle.
pub enum Network {
    /// BiAM or one of the networks it is compared with.
    Biam(Arc<Biam>),
    /// A view of the full network.
    Silenced(SilencedView),
    /// The baseline that saw no photo.
    Ridge(Ridge),
}

impl Network {
    pub fn variant(&self) -> Variant {
        match self {
            Self::Biam(network) => network.variant(),
            Self::Silenced(view) => view.variant(),
            Self::Ridge(_) => Variant::Ridge,
        }
    }

    /// The first half: everything about `N` photos that needs no label. `regions` are the
    /// backbone's own where [`Variant::takes_raw_regions`] says so, else those that
    /// [`Biam::encode`] takes.
    ///
    /// # Errors
    /// Shapes that do not fit the network, options that it does not have.
    pub fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        match self {
            Self::Biam(network) => network.encode(photos, options),
            Self::Silenced(view) => view.encode(photos, options),
            Self::Ridge(_) if options.silence.is_some() => {
                candle_core::bail!("the ridge baseline has no block to silence")
            }
            Self::Ridge(ridge) => ridge.encode(photos),
        }
    }

    /// What [`Network::respond`] multiplies the encoded regions with, `[L, out]`, of label vectors
    /// `[L, D]`.
    ///
    /// # Errors
    /// Vectors of another size.
    pub fn project_labels(&self, labels: &Tensor) -> Result<Tensor> {
        match self {
            Self::Biam(network) => network.project_labels(labels),
            Self::Silenced(view) => view.network().project_labels(labels),
            Self::Ridge(ridge) => ridge.project_labels(labels),
        }
    }

    /// The second half: response maps m `[N, L, h, w]` of `N` encoded photos to `L` labels given
    /// by [`Network::project_labels`]. Scores are pooled from them.
    ///
    /// # Errors
    /// Widths that differ.
    pub fn respond(&self, photos: &Encoded, projected_labels: &Tensor) -> Result<Tensor> {
        region_classifier::response_maps(photos, projected_labels)
    }
}
