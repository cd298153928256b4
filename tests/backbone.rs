//! The backbone against PyTorch: `tests/reference/efficientnet_lite.py` writes the fixtures.

use anyhow::{Context, Result};
use biam_lens::backbone::efficientnet_lite::{Config, Stage};
use biam_lens::backbone::{Backbone, EfficientNetLite};
use biam_lens::kernels::Padding;
use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn load(path: &str) -> Result<HashMap<String, Tensor>> {
    let path = in_repository(path);
    candle_core::safetensors::load(&path, &Device::Cpu)
        .with_context(|| format!("{}", path.display()))
}

/// Fails where `found` differs from `expected` by more than `tolerance` of the largest value.
fn assert_close(name: &str, found: &Tensor, expected: &Tensor, tolerance: f32) -> Result<()> {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let largest = expected.abs()?.max_all()?.to_scalar::<f32>()?;
    let error = (found - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(
        error <= tolerance * largest,
        "{name}: off by {error} of {largest}"
    );
    Ok(())
}

/// The architecture of the narrow network, as the fixture's metadata tells it.
fn narrow_config() -> Result<Config> {
    let bytes = std::fs::read(in_repository(
        "tests/reference/efficientnet_lite.safetensors",
    ))?;
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)?;
    let json = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get("config"));
    let json: serde_json::Value = serde_json::from_str(json.context("no config")?)?;
    let number = |value: &serde_json::Value| value.as_u64().map(|x| x as usize).context("a number");
    let padding = |value: &serde_json::Value| -> Result<Padding> {
        Ok(Padding::new(number(&value[0])?, number(&value[1])?))
    };
    let stages = json["stages"].as_array().context("stages")?;
    Ok(Config {
        input_size: number(&json["input_size"])?,
        stem: number(&json["stem"])?,
        stem_padding: padding(&json["stem_padding"])?,
        stages: stages
            .iter()
            .map(|stage| {
                Ok(Stage {
                    blocks: number(&stage[0])?,
                    kernel: number(&stage[1])?,
                    stride: number(&stage[2])?,
                    expand: number(&stage[3])?,
                    channels: number(&stage[4])?,
                    padding: padding(&stage[5])?,
                })
            })
            .collect::<Result<_>>()?,
        head: number(&json["head"])?,
        classes: number(&json["classes"])?,
        norm_epsilon: 1e-3,
    })
}

fn narrow_network() -> Result<(EfficientNetLite, HashMap<String, Tensor>)> {
    let fixture = load("tests/reference/efficientnet_lite.safetensors")?;
    let weights = fixture
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix("weights.")?.into(), tensor.clone())))
        .collect();
    let weights = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    Ok((EfficientNetLite::new(&narrow_config()?, weights)?, fixture))
}

#[test]
fn every_kind_of_layer_is_pytorch_s() -> Result<()> {
    let (network, fixture) = narrow_network()?;
    let features = network.features(&fixture["pixels"])?;
    assert_close("regions", &features.regions, &fixture["regions"], 2e-5)?;
    assert_close("global", &features.global, &fixture["global"], 2e-5)?;
    let logits = network
        .classify(&features.global)?
        .context("a classifier")?;
    assert_close("logits", &logits, &fixture["logits"], 2e-5)?;
    assert_close(
        "rows",
        network.classifier_rows().context("no classifier")?,
        &fixture["weights._fc.weight"],
        0.0,
    )
}

#[test]
fn a_photo_has_the_same_features_alone_and_in_a_batch() -> Result<()> {
    let (network, fixture) = narrow_network()?;
    let together = network.features(&fixture["pixels"])?;
    for photo in 0..2 {
        let alone = network.features(&fixture["pixels"].narrow(0, photo, 1)?)?;
        let expected = together.regions.narrow(0, photo, 1)?;
        assert_close("regions", &alone.regions, &expected, 1e-5)?;
    }
    Ok(())
}

#[test]
fn regions_lie_channels_last_in_memory() -> Result<()> {
    let (network, fixture) = narrow_network()?;
    let features = network.features(&fixture["pixels"])?;
    assert!(features.regions.permute((0, 2, 3, 1))?.is_contiguous());
    Ok(())
}

#[test]
fn pixels_of_another_size_are_refused() -> Result<()> {
    let (network, _) = narrow_network()?;
    let pixels = Tensor::zeros((1, 64, 75, 3), DType::U8, &Device::Cpu)?;
    let message = network.features(&pixels).unwrap_err().to_string();
    assert!(
        message.contains("[N, 75, 75, 3]") && message.contains("[1, 64, 75, 3]"),
        "{message}"
    );
    Ok(())
}

#[test]
fn the_shipped_weights_see_what_pytorch_sees() -> Result<()> {
    let fixture = load("tests/reference/backbone_check.safetensors")?;
    let weights = load("weights/default/backbone.safetensors")?;
    let weights = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let network = EfficientNetLite::new(&Config::lite2(), weights)?;
    let features = network.features(&fixture["pixels"])?;
    assert_eq!(features.regions.dims(), [1, 1280, 14, 14]);
    let regions = features.regions.i(0)?.flatten_from(1)?.t()?;
    let regions = regions.contiguous()?.index_select(&fixture["places"], 0)?;
    assert_close("regions", &regions, &fixture["regions"], 1e-4)?;
    assert_close("global", &features.global, &fixture["global"], 1e-4)?;
    let logits = network
        .classify(&features.global)?
        .context("a classifier")?
        .i(0)?;
    let best = logits.arg_sort_last_dim(false)?.narrow(0, 0, 5)?;
    assert_eq!(
        best.to_dtype(DType::I64)?.to_vec1::<i64>()?,
        fixture["top_classes"].to_vec1::<i64>()?
    );
    assert_close(
        "logits",
        &logits.index_select(&best, 0)?,
        &fixture["top_logits"],
        1e-4,
    )
}
