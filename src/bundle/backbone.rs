//! The backbone that a manifest names: what is known of it before its weights are read.

use candle_nn::VarBuilder;

use super::manifest::{BackboneEntry, BackboneKind};
use crate::backbone::{Backbone, EfficientNetLite, Vgg19, efficientnet_lite, vgg19};
use crate::image_io::{Framing, Interpolation};

/// A manifest's entry for a VGG-19.
pub(super) fn vgg19_entry(config: &vgg19::Config, file: &str, resize: Framing) -> BackboneEntry {
    let published = vgg19::Config::vgg19();
    BackboneEntry {
        kind: BackboneKind::Vgg19,
        input_size: config.input_size,
        grid: [config.input_size / vgg19::STRIDE; 2],
        file: file.to_owned(),
        widths: (config.widths != published.widths).then_some(config.widths),
        resize,
        hidden: (config.hidden != published.hidden).then_some(config.hidden),
    }
}

/// A kind of backbone with its architecture.
#[derive(Clone, Debug, PartialEq)]
pub enum BackbonePlan {
    EfficientNetLite(efficientnet_lite::Config),
    Vgg19(vgg19::Config),
}

impl BackbonePlan {
    /// The architecture of an entry. VGG-19 has one input size, whatever the entry says.
    pub fn new(entry: &BackboneEntry) -> Self {
        match entry.kind {
            BackboneKind::EfficientnetLite2 => Self::EfficientNetLite(efficientnet_lite::Config {
                input_size: entry.input_size,
                ..efficientnet_lite::Config::lite2()
            }),
            BackboneKind::Vgg19 => {
                let published = vgg19::Config::vgg19();
                Self::Vgg19(vgg19::Config {
                    widths: entry.widths.unwrap_or(published.widths),
                    hidden: entry.hidden.unwrap_or(published.hidden),
                    ..published
                })
            }
        }
    }

    /// Side of the square input in pixels.
    pub fn input_size(&self) -> usize {
        match self {
            Self::EfficientNetLite(config) => config.input_size,
            Self::Vgg19(config) => config.input_size,
        }
    }

    /// Pixels between two regions.
    pub fn stride(&self) -> usize {
        match self {
            Self::EfficientNetLite(_) => efficientnet_lite::STRIDE,
            Self::Vgg19(_) => vgg19::STRIDE,
        }
    }

    /// Channels of the region features.
    pub fn region_channels(&self) -> usize {
        match self {
            Self::EfficientNetLite(config) => config.head,
            Self::Vgg19(config) => config.region_channels(),
        }
    }

    /// Size of the global feature.
    pub fn global_channels(&self) -> usize {
        match self {
            Self::EfficientNetLite(config) => config.head,
            Self::Vgg19(config) => config.hidden,
        }
    }

    /// How pixels between pixels were made for the photos that it was trained on.
    pub fn interpolation(&self) -> Interpolation {
        match self {
            Self::EfficientNetLite(_) => Interpolation::Bicubic,
            Self::Vgg19(_) => Interpolation::Bilinear,
        }
    }

    /// Reads the weights.
    pub(super) fn build(&self, weights: VarBuilder) -> candle_core::Result<Box<dyn Backbone>> {
        Ok(match self {
            Self::EfficientNetLite(config) => Box::new(EfficientNetLite::new(config, weights)?),
            Self::Vgg19(config) => Box::new(Vgg19::new(config, weights)?),
        })
    }
}
