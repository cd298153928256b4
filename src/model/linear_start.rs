//! How a network of the paper's layers starts as a linear map of its region features: blocks beside
//! which nothing has been learnt yet, and a fusion that undoes the latent features.
//!
//! Let z = P (x_r - m) be codes of x_r. The latent convolution has P in the centre tap of half its
//! channels and -P in the others: behind the ReLU stand max(z, 0) and max(-z, 0), from which a linear
//! map gets z back. The norm's weight and bias are deviation and mean of these over ordinary regions,
//! so it starts as the identity; what the blocks add to h_r starts small.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, bail};

use super::config::{ModelConfig, SceneResidual};

/// What random weights are scaled with that stand beside the linear map.
const BESIDE: f64 = 0.1;
/// The norms' epsilon.
const NORM_EPSILON: f64 = 1e-3;

/// A linear map of region features through codes, in 64 bits on the CPU.
pub struct LinearStart {
    /// P, `[K, in]`, with K half the latent channels.
    pub codes: Tensor,
    /// m, `[in]`.
    pub mean: Tensor,
    /// Mean and deviation of [max(z, 0); max(-z, 0)] over ordinary regions, `[2K]` each.
    pub activations: [Tensor; 2],
    /// From z to e_f, `[out, K]`.
    pub decode: Tensor,
    /// e_f of z = 0, `[out]`.
    pub decode_bias: Tensor,
    /// W_a, `[out, D]`.
    pub classifier: Tensor,
}

impl ModelConfig {
    /// Whether a network of this configuration can start as a linear map of x_r to e_f, given that it
    /// has `channels` of both.
    pub fn starts_linear(&self, channels: usize) -> bool {
        self.region_channels == channels
            && self.out_channels == channels
            && self.channels.is_multiple_of(2)
            && self.fuse_leaky_slope.is_none()
            && self.scene_residual == SceneResidual::Latent
            && !self.classifier_bias
            && !self.shortcut
    }
}

impl LinearStart {
    /// Lays this start over the random weights of a new network.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn lay_over(&self, tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
        let signed = Tensor::cat(&[&self.codes, &self.codes.neg()?], 0)?;
        let (channels, inputs) = signed.dims2()?;
        let taps = beside(tensors, "latent.conv.weight")?;
        let shape = (channels, inputs, 3, 3);
        if taps.dims() != [channels, inputs, 3, 3] {
            bail!("codes {:?} for the taps {:?}", signed.dims(), taps.dims())
        }
        let centre = signed.reshape((channels, inputs, 1, 1))?;
        let centre = centre.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
        let outside = Tensor::ones(shape, DType::F64, &Device::Cpu)?;
        let hole = Tensor::ones((channels, inputs, 1, 1), DType::F64, &Device::Cpu)?;
        let hole = hole.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
        let weight = ((taps * (outside - hole)?)? + centre)?;
        let bias = signed.matmul(&self.mean.unsqueeze(1)?)?.squeeze(1)?.neg()?;
        let [mean, deviation] = &self.activations;
        let variance = deviation.sqr()?;
        put(tensors, "latent.conv.weight", &weight)?;
        put(tensors, "latent.conv.bias", &bias)?;
        put(
            tensors,
            "latent.norm.weight",
            &(&variance + NORM_EPSILON)?.sqrt()?,
        )?;
        put(tensors, "latent.norm.bias", mean)?;
        put(tensors, "latent.norm.running_mean", mean)?;
        put(tensors, "latent.norm.running_var", &variance)?;
        for name in ["rcb.output", "rcb.reduce", "scb.norm"] {
            for part in ["weight", "bias"] {
                let name = format!("{name}.{part}");
                if tensors.contains_key(&name) {
                    let scaled = beside(tensors, &name)?;
                    put(tensors, &name, &scaled)?;
                }
            }
        }
        self.fusion(tensors, channels)?;
        put(tensors, "classifier.weight", &self.classifier)
    }

    /// [L, -L] for each branch, which share the whole.
    fn fusion(&self, tensors: &mut BTreeMap<String, Tensor>, channels: usize) -> Result<()> {
        let shape = shape_of(tensors, "fuse.weight")?;
        let inputs = shape.get(1).copied().unwrap_or_default();
        let branches = inputs / channels.max(1);
        let share = (&self.decode / branches as f64)?;
        let halves = [share.clone(), share.neg()?];
        let all: Vec<&Tensor> = (0..branches).flat_map(|_| &halves).collect();
        put(tensors, "fuse.weight", &Tensor::cat(&all, 1)?)?;
        put(tensors, "fuse.bias", &self.decode_bias)
    }
}

fn shape_of(tensors: &BTreeMap<String, Tensor>, name: &str) -> Result<Vec<usize>> {
    match tensors.get(name) {
        Some(tensor) => Ok(tensor.dims().to_vec()),
        None => bail!("this network has no `{name}`"),
    }
}

/// The random weights of that name, scaled down.
fn beside(tensors: &BTreeMap<String, Tensor>, name: &str) -> Result<Tensor> {
    match tensors.get(name) {
        Some(tensor) => tensor.to_dtype(DType::F64)? * BESIDE,
        None => bail!("this network has no `{name}`"),
    }
}

/// Replaces a tensor, which keeps its shape.
fn put(tensors: &mut BTreeMap<String, Tensor>, name: &str, values: &Tensor) -> Result<()> {
    let shape = shape_of(tensors, name)?;
    let tensor = values.to_dtype(DType::F32)?.reshape(shape)?;
    tensors.insert(name.to_owned(), tensor.contiguous()?);
    Ok(())
}
