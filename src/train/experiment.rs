//! From a data set, a split of its labels and a bundle to what a run trains on.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::label_features::MadeFeatures;
use super::photos::{TrainingPhoto, TrainingSet};
use super::teacher::{Baseline, Teacher, teacher_rows};
use crate::bundle::Bundle;
use crate::bundle::safetensors_file::safetensors_bytes;
use crate::dataset::{Dataset, FeatureCache, Split};
use crate::semantics::{LabelFeatures, SemanticsError, TeacherClass};

/// Names that are encoded at once.
const BATCH: usize = 64;

/// The data set's photos that the cache has, with the labels that the split allows, and how many
/// photos are not there.
pub fn training_set<'a>(
    dataset: &Dataset,
    split: &Split,
    cache: &'a FeatureCache,
) -> (TrainingSet<'a>, usize) {
    let photos: Vec<TrainingPhoto> = dataset
        .photos
        .iter()
        .filter_map(|photo| {
            Some(TrainingPhoto {
                record: cache.find(&photo.path)?,
                labels: photo.labels.clone(),
            })
        })
        .collect();
    let missing = dataset.photos.len() - photos.len();
    let set = TrainingSet {
        features: cache,
        photos,
        seen: split.seen().to_vec(),
        labels: dataset.labels.len(),
    };
    (set, missing)
}

/// Every name that no training may see: the data set's unseen labels, and those that the user
/// listed but no photo could have.
pub fn unseen_names(dataset: &Dataset, split: &Split) -> Vec<String> {
    let labels = split
        .unseen()
        .iter()
        .map(|&label| &dataset.labels[label as usize]);
    labels.chain(split.unknown()).cloned().collect()
}

/// What networks take of the split's seen labels, `[L, D]`, on the bundle's device.
///
/// # Errors
/// A text that is no label, a device that fails.
pub fn seen_vectors(
    bundle: &Bundle,
    dataset: &Dataset,
    split: &Split,
    features: Option<&LabelFeatures>,
) -> Result<Tensor, TrainError> {
    let labels = split
        .seen()
        .iter()
        .map(|&label| dataset.labels[label as usize].as_str());
    let vectors = vectors(bundle, &labels.collect::<Vec<_>>())?;
    Ok(match features {
        Some(features) => features.of(&vectors)?,
        None => vectors,
    })
}

/// The teacher that the used ones of `classes` make.
///
/// # Errors
/// A bundle whose backbone has no classifier, no class that may be used.
pub fn teacher(
    bundle: &Bundle,
    classes: &[TeacherClass],
    made: Option<&MadeFeatures>,
) -> Result<Teacher, TrainError> {
    let refuse = |reason: &str| TrainError::Teacher {
        reason: reason.to_owned(),
    };
    let used: Vec<&TeacherClass> = classes.iter().filter(|class| class.used).collect();
    if used.is_empty() {
        return Err(refuse(
            "the bundle has no teacher class that training may use",
        ));
    }
    let classifier = bundle
        .classifier_rows()
        .ok_or_else(|| refuse("the bundle's backbone has no classifier"))?;
    let rows = teacher_rows(&used, classifier)?.to_dtype(DType::F32)?;
    let (vectors, baseline) = match made {
        Some(MadeFeatures {
            features, classes, ..
        }) => {
            let vectors = features.of(classes)?;
            let baseline = Baseline {
                rows: vectors.narrow(1, 0, features.row_dimension())?,
                offset: features.region_offset().clone(),
            };
            (vectors, Some(baseline))
        }
        None => {
            let names: Vec<&str> = used.iter().map(|class| class.name.as_str()).collect();
            (vectors(bundle, &names)?, None)
        }
    };
    Ok(Teacher {
        rows: rows.to_device(&bundle.device)?,
        vectors,
        baseline,
    })
}

/// The encoder's vectors of names, `[N, D]`.
pub(super) fn vectors(bundle: &Bundle, names: &[&str]) -> Result<Tensor, TrainError> {
    if names.is_empty() {
        let shape = (0, bundle.sizes.label_dimension);
        return Ok(Tensor::zeros(shape, DType::F32, &Device::Cpu)?);
    }
    // Names of one length go together: a batch is as wide as its longest.
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&name| names[name].len());
    let mut places = vec![0_u32; names.len()];
    for (place, &name) in order.iter().enumerate() {
        places[name] = place as u32;
    }
    let sorted: Vec<&str> = order.iter().map(|&name| names[name]).collect();
    let batches = sorted
        .chunks(BATCH)
        .map(|names| bundle.encoder.encode_known(names));
    let encoded = Tensor::cat(&batches.collect::<Result<Vec<_>, SemanticsError>>()?, 0)?;
    let places = Tensor::new(places, encoded.device())?;
    Ok(encoded.index_select(&places, 0)?)
}

/// What tells photos, labels, split, teacher, features and label features from those of any other run.
///
/// # Errors
/// A device that fails.
pub fn data_identity(
    bundle: &Bundle,
    dataset: &Dataset,
    split: &Split,
    classes: &[TeacherClass],
    label_features: Option<&BTreeMap<String, Tensor>>,
) -> candle_core::Result<String> {
    let mut hash = Sha256::new();
    if let Some(tensors) = label_features {
        hash.update(safetensors_bytes(tensors, BTreeMap::new())?);
    }
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(bundle.features_identity());
    for &label in split.seen() {
        add(&dataset.labels[label as usize]);
    }
    for class in classes.iter().filter(|class| class.used) {
        add(&class.name);
    }
    let mut row = vec![0_i8; dataset.labels.len()];
    for photo in &dataset.photos {
        add(&photo.path.to_string_lossy());
        photo.labels.fill(&mut row);
        let known: String = row
            .iter()
            .map(|value| char::from(b'1'.wrapping_add_signed(*value)))
            .collect();
        add(&known);
    }
    let hash = hash.finalize();
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}
