//! Other programs' files of weights: read within bounds, executing nothing.
//!
//! [`StateDict`] lists the tensors of a PyTorch checkpoint, in the format of today (`torch_zip`) or
//! of PyTorch 0.4 to 1.5 (`torch_old`), and decodes one when it is asked for. [`names`] maps the
//! names that the paper's authors gave their tensors onto this program's, [`vgg19`] those of the
//! backbone that they used. [`numpy`] reads pickled arrays. All of them stand on [`pickle`], which
//! turns Python's pickles into plain values.

mod containers;
mod everything;
mod globals;
pub mod names;
pub mod numpy;
pub mod pickle;
mod pickle_arena;
mod pickle_reader;
mod source;
mod state_dict;
mod storage;
mod tensors;
mod torch_old;
mod torch_zip;
pub mod vgg19;
mod wrappings;

#[cfg(test)]
mod pickle_tests;
#[cfg(test)]
mod state_dict_tests;
#[cfg(test)]
mod wrapped_tests;

pub use everything::read_as_everything;
pub use globals::Name;
pub use state_dict::StateDict;
pub use storage::StorageType;

use std::path::{Path, PathBuf};

use crate::files::{FileError, one_line, read_error, shown};
use source::Problem;

/// Numbers and their shape, in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainTensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// Why a file of weights cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {}", shown(.path), one_line(.reason))]
    Content { path: PathBuf, reason: String },
}

impl CheckpointError {
    fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    fn of(path: &Path, problem: Problem) -> Self {
        match problem {
            Problem::Io(error) => Self::File(read_error(path, error)),
            Problem::Content(reason) => Self::content(path, reason),
        }
    }
}
