//! The baseline that saw no photo: responses of single regions to W a, where W maps label vectors
//! to rows of the backbone's own classifier.
//!
//! W is the ridge regression that [`crate::train::ridge`] computes. Every trained network has to beat
//! it.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::biam_configuration::PresetConfig;
use super::config::{ModelConfig, Preset};
use super::counts::Counts;
use super::layers::LinearLayer;
use super::network::{EncodeOptions, Encoded, Network, PreparedLabels, Takes, Trainable};
use super::registry::{Architecture, Configuration, HeadFacts, HeadFile, Training};
use crate::backbone::RegionFeatures;
use crate::kernels::Activation;

/// The baseline's row.
pub(in crate::model) const RIDGE: Architecture = Architecture {
    id: "ridge",
    title: "Ridge",
    sentence: "Baseline that saw no photo: a regression from words to classes",
    paper: "",
    colours: [[150, 80, 150], [200, 140, 200]],
    training: Training::ClassifierRows,
    is_view: false,
    configuration: |settings| Ok(Box::new(RidgeConfiguration(PresetConfig::read(settings)?))),
    settings_of_head,
};

/// Of all settings only the size of a label vector and k: the channels of the backbone's own regions
/// are those of the weights.
#[derive(Clone, Debug)]
struct RidgeConfiguration(PresetConfig);

/// k where a head's file does not tell it: that of the networks it is compared with.
const TOP_K: usize = 30;

fn settings_of_head(head: &HeadFacts<'_>) -> std::result::Result<toml::Table, String> {
    let Some(&[_, label_dimension]) = head.shapes.get("classifier.weight").map(Vec::as_slice)
    else {
        return Err("it has no matrix `classifier.weight`; choose another file".to_owned());
    };
    let config = ModelConfig {
        label_dimension,
        top_k: head.number("top_k", TOP_K)?,
        ..ModelConfig::preset(Preset::Authors)
    };
    Ok(PresetConfig::of(Preset::Authors, config).table())
}

impl Configuration for RidgeConfiguration {
    fn takes(&self) -> Takes {
        Takes {
            raw_regions: true,
            region_channels: None,
            global_channels: None,
            label_dimension: self.0.config.label_dimension,
        }
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.0.config.top_k)
    }

    fn settings(&self) -> toml::Table {
        self.0.table()
    }

    fn load(&self, head: &HeadFile<'_>) -> Result<Arc<dyn Network>> {
        let ModelConfig {
            label_dimension,
            top_k,
            ..
        } = self.0.config;
        Ok(Arc::new(Ridge::new(
            label_dimension,
            top_k,
            head.vb.clone(),
        )?))
    }

    fn trainable(&self, _: VarBuilder<'_>) -> Result<Box<dyn Trainable>> {
        bail!("the ridge baseline is computed, not trained")
    }
}

/// m = x · W a: the backbone's own region features x times a label's vector brought to their space.
pub struct Ridge {
    /// Channels C of the regions.
    channels: usize,
    label_dimension: usize,
    top_k: usize,
    label_projection: LinearLayer,
}

impl Ridge {
    /// Reads `classifier.weight`, `[C, D]`: W of label vectors of size D for regions of any number C
    /// of channels.
    ///
    /// # Errors
    /// The tensor is missing or has another shape.
    pub fn new(label_dimension: usize, top_k: usize, vb: VarBuilder) -> Result<Self> {
        let vb = vb.pp("classifier");
        let (channels, _) = vb.get_unchecked("weight")?.dims2()?;
        let size = [label_dimension, channels];
        Ok(Self {
            channels,
            label_dimension,
            top_k,
            label_projection: LinearLayer::new(size, false, Activation::None, vb)?,
        })
    }
}

impl Network for Ridge {
    fn takes(&self) -> Takes {
        Takes {
            raw_regions: true,
            region_channels: Some(self.channels),
            global_channels: None,
            label_dimension: self.label_dimension,
        }
    }

    /// Keeps the regions as they are, `[N, P, C]`.
    fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        let (_, channels, rows, columns) = photos.regions.dims4()?;
        let wanted = self.channels;
        if channels != wanted {
            bail!(
                "region features have {channels} channels, the ridge baseline takes the \
                 backbone's own {wanted}"
            )
        }
        if options.silence.is_some() {
            bail!("the ridge baseline has no block to silence")
        }
        let features = photos.regions.permute((0, 2, 3, 1))?.contiguous()?;
        Ok(Encoded {
            tensors: vec![features.flatten(1, 2)?],
            grid: (rows, columns),
            covered: photos.covered,
        })
    }

    /// Keeps W a, `[L, C]`.
    fn prepare_labels(&self, vectors: &Tensor) -> Result<PreparedLabels> {
        let tensors = vec![self.label_projection.forward(vectors)?];
        Ok(PreparedLabels { tensors })
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.top_k)
    }

    fn cost(&self, regions: usize, labels: usize) -> Counts {
        Counts {
            parameters: (self.channels * self.label_dimension) as u64,
            multiply_adds: (regions * self.channels * labels) as u64,
        }
    }
}
