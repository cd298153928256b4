//! The tensors of a PyTorch checkpoint: names and shapes first, numbers when they are asked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::source::{Problem, Source};
use super::storage::{StorageType, references};
use super::tensors::{Contents, StoredTensor, contents};
use super::{CheckpointError, PlainTensor, pickle, torch_old, torch_zip};
use crate::files::{ByteOrder, FileError, FloatFormat, open_regular};

/// Bytes read at a time, a multiple of every number's size.
const BLOCK: usize = 1 << 20;

/// A checkpoint: a state dictionary, bare or with other things beside it, in any format that
/// `torch.save` has had since PyTorch 0.4.
///
/// Names are without what PyTorch and training loops put around them (`module.`, `_orig_mod.`,
/// `model.` and the like).
#[derive(Debug)]
pub struct StateDict<R = File> {
    path: PathBuf,
    source: Source<R>,
    tensors: BTreeMap<String, StoredTensor>,
    beside: Vec<String>,
}

impl StateDict {
    /// Opens a checkpoint and reads everything but the numbers.
    ///
    /// # Errors
    /// A file that cannot be read, or is no checkpoint of plain tensors.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let (file, facts) = open_regular(path)?;
        if facts.len() == 0 {
            return Err(FileError::Empty(path.to_owned()).into());
        }
        Self::read(path, file)
    }
}

impl<R: Read + Seek> StateDict<R> {
    /// The same from any reader; `path` is for messages.
    ///
    /// # Errors
    /// As [`StateDict::open`].
    pub fn read(path: &Path, reader: R) -> Result<Self, CheckpointError> {
        let read = |reader| {
            let mut source = Source::new(reader)?;
            let contents = list(&mut source)?;
            Ok((source, contents))
        };
        let (source, contents) =
            read(reader).map_err(|problem| CheckpointError::of(path, problem))?;
        Ok(Self {
            path: path.to_owned(),
            source,
            tensors: contents.tensors,
            beside: contents.beside,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names and shapes of the tensors of real numbers, in the names' order.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.of_kind(true)
    }

    /// Names and shapes of the tensors of whole numbers: counters, which nothing here needs.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.of_kind(false)
    }

    /// What lies beside the tensors and was passed over, each with what it is: `epoch (a number)`.
    pub fn beside(&self) -> &[String] {
        &self.beside
    }

    /// One of [`StateDict::shapes`], in single precision and C order.
    ///
    /// # Errors
    /// A name that is not there or of a counter, a file that has changed since it was opened.
    pub fn tensor(&mut self, name: &str) -> Result<PlainTensor, CheckpointError> {
        let layout = self.tensors.get(name).ok_or_else(|| {
            CheckpointError::content(&self.path, format!("there is no tensor {name}"))
        })?;
        let StorageType::Float(format) = layout.kind else {
            let what = match layout.kind {
                StorageType::Other(_) => {
                    "complex, quantised or other numbers that are not read here"
                }
                _ => "whole numbers, not weights",
            };
            let reason = format!("tensor {name} has {what}");
            return Err(CheckpointError::content(&self.path, reason));
        };
        let data = numbers(&mut self.source, layout, format)
            .map_err(|problem| CheckpointError::of(&self.path, problem))?;
        Ok(PlainTensor {
            shape: layout.shape.clone(),
            data,
        })
    }

    fn of_kind(&self, real: bool) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors
            .iter()
            .filter(move |(_, layout)| matches!(layout.kind, StorageType::Float(_)) == real)
            .map(|(name, layout)| (name.as_str(), layout.shape.as_slice()))
    }
}

/// Where every tensor of the file is.
fn list<R: Read + Seek>(source: &mut Source<R>) -> Result<Contents, Problem> {
    let head = source.bytes(0, source.length().min(16))?;
    if torch_zip::is_zip(&head) {
        let archive = torch_zip::Archive::read(source)?;
        let bytes = archive.pickle(source)?;
        let (object, _) = pickle::read(&bytes)?;
        let starts = archive.starts(&references(&object)?)?;
        return Ok(contents(&object, &starts)?);
    }
    if torch_old::is_old(&head) {
        let bytes = torch_old::pickles(source)?;
        let (object, starts) = torch_old::read(source, &bytes)?;
        return Ok(contents(&object, &starts)?);
    }
    Err(
        "not a checkpoint of PyTorch 0.4 or later: save the state_dict() with torch.save"
            .to_owned()
            .into(),
    )
}

/// The numbers of a tensor in C order.
fn numbers<R: Read + Seek>(
    source: &mut Source<R>,
    layout: &StoredTensor,
    format: FloatFormat,
) -> Result<Vec<f32>, Problem> {
    // Tensors that use a number twice are refused, so this is no more than the file has.
    let elements = layout.elements();
    if elements == 0 {
        return Ok(Vec::new());
    }
    let length = layout.span * format.bytes() as u64;
    let mut stored = Vec::with_capacity(usize::try_from(layout.span).unwrap_or(0));
    source.blocks(layout.at, length, BLOCK, |block| {
        format.decode(block, ByteOrder::LowestFirst, &mut stored);
    })?;
    if layout.is_contiguous() {
        return Ok(stored);
    }
    let mut data = Vec::with_capacity(elements);
    gather(&stored, &layout.shape, &layout.strides, 0, &mut data);
    Ok(data)
}

/// Appends the numbers of a tensor that starts at `at` of `stored`.
fn gather(stored: &[f32], shape: &[usize], strides: &[usize], at: usize, data: &mut Vec<f32>) {
    match (shape, strides) {
        ([side, shape @ ..], [stride, strides @ ..]) => {
            for i in 0..*side {
                gather(stored, shape, strides, at + i * stride, data);
            }
        }
        _ => data.extend(stored.get(at)),
    }
}
