//! The two layers that the blocks are made of: a 1x1 convolution, and the 3x3 convolution block.
//!
//! Both work channels-last and have two forwards: a fast one for use, on weights packed when it is
//! first called, and a differentiable one for training, on the weights themselves.

use std::sync::OnceLock;

use candle_core::{Result, Tensor};
use candle_nn::{BatchNorm, BatchNormConfig, ModuleT, VarBuilder, batch_norm};

use crate::kernels::{Activation, Conv3x3, Padding, Pointwise};

/// PyTorch's momentum of the authors' batch norms.
pub(crate) const NORM_MOMENTUM: f64 = 0.99;
/// Epsilon of the authors' batch norms.
const NORM_EPSILON: f64 = 1e-3;

/// A 1x1 convolution or linear layer with an activation, `[…, in]` to `[…, out]`.
pub struct Mix {
    /// `[out, in]`.
    weight: Tensor,
    /// `[out]`.
    bias: Option<Tensor>,
    activation: Activation,
    fast: OnceLock<Pointwise>,
}

impl Mix {
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

    /// `activation(x Wᵀ + b)` in differentiable operators.
    pub fn forward_train(&self, xs: &Tensor) -> Result<Tensor> {
        let inputs = self.weight.dim(1)?;
        let mut dims = xs.dims().to_vec();
        let rows = xs.reshape(((), inputs))?;
        let mut out = rows.matmul(&self.weight.t()?)?;
        if let Some(bias) = &self.bias {
            out = out.broadcast_add(bias)?;
        }
        if let Some(last) = dims.last_mut() {
            *last = self.weight.dim(0)?;
        }
        self.activation.apply(&out)?.reshape(dims)
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
            norm: batch_norm(outputs, config, vb.pp("norm"))?,
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

    /// The same with batch statistics, in differentiable operators; updates the running ones.
    pub fn forward_train(&self, xs: &Tensor) -> Result<Tensor> {
        let channels_first = xs.permute((0, 3, 1, 2))?.contiguous()?;
        let bias = self.bias.reshape((1, (), 1, 1))?;
        let activated = channels_first
            .conv2d(&self.weight, 1, 1, 1, 1)?
            .broadcast_add(&bias)?
            .relu()?;
        self.norm
            .forward_t(&activated, true)?
            .permute((0, 2, 3, 1))?
            .contiguous()
    }

    /// The batch norm as one multiplication and one addition per channel.
    fn affine(&self) -> Result<(Tensor, Tensor)> {
        let deviation = (self.norm.running_var() + self.norm.eps())?.sqrt()?;
        let Some((weight, bias)) = self.norm.weight_and_bias() else {
            candle_core::bail!("the batch norm of a 3x3 convolution block has no weight and bias")
        };
        let scale = weight.div(&deviation)?;
        let shift = (bias - (self.norm.running_mean() * &scale)?)?;
        Ok((scale, shift))
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
