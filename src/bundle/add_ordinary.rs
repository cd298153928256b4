//! Ordinary regions of a bundle's networks from the user's own photos.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::index;
use safetensors::SafeTensors;

use super::load::{Bundle, MANIFEST, TrainedVariant, read_manifest, sha256};
use super::manifest::{Manifest, VariantEntry};
use super::safetensors_file::safetensors_bytes;
use super::{BundleError, ImportStep};
use crate::files::{first_line, one_line, read_bounded, shown, write_atomically};
use crate::image_io::{PhotoFact, PhotoLimits, open_photo};
use crate::model::VariantId;
use crate::model::ordinary_regions::{PHOTOS, Sample, Sampler, TENSOR};

/// Tensor of the mean of [e_r; e_g].
const INPUT_MEAN: &str = "fuse.input_mean";
/// Largest head that is read.
const HEAD_LIMIT: u64 = 2 << 30;
/// Seed of the choice of photos and regions.
const SEED: u64 = 0;

/// Ordinary regions of all of a bundle's networks.
#[derive(Debug)]
pub struct Gathered {
    /// What the manifest says of the networks now.
    pub variants: Vec<VariantEntry>,
    /// New bytes of the networks' files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Photos that were looked at.
    pub photos: usize,
    /// Regions of each network.
    pub regions: usize,
    /// Photos that could not be read, each with the reason.
    pub unreadable: Vec<String>,
    /// What is to be told of the others' pixels, with the photo's name.
    pub cautions: Vec<String>,
}

/// Computes ordinary regions of a bundle's networks and writes them into its folder: new files of
/// weights first, then the manifest that names them. The bundle is whole at every moment.
///
/// # Errors
/// A bundle that cannot be read or written, photos of which too few can be read.
pub fn add_ordinary_regions(
    folder: &Path,
    photos: &[PathBuf],
    device: &Device,
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Gathered, BundleError> {
    let mut manifest = read_manifest(folder)?;
    let bundle = Bundle::open(folder, device)?;
    let read = |name: &str| Ok(read_bounded(&folder.join(name), HEAD_LIMIT)?);
    let mut gathered = gather(&bundle, &manifest, &read, photos, step)?;
    step(ImportStep::Doing("writing"));
    let old: BTreeSet<String> = gathered.files.keys().cloned().collect();
    let mut renamed = BTreeMap::new();
    for (name, bytes) in std::mem::take(&mut gathered.files) {
        let new = free_name(folder, &name);
        write_atomically(&folder.join(&new), |writer| writer.write_all(&bytes))?;
        manifest.sha256.remove(&name);
        manifest.sha256.insert(new.clone(), sha256(&bytes));
        for entry in &mut gathered.variants {
            if entry.file == name {
                entry.file.clone_from(&new);
            }
        }
        renamed.insert(new, bytes);
    }
    gathered.files = renamed;
    manifest.variants.clone_from(&gathered.variants);
    let path = folder.join(MANIFEST);
    let text = toml::to_string(&manifest).map_err(|error| BundleError::Manifest {
        path: path.clone(),
        reason: one_line(&error),
    })?;
    write_atomically(&path, |writer| writer.write_all(text.as_bytes()))?;
    for name in old {
        // The manifest no longer names them; a file that stays does no harm.
        let _ = fs::remove_file(folder.join(name));
    }
    Ok(gathered)
}

/// A name for a new version of a file that is not there yet.
fn free_name(folder: &Path, name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name);
    let names = std::iter::once(format!("{stem}.safetensors"))
        .chain((2_u32..).map(|number| format!("{stem}.{number}.safetensors")));
    let mut names = names.filter(|name| !folder.join(name).exists());
    names.next().unwrap_or_else(|| name.to_owned())
}

/// Looks at photos and gives the networks' files with what was found. `read` gives the files as they
/// are now.
///
/// # Errors
/// Fewer than two photos that can be read, files that are no safetensors, a device that fails.
pub(super) fn gather(
    bundle: &Bundle,
    manifest: &Manifest,
    read: &dyn Fn(&str) -> Result<Vec<u8>, BundleError>,
    photos: &[PathBuf],
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Gathered, BundleError> {
    let networks: Vec<&TrainedVariant> = bundle
        .variants
        .iter()
        .filter(|trained| !trained.id.is_view())
        .collect();
    let mut random = StdRng::seed_from_u64(SEED);
    let chosen = index::sample(&mut random, photos.len(), PHOTOS.min(photos.len()));
    let chosen: Vec<&PathBuf> = chosen
        .iter()
        .filter_map(|place| photos.get(place))
        .collect();
    let regions = bundle.grid[0] * bundle.grid[1];
    let mut samplers: Vec<Sampler<'_>> = networks
        .iter()
        .map(|trained| Sampler::new(&*trained.network, chosen.len(), regions, random.clone()))
        .collect();
    let (unreadable, cautions) = look_at(bundle, &chosen, &mut samplers, step)?;
    let looked_at = chosen.len() - unreadable.len();
    if looked_at < 2 {
        return Err(BundleError::FewPhotos(looked_at));
    }
    let samples = samplers
        .into_iter()
        .zip(&networks)
        .map(|(sampler, trained)| Ok((trained.id, sampler.finish()?)));
    let samples: Vec<(VariantId, Sample)> = samples
        .collect::<candle_core::Result<_>>()
        .map_err(failed)?;
    let regions = samples.first().map_or(Ok(0), |(_, s)| s.ordinary.dim(0));
    let (variants, files) = written(manifest, read, &samples)?;
    Ok(Gathered {
        variants,
        files,
        photos: looked_at,
        regions: regions.map_err(failed)?,
        unreadable,
        cautions,
    })
}

fn failed(error: candle_core::Error) -> BundleError {
    BundleError::Ordinary(first_line(&error))
}

/// Gives the photos' features to all samplers; returns what is wrong with those that cannot be read,
/// and what is to be told of the others.
fn look_at(
    bundle: &Bundle,
    photos: &[&PathBuf],
    samplers: &mut [Sampler<'_>],
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<(Vec<String>, Vec<String>), BundleError> {
    let (mut unreadable, mut cautions) = (Vec::new(), Vec::new());
    for (done, path) in photos.iter().enumerate() {
        let total = photos.len();
        step(ImportStep::Photos { done, total });
        let photo = match open_photo(path, PhotoLimits::default()) {
            Ok(photo) => photo,
            Err(error) => {
                unreadable.push(error.to_string());
                continue;
            }
        };
        let found = photo.facts.iter().filter_map(PhotoFact::caution);
        cautions.extend(found.map(|caution| format!("{}: {caution}", shown(path))));
        let features = bundle.features_of_photo(&photo.rgb).map_err(failed)?;
        for sampler in samplers.iter_mut() {
            sampler.add(features.of(sampler.takes())).map_err(failed)?;
        }
    }
    Ok((unreadable, cautions))
}

type Written = (Vec<VariantEntry>, BTreeMap<String, Vec<u8>>);

/// The manifest's networks, and their files, with samples.
fn written(
    manifest: &Manifest,
    read: &dyn Fn(&str) -> Result<Vec<u8>, BundleError>,
    samples: &[(VariantId, Sample)],
) -> Result<Written, BundleError> {
    let mut files = BTreeMap::new();
    let mut variants = manifest.variants.clone();
    for (variant, sample) in samples {
        let Some(entry) = variants.iter().find(|entry| entry.id == *variant) else {
            continue;
        };
        let file = entry.file.clone();
        let bytes = match files.remove(&file) {
            Some(bytes) => bytes,
            None => read(&file)?,
        };
        let mut added = vec![(TENSOR.to_owned(), &sample.ordinary)];
        if let Some(full) = &sample.full {
            added.push((INPUT_MEAN.to_owned(), &full.input_mean));
            // Where blocks were trained alone the bundle has no views.
            let views = full.views.iter();
            let views =
                views.filter(|(view, _)| variants.iter().any(|e| e.id.with_mean() == *view));
            added.extend(views.map(|(view, regions)| (tensor_of(*view), regions)));
        }
        let bytes = with_tensors(&bytes, &added).map_err(|error| BundleError::Weights {
            path: PathBuf::from(&file),
            reason: first_line(&error),
        })?;
        files.insert(file.clone(), bytes);
        for entry in variants.iter_mut().filter(|entry| entry.file == file) {
            // A view's silenced half is now its mean.
            entry.id = entry.id.with_mean();
            entry.ordinary_regions = Some(tensor_of(entry.id));
        }
    }
    Ok((variants, files))
}

/// The tensor with a network's ordinary regions.
fn tensor_of(variant: VariantId) -> String {
    match variant.is_view() {
        true => format!("{TENSOR}.{variant}"),
        false => TENSOR.to_owned(),
    }
}

/// A safetensors file with tensors added, or in the place of those of their names.
fn with_tensors(file: &[u8], added: &[(String, &Tensor)]) -> candle_core::Result<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(file).map_err(candle_core::Error::wrap)?;
    let words = header.metadata().clone().unwrap_or_default();
    let mut tensors: BTreeMap<String, Tensor> =
        candle_core::safetensors::load_buffer(file, &Device::Cpu)?
            .into_iter()
            .collect();
    for (name, tensor) in added {
        let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        tensors.insert(name.clone(), tensor);
    }
    safetensors_bytes(&tensors, words.into_iter().collect())
}
