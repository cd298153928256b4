//! The batch norms' statistics over many batches, for use after training.
//!
//! With the authors' momentum of 0.99 the running statistics are hardly more than those of the last
//! batch.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::batches::Batches;
use super::error::TrainError;
use super::learner::Learner;
use crate::model::dropout::Dropout;
use crate::model::layers::NORM_MOMENTUM;
use crate::model::network::Trainable;

/// Batches that are averaged, at most.
const BATCHES: usize = 128;

/// Mean and unbiased variance of each norm's input, averaged over batches without dropout, under
/// the names of the running statistics.
///
/// # Errors
/// As [`Batches::each`].
pub fn averaged_statistics(
    learner: &Learner,
    batches: &Batches<'_>,
    epoch: usize,
) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let network = learner.network();
    let mut sums: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut before = running(network)?;
    let count = batches.steps().min(BATCHES);
    batches.each(epoch, 0..count, |_, batch| {
        network.forward(&batch.photos, &mut Dropout::off())?;
        let after = running(network)?;
        for (name, values) in &after {
            let sum = sums
                .entry(name.clone())
                .or_insert_with(|| vec![0.0; values.len()]);
            for ((sum, &new), &old) in sum.iter_mut().zip(values).zip(&before[name]) {
                *sum += (new - (1.0 - NORM_MOMENTUM) * old) / NORM_MOMENTUM;
            }
        }
        before = after;
        Ok(true)
    })?;
    let device = batches.device;
    sums.into_iter()
        .map(|(name, sum)| {
            let mean: Vec<f32> = sum.iter().map(|s| (s / count as f64) as f32).collect();
            Ok((name, Tensor::new(mean, device)?))
        })
        .collect()
}

/// The running statistics by name.
fn running(network: &dyn Trainable) -> candle_core::Result<BTreeMap<String, Vec<f64>>> {
    let statistics = network.running_statistics().into_iter();
    let values = statistics.map(|(name, tensor)| {
        let values = tensor.to_vec1::<f32>()?.into_iter();
        Ok((name, values.map(f64::from).collect()))
    });
    values.collect()
}
