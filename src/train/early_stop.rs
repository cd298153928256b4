//! How good a network is on training photos that it was not shown: what an early stop goes by.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::error::TrainError;
use super::photos::TrainingSet;
use crate::eval::{Judged, TopK};
use crate::model::{Configuration, EncodeOptions, HeadFile};

/// Photos encoded at once.
const BATCH: usize = 8;
/// K of F1@K.
const K: usize = 5;

/// F1@5 of the seen labels over the photos `aside`; 0 where none of them has a seen label.
///
/// # Errors
/// Features that cannot be read, tensors that do not fit the configuration.
pub fn kept_aside_f1(
    configuration: &dyn Configuration,
    tensors: BTreeMap<String, Tensor>,
    set: &TrainingSet<'_>,
    aside: &[usize],
    label_vectors: &Tensor,
) -> Result<f64, TrainError> {
    let device = label_vectors.device();
    let tensors = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_device(device)?)))
        .collect::<candle_core::Result<_>>()?;
    let network = configuration.load(&HeadFile::of_tensors(tensors, device))?;
    let labels = network.prepare_labels(label_vectors)?;
    let mut scores = Vec::new();
    for chunk in aside.chunks(BATCH) {
        let photos = set.region_features(chunk, &vec![false; chunk.len()], device)?;
        let encoded = network.encode(&photos, &EncodeOptions::default())?;
        let answer = network.respond(&encoded, &labels)?;
        scores.extend(answer.scores.flatten_all()?.to_vec1::<f32>()?);
    }
    let truth = set.seen_labels(aside);
    let count = set.seen.len();
    let photos: Vec<usize> = (0..aside.len()).collect();
    let labels: Vec<usize> = (0..count).collect();
    let f1 = Judged::new(count, &scores, &truth)
        .and_then(|judged| TopK::new(judged, &photos, &labels, K).overall());
    Ok(f1.map_or(0.0, |f1| f1.f1))
}
