//! Scene-contextualised block: the whole scene opens and closes channels (Eq. 6 to 8).

use candle_core::{D, Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::{sigmoid, softmax};

use super::config::{ModelConfig, SceneGate, SceneResidual, SceneValue};
use super::dropout::Dropout;
use super::layers::{ConvolutionBlock, LinearLayer};
use crate::kernels::Activation;
use crate::kernels::channel_gate::channel_gate;

/// Dropout on the global feature while training.
const DROPOUT: f32 = 0.2;
/// Slope of the LeakyReLU after the shared 1x1 convolution.
const VALUE_LEAKY_SLOPE: f32 = 0.2;

/// e_g = conv3x3 block(α_g) + residual, with α_g = v_g ∘ r_g and r_g = sigmoid(q_g ∘ k_g).
pub struct SceneContextualisedBlock {
    global_key: LinearLayer,
    /// The shared 1x1 convolution of [`SceneValue::SharedConvolution`].
    channel: Option<LinearLayer>,
    convolution: ConvolutionBlock,
    residual: SceneResidual,
    gate: SceneGate,
}

/// What the block computes on its way to e_g.
struct Gated {
    /// r_g, `[N, C]`.
    gate: Tensor,
    /// α_g, `[N, h, w, C]`.
    values: Tensor,
}

impl SceneContextualisedBlock {
    /// Reads `global_key`, `channel` where the configuration has it, `conv` and `norm`.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        let c = config.channels;
        let shared = config.scene_value == SceneValue::SharedConvolution;
        let leaky = Activation::LeakyRelu(VALUE_LEAKY_SLOPE);
        Ok(Self {
            global_key: LinearLayer::new(
                [config.global_channels, c],
                true,
                Activation::None,
                vb.pp("global_key"),
            )?,
            channel: shared
                .then(|| LinearLayer::new([c, c], true, leaky, vb.pp("channel")))
                .transpose()?,
            convolution: ConvolutionBlock::new([c, c], vb)?,
            residual: config.scene_residual,
            gate: config.scene_gate,
        })
    }

    /// e_g `[N, h, w, C]` of the latent features h_r `[N, h, w, C]` and the global feature `[N, G]`.
    pub fn forward(&self, latent: &Tensor, global: &Tensor) -> Result<Tensor> {
        let gated = self.gated(latent, global)?;
        let convolved = self.convolution.forward(&gated.values)?;
        self.add_residual(convolved, latent, &gated.values)
    }

    /// The same with gradients, dropout and batch statistics.
    pub fn forward_train(
        &self,
        latent: &Tensor,
        global: &Tensor,
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        let value = match &self.channel {
            Some(channel) => channel.forward_train(latent)?,
            None => latent.clone(),
        };
        let key = self
            .global_key
            .forward_train(&dropout.apply(global, DROPOUT)?)?;
        let values = match self.gate {
            SceneGate::Sigmoid => channel_gate(&value, &key)?,
            SceneGate::Softmax => self.gate(value, &key)?.values,
        };
        let convolved = self.convolution.forward_train(&values)?;
        self.add_residual(convolved, latent, &values)
    }

    /// The gate r_g, `[N, C]`: 0 closes a channel, 1 opens it.
    pub fn channel_gate(&self, latent: &Tensor, global: &Tensor) -> Result<Tensor> {
        Ok(self.gated(latent, global)?.gate)
    }

    /// Whether h_r itself is what its 3x3 convolution is added to.
    pub(in crate::model) fn keeps_latent(&self) -> bool {
        self.residual == SceneResidual::Latent
    }

    /// The block's 3x3 convolution, whose running statistics training updates.
    pub fn convolution(&self) -> &ConvolutionBlock {
        &self.convolution
    }

    fn gated(&self, latent: &Tensor, global: &Tensor) -> Result<Gated> {
        let value = match &self.channel {
            Some(channel) => channel.forward(latent)?,
            None => latent.clone(),
        };
        self.gate(value, &self.global_key.forward(global)?)
    }

    fn gate(&self, value: Tensor, key: &Tensor) -> Result<Gated> {
        let query = value.flatten(1, 2)?.mean(D::Minus2)?;
        let products = (query * key)?;
        let gate = match self.gate {
            SceneGate::Sigmoid => sigmoid(&products)?,
            SceneGate::Softmax => softmax(&products, D::Minus1)?,
        };
        let values = value.broadcast_mul(&gate.unsqueeze(1)?.unsqueeze(1)?)?;
        Ok(Gated { gate, values })
    }

    fn add_residual(&self, convolved: Tensor, latent: &Tensor, values: &Tensor) -> Result<Tensor> {
        match self.residual {
            SceneResidual::Latent => convolved + latent,
            SceneResidual::Gated => convolved + values,
        }
    }
}
