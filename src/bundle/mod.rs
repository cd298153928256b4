//! A model folder on disk: manifest, weights, label lists; and the import that makes one.

mod backbone;
mod encoder_parts;
mod encoders;
mod error;
mod features;
mod find;
pub mod import;
mod load;
pub mod manifest;
mod networks;
pub mod ordinary;
pub mod safetensors_file;

pub use backbone::BackbonePlan;
pub use encoder_parts::WORD_VECTORS;
pub use error::BundleError;
pub use features::PhotoFeatures;
pub use find::{VARIABLE, find_bundle};
pub use load::{Bundle, MANIFEST, TrainedVariant, read_manifest};
