//! The ridge baseline as a fifth network of a bundle: computed, stored, opened, asked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use biam_lens::bundle::Bundle;
use biam_lens::engine::{DeviceChoice, PhotoSource, Session, Wanted, prepare_unshown};
use biam_lens::model::VariantId;
use biam_lens::semantics::labels::write_teacher;
use biam_lens::train::ridge::{LAMBDA, RidgeError, ridge};
use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/default")
}

/// A copy of the default bundle whose teacher has only some classes: thousands take their time.
fn small_bundle(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in fs::read_dir(shipped())? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    let mut classes = Bundle::open_some(folder, &Device::Cpu, |_| false)?
        .lists
        .teacher()
        .to_vec();
    classes.retain(|class| wanted(&class.name));
    fs::write(folder.join("teacher.tsv"), write_teacher(&classes))?;
    set_hash(folder, "teacher.tsv")
}

/// Writes the SHA-256 of a file into the manifest.
fn set_hash(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join("bundle.toml");
    let mut manifest: toml::Table = toml::from_str(&fs::read_to_string(&path)?)?;
    let digest = Sha256::digest(fs::read(folder.join(name))?);
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let hashes = manifest["sha256"].as_table_mut().context("hashes")?;
    hashes.insert(name.to_owned(), hash.into());
    fs::write(&path, toml::to_string(&manifest)?)?;
    Ok(())
}

/// Adds the baseline to a bundle, as its fifth network.
fn add_ridge(folder: &Path) -> Result<()> {
    let bundle = Bundle::open_some(folder, &Device::Cpu, |_| false)?;
    let mut tensors = ridge(&bundle, bundle.lists.teacher(), LAMBDA)?;
    let weight = &tensors["classifier.weight"];
    assert_eq!(weight.dims(), [1280, 384]);
    tensors.insert(
        "ordinary_regions".to_owned(),
        Tensor::rand(0f32, 1.0, (16, 1280), &Device::Cpu)?,
    );
    let half = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F16)?)))
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize_to_file(half, None, &folder.join("ridge.safetensors"))?;
    let path = folder.join("bundle.toml");
    let mut manifest: toml::Table = toml::from_str(&fs::read_to_string(&path)?)?;
    let variants = manifest["variant"].as_array_mut().context("variants")?;
    let entry = toml::toml! {
        id = "ridge"
        file = "ridge.safetensors"
        ordinary-regions = "ordinary_regions"
        settings = { preset = "authors", label-dimension = 384, top-k = 30 }
    };
    variants.push(entry.into());
    fs::write(&path, toml::to_string(&manifest)?)?;
    set_hash(folder, "ridge.safetensors")
}

#[test]
fn the_baseline_answers_beside_the_others_without_changing_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kept = [
        "dog", "wolf", "cat", "tiger", "horse", "zebra", "car", "boat", "bird", "bread",
    ];
    small_bundle(folder.path(), |name| {
        kept.iter()
            .any(|word| name.split([' ', '-']).any(|part| part == *word))
    })?;
    add_ridge(folder.path())?;
    let photo = PhotoSource::Sample("dogs.jpg");
    let labels = ["dog", "boat"].map(str::to_owned);
    let compare = |folder: &Path, variants: &[VariantId]| {
        let mut session = Session::open(folder, DeviceChoice::Cpu)?;
        let photo = prepare_unshown(&photo, session.input())?;
        let wanted = Wanted {
            labels: &labels,
            variants,
            ranking: true,
            ordinary: true,
        };
        session
            .compare(&photo, &wanted, &|| false)?
            .context("not stopped")
    };
    let five = compare(folder.path(), &VariantId::WITH_BASELINES[..5])?;
    let four = compare(&shipped(), &VariantId::PAPER)?;
    for (with, without) in five.maps.iter().zip(&four.maps) {
        for (with, without) in with.iter().zip(without) {
            assert_eq!(with.responses, without.responses);
        }
    }
    let ridge = &five.maps[4];
    assert_eq!(ridge[0].responses.len(), 196);
    assert!(ridge.iter().all(|map| map.ordinary.is_some()));
    let k = five.trained_k;
    assert!(
        ridge[0].score(k) > ridge[1].score(k),
        "dogs look like dogs, not like boats"
    );
    let ranking = five.ranking.as_ref().context("a ranking")?;
    assert_eq!(ranking.scores.len(), 5);
    Ok(())
}

#[test]
fn a_bundle_without_teacher_classes_has_no_baseline() -> Result<()> {
    let folder = tempfile::tempdir()?;
    small_bundle(folder.path(), |_| false)?;
    let bundle = Bundle::open_some(folder.path(), &Device::Cpu, |_| false)?;
    assert!(matches!(
        ridge(&bundle, bundle.lists.teacher(), LAMBDA),
        Err(RidgeError::NoTeacher)
    ));
    Ok(())
}
