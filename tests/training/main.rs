//! Training: losses, optimiser and one whole step against PyTorch, and runs of a few seconds on
//! made-up photos.

mod pytorch;
mod runs;

use biam_lens::model::{Configuration, ModelConfig, Preset, PresetConfig, VariantId, registry};
use candle_core::{D, Result, Tensor};

/// Largest difference over largest value.
fn error(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let largest = |tensor: &Tensor| -> Result<f32> {
        tensor.abs()?.flatten_all()?.max(D::Minus1)?.to_scalar()
    };
    let difference = (found - expected).and_then(|difference| largest(&difference));
    difference.expect("a difference") / largest(expected).expect("a value").max(1e-30)
}

fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32, what: &str) {
    let error = error(found, expected);
    assert!(error <= tolerance, "{what}: off by {error:e}");
}

fn small_config() -> ModelConfig {
    ModelConfig {
        region_channels: 12,
        global_channels: 24,
        channels: 16,
        out_channels: 20,
        label_dimension: 10,
        heads: 4,
        top_k: 4,
        ..ModelConfig::preset(Preset::Authors)
    }
}

/// The settings of a network of one of the paper's four architectures.
fn configuration(variant: VariantId, config: ModelConfig) -> Box<dyn Configuration> {
    let row = registry::row(variant.name()).expect("its row");
    let settings = PresetConfig::of(Preset::Authors, config).table();
    (row.configuration)(&settings).expect("settings")
}
