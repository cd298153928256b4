//! Region classifier: one response per region and label (Eq. 1).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::config::ModelConfig;
use super::layers::LinearLayer;
use super::network::{Encoded, PreparedLabels, Responses};
use super::pooling::top_k_mean;
use crate::kernels::Activation;
use crate::kernels::top_k::top_k_scores;

/// Maps that are pooled together: one alone is not worth another thread.
const MAPS_OF_A_PIECE: usize = 32;

/// m = e_f · W(A)ᵀ: every region's features times every label's projected vector.
pub struct RegionClassifier {
    label_projection: LinearLayer,
}

impl RegionClassifier {
    /// Reads `weight` `[out, D]` and, where the configuration has it, `bias`.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        let size = [config.label_dimension, config.out_channels];
        Ok(Self {
            label_projection: LinearLayer::new(size, config.classifier_bias, Activation::None, vb)?,
        })
    }

    /// W(A): label vectors `[L, D]` brought to the regions' space, `[L, out]`.
    pub fn project_labels(&self, labels: &Tensor) -> Result<Tensor> {
        self.label_projection.forward(labels)
    }

    /// The bias of the label projection, `[out]`.
    pub(in crate::model) fn label_bias(&self) -> Option<&Tensor> {
        self.label_projection.terms().1
    }

    /// [`RegionClassifier::project_labels`] with gradients.
    pub fn project_labels_train(&self, labels: &Tensor) -> Result<Tensor> {
        self.label_projection.forward_train(labels)
    }
}

/// Responses `[N, L, P]` of e_f `[N, P, out]` to projected labels `[L, out]`.
pub fn responses(features: &Tensor, projected_labels: &Tensor) -> Result<Tensor> {
    projected_labels.broadcast_matmul(&features.t()?)
}

/// Response maps `[N, L, h, w]` and top-k scores of photos that keep region features `[N, P, out]`
/// and labels that keep a vector in their space, `[L, out]`.
pub fn respond(photos: &Encoded, labels: &PreparedLabels, k: usize) -> Result<Responses> {
    let flat = responses(&photos.tensors[0], &labels.tensors[0])?;
    let (count, labels, _) = flat.dims3()?;
    let (rows, columns) = photos.grid;
    let maps = flat.reshape((count, labels, rows, columns))?;
    Ok(Responses {
        scores: pool_maps(&maps, k)?,
        maps: Some(maps),
    })
}

/// Responses `[L, R]` of single regions `[R, out]`.
pub fn responses_of_regions(regions: &Tensor, labels: &PreparedLabels) -> Result<Tensor> {
    responses(&regions.unsqueeze(0)?, &labels.tensors[0])?.squeeze(0)
}

/// Scores `[N, L]` of response maps `[N, L, h, w]`: the mean of a map's `k` largest responses.
pub fn pool_maps(maps: &Tensor, k: usize) -> Result<Tensor> {
    let (photos, labels, rows, columns) = maps.dims4()?;
    let regions = rows * columns;
    if !maps.device().is_cpu() || regions == 0 {
        return pool(&maps.reshape((photos, labels, regions))?, k);
    }
    let values = maps.flatten_all()?.to_vec1::<f32>()?;
    let scores: Vec<f32> = values
        .par_chunks_exact(regions)
        .with_min_len(MAPS_OF_A_PIECE)
        .map(|map| top_k_mean(map, k))
        .collect();
    Tensor::from_vec(scores, (photos, labels), maps.device())
}

/// Scores `[N, L]`: the mean of the `k` largest of `[N, L, P]` responses, differentiable.
pub fn pool(responses: &Tensor, k: usize) -> Result<Tensor> {
    let regions = responses.dim(2)?;
    let k = k.clamp(1, regions);
    if k == regions {
        return responses.mean(2);
    }
    let largest = responses
        .arg_sort_last_dim(false)?
        .narrow(2, 0, k)?
        .contiguous()?;
    responses.contiguous()?.gather(&largest, 2)?.mean(2)
}

/// Scores `[N, L]` of e_f `[N, P, out]` for projected labels `[L, out]`: [`pool`] of
/// [`responses`], differentiable.
///
/// # Errors
/// The widths differ.
pub fn pooled(features: &Tensor, projected_labels: &Tensor, k: usize) -> Result<Tensor> {
    if features.device().is_cpu() {
        return top_k_scores(features, projected_labels, k);
    }
    pool(&responses(features, projected_labels)?, k)
}
