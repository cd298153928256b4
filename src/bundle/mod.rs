//! A model folder on disk: manifest, weights, label lists; and the import that makes one.

pub mod add_ordinary;
mod backbone;
mod encoder_parts;
mod encoders;
mod error;
mod features;
mod find;
mod fits;
pub mod foreign;
pub mod import;
pub mod label_space;
mod load;
pub mod manifest;
mod networks;
pub mod safetensors_file;
mod unfinished;

pub use backbone::BackbonePlan;
pub use encoder_parts::WORD_VECTORS;
pub use error::BundleError;
pub use features::PhotoFeatures;
pub use find::{VARIABLE, find_bundle};
pub use load::{Bundle, HeadSizes, MANIFEST, TrainedVariant, read_manifest};

use crate::semantics::word_vectors::ConversionProgress;

/// How far the making of a bundle is.
#[derive(Clone, Copy, Debug)]
pub enum ImportStep<'a> {
    /// What begins now, in words.
    Doing(&'a str),
    /// Word vectors are being read.
    Words(ConversionProgress),
    /// Photos are being looked at for ordinary regions.
    Photos { done: usize, total: usize },
}
