//! A trained head as a bundle stores it: half precision, with a sample of ordinary regions.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use rand::seq::{SliceRandom as _, index};

use super::error::TrainError;
use super::photos::TrainingSet;
use super::random::generator;
use crate::backbone::{Covered, RegionFeatures};
use crate::bundle::manifest::ModelEntry;
use crate::files::write_atomically;
use crate::model::{Biam, EncodeOptions, ModelConfig, Preset, Variant};

/// Regions of training photos that are kept.
const ORDINARY: usize = 2048;
/// Photos that they come from, where there are so many.
const PHOTOS: usize = 512;
/// Photos encoded at once.
const BATCH: usize = 8;

/// Weights and statistics `tensors` as a bundle's head holds them: in half precision, with
/// `ordinary_regions` `[2048, out]`, e_f of random regions of random training photos as these
/// rounded weights give it, and, for the full network, `fuse.input_mean` `[2C]`, the mean of
/// [e_r; e_g] over all regions of these photos.
///
/// # Errors
/// Features that cannot be read, tensors that do not fit the configuration.
pub fn finished_head(
    (config, variant): (&ModelConfig, Variant),
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
    let vb = VarBuilder::from_tensors(rounded, DType::F32, device);
    let network = Biam::new(config, variant, vb)?;
    let sample = sample(&network, set, seed, device)?;
    let half = |tensor: Tensor| tensor.to_device(&Device::Cpu)?.to_dtype(DType::F16);
    head.insert("ordinary_regions".to_owned(), half(sample.ordinary)?);
    if let Some(mean) = sample.input_mean {
        head.insert("fuse.input_mean".to_owned(), half(mean)?);
    }
    Ok(head)
}

struct Sample {
    /// `[R, out]`.
    ordinary: Tensor,
    /// `[2C]`.
    input_mean: Option<Tensor>,
}

fn sample(
    network: &Biam,
    set: &TrainingSet<'_>,
    seed: u64,
    device: &Device,
) -> std::result::Result<Sample, TrainError> {
    let mut random = generator(seed, "ordinary regions", 0);
    let [rows, columns] = set.features.grid();
    let regions = rows * columns;
    let photos = index::sample(&mut random, set.photos.len(), PHOTOS.min(set.photos.len()));
    let photos = photos.into_vec();
    let each = ORDINARY.div_ceil(photos.len()).min(regions);
    let (mut ordinary, mut means) = (Vec::new(), Vec::new());
    for chunk in photos.chunks(BATCH) {
        let records = set.records(chunk);
        let features = RegionFeatures {
            regions: set
                .features
                .regions(&records, &vec![false; records.len()])?
                .to_device(device)?,
            global: set.features.globals(&records)?.to_device(device)?,
            covered: Covered::WHOLE,
        };
        let encoded = network.encode(&features, &EncodeOptions::default())?;
        let per_photo = encoded.features.dim(1)?;
        let places: Vec<u32> = (0..chunk.len())
            .flat_map(|photo| {
                let sampled = index::sample(&mut random, per_photo, each.min(per_photo));
                sampled
                    .into_iter()
                    .map(move |region| (photo * per_photo + region) as u32)
            })
            .collect();
        let places = Tensor::new(places, device)?;
        ordinary.push(encoded.features.flatten_to(1)?.index_select(&places, 0)?);
        means.extend(input_mean(network, &features, chunk.len())?);
    }
    let ordinary = Tensor::cat(&ordinary, 0)?;
    let mut order: Vec<u32> = (0..ordinary.dim(0)? as u32).collect();
    order.shuffle(&mut random);
    order.truncate(ORDINARY);
    let order = Tensor::new(order, device)?;
    Ok(Sample {
        ordinary: ordinary.index_select(&order, 0)?,
        input_mean: match means.is_empty() {
            true => None,
            false => {
                let sum = Tensor::stack(&means, 0)?.sum(0)?;
                Some(sum.affine(1.0 / photos.len() as f64, 0.0)?)
            }
        },
    })
}

/// The mean of [e_r; e_g] over a few photos' regions, times their number; for the full network.
fn input_mean(network: &Biam, photos: &RegionFeatures, count: usize) -> Result<Option<Tensor>> {
    if network.variant() != Variant::Biam {
        return Ok(None);
    }
    let trace = network.trace(photos, &EncodeOptions::default())?;
    let (Some(region), Some(scene)) = (trace.region_contextualised, trace.scene_contextualised)
    else {
        return Ok(None);
    };
    let both = Tensor::cat(&[region, scene], 2)?.mean((0, 1))?;
    both.affine(count as f64, 0.0).map(Some)
}

/// Writes a head as `path`, with what the importer of bundles wants to know of it.
///
/// # Errors
/// A file that cannot be written.
pub fn write_head(
    path: &Path,
    head: &BTreeMap<String, Tensor>,
    (preset, config, variant): (Preset, &ModelConfig, Variant),
    words: &[(&str, String)],
) -> std::result::Result<(), TrainError> {
    let entry = ModelEntry::new(preset, config).map_err(candle_core::Error::wrap)?;
    let settings = toml::to_string(&entry.overrides).map_err(candle_core::Error::wrap)?;
    let preset = match preset {
        Preset::Paper => "paper",
        Preset::Authors => "authors",
    };
    let own = [
        ("preset", preset.to_owned()),
        ("settings", settings),
        ("heads", config.heads.to_string()),
        ("top_k", config.top_k.to_string()),
        ("variant", variant.to_string()),
    ];
    let metadata = own
        .iter()
        .chain(words)
        .map(|(name, text)| ((*name).to_owned(), text.clone()))
        .collect();
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
    let bytes = safetensors::serialize(tensors, None).map_err(candle_core::Error::wrap)?;
    let bytes = with_metadata(&bytes, metadata)?;
    Ok(write_atomically(path, |writer| writer.write_all(&bytes))?)
}

/// A safetensors file with `metadata` in its header, in the order of the names: the crate would
/// write it in another order each time.
fn with_metadata(file: &[u8], metadata: BTreeMap<String, String>) -> Result<Vec<u8>> {
    let (length, rest) = file
        .split_first_chunk()
        .ok_or_else(|| candle_core::Error::msg("a safetensors file without a header"))?;
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(candle_core::Error::wrap)?;
    let metadata = serde_json::to_value(metadata).map_err(candle_core::Error::wrap)?;
    header.insert("__metadata__".to_owned(), metadata);
    let mut header = serde_json::to_vec(&header).map_err(candle_core::Error::wrap)?;
    // The numbers behind it lie aligned.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], data].concat())
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
