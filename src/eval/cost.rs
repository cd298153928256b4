//! What a network costs: parameters, multiply-adds, time and memory per photo (the paper's Table 5).

use std::ops::Add;
use std::time::Instant;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::EvalError;
use crate::backbone::{efficientnet_lite, vgg19};
use crate::bundle::{BackbonePlan, Bundle, TrainedVariant};
use crate::model::config::{RegionContext, SceneValue};
use crate::model::pooling::top_k_mean;
use crate::model::{EncodeOptions, ModelConfig, Variant};

/// Photos that are not timed, so that weights are packed and clocks have settled.
const WARM_UP: usize = 3;
/// Photos that are timed.
const RUNS: usize = 15;

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
    fn layer(weights: usize, outputs: usize, extra: usize, positions: usize) -> Self {
        Self {
            parameters: (outputs * (weights + extra)) as u64,
            multiply_adds: (positions * outputs * weights) as u64,
        }
    }
}

/// The layers of one head for a photo of `regions` regions and `labels` labels, whose vectors have
/// been brought to the regions' space before. Input are the region features that the head takes;
/// where it works on a coarser grid, all its layers see that grid's regions.
pub fn head_counts(
    config: &ModelConfig,
    variant: Variant,
    raw_channels: usize,
    regions: usize,
    labels: usize,
) -> Counts {
    let (c, out, d) = (config.channels, config.out_channels, config.label_dimension);
    if variant == Variant::Ridge {
        return Counts {
            parameters: (raw_channels * d) as u64,
            multiply_adds: (regions * raw_channels * labels) as u64,
        };
    }
    let regions = config.coarse_grid.map_or(regions, |side| side * side);
    let mix = |inputs, outputs| Counts::layer(inputs, outputs, 1, regions);
    // Bias and norm.
    let convolution = |inputs| Counts::layer(9 * inputs, c, 3, regions);
    let fused = if variant.fuses() { 2 * c } else { c };
    let mut counts = convolution(config.region_channels) + mix(fused, out);
    if variant.has_rcb() {
        counts = counts + region_counts(config, regions);
    }
    if variant.has_scb() {
        counts = counts + Counts::layer(config.global_channels, c, 1, 1) + convolution(c);
        if config.scene_value == SceneValue::SharedConvolution {
            counts = counts + mix(c, c);
        }
    }
    if config.shortcut {
        counts = counts + mix(config.region_channels, out);
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
    let mix = |inputs, outputs| Counts::layer(inputs, outputs, 1, regions);
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
        let linear = (0..4).fold(Counts::default(), |sum, _| sum + mix(c, c));
        linear + attention(c, c) + mix(c, 2 * c) + mix(2 * c, c)
    };
    match config.region_context {
        RegionContext::Attention | RegionContext::Sigmoid => block(),
        // Scale and shift of two norms.
        RegionContext::LayerNorm => block() + extra(4 * c),
        RegionContext::NonLocal => {
            let half = (c / 2).max(1);
            let inwards = (0..3).fold(Counts::default(), |sum, _| sum + mix(c, half));
            inwards + attention(half, half) + mix(half, c)
        }
        RegionContext::CrissCross => {
            let narrow = (c / 8).max(1);
            let once = mix(c, narrow) + mix(c, narrow) + mix(c, c) + attention(narrow, c);
            // The same weights twice, and γ. Of the attention all pairs are counted, as computed.
            Counts {
                parameters: once.parameters,
                multiply_adds: 2 * once.multiply_adds,
            } + extra(1)
        }
    }
}

/// The layers from pixels to region features and the global feature; a classifier, which no photo
/// goes through, is left out.
pub fn backbone_counts(plan: &BackbonePlan) -> Counts {
    match plan {
        BackbonePlan::EfficientNetLite(config) => efficientnet_lite_counts(config),
        BackbonePlan::Vgg19(config) => vgg19_counts(config),
    }
}

fn vgg19_counts(config: &vgg19::Config) -> Counts {
    let convolutions = config.convolutions().map(|layer| {
        let positions = layer.side * layer.side;
        Counts::layer(9 * layer.inputs, layer.outputs, 1, positions)
    });
    let linears = config.linears();
    let linears = linears.map(|(_, inputs, outputs)| Counts::layer(inputs, outputs, 1, 1));
    convolutions
        .chain(linears)
        .fold(Counts::default(), Add::add)
}

fn efficientnet_lite_counts(config: &efficientnet_lite::Config) -> Counts {
    let mut side = config.input_size.div_ceil(2);
    let mut counts = Counts::layer(27, config.stem, 2, side * side);
    let mut channels = config.stem;
    for stage in &config.stages {
        for block in 0..stage.blocks {
            let wide = channels * stage.expand;
            if stage.expand > 1 {
                counts = counts + Counts::layer(channels, wide, 2, side * side);
            }
            if block == 0 {
                side = side.div_ceil(stage.stride);
            }
            counts = counts
                + Counts::layer(stage.kernel * stage.kernel, wide, 2, side * side)
                + Counts::layer(wide, stage.channels, 2, side * side);
            channels = stage.channels;
        }
    }
    counts + Counts::layer(channels, config.head, 2, side * side)
}

/// What one network costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The network alone, with its region classifier.
    pub head: Counts,
    /// With backbone and projection: from pixels to responses.
    pub total: Counts,
    /// How many labels the responses are of.
    pub labels: usize,
    pub measured: Option<Measured>,
}

/// What one photo took a program that had loaded this network alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Median time from region features to scores, in milliseconds.
    pub head_ms: f64,
    /// Median time from pixels to scores, in milliseconds.
    pub photo_ms: f64,
    /// Most memory that was in use, model included; `None` where the system does not tell.
    pub peak_bytes: Option<u64>,
}

impl Cost {
    /// Counts of a bundle's network for `labels` labels.
    pub fn of(bundle: &Bundle, variant: Variant, labels: usize) -> Self {
        let raw = bundle.backbone_plan.region_channels();
        let regions = bundle.grid[0] * bundle.grid[1];
        let head = head_counts(&bundle.config, variant, raw, regions, labels);
        let mut total = head + backbone_counts(&bundle.backbone_plan);
        if bundle.projects() && !variant.takes_raw_regions() {
            total = total + Counts::layer(raw, bundle.config.region_channels, 1, regions);
        }
        Self {
            head,
            total,
            labels,
            measured: None,
        }
    }
}

/// Times one network of a bundle on a grey photo, with all the bundle's labels. The peak is that of
/// the whole process: load no other network.
///
/// # Errors
/// A device that fails.
pub fn measure(bundle: &Bundle, trained: &TrainedVariant) -> Result<Measured, EvalError> {
    let network = &trained.network;
    let side = bundle.input_size() as usize;
    let grey = vec![127u8; side * side * 3];
    let pixels = Tensor::from_vec(grey, (1, side, side, 3), &bundle.device)?;
    let projected = network.project_labels(&bundle.label_vectors)?;
    let k = bundle.config.top_k;
    let (mut head, mut photo) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + RUNS {
        if run == WARM_UP {
            forget_peak();
        }
        let start = Instant::now();
        let features = bundle.photo_features(&pixels)?;
        bundle.device.synchronize()?;
        let ready = Instant::now();
        let encoded = network.encode(features.of(network.variant()), &EncodeOptions::default())?;
        let maps = network.respond(&encoded, &projected)?;
        let regions = encoded.grid.0 * encoded.grid.1;
        let responses = maps.flatten_all()?.to_vec1::<f32>()?;
        let scores: f32 = responses
            .chunks_exact(regions)
            .map(|map| top_k_mean(map, k))
            .sum();
        std::hint::black_box(scores);
        if run >= WARM_UP {
            head.push(ready.elapsed().as_secs_f64() * 1e3);
            photo.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(Measured {
        head_ms: median(head),
        photo_ms: median(photo),
        peak_bytes: peak(),
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Lets Linux count this process's peak of memory anew; elsewhere loading counts as well.
#[allow(clippy::disallowed_methods, reason = "the system's own file")]
fn forget_peak() {
    // Where it is refused the peak is that of loading, which is no less true.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process had resident, in bytes.
#[allow(clippy::disallowed_methods, reason = "the system's own file")]
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Preset;

    /// The default bundle's configuration.
    fn config() -> ModelConfig {
        ModelConfig {
            global_channels: 1280,
            label_dimension: 384,
            ..ModelConfig::preset(Preset::Authors)
        }
    }

    #[test]
    fn parameters_are_those_of_the_shipped_weights() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/default");
        let manifest = std::fs::read_to_string(folder.join("bundle.toml")).unwrap();
        let manifest: crate::bundle::manifest::Manifest = toml::from_str(&manifest).unwrap();
        let config = manifest.model.config().unwrap();
        for variant in Variant::ALL {
            let bytes = std::fs::read(folder.join(format!("{variant}.safetensors"))).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let no_parameters = ["running", "ordinary_regions", "input_mean", "num_batches"];
            let found: usize = file
                .tensors()
                .iter()
                .filter(|(name, _)| !no_parameters.iter().any(|part| name.contains(part)))
                .map(|(_, tensor)| tensor.shape().iter().product::<usize>())
                .sum();
            let counts = head_counts(&config, variant, 1280, 196, 442);
            assert_eq!(counts.parameters, found as u64, "{variant}");
        }
    }

    #[test]
    fn parameters_are_those_of_a_new_network_of_every_kind() {
        let mut kinds = RegionContext::ABLATIONS.to_vec();
        kinds.push(RegionContext::Attention);
        for region_context in kinds {
            let config = ModelConfig {
                region_context,
                ..config()
            };
            for variant in [Variant::Rcb, Variant::Biam] {
                let weights = crate::train::initial::initial_weights(&config, variant, 1).unwrap();
                let learned = weights.iter().filter(|(name, _)| !name.contains("running"));
                let found: usize = learned.map(|(_, tensor)| tensor.elem_count()).sum();
                let counts = head_counts(&config, variant, 1280, 196, 442);
                assert_eq!(counts.parameters, found as u64, "{region_context:?}");
            }
        }
    }

    #[test]
    fn a_shortcut_is_counted() {
        let config = ModelConfig {
            shortcut: true,
            ..config()
        };
        let weights =
            crate::train::initial::initial_weights(&config, Variant::Standard, 1).unwrap();
        let learned = weights.iter().filter(|(name, _)| !name.contains("running"));
        let found: usize = learned.map(|(_, tensor)| tensor.elem_count()).sum();
        let counts = head_counts(&config, Variant::Standard, 1280, 196, 442);
        assert_eq!(counts.parameters, found as u64);
    }

    #[test]
    fn a_coarser_grid_costs_less() {
        let coarse = ModelConfig {
            coarse_grid: Some(7),
            ..config()
        };
        let of = |config: &ModelConfig| head_counts(config, Variant::Standard, 1280, 196, 10);
        assert_eq!(4 * of(&coarse).multiply_adds, of(&config()).multiply_adds);
        assert_eq!(of(&coarse).parameters, of(&config()).parameters);
    }

    #[test]
    fn the_backbone_has_its_published_size() {
        let counts = efficientnet_lite_counts(&efficientnet_lite::Config::lite2());
        let classifier = 1280 * 1000 + 1000;
        // 6.1 million parameters with the classifier.
        assert_eq!((counts.parameters + classifier) / 100_000, 60);
        // 0.86 billion multiply-adds at 260 pixels.
        let usual = efficientnet_lite::Config {
            input_size: 260,
            ..efficientnet_lite::Config::lite2()
        };
        let billions = efficientnet_lite_counts(&usual).multiply_adds as f64 / 1e9;
        assert!((0.8..0.92).contains(&billions), "{billions}");
    }

    #[test]
    fn vgg_19_has_its_published_size() {
        let counts = backbone_counts(&BackbonePlan::Vgg19(vgg19::Config::vgg19()));
        let classifier = 4096 * 1000;
        assert_eq!(counts.parameters + classifier + 1000, 143_667_240);
        // Torchvision tells 19.63 billion.
        assert_eq!((counts.multiply_adds + classifier) / 10_000_000, 1963);
    }

    #[test]
    fn multiply_adds_follow_the_layers() {
        let counts = head_counts(&config(), Variant::Standard, 1280, 196, 10);
        let per_region = 9 * 512 * 256 + 256 * 512 + 512 * 10;
        assert_eq!(counts.multiply_adds, 196 * per_region);
        let ridge = head_counts(&config(), Variant::Ridge, 1280, 196, 10);
        assert_eq!(ridge.multiply_adds, 196 * 1280 * 10);
        assert_eq!(ridge.parameters, 1280 * 384);
    }
}
