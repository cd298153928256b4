//! The two layers that the blocks are made of: a 1x1 convolution, and the 3x3 convolution block.
//!
//! Both work channels-last and have two forwards: a fast one for use, on weights packed when it is
//! first called, and a differentiable one for training, on the weights themselves.

use std::sync::OnceLock;

use candle_core::{Result, Tensor, Var};
use candle_nn::{BatchNorm, BatchNormConfig, VarBuilder};

use crate::kernels::batch_norm::batch_norm;
use crate::kernels::conv3x3_gradient::conv3x3;
use crate::kernels::linear::linear;
use crate::kernels::{Activation, Conv3x3, Padding, Pointwise};

/// PyTorch's momentum of the authors' batch norms.
pub(crate) const NORM_MOMENTUM: f64 = 0.99;
/// Epsilon of the authors' batch norms.
const NORM_EPSILON: f64 = 1e-3;

/// A 1x1 convolution or linear layer with an activation, `[…, in]` to `[…, out]`.
pub struct LinearLayer {
    /// `[out, in]`.
    weight: Tensor,
    /// `[out]`.
    bias: Option<Tensor>,
    activation: Activation,
    fast: OnceLock<Pointwise>,
}

impl LinearLayer {
    /// Reads `weight`, `[out, in]` or `[out, in, 1, 1]`, and `bias` if there is one.
    pub fn new(
        [inputs, outputs]: [usize; 2],
        with_bias: bool,
        activation: Activation,
        vb: VarBuilder,
    ) -> Result<Self> {
        let weight = match vb.get((outputs, inputs, 1, 1), "weight") {
            Ok(weight) => weight.reshape((outputs, inputs))?,
            Err(_) => vb.get((outputs, inputs), "weight")?,
        };
        let bias = with_bias.then(|| vb.get(outputs, "bias")).transpose()?;
        Ok(Self {
            weight,
            bias,
            activation,
            fast: OnceLock::new(),
        })
    }

    /// `activation(x Wᵀ + b)`.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.fast()?.forward(xs)
    }

    /// `activation(x Wᵀ + b) + residual`.
    pub fn forward_add(&self, xs: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.fast()?.forward_add(xs, residual)
    }

    /// `activation(x Wᵀ + b)` with gradients.
    pub fn forward_train(&self, xs: &Tensor) -> Result<Tensor> {
        let bias = match &self.bias {
            Some(bias) => bias.clone(),
            None => Tensor::zeros(self.weight.dim(0)?, xs.dtype(), xs.device())?,
        };
        linear(xs, &self.weight, &bias, self.activation)
    }

    /// The outputs of several layers with bias and without activation, side by side, with
    /// gradients: one product instead of several.
    pub fn forward_train_joined(layers: &[&Self], xs: &Tensor) -> Result<Tensor> {
        let weights: Vec<_> = layers.iter().map(|layer| &layer.weight).collect();
        let biases: Vec<_> = layers
            .iter()
            .filter_map(|layer| layer.bias.as_ref())
            .collect();
        linear(
            xs,
            &Tensor::cat(&weights, 0)?,
            &Tensor::cat(&biases, 0)?,
            Activation::None,
        )
    }

    /// The weight `[out, in]`, the bias `[out]` and what follows them.
    pub(in crate::model) fn terms(&self) -> (&Tensor, Option<&Tensor>, Activation) {
        (&self.weight, self.bias.as_ref(), self.activation)
    }

    fn fast(&self) -> Result<&Pointwise> {
        get_or_build(&self.fast, || {
            Pointwise::new(&self.weight, self.bias.as_ref(), self.activation)
        })
    }
}

/// BN(ReLU(conv3x3(x))): batch normalisation comes after the activation, as in the authors' code.
pub struct ConvolutionBlock {
    /// `[out, in, 3, 3]`.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
    norm: BatchNorm,
    fast: OnceLock<Conv3x3>,
}

impl ConvolutionBlock {
    /// Reads `conv.weight`, `conv.bias` and the four tensors of `norm`.
    pub fn new([inputs, outputs]: [usize; 2], vb: VarBuilder) -> Result<Self> {
        let config = BatchNormConfig {
            eps: NORM_EPSILON,
            momentum: NORM_MOMENTUM,
            ..BatchNormConfig::default()
        };
        Ok(Self {
            weight: vb.get((outputs, inputs, 3, 3), "conv.weight")?,
            bias: vb.get(outputs, "conv.bias")?,
            norm: candle_nn::batch_norm(outputs, config, vb.pp("norm"))?,
            fast: OnceLock::new(),
        })
    }

    /// `[N, h, w, in]` to `[N, h, w, out]`, with running statistics.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let fast = get_or_build(&self.fast, || {
            let (scale, shift) = self.affine()?;
            let convolution = Conv3x3::new(
                &self.weight,
                Some(&self.bias),
                Activation::Relu,
                1,
                Padding::same(1),
            )?;
            convolution.with_affine(&scale, &shift)
        })?;
        fast.forward(xs)
    }

    /// The same with batch statistics and gradients; updates the running statistics.
    pub fn forward_train(&self, xs: &Tensor) -> Result<Tensor> {
        let activated = conv3x3(xs, &self.weight, &self.bias, Activation::Relu)?;
        let (weight, bias) = self.scale_and_shift()?;
        let normalised = batch_norm(&activated, weight, bias, self.norm.eps())?;
        let momentum = self.norm.momentum();
        for (running, batch) in [
            (self.norm.running_mean(), &normalised.mean),
            (self.norm.running_var(), &normalised.variance),
        ] {
            let kept = (running.detach() * (1.0 - momentum))?;
            Var::from_tensor(running)?.set(&(kept + (batch * momentum)?)?)?;
        }
        Ok(normalised.output)
    }

    /// The batch norm as one multiplication and one addition per channel.
    fn affine(&self) -> Result<(Tensor, Tensor)> {
        let deviation = (self.norm.running_var() + self.norm.eps())?.sqrt()?;
        let (weight, bias) = self.scale_and_shift()?;
        let scale = weight.div(&deviation)?;
        let shift = (bias - (self.norm.running_mean() * &scale)?)?;
        Ok((scale, shift))
    }

    /// The batch norm's γ and β.
    fn scale_and_shift(&self) -> Result<(&Tensor, &Tensor)> {
        match self.norm.weight_and_bias() {
            Some(both) => Ok(both),
            None => candle_core::bail!(
                "the batch norm of a 3x3 convolution block has no weight and bias"
            ),
        }
    }

    /// The running mean and variance, `[out]` each.
    pub fn running_statistics(&self) -> (&Tensor, &Tensor) {
        (self.norm.running_mean(), self.norm.running_var())
    }
}

/// `OnceLock::get_or_init` for what can fail. Two threads may build at once; one result is kept.
fn get_or_build<T>(cell: &OnceLock<T>, build: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(built) = cell.get() {
        return Ok(built);
    }
    let built = build()?;
    Ok(cell.get_or_init(|| built))
}
