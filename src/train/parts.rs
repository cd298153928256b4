//! The folder in which a training leaves its parts, and the bundle that they become.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::TrainError;
use super::head::write_tensors;
use super::label_features::MadeFeatures;
use crate::bundle::import::{BundleSources, LABEL_FEATURES, assemble};
use crate::bundle::manifest::Manifest;
use crate::bundle::{MANIFEST, WORD_VECTORS, read_manifest};
use crate::dataset::{Dataset, Split};
use crate::files::{FileError, read_bounded, write_atomically};
use crate::model::VariantId;
use crate::semantics::labels::{ListedLabel, write_labels, write_teacher};
use crate::semantics::{TeacherClass, label_key};

/// Largest part of a bundle that is copied, in bytes.
pub(super) const LIMIT: u64 = 2 << 30;
const LOG: &str = "log.jsonl";

/// Checkpoints, heads and log of a training that makes the bundle `out`; `out.training` beside it.
#[derive(Clone, Debug)]
pub struct Workplace {
    pub folder: PathBuf,
    out: PathBuf,
}

impl Workplace {
    /// Makes the folder, or takes up the one that is there where `resume` says so.
    ///
    /// # Errors
    /// A bundle that is there already, an unfinished training that is not to be gone on with, a
    /// folder that cannot be made.
    pub fn open(out: &Path, resume: bool) -> Result<Self, TrainError> {
        let mut name = out.as_os_str().to_owned();
        name.push(".training");
        let folder = PathBuf::from(name);
        if out.exists() {
            return Err(TrainError::Exists(out.to_owned()));
        }
        if !resume && is_unfinished(&folder) {
            return Err(TrainError::Unfinished(folder));
        }
        fs::create_dir_all(&folder).map_err(|source| FileError::Write {
            path: folder.clone(),
            source,
        })?;
        let out = out.to_owned();
        Ok(Self { folder, out })
    }

    /// The log of all runs.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Where a trained head goes.
    pub fn head(&self, variant: VariantId) -> PathBuf {
        self.folder.join(format!("{variant}.safetensors"))
    }

    /// Puts label features beside the parts of the bundle to come, with the hash of the encoder in
    /// `base` that they are of.
    ///
    /// # Errors
    /// A bundle that cannot be read, a file that cannot be written.
    pub fn write_label_features(&self, base: &Path, made: &MadeFeatures) -> Result<(), TrainError> {
        let manifest = read_manifest(base)?;
        let encoder = manifest.sha256.get(&manifest.label_encoder.file);
        let words = encoder.map(|hash| ("encoder".to_owned(), hash.clone()));
        let path = self.folder.join(LABEL_FEATURES);
        write_tensors(&path, &made.tensors, words.into_iter().collect())
    }

    /// Puts what the trained heads stand on beside them, from the bundle in `base`, with the lists
    /// of this training and `notes` for the card, and assembles the bundle.
    ///
    /// # Errors
    /// Files that cannot be read or written, parts that do not fit. The heads stay.
    pub fn assemble(
        &self,
        base: &Path,
        lists: &Lists<'_>,
        notes: &str,
        provenance: BTreeMap<String, String>,
        doing: impl FnMut(&str),
    ) -> Result<Manifest, TrainError> {
        let manifest = read_manifest(base)?;
        let copy = |from: &str, to: &str| {
            let bytes = read_bounded(&base.join(from), LIMIT)?;
            self.write(to, &bytes)
        };
        copy(&manifest.backbone.file, "backbone.safetensors")?;
        if let Some(projection) = &manifest.projection {
            copy(&projection.file, "projection.safetensors")?;
        }
        let encoder = &manifest.label_encoder;
        match &encoder.tokenizer {
            Some(tokenizer) => {
                copy(&encoder.file, "text_encoder.safetensors")?;
                copy(tokenizer, "tokenizer.json")?;
            }
            None => copy(&encoder.file, WORD_VECTORS)?,
        }
        self.write("labels.tsv", write_labels(&lists.labels()).as_bytes())?;
        if !lists.classes.is_empty() {
            self.write("teacher.tsv", write_teacher(lists.classes).as_bytes())?;
        }
        self.write("notes.md", notes.as_bytes())?;
        let name = self.out.file_name().unwrap_or_default().to_string_lossy();
        let parts = BundleSources {
            heads: self.folder.clone(),
            text_encoder: self.folder.clone(),
            name: name.into_owned(),
            notes: Some(self.folder.join("notes.md")),
            provenance,
            out: self.out.clone(),
        };
        Ok(assemble(&parts, doing)?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let path = self.folder.join(name);
        Ok(write_atomically(&path, |writer| writer.write_all(bytes))?)
    }

    /// Removes everything but the log once the bundle is there; what cannot be removed stays.
    pub fn clear(self) {
        if !self.out.join(MANIFEST).is_file() {
            return;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name() != LOG {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether a folder has more of a training than its log.
fn is_unfinished(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name() != LOG)
}

/// The lists of a new bundle.
pub struct Lists<'a> {
    pub dataset: &'a Dataset,
    pub split: &'a Split,
    pub classes: &'a [TeacherClass],
}

impl Lists<'_> {
    /// The data set's labels in alphabetical order. Of labels that share a name one is listed,
    /// unseen where one of them is.
    fn labels(&self) -> Vec<ListedLabel> {
        let mut labels: BTreeMap<String, ListedLabel> = BTreeMap::new();
        for (place, label) in (0_u32..).zip(&self.dataset.labels) {
            let seen = self.split.seen().binary_search(&place).is_ok();
            labels
                .entry(label_key(label))
                .and_modify(|listed| listed.seen &= seen)
                .or_insert_with(|| ListedLabel {
                    label: label.clone(),
                    seen,
                });
        }
        labels.into_values().collect()
    }
}
