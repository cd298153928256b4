//! Parameters and multiply-adds of layers and of networks (the paper's Table 5).

use std::ops::Add;

use serde::{Deserialize, Serialize};

use super::config::{Blocks, ModelConfig, RegionContext, SceneValue};

/// Parameters and multiply-adds of some layers.
///
/// One multiplication with the addition that follows it counts as one. Counted are convolutions,
/// linear layers and the two products of the attention; what does no matrix product (norms,
/// activations, softmax, pooling) is left out, as usual. Learned numbers of norms are parameters,
/// running statistics are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub parameters: u64,
    pub multiply_adds: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            parameters: self.parameters + other.parameters,
            multiply_adds: self.multiply_adds + other.multiply_adds,
        }
    }
}

impl Counts {
    /// A convolution of `weights` per output and position (window times inputs), with `extra`
    /// parameters per output: 1 for a bias, 2 for a norm.
    pub fn layer(weights: usize, outputs: usize, extra: usize, positions: usize) -> Self {
        Self {
            parameters: (outputs * (weights + extra)) as u64,
            multiply_adds: (positions * outputs * weights) as u64,
        }
    }
}

/// The layers of one of the paper's networks for a photo of `regions` regions and `labels` labels,
/// whose vectors have been brought to the regions' space before. Input are the region features that
/// the head takes; where it works on a coarser grid, all its layers see that grid's regions.
pub fn head_counts(config: &ModelConfig, blocks: Blocks, regions: usize, labels: usize) -> Counts {
    let (c, out, d) = (config.channels, config.out_channels, config.label_dimension);
    let regions = config.coarse_grid.map_or(regions, |side| side * side);
    let layer = |inputs, outputs| Counts::layer(inputs, outputs, 1, regions);
    // Bias and norm.
    let convolution = |inputs| Counts::layer(9 * inputs, c, 3, regions);
    let fused = if blocks == Blocks::Both { 2 * c } else { c };
    let mut counts = convolution(config.region_channels) + layer(fused, out);
    if blocks.has_rcb() {
        counts = counts + region_counts(config, regions);
    }
    if blocks.has_scb() {
        counts = counts + Counts::layer(config.global_channels, c, 1, 1) + convolution(c);
        if config.scene_value == SceneValue::SharedConvolution {
            counts = counts + layer(c, c);
        }
    }
    if config.shortcut {
        counts = counts + layer(config.region_channels, out);
    }
    let bias = usize::from(config.classifier_bias);
    let classifier = Counts {
        parameters: (out * (d + bias)) as u64,
        multiply_adds: (regions * out * labels) as u64,
    };
    counts + classifier
}

/// The layers that make regions look at others: the paper's block or what Table 4 puts in its place.
fn region_counts(config: &ModelConfig, regions: usize) -> Counts {
    let c = config.channels;
    let layer = |inputs, outputs| Counts::layer(inputs, outputs, 1, regions);
    // Products of queries with keys, and of weights with values, of these widths.
    let attention = |query: usize, value: usize| Counts {
        parameters: 0,
        multiply_adds: (regions * regions * (query + value)) as u64,
    };
    let extra = |parameters: usize| Counts {
        parameters: parameters as u64,
        multiply_adds: 0,
    };
    let block = || {
        let linear = (0..4).fold(Counts::default(), |sum, _| sum + layer(c, c));
        linear + attention(c, c) + layer(c, 2 * c) + layer(2 * c, c)
    };
    match config.region_context {
        RegionContext::Attention | RegionContext::Sigmoid => block(),
        // Scale and shift of two norms.
        RegionContext::LayerNorm => block() + extra(4 * c),
        RegionContext::NonLocal => {
            let half = (c / 2).max(1);
            let inwards = (0..3).fold(Counts::default(), |sum, _| sum + layer(c, half));
            inwards + attention(half, half) + layer(half, c)
        }
        RegionContext::CrissCross => {
            let narrow = (c / 8).max(1);
            let once = layer(c, narrow) + layer(c, narrow) + layer(c, c) + attention(narrow, c);
            // The same weights twice, and γ. Of the attention all pairs are counted, as computed.
            Counts {
                parameters: once.parameters,
                multiply_adds: 2 * once.multiply_adds,
            } + extra(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HeadFile, Preset, PresetConfig, VariantId, registry};
    use crate::train::initial::initial_weights;

    /// The default bundle's configuration.
    fn config() -> ModelConfig {
        ModelConfig {
            global_channels: 1280,
            label_dimension: 384,
            ..ModelConfig::preset(Preset::Authors)
        }
    }

    /// Learned numbers of a new network, and what it counts itself.
    fn found_and_counted(config: ModelConfig, variant: VariantId) -> (u64, u64) {
        let settings = PresetConfig::of(Preset::Authors, config).table();
        let row = registry::row(variant.name()).unwrap();
        let configuration = (row.configuration)(&settings).unwrap();
        let weights = initial_weights(&*configuration, 1).unwrap();
        let learned = weights.iter().filter(|(name, _)| !name.contains("running"));
        let found: usize = learned.map(|(_, tensor)| tensor.elem_count()).sum();
        let tensors = weights.into_iter().collect();
        let head = HeadFile::of_tensors(tensors, &candle_core::Device::Cpu);
        let network = configuration.load(&head).unwrap();
        (found as u64, network.cost(196, 442).parameters)
    }

    #[test]
    fn parameters_are_those_of_the_shipped_weights() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/default");
        let bundle = crate::bundle::Bundle::open(&folder, &candle_core::Device::Cpu).unwrap();
        assert!(!bundle.variants.is_empty());
        for trained in &bundle.variants {
            let path = folder.join(format!("{}.safetensors", trained.id));
            let bytes = std::fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let no_parameters = ["running", "ordinary_regions", "input_mean", "num_batches"];
            let found: usize = file
                .tensors()
                .iter()
                .filter(|(name, _)| !no_parameters.iter().any(|part| name.contains(part)))
                .map(|(_, tensor)| tensor.shape().iter().product::<usize>())
                .sum();
            let counted = trained.network.cost(196, 442).parameters;
            assert_eq!(counted, found as u64, "{}", trained.id);
        }
    }

    #[test]
    fn parameters_are_those_of_a_new_network_of_every_kind() {
        let mut kinds = RegionContext::ABLATIONS.to_vec();
        kinds.push(RegionContext::Attention);
        for region_context in kinds {
            for variant in [VariantId::RCB, VariantId::BIAM] {
                let config = ModelConfig {
                    region_context,
                    ..config()
                };
                let (found, counted) = found_and_counted(config, variant);
                assert_eq!(counted, found, "{region_context:?}");
            }
        }
    }

    #[test]
    fn a_shortcut_is_counted() {
        let config = ModelConfig {
            shortcut: true,
            ..config()
        };
        let (found, counted) = found_and_counted(config, VariantId::STANDARD);
        assert_eq!(counted, found);
    }

    #[test]
    fn a_coarser_grid_costs_less() {
        let coarse = ModelConfig {
            coarse_grid: Some(7),
            ..config()
        };
        let of = |config: &ModelConfig| head_counts(config, Blocks::Neither, 196, 10);
        assert_eq!(4 * of(&coarse).multiply_adds, of(&config()).multiply_adds);
        assert_eq!(of(&coarse).parameters, of(&config()).parameters);
    }

    #[test]
    fn multiply_adds_follow_the_layers() {
        let counts = head_counts(&config(), Blocks::Neither, 196, 10);
        let per_region = 9 * 512 * 256 + 256 * 512 + 512 * 10;
        assert_eq!(counts.multiply_adds, 196 * per_region);
    }
}
