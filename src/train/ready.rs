//! Whether a run has all that it needs at its end, asked before it begins: what is missing then would
//! cost hours.

use std::fs;
use std::path::Path;

use super::error::TrainError;
use super::initial::initial_weights;
use super::parts::LIMIT;
use super::ridge::RidgeError;
use super::teacher::teacher_rows;
use crate::bundle::{Bundle, read_manifest};
use crate::files::{FileError, free_bytes, write_atomically};
use crate::model::{ModelConfig, Variant};
use crate::semantics::TeacherClass;

/// Bytes of a weight in all files of a run: three numbers in single precision (the weight and the
/// optimiser's two) in the last epoch's file and in the best's, and in half precision in the head, in
/// the folder of the parts and in the bundle.
const BYTES_OF_A_WEIGHT: u64 = 2 * 3 * 4 + 2 * 2;
/// Bytes for everything that is small: lists, cards, the log, the samples of ordinary regions.
const SMALL_FILES: u64 = 64 << 20;

/// What makes the ridge baseline and the distillation: teacher classes that training may use, and
/// their rows of the backbone's classifier.
///
/// # Errors
/// A bundle that lacks one of them, rows that the classifier does not have.
pub fn has_teacher(bundle: &Bundle, classes: &[TeacherClass]) -> Result<(), RidgeError> {
    let used: Vec<&TeacherClass> = classes.iter().filter(|class| class.used).collect();
    if used.is_empty() {
        return Err(RidgeError::NoTeacher);
    }
    let rows = bundle.classifier_rows().ok_or(RidgeError::NoClassifier)?;
    teacher_rows(&used, rows)?;
    Ok(())
}

/// Bytes that a training of these networks writes until their bundle is there, the features left out:
/// the parts of the bundle in `base` twice, and the networks.
///
/// # Errors
/// A part that is not there or too large to be copied, a configuration that no network can have.
pub fn bytes_to_write(
    base: &Path,
    config: &ModelConfig,
    variants: &[Variant],
) -> Result<u64, TrainError> {
    let manifest = read_manifest(base)?;
    let (backbone, encoder) = (manifest.backbone, manifest.label_encoder);
    let projection = manifest.projection.map(|projection| projection.file);
    let files = [backbone.file, encoder.file].into_iter();
    let mut bytes = SMALL_FILES;
    for file in files.chain(projection).chain(encoder.tokenizer) {
        let path = base.join(file);
        let facts = fs::metadata(&path).map_err(|error| crate::files::read_error(&path, error))?;
        if facts.len() > LIMIT {
            let limit_bytes = LIMIT;
            return Err(FileError::TooLarge { path, limit_bytes }.into());
        }
        bytes += 2 * facts.len();
    }
    for &variant in variants.iter().filter(|v| **v != Variant::Ridge) {
        let weights = initial_weights(config, variant, 0)?;
        let weights = weights.values().map(|tensor| tensor.elem_count() as u64);
        bytes += weights.sum::<u64>() * BYTES_OF_A_WEIGHT;
    }
    Ok(bytes)
}

/// Whether so many bytes can be written into `folder`.
///
/// # Errors
/// A folder that takes no files, a disk with less space.
pub fn has_room(folder: &Path, need_bytes: u64) -> Result<(), TrainError> {
    let trial = folder.join("trial");
    write_atomically(&trial, |_| Ok(()))?;
    fs::remove_file(&trial).map_err(|error| crate::files::write_error(&trial, error))?;
    match free_bytes(folder) {
        Some(free_bytes) if free_bytes < need_bytes => Err(TrainError::NoSpace {
            folder: folder.to_owned(),
            need_bytes,
            free_bytes,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_room_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        assert!(has_room(folder.path(), 1).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let full = has_room(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(
            full.contains("are needed until the bundle is there"),
            "{full}"
        );
        let missing = folder.path().join("missing");
        assert!(has_room(&missing, 1).is_err());
    }

    #[test]
    fn networks_and_parts_are_counted() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/default");
        let config = ModelConfig::preset(crate::model::Preset::Authors);
        let none = bytes_to_write(&base, &config, &[Variant::Ridge]).unwrap();
        let backbone = fs::metadata(base.join("backbone.safetensors"))
            .unwrap()
            .len();
        assert!(none > SMALL_FILES + 2 * backbone);
        let one = bytes_to_write(&base, &config, &[Variant::Biam]).unwrap();
        // Its largest layers are two convolutions of 3 x 3.
        let layers = 2 * 9 * (config.channels * config.channels) as u64;
        assert!(one - none > layers * BYTES_OF_A_WEIGHT, "{one} {none}");
    }
}
