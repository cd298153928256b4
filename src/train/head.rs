//! A trained head as a bundle stores it: half precision, with a sample of ordinary regions.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rand::seq::index;

use super::error::TrainError;
use super::photos::TrainingSet;
use super::random::generator;
use crate::bundle::safetensors_file::safetensors_bytes;
use crate::files::write_atomically;
use crate::model::ordinary_regions::{BATCH, ORDINARY_REGIONS, PHOTOS, Sample, Sampler, TENSOR};
use crate::model::{Configuration, HeadFile, Network, VariantId};

/// Weights and statistics `tensors` as a bundle's head holds them: in half precision, with
/// `ordinary_regions` `[2048, out]`, e_f of random regions of random training photos as these
/// rounded weights give it, and, for the full network, `fuse.input_mean` `[2C]`, the mean of
/// [e_r; e_g] over all regions of these photos.
///
/// # Errors
/// Features that cannot be read, tensors that do not fit the configuration.
pub fn finished_head(
    configuration: &dyn Configuration,
    tensors: BTreeMap<String, Tensor>,
    set: &TrainingSet<'_>,
    seed: u64,
    device: &Device,
) -> std::result::Result<BTreeMap<String, Tensor>, TrainError> {
    let mut head = BTreeMap::new();
    let mut rounded = HashMap::new();
    for (name, tensor) in tensors {
        let half = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F16)?;
        rounded.insert(name.clone(), half.to_dtype(DType::F32)?.to_device(device)?);
        head.insert(name, half);
    }
    let network = configuration.load(&HeadFile::of_tensors(rounded, device))?;
    let sample = sample(&*network, set, seed, device)?;
    head.insert(TENSOR.to_owned(), half(sample.ordinary)?);
    if let Some(full) = sample.full {
        head.insert("fuse.input_mean".to_owned(), half(full.input_mean)?);
    }
    Ok(head)
}

/// The ridge baseline's `tensors` in half precision, with `ordinary_regions` `[2048, C]`: raw features
/// of random regions of random training photos.
///
/// # Errors
/// Features that cannot be read.
pub fn finished_ridge(
    tensors: impl IntoIterator<Item = (String, Tensor)>,
    set: &TrainingSet<'_>,
    seed: u64,
) -> std::result::Result<BTreeMap<String, Tensor>, TrainError> {
    let mut random = generator(seed, "ordinary regions", 0);
    let [rows, columns] = set.features.grid();
    let photos = index::sample(&mut random, set.photos.len(), PHOTOS.min(set.photos.len()));
    let records = set.records(&photos.into_vec());
    let each = ORDINARY_REGIONS
        .div_ceil(records.len().max(1))
        .min(rows * columns);
    let mut raw = Vec::new();
    for &record in &records {
        let places = index::sample(&mut random, rows * columns, each).into_vec();
        set.features.raw_rows(record, &places, false, &mut raw)?;
    }
    let count = each * records.len();
    let ordinary = Tensor::from_vec(raw, (count, ()), &Device::Cpu)?;
    let kept = ordinary.narrow(0, 0, count.min(ORDINARY_REGIONS))?;
    let mut head = BTreeMap::from([(TENSOR.to_owned(), half(kept)?)]);
    for (name, tensor) in tensors {
        head.insert(name, half(tensor)?);
    }
    Ok(head)
}

fn half(tensor: Tensor) -> candle_core::Result<Tensor> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F16)
}

fn sample(
    network: &dyn Network,
    set: &TrainingSet<'_>,
    seed: u64,
    device: &Device,
) -> std::result::Result<Sample, TrainError> {
    let mut random = generator(seed, "ordinary regions", 0);
    let [rows, columns] = set.features.grid();
    let photos = index::sample(&mut random, set.photos.len(), PHOTOS.min(set.photos.len()));
    let photos = photos.into_vec();
    let mut sampler = Sampler::new(network, photos.len(), rows * columns, random);
    for chunk in photos.chunks(BATCH) {
        sampler.add(&set.region_features(chunk, &vec![false; chunk.len()], device)?)?;
    }
    Ok(sampler.finish()?)
}

/// Writes a head as `path`, with what the importer of bundles wants to know of it.
///
/// # Errors
/// A file that cannot be written.
pub fn write_head(
    path: &Path,
    head: &BTreeMap<String, Tensor>,
    (variant, configuration): (VariantId, &dyn Configuration),
    words: &[(&str, String)],
) -> std::result::Result<(), TrainError> {
    let mut metadata: BTreeMap<String, String> = words
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.clone()))
        .collect();
    let mut settings = configuration.settings();
    if let Some(toml::Value::String(preset)) = settings.remove("preset") {
        metadata.insert("preset".to_owned(), preset);
    }
    let settings = toml::to_string(&settings).map_err(candle_core::Error::wrap)?;
    metadata.insert("settings".to_owned(), settings);
    metadata.insert("variant".to_owned(), variant.to_string());
    write_tensors(path, head, metadata)
}

/// Writes tensors as they are; the same tensors and words give the same bytes.
///
/// # Errors
/// A file that cannot be written.
pub fn write_tensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
) -> std::result::Result<(), TrainError> {
    let bytes = safetensors_bytes(tensors, metadata)?;
    Ok(write_atomically(path, |writer| writer.write_all(&bytes))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_words_in_their_order_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("biam.safetensors");
        let tensors = BTreeMap::from([
            (
                "a".to_owned(),
                Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu).unwrap(),
            ),
            ("b".to_owned(), Tensor::new(&[4u8], &Device::Cpu).unwrap()),
        ]);
        let words = ["seed", "heads", "preset", "variant"];
        let metadata: BTreeMap<_, _> = words.map(|word| (word.to_owned(), "1".to_owned())).into();
        write_tensors(&path, &tensors, metadata).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap().len(), 4);
        let text = String::from_utf8_lossy(&bytes);
        let places: Vec<_> = ["heads", "preset", "seed", "variant"]
            .map(|word| text.find(word).unwrap())
            .into();
        assert!(places.is_sorted());
        let read = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        assert_eq!(read["a"].to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(read["b"].to_vec1::<u8>().unwrap(), [4]);
    }
}
