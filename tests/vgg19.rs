//! VGG-19 against PyTorch: `tests/reference/vgg19.py` writes the fixtures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use biam_lens::backbone::vgg19::Config;
use biam_lens::backbone::{Backbone, Vgg19};
use biam_lens::checkpoint::vgg19::vgg19_weights;
use biam_lens::checkpoint::{PlainTensor, StateDict};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    folder.join(name)
}

/// Tensors of a fixture and the architecture that its metadata tells.
fn load(path: &Path) -> Result<(HashMap<String, Tensor>, Config)> {
    let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes)?;
    let json = header.metadata().as_ref().and_then(|all| all.get("config"));
    let json: serde_json::Value = serde_json::from_str(json.context("no config")?)?;
    let number = |value: &serde_json::Value| value.as_u64().map(|x| x as usize).context("a number");
    let mut widths = [0; 5];
    for (width, value) in widths
        .iter_mut()
        .zip(json["widths"].as_array().context("widths")?)
    {
        *width = number(value)?;
    }
    let config = Config {
        input_size: number(&json["input_size"])?,
        widths,
        hidden: number(&json["hidden"])?,
    };
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    Ok((tensors, config))
}

fn network(config: &Config, weights: Vec<u8>) -> Result<Vgg19> {
    let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
    Ok(Vgg19::new(config, weights)?)
}

fn narrow() -> Result<(Vgg19, HashMap<String, Tensor>)> {
    let (tensors, config) = load(&fixture("vgg19.safetensors"))?;
    let weights = vgg19_weights(&fixture("vgg19_old.pth"), &config)?;
    Ok((network(&config, weights)?, tensors))
}

/// The fixture's weights as timm would publish them.
fn as_timm_has_them() -> Result<HashMap<String, Tensor>> {
    let mut checkpoint = StateDict::open(&fixture("vgg19_old.pth"))?;
    let names: Vec<_> = checkpoint
        .shapes()
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut tensors = HashMap::new();
    for name in names {
        let PlainTensor { shape, data } = checkpoint.tensor(&name)?;
        let shape = match name.as_str() {
            "classifier.0.weight" => vec![20, 16, 2, 2],
            "classifier.3.weight" => vec![20, 20, 1, 1],
            _ => shape,
        };
        let name = name.replace("classifier.0", "pre_logits.fc1");
        let name = name.replace("classifier.3", "pre_logits.fc2");
        tensors.insert(name, Tensor::from_vec(data, shape, &Device::Cpu)?);
    }
    Ok(tensors)
}

/// Fails where `found` differs from `expected` by more than `tolerance` of the largest value.
fn assert_close(name: &str, found: &Tensor, expected: &Tensor, tolerance: f32) -> Result<()> {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let largest = expected.abs()?.max_all()?.to_scalar::<f32>()?;
    let error = (found - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
    println!("{name}: off by {:e} of the largest", error / largest);
    assert!(
        error <= tolerance * largest,
        "{name}: off by {error} of {largest}"
    );
    Ok(())
}

#[test]
fn regions_and_global_feature_are_pytorch_s() -> Result<()> {
    let (network, fixture) = narrow()?;
    let features = network.features(&fixture["pixels"])?;
    assert_close("regions", &features.regions, &fixture["regions"], 2e-5)?;
    assert_close("global", &features.global, &fixture["global"], 2e-5)?;
    assert!(features.regions.permute((0, 2, 3, 1))?.is_contiguous());
    assert!(network.classify(&features.global)?.is_none());
    Ok(())
}

#[test]
fn pixels_of_another_size_are_refused() -> Result<()> {
    let (network, _) = narrow()?;
    let pixels = Tensor::zeros((1, 64, 75, 3), DType::U8, &Device::Cpu)?;
    let message = network.features(&pixels).unwrap_err().to_string();
    assert!(message.contains("[N, 64, 64, 3]"), "{message}");
    Ok(())
}

#[test]
fn timm_s_file_gives_the_same_weights() -> Result<()> {
    let (_, config) = load(&fixture("vgg19.safetensors"))?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("timm.safetensors");
    candle_core::safetensors::save(&as_timm_has_them()?, &path)?;
    let expected = vgg19_weights(&fixture("vgg19_old.pth"), &config)?;
    assert!(vgg19_weights(&path, &config)? == expected);
    // And so does a bundle's own file.
    std::fs::write(&path, &expected)?;
    assert!(vgg19_weights(&path, &config)? == expected);
    Ok(())
}

#[test]
fn a_file_of_another_network_is_refused_by_name() -> Result<()> {
    let (_, config) = load(&fixture("vgg19.safetensors"))?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("other.safetensors");
    let mut tensors = as_timm_has_them()?;
    tensors.remove("features.34.bias");
    candle_core::safetensors::save(&tensors, &path)?;
    let refusal = || vgg19_weights(&path, &config).map_err(|error| error.to_string());
    let message = refusal().unwrap_err();
    assert!(
        message.contains("other.safetensors: ") && message.contains("lacks features.34.bias"),
        "{message}"
    );
    let message = vgg19_weights(&fixture("vgg19_old.pth"), &Config::vgg19()).unwrap_err();
    assert!(
        message
            .to_string()
            .contains("tensor features.0.weight is [4, 3, 3, 3]"),
        "{message}"
    );
    let bytes = std::fs::read(&path)?;
    std::fs::write(&path, &bytes[..bytes.len() - 1])?;
    assert!(refusal().unwrap_err().contains("fetch it again"));
    std::fs::write(&path, b"nothing")?;
    assert!(refusal().is_err());
    Ok(())
}

/// The whole network, from torchvision's file in both formats and from timm's:
///
///     python tests/reference/vgg19.py --full FOLDER
///     BIAM_LENS_VGG19=FOLDER cargo test --release --test vgg19 -- --ignored --nocapture
#[test]
#[ignore = "needs 2 GB of files that tests/reference/vgg19.py --full writes"]
fn at_full_width_it_is_pytorch_s() -> Result<()> {
    let folder = std::env::var_os("BIAM_LENS_VGG19").context("BIAM_LENS_VGG19 names the folder")?;
    let folder = Path::new(&folder);
    let (fixture, config) = load(&folder.join("check.safetensors"))?;
    assert_eq!(config, Config::vgg19());
    let mut first = None;
    for name in ["vgg19.pth", "vgg19_old.pth", "vgg19.safetensors"] {
        let weights = vgg19_weights(&folder.join(name), &config)?;
        assert!(
            *first.get_or_insert_with(|| weights.clone()) == weights,
            "{name}"
        );
    }
    let network = network(&config, first.context("weights")?)?;
    let features = network.features(&fixture["pixels"])?;
    assert_close("regions", &features.regions, &fixture["regions"], 1e-4)?;
    assert_close("global", &features.global, &fixture["global"], 1e-4)
}
