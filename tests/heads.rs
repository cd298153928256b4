//! The shipped bundle against PyTorch, from pixels to scores: `tests/reference/heads.py` writes
//! the fixture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use biam_lens::bundle::Bundle;
use biam_lens::model::{EncodeOptions, VariantId};
use candle_core::{DType, Device, Tensor};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn load(path: &str) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(in_repository(path), &Device::Cpu)
        .with_context(|| path.to_owned())
}

#[test]
fn the_shipped_heads_answer_as_pytorch_does() -> Result<()> {
    let expected = load("tests/reference/heads.safetensors")?;
    let pixels = &load("tests/reference/backbone_check.safetensors")?["pixels"];
    let bundle = Bundle::open(&in_repository("weights/default"), &Device::Cpu)?;
    let rows = expected["rows"].to_dtype(DType::U32)?;
    let labels = bundle.label_vectors.index_select(&rows, 0)?;
    let features = bundle.features(pixels)?;
    assert_eq!(bundle.variant_names(), VariantId::PAPER);
    for trained in &bundle.variants {
        let (network, variant) = (&trained.network, trained.id);
        let encoded = network.encode(&features, &EncodeOptions::default())?;
        let answer = network.respond(&encoded, &network.prepare_labels(&labels)?)?;
        let maps = answer.maps.expect("maps").squeeze(0)?;
        let reference = &expected[&format!("maps.{variant}")];
        assert_eq!(maps.dims(), [6, 14, 14]);
        let largest = reference.abs()?.max_all()?.to_scalar::<f32>()?;
        let off = (&maps - reference)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(
            off <= 1e-3 * largest,
            "{variant}: off by {off} of {largest}"
        );
        let scores = expected[&format!("scores.{variant}")].to_vec1::<f32>()?;
        let found = answer.scores.squeeze(0)?.to_vec1::<f32>()?;
        for (found, score) in found.into_iter().zip(scores) {
            let off = (found - score).abs();
            assert!(off <= 1e-3 * largest, "{variant}: {found} for {score}");
        }
    }
    Ok(())
}
