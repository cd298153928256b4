//! What a network costs: parameters, multiply-adds, time and memory per photo (the paper's Table 5).

use std::ops::Add;
use std::time::Instant;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::EvalError;
use crate::backbone::{efficientnet_lite, vgg19};
use crate::bundle::{BackbonePlan, Bundle, TrainedVariant};
use crate::model::EncodeOptions;
use crate::model::counts::Counts;

/// Photos that are not timed, so that weights are packed and clocks have settled.
const WARM_UP: usize = 3;
/// Photos that are timed.
const RUNS: usize = 15;

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
    pub fn of(bundle: &Bundle, trained: &TrainedVariant, labels: usize) -> Self {
        let regions = bundle.grid[0] * bundle.grid[1];
        let head = trained.network.cost(regions, labels);
        let mut total = head + backbone_counts(&bundle.backbone_plan);
        if bundle.projects() && !trained.network.takes().raw_regions {
            let raw = bundle.backbone_plan.region_channels();
            total = total + Counts::layer(raw, bundle.sizes.region_channels, 1, regions);
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
    let labels = trained.prepare_labels(&bundle.label_vectors)?;
    let (mut head, mut photo) = (Vec::new(), Vec::new());
    for run in 0..WARM_UP + RUNS {
        if run == WARM_UP {
            forget_peak();
        }
        let start = Instant::now();
        let features = bundle.photo_features(&pixels)?;
        bundle.device.synchronize()?;
        let ready = Instant::now();
        let photos = features.of(network.takes());
        let encoded = network.encode(photos, &EncodeOptions::default())?;
        let scores = network.respond(&encoded, &labels)?.scores;
        std::hint::black_box(scores.flatten_all()?.to_vec1::<f32>()?);
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
}
