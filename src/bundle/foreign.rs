//! The paper's own model from its authors' files: a checkpoint of theirs, VGG-19, word vectors and
//! label lists become a bundle.
//!
//! Heads and labels keep the checkpoint's single precision, so that the maps are those of the
//! authors' code. Of the network there is only the full one; RCB alone and SCB alone are views of it
//! with the other block silenced.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::add_ordinary::{Gathered, gather};
use super::backbone::vgg19_entry;
use super::encoder_parts::{WORD_VECTORS, word_vectors_entry};
use super::import::{BACKBONE, CARD, Files, LABEL_VECTORS, LABELS, exists_already, read};
use super::label_space::{LabelFiles, LabelSpace, Vectors};
use super::load::{Bundle, MANIFEST, Place, sha256};
use super::manifest::{FORMAT, LabelEncoderEntry, LabelsEntry, Manifest, VariantEntry};
use super::safetensors_file::safetensors_bytes;
use super::unfinished::UnfinishedFolder;
use super::{BundleError, ImportStep};
use crate::backbone::vgg19;
use crate::checkpoint::names::{Applied, Mapping};
use crate::checkpoint::vgg19::vgg19_of_any_width;
use crate::checkpoint::{CheckpointError, StateDict};
use crate::files::{one_line, write_atomically};
use crate::image_io::Framing;
use crate::model::silenced::view;
use crate::model::{Block, Filler, ModelConfig, Preset, PresetConfig, VariantId};
use crate::semantics::labels::write_labels;
use crate::semantics::word_vectors::{copy_word_vectors, write_word_vectors};
use crate::semantics::{SemanticsError, WordEncoder, WordVectors};

const HEAD: &str = "biam.safetensors";

/// Where the parts of a foreign model lie.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The authors' state dictionary.
    pub checkpoint: PathBuf,
    /// VGG-19 as torchvision or timm publish it.
    pub vgg19: PathBuf,
    /// GloVe's or word2vec's file, or one that was converted before. Without it the words of the
    /// label vectors are all there are.
    pub word_vectors: Option<PathBuf>,
    pub labels: LabelFiles,
    /// Attention heads, which no tensor tells; the authors have 8.
    pub heads: Option<usize>,
    /// k, which no tensor tells; the authors have 6.
    pub top_k: Option<usize>,
    /// How photos are brought to VGG-19's square; the authors squash them.
    pub resize: Framing,
    /// Photos to take ordinary regions from.
    pub ordinary: Vec<PathBuf>,
    /// The bundle's name.
    pub name: String,
    /// Text for the bundle's card.
    pub notes: Option<PathBuf>,
    /// Where the weights come from, by topic.
    pub provenance: BTreeMap<String, String>,
    /// The folder to make.
    pub out: PathBuf,
}

/// What became of a foreign model.
#[derive(Debug)]
pub struct Imported {
    pub manifest: Manifest,
    /// Every tensor of the network with the checkpoint's name for it.
    pub applied: Vec<Applied>,
    /// Tensors that the checkpoint has besides.
    pub unused: Vec<String>,
    /// What lies beside the checkpoint's tensors, each with what it is.
    pub beside: Vec<String>,
    pub config: ModelConfig,
    pub seen: usize,
    pub unseen: usize,
    /// Labels of the lists that have no vector, each with the reason.
    pub left_out: Vec<String>,
    pub words: usize,
    /// What of the file of word vectors has no row, one line for each kind.
    pub words_left_out: Vec<String>,
    pub ordinary: Option<Gathered>,
}

/// Makes the bundle, looking at photos on `device`. Nothing is left behind when it fails.
///
/// # Errors
/// An `out` that exists; a part that is missing, unreadable or of another model; labels of which none
/// has a vector.
pub fn import_foreign(
    foreign: &Foreign,
    device: &Device,
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Imported, BundleError> {
    exists_already(&foreign.out)?;
    let mut files = Files::new();
    let weights = weights(foreign, &mut files, step)?;
    let dimension = weights.config.label_dimension;
    let space = LabelSpace::read(&foreign.labels)?;
    let published = space.published(dimension)?;
    let folder = UnfinishedFolder::beside(&foreign.out)?;
    let (words, words_left_out) =
        word_vectors(foreign, published.as_ref(), dimension, folder.path(), step)?;
    let encoder = WordEncoder::new(words, &Device::Cpu);
    step(ImportStep::Doing("encoding the labels"));
    let labels = match published {
        Some(published) => published,
        None => space.encoded(&encoder)?,
    };
    files.insert(LABELS.to_owned(), write_labels(&labels.labels).into_bytes());
    files.insert(LABEL_VECTORS.to_owned(), vectors_file(&labels)?);
    let card = card(foreign, &weights.mapping)?;
    files.insert(CARD.to_owned(), card.into_bytes());
    let entry = word_vectors_entry(encoder.vectors());
    let mut manifest = manifest(foreign, &weights, entry);
    manifest.sha256 = files
        .iter()
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect();
    let words_hash = encoder.vectors().sha256();
    manifest.sha256.insert(WORD_VECTORS.to_owned(), words_hash);
    step(ImportStep::Doing("trying the network"));
    let bundle = try_out(foreign, &manifest, &files, folder.path(), device)?;
    let ordinary = match foreign.ordinary.is_empty() {
        true => None,
        false => Some(with_ordinary(
            foreign,
            &bundle,
            &mut manifest,
            &mut files,
            step,
        )?),
    };
    step(ImportStep::Doing("writing"));
    write(folder, &files, &manifest, &foreign.out)?;
    let seen = labels.labels.iter().filter(|listed| listed.seen).count();
    Ok(Imported {
        manifest,
        applied: weights.mapping.applied,
        unused: weights.mapping.unused,
        beside: weights.mapping.beside,
        config: weights.config,
        seen,
        unseen: labels.labels.len() - seen,
        left_out: labels.left_out,
        words: encoder.vectors().len(),
        words_left_out,
        ordinary,
    })
}

/// What the files of weights are.
struct Weights {
    mapping: Mapping,
    config: ModelConfig,
    backbone: vgg19::Config,
}

/// Puts the network and its backbone into `files`.
fn weights(
    foreign: &Foreign,
    files: &mut Files,
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Weights, BundleError> {
    step(ImportStep::Doing("reading the checkpoint"));
    let mut checkpoint = StateDict::open(&foreign.checkpoint)?;
    let mapping = Mapping::new(&checkpoint)?;
    let config = config(foreign, &mapping)?;
    let head = head(&mapping, &mut checkpoint, &foreign.checkpoint)?;
    files.insert(HEAD.to_owned(), head);
    step(ImportStep::Doing("reading VGG-19"));
    let (backbone, bytes) = vgg19_of_any_width(&foreign.vgg19)?;
    files.insert(BACKBONE.to_owned(), bytes);
    Ok(Weights {
        mapping,
        config,
        backbone,
    })
}

/// Puts ordinary regions into `files` and the manifest.
fn with_ordinary(
    foreign: &Foreign,
    bundle: &Bundle,
    manifest: &mut Manifest,
    files: &mut Files,
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Gathered, BundleError> {
    let read = |name: &str| Ok(files.get(name).cloned().unwrap_or_default());
    let gathered = gather(bundle, manifest, &read, &foreign.ordinary, step)?;
    manifest.variants.clone_from(&gathered.variants);
    for (name, bytes) in &gathered.files {
        manifest.sha256.insert(name.clone(), sha256(bytes));
        files.insert(name.clone(), bytes.clone());
    }
    Ok(gathered)
}

/// The checkpoint's configuration with what no tensor tells.
fn config(foreign: &Foreign, mapping: &Mapping) -> Result<ModelConfig, BundleError> {
    let config = ModelConfig {
        heads: foreign.heads.unwrap_or(mapping.config.heads),
        top_k: foreign.top_k.unwrap_or(mapping.config.top_k),
        ..mapping.config.clone()
    };
    let path = foreign.checkpoint.clone();
    match config.check() {
        Ok(()) => Ok(config),
        Err(error) => Err(BundleError::Config { path, error }),
    }
}

/// The network's tensors under this program's names, as precise as they are.
fn head(
    mapping: &Mapping,
    checkpoint: &mut StateDict,
    path: &Path,
) -> Result<Vec<u8>, BundleError> {
    let mut tensors = BTreeMap::new();
    for applied in &mapping.applied {
        let tensor = mapping.tensor(applied, checkpoint)?;
        let tensor = Tensor::from_vec(tensor.data, tensor.shape, &Device::Cpu)
            .map_err(|error| refuse(path, &error))?;
        tensors.insert(applied.own.clone(), tensor);
    }
    safetensors_bytes(&tensors, BTreeMap::new()).map_err(|error| refuse(path, &error))
}

fn vectors_file(labels: &Vectors) -> Result<Vec<u8>, BundleError> {
    let tensors = BTreeMap::from([("vectors".to_owned(), labels.vectors.clone())]);
    let bytes = safetensors_bytes(&tensors, BTreeMap::new());
    Ok(bytes.map_err(SemanticsError::from)?)
}

/// The words in this program's own file, in `folder`, and what of the published file is not in it.
fn word_vectors(
    foreign: &Foreign,
    published: Option<&Vectors>,
    dimension: usize,
    folder: &Path,
    step: &mut dyn FnMut(ImportStep<'_>),
) -> Result<(WordVectors, Vec<String>), BundleError> {
    let mut left_out = Vec::new();
    let target = folder.join(WORD_VECTORS);
    match (&foreign.word_vectors, published) {
        (Some(path), _) => {
            step(ImportStep::Doing("reading the word vectors"));
            let copied = copy_word_vectors(path, &target, |progress| {
                step(ImportStep::Words(progress));
                std::ops::ControlFlow::Continue(())
            });
            left_out = copied.map_err(SemanticsError::from)?.summary();
        }
        (None, Some(published)) => write_labels_as_words(published, &target)?,
        (None, None) => return Err(BundleError::NoWords),
    }
    let words = WordVectors::open(&target).map_err(SemanticsError::from)?;
    let (found, wanted) = (words.dimension(), dimension);
    match &foreign.word_vectors {
        Some(path) if found != wanted => Err(BundleError::Weights {
            path: path.clone(),
            reason: format!(
                "vectors of {found} numbers, the network takes {wanted}; choose word vectors that \
                 belong to the checkpoint"
            ),
        }),
        _ => Ok((words, left_out)),
    }
}

/// The labels of one word are the words.
fn write_labels_as_words(labels: &Vectors, target: &Path) -> Result<(), BundleError> {
    let rows = labels.vectors.to_vec2::<f32>();
    let rows = rows.map_err(SemanticsError::from)?;
    let words: Vec<String> = labels
        .labels
        .iter()
        .map(|listed| listed.label.to_lowercase())
        .collect();
    let words = words
        .iter()
        .zip(&rows)
        .filter(|(word, _)| !word.contains(' '));
    let words = words.map(|(word, row)| (word.as_str(), row.as_slice()));
    let dimension = rows.first().map_or(0, Vec::len);
    write_word_vectors(target, dimension, words).map_err(SemanticsError::from)?;
    Ok(())
}

fn manifest(foreign: &Foreign, weights: &Weights, label_encoder: LabelEncoderEntry) -> Manifest {
    let views = [Block::Scb, Block::Rcb].map(|block| view(block, Filler::Zero));
    let settings = PresetConfig::of(Preset::Authors, weights.config.clone()).table();
    let networks = views.into_iter().chain([VariantId::BIAM]);
    Manifest {
        format: FORMAT,
        name: foreign.name.clone(),
        backbone: vgg19_entry(&weights.backbone, BACKBONE, foreign.resize),
        projection: None,
        label_encoder,
        labels: LabelsEntry {
            file: LABELS.to_owned(),
            vectors: LABEL_VECTORS.to_owned(),
            teacher: None,
            features: None,
        },
        variants: networks
            .map(|id| VariantEntry::new(id, HEAD, settings.clone()))
            .collect(),
        sha256: BTreeMap::new(),
        provenance: foreign.provenance.clone(),
    }
}

/// Builds the bundle from memory, so that none is written that cannot be opened.
fn try_out(
    foreign: &Foreign,
    manifest: &Manifest,
    files: &Files,
    mapped: &Path,
    device: &Device,
) -> Result<Bundle, BundleError> {
    let place = Place {
        named: &foreign.out,
        mapped,
        read: Box::new(|name| Ok(files.get(name).cloned().unwrap_or_default())),
    };
    match Bundle::build(&place, manifest, device) {
        // There is no such file yet that could be looked at.
        Err(BundleError::Manifest { reason, .. }) => Err(refuse(
            &foreign.checkpoint,
            &format!("{reason}; choose parts that belong together"),
        )),
        built => built,
    }
}

fn write(
    folder: UnfinishedFolder,
    files: &Files,
    manifest: &Manifest,
    out: &Path,
) -> Result<(), BundleError> {
    let text = toml::to_string(manifest).map_err(|error| BundleError::Manifest {
        path: out.join(MANIFEST),
        reason: one_line(&error),
    })?;
    let files = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in files.chain([(MANIFEST, text.as_bytes())]) {
        write_atomically(&folder.path().join(name), |writer| writer.write_all(bytes))?;
    }
    Ok(folder.finish()?)
}

/// The bundle's card: the notes that were given, then which tensor became which.
fn card(foreign: &Foreign, mapping: &Mapping) -> Result<String, BundleError> {
    let mut card = match &foreign.notes {
        Some(path) => String::from_utf8_lossy(&read(path)?).trim_end().to_owned(),
        None => format!("# {}", foreign.name),
    };
    card.push_str(
        "\n\nImported from a checkpoint of the paper's authors. RCB alone and SCB alone are views of \
         the full network with the other block silenced, not networks that were trained so.\n\n\
         ## Tensors\n\n| here | in the checkpoint | shape |\n|---|---|---|\n",
    );
    for applied in &mapping.applied {
        // Writing to a string cannot fail.
        let _ = writeln!(
            card,
            "| {} | {} | {:?} |",
            applied.own, applied.foreign, applied.shape
        );
    }
    Ok(card)
}

fn refuse(path: &Path, reason: &impl ToString) -> BundleError {
    BundleError::Checkpoint(CheckpointError::Content {
        path: path.to_owned(),
        reason: crate::files::first_line(reason),
    })
}
