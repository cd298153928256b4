//! Makes a bundle's folder from parts: backbone, projection, trained heads, label encoder, lists.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::BundleError;
use super::backbone::vgg19_entry;
use super::encoder_parts::take_encoder;
use super::load::{Bundle, MANIFEST, Place, sha256};
use super::manifest::{
    BackboneEntry, BackboneKind, FORMAT, FeaturesEntry, LabelEncoderEntry, LabelsEntry, Manifest,
    ProjectionEntry, VariantEntry,
};
use super::unfinished::UnfinishedFolder;
use crate::backbone::vgg19;
use crate::files::{FileError, read_bounded, write_atomically};
use crate::image_io::Framing;
use crate::model::ordinary_regions::TENSOR;
use crate::model::registry::{self, HeadFacts};
use crate::model::variant_id::BadVariantId;
use crate::semantics::{LabelEncoder, LabelLists, Source};

/// Largest part that is read.
const PART_LIMIT: u64 = 2 << 30;
/// Side of the default backbone's input, which makes a grid of [`GRID`].
const INPUT_SIZE: usize = 448;
/// Rows and columns of regions at [`INPUT_SIZE`].
const GRID: [usize; 2] = [14, 14];
pub(super) const BACKBONE: &str = "backbone.safetensors";
const PROJECTION: &str = "projection.safetensors";
pub(super) const LABELS: &str = "labels.tsv";
const TEACHER: &str = "teacher.tsv";
pub(super) const LABEL_VECTORS: &str = "label_vectors.safetensors";
/// What makes label features; its metadata has the SHA-256 of its encoder as `encoder`.
pub const LABEL_FEATURES: &str = "label_features.safetensors";
pub(super) const CARD: &str = "CARD.md";

/// Where the parts of a bundle lie.
#[derive(Clone, Debug)]
pub struct BundleSources {
    /// A folder with `backbone.safetensors`, `projection.safetensors` (optional), one or more of
    /// `standard|rcb|scb|biam|ridge.safetensors` (any architecture), `labels.tsv`, `teacher.tsv` (optional).
    pub heads: PathBuf,
    /// A folder with all-MiniLM-L6-v2 as `model.safetensors` and `tokenizer.json`, or a bundle, whose
    /// encoder is taken.
    pub text_encoder: PathBuf,
    /// The bundle's name.
    pub name: String,
    /// Text for the bundle's card: data, licences, what the model is bad at.
    pub notes: Option<PathBuf>,
    /// Where the weights come from, by topic: data, commit, metrics.
    pub provenance: BTreeMap<String, String>,
    /// The folder to make.
    pub out: PathBuf,
}

/// Assembles a bundle. Nothing is left behind when it fails.
///
/// # Errors
/// A missing or unreadable part, an `out` that exists, heads that disagree with each other.
pub fn assemble(
    parts: &BundleSources,
    mut doing: impl FnMut(&str),
) -> Result<Manifest, BundleError> {
    exists_already(&parts.out)?;
    let mut files = BTreeMap::new();
    doing("reading the heads");
    for name in [BACKBONE, LABELS] {
        files.insert(name.to_owned(), read(&parts.heads.join(name))?);
    }
    for name in [PROJECTION, TEACHER, LABEL_FEATURES] {
        if parts.heads.join(name).exists() {
            files.insert(name.to_owned(), read(&parts.heads.join(name))?);
        }
    }
    let variants = read_variants(&parts.heads, &mut files)?;
    doing("converting the label encoder");
    let (entry, encoder) = take_encoder(&parts.text_encoder, &mut files)?;
    doing("encoding the labels");
    let backbone = backbone_entry(parts, &files)?;
    let vectors = label_vectors(parts, &files, &*encoder)?;
    files.insert(LABEL_VECTORS.to_owned(), vectors);
    let mut manifest = manifest(parts, &files, backbone, entry, variants);
    manifest.labels.features = features_entry(parts, &files)?;
    manifest.sha256 = hashes(&files);
    doing("trying the networks");
    try_out(parts, &files, &manifest)?;
    let card = card(parts, &files)?;
    files.insert(CARD.to_owned(), card.into_bytes());
    manifest.sha256 = hashes(&files);
    doing("writing");
    write_folder(&parts.out, &files, &manifest)?;
    Ok(manifest)
}

/// Refuses to make a folder that is there.
pub(super) fn exists_already(out: &Path) -> Result<(), BundleError> {
    match out.exists() {
        false => Ok(()),
        true => Err(BundleError::Weights {
            path: out.to_owned(),
            reason: "exists already; remove it or name another folder with --out".to_owned(),
        }),
    }
}

/// A part as bytes.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, BundleError> {
    Ok(read_bounded(path, PART_LIMIT)?)
}

/// Files of a bundle that is being made, by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

fn hashes(files: &Files) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect()
}

/// Builds the bundle in memory, so that no bundle is written that cannot be opened.
fn try_out(parts: &BundleSources, files: &Files, manifest: &Manifest) -> Result<(), BundleError> {
    let read = |name: &str| {
        files.get(name).cloned().ok_or_else(|| {
            let missing = parts.heads.join(name);
            BundleError::File(FileError::Missing(missing))
        })
    };
    let place = Place {
        named: &parts.heads,
        mapped: &parts.text_encoder,
        read: Box::new(read),
    };
    match Bundle::build(&place, manifest, &Device::Cpu) {
        Ok(_) => Ok(()),
        // There is no such file yet that could be looked at.
        Err(BundleError::Manifest { reason, .. }) => Err(BundleError::Weights {
            path: parts.heads.clone(),
            reason: format!("{reason}; choose parts that belong together"),
        }),
        Err(error) => Err(error),
    }
}

fn read_variants(heads: &Path, files: &mut Files) -> Result<Vec<VariantEntry>, BundleError> {
    let mut entries = Vec::new();
    for row in registry::rows().iter().filter(|row| !row.is_view) {
        let file = format!("{}.safetensors", row.id);
        let path = heads.join(&file);
        if !path.exists() {
            continue;
        }
        let bytes = read(&path)?;
        let refuse = |reason: String| BundleError::Weights {
            path: path.clone(),
            reason,
        };
        let header = header(&path, &bytes)?;
        let facts = HeadFacts {
            shapes: &header.shapes,
            words: &header.metadata,
        };
        let settings = (row.settings_of_head)(&facts).map_err(refuse)?;
        let id = row
            .id
            .parse()
            .map_err(|e: BadVariantId| refuse(e.to_string()))?;
        let has_ordinary = header.shapes.contains_key(TENSOR);
        entries.push(VariantEntry {
            ordinary_regions: has_ordinary.then(|| TENSOR.to_owned()),
            ..VariantEntry::new(id, &file, settings)
        });
        files.insert(file, bytes);
    }
    if entries.is_empty() {
        return Err(BundleError::Weights {
            path: heads.to_owned(),
            reason: format!(
                "has none of {}.safetensors; name the folder of the trained heads",
                registry::names(|row| !row.is_view)
            ),
        });
    }
    Ok(entries)
}

/// What makes label features, where there is such a part.
fn features_entry(
    parts: &BundleSources,
    files: &Files,
) -> Result<Option<FeaturesEntry>, BundleError> {
    let Some(bytes) = files.get(LABEL_FEATURES) else {
        return Ok(None);
    };
    let path = parts.heads.join(LABEL_FEATURES);
    let header = header(&path, bytes)?;
    let encoder = header.metadata.get("encoder").cloned();
    let encoder_sha256 = encoder.ok_or_else(|| BundleError::Weights {
        path,
        reason: "does not say which label encoder its anchors are of (no `encoder` among its \
                 words); choose another file"
            .to_owned(),
    })?;
    Ok(Some(FeaturesEntry {
        file: LABEL_FEATURES.to_owned(),
        encoder_sha256,
    }))
}

/// What the backbone's file says that it is.
fn backbone_entry(parts: &BundleSources, files: &Files) -> Result<BackboneEntry, BundleError> {
    let bytes = files.get(BACKBONE).map_or(&[][..], Vec::as_slice);
    let header = header(&parts.heads.join(BACKBONE), bytes)?;
    let shape = |name: &str| header.shapes.get(name).map(Vec::as_slice);
    Ok(match vgg19::Config::of_shapes(shape) {
        Some(config) => vgg19_entry(&config, BACKBONE, Framing::Squash),
        None => BackboneEntry {
            kind: BackboneKind::EfficientnetLite2,
            input_size: INPUT_SIZE,
            grid: GRID,
            file: BACKBONE.to_owned(),
            widths: None,
            hidden: None,
            resize: Framing::Squash,
        },
    })
}

/// The vectors of the bundle's labels as a safetensors file.
fn label_vectors(
    parts: &BundleSources,
    files: &Files,
    encoder: &dyn LabelEncoder,
) -> Result<Vec<u8>, BundleError> {
    let path = parts.out.join(LABELS);
    let bytes = files.get(LABELS).map_or(&[][..], Vec::as_slice);
    let lists = LabelLists::parse(Source { path: &path, bytes }, None)?;
    let labels: Vec<&str> = lists
        .labels()
        .iter()
        .map(|listed| listed.label.as_str())
        .collect();
    let vectors = encoder.encode_known(&labels)?;
    half_precision("vectors", &vectors).map_err(|error| BundleError::Weights {
        path,
        reason: error.to_string(),
    })
}

fn half_precision(name: &str, tensor: &Tensor) -> candle_core::Result<Vec<u8>> {
    let half = tensor.to_dtype(candle_core::DType::F16)?;
    let tensors = HashMap::from([(name, half)]);
    safetensors::serialize(tensors, None).map_err(candle_core::Error::wrap)
}

/// What a safetensors file says of itself.
struct Header {
    metadata: HashMap<String, String>,
    shapes: HashMap<String, Vec<usize>>,
}

fn header(path: &Path, bytes: &[u8]) -> Result<Header, BundleError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| BundleError::Weights {
            path: path.to_owned(),
            reason: format!("not a safetensors file ({error}); choose another"),
        })?;
    Ok(Header {
        shapes: metadata
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, info.shape.clone()))
            .collect(),
        metadata: metadata.metadata().clone().unwrap_or_default(),
    })
}

fn manifest(
    parts: &BundleSources,
    files: &Files,
    backbone: BackboneEntry,
    label_encoder: LabelEncoderEntry,
    variants: Vec<VariantEntry>,
) -> Manifest {
    let present = |name: &str| files.contains_key(name).then(|| name.to_owned());
    Manifest {
        format: FORMAT,
        name: parts.name.clone(),
        backbone,
        projection: present(PROJECTION).map(|file| ProjectionEntry { file }),
        label_encoder,
        labels: LabelsEntry {
            file: LABELS.to_owned(),
            vectors: LABEL_VECTORS.to_owned(),
            teacher: present(TEACHER),
            features: None,
        },
        variants,
        sha256: BTreeMap::new(),
        provenance: parts.provenance.clone(),
    }
}

/// The bundle's card: the notes that were given, then every file with what it says of itself.
fn card(parts: &BundleSources, files: &Files) -> Result<String, BundleError> {
    let mut card = match &parts.notes {
        Some(path) => String::from_utf8_lossy(&read(path)?).trim_end().to_owned(),
        None => format!("# {}", parts.name),
    };
    card.push_str("\n\n## Files\n\n| file | bytes | its own words |\n|---|---|---|\n");
    for (name, bytes) in files {
        let words = match name.ends_with(".safetensors") {
            true => metadata_words(&header(&parts.out.join(name), bytes)?),
            false => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(card, "| {name} | {} | {words} |", bytes.len());
    }
    Ok(card)
}

fn metadata_words(header: &Header) -> String {
    let sorted: BTreeMap<_, _> = header.metadata.iter().collect();
    let words: Vec<String> = sorted
        .iter()
        .map(|(key, value)| {
            let value: Vec<&str> = value.lines().collect();
            format!("{key}: {}", value.join(", ")).replace('|', "/")
        })
        .collect();
    crate::files::one_line(&words.join("; "))
}

/// Writes all files into a folder beside `out` and renames it, so that `out` is whole or absent.
fn write_folder(out: &Path, files: &Files, manifest: &Manifest) -> Result<(), BundleError> {
    let text = toml::to_string(manifest).map_err(|error| BundleError::Manifest {
        path: out.join(MANIFEST),
        reason: error.to_string(),
    })?;
    let folder = UnfinishedFolder::beside(out)?;
    files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .chain([(MANIFEST, text.as_bytes())])
        .try_for_each(|(name, bytes)| {
            write_atomically(&folder.path().join(name), |writer| writer.write_all(bytes))
        })?;
    Ok(folder.finish()?)
}
