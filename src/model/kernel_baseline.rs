//! The baseline that every trained network has to beat: the rows that [label
//! features](crate::semantics::LabelFeatures) predict, times the region features. It saw no photo.
//!
//! With x_r the projected features of a region, b their offset and `[r; a]` a label's features, the
//! response is r · (x_r - b).

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::biam_configuration::PresetConfig;
use super::config::ModelConfig;
use super::counts::Counts;
use super::network::{EncodeOptions, Encoded, Network, PreparedLabels, Takes, Trainable};
use super::registry::{Architecture, Configuration, HeadFacts, HeadFile, Training};
use crate::backbone::RegionFeatures;
use crate::files::one_line;

/// The baseline's row.
pub(in crate::model) const KERNEL: Architecture = Architecture {
    id: "kernel",
    title: "Kernel",
    sentence: "Baseline that saw no photo: a kernel regression from words to classes",
    paper: "",
    colours: [[110, 110, 40], [190, 190, 100]],
    training: Training::ClassifierRows,
    is_view: false,
    configuration,
    settings_of_head,
};

/// The name of the offset b, `[R]`, in files of label features and of the baseline.
pub const OFFSET: &str = "label_features.region_offset";
/// k where nobody tells it: that of the networks it is compared with.
const TOP_K: usize = 30;

/// Sizes that the baseline has of label features.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KernelConfig {
    /// R + D, the length of a label's features.
    pub label_dimension: usize,
    /// R, the channels of x_r.
    pub region_channels: usize,
    pub top_k: usize,
}

fn configuration(settings: &toml::Table) -> std::result::Result<Box<dyn Configuration>, String> {
    // Training gives one table, with a preset, to all networks.
    if settings.contains_key("preset") {
        let ModelConfig {
            label_dimension,
            region_channels,
            top_k,
            ..
        } = PresetConfig::read(settings)?.config;
        return Ok(Box::new(KernelConfig {
            label_dimension,
            region_channels,
            top_k,
        }));
    }
    let config: KernelConfig = settings
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| one_line(&error.message()))?;
    Ok(Box::new(config))
}

fn settings_of_head(head: &HeadFacts<'_>) -> std::result::Result<toml::Table, String> {
    let region_channels = head.size(OFFSET, 0)?;
    let config = KernelConfig {
        label_dimension: head.number("label_dimension", 0)?,
        region_channels,
        top_k: head.number("top_k", TOP_K)?,
    };
    Ok(config.settings())
}

impl Configuration for KernelConfig {
    fn takes(&self) -> Takes {
        Takes {
            raw_regions: false,
            region_channels: Some(self.region_channels),
            global_channels: None,
            label_dimension: self.label_dimension,
        }
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.top_k)
    }

    fn settings(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn load(&self, head: &HeadFile<'_>) -> Result<Arc<dyn Network>> {
        let offset = head.vb.get(self.region_channels, OFFSET)?;
        Ok(Arc::new(KernelBaseline::new(self.clone(), offset)?))
    }

    fn trainable(&self, _: VarBuilder<'_>) -> Result<Box<dyn Trainable>> {
        bail!("the kernel baseline is computed, not trained")
    }
}

/// m = r · (x_r - b).
pub struct KernelBaseline {
    config: KernelConfig,
    /// b, `[R, 1, 1]`.
    offset: Tensor,
}

impl KernelBaseline {
    /// A baseline of the offset b `[R]`.
    ///
    /// # Errors
    /// An offset of another size, features that are shorter than a row.
    pub fn new(config: KernelConfig, offset: Tensor) -> Result<Self> {
        if config.label_dimension <= config.region_channels {
            bail!(
                "label features of {} numbers hold no row of {}",
                config.label_dimension,
                config.region_channels
            )
        }
        let offset = offset.reshape((config.region_channels, 1, 1))?;
        Ok(Self { config, offset })
    }
}

impl Network for KernelBaseline {
    fn takes(&self) -> Takes {
        self.config.takes()
    }

    /// Keeps x_r - b, `[N, P, R]`.
    fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        if options.silence.is_some() {
            bail!("the kernel baseline has no block to silence")
        }
        let (_, _, rows, columns) = photos.regions.dims4()?;
        let regions = photos.regions.broadcast_sub(&self.offset)?;
        let channels_last = regions.permute((0, 2, 3, 1))?.contiguous()?;
        Ok(Encoded {
            tensors: vec![channels_last.flatten(1, 2)?],
            grid: (rows, columns),
            covered: photos.covered,
        })
    }

    /// Keeps the predicted rows, `[L, R]`.
    fn prepare_labels(&self, vectors: &Tensor) -> Result<PreparedLabels> {
        let rows = vectors.narrow(1, 0, self.config.region_channels)?;
        Ok(PreparedLabels {
            tensors: vec![rows.contiguous()?],
        })
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.config.top_k)
    }

    fn cost(&self, regions: usize, labels: usize) -> Counts {
        let channels = self.config.region_channels;
        Counts {
            parameters: channels as u64,
            multiply_adds: (regions * channels * labels) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Covered;
    use candle_core::{DType, Device};

    #[test]
    fn a_response_is_the_row_times_the_region_less_its_offset() {
        let config = KernelConfig {
            label_dimension: 3,
            region_channels: 2,
            top_k: 1,
        };
        let offset = Tensor::new(&[1f32, -1.0], &Device::Cpu).unwrap();
        let network = KernelBaseline::new(config.clone(), offset).unwrap();
        let regions = Tensor::new(&[[[[3f32, 1.0]], [[0.0, 5.0]]]], &Device::Cpu).unwrap();
        let photos = RegionFeatures {
            regions,
            global: Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap(),
            covered: Covered::WHOLE,
        };
        let encoded = network.encode(&photos, &EncodeOptions::default()).unwrap();
        let labels = Tensor::new(&[[2f32, 0.5, 99.0]], &Device::Cpu).unwrap();
        let labels = network.prepare_labels(&labels).unwrap();
        let found = network.respond(&encoded, &labels).unwrap();
        let maps = found.maps.unwrap().flatten_all().unwrap();
        assert_eq!(maps.to_vec1::<f32>().unwrap(), [4.5, 3.0]);
        assert_eq!(found.scores.to_vec2::<f32>().unwrap(), [[4.5]]);
        let short = KernelConfig {
            label_dimension: 2,
            ..config
        };
        assert!(
            KernelBaseline::new(short, Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap())
                .is_err()
        );
    }
}
