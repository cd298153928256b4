//! Region-contextualised block: every region looks at every other (Eq. 2 to 5).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::config::ModelConfig;
use super::dropout::Dropout;
use super::layers::LinearLayer;
use super::region_attention::RegionAttention;
use crate::kernels::Activation;
use crate::kernels::attention::{attention, attention_weights};
use crate::kernels::attention_gradient::self_attention;

/// Dropout on the attention and on its output while training.
const DROPOUT: f32 = 0.1;

/// e_r = u + W_2 ReLU(W_1 u) with u = h_r + W_o[α_1; …; α_H], without layer norm.
pub struct RegionContextualisedBlock {
    query: LinearLayer,
    key: LinearLayer,
    value: LinearLayer,
    output: LinearLayer,
    expand: LinearLayer,
    reduce: LinearLayer,
    heads: usize,
}

impl RegionContextualisedBlock {
    /// Reads `query|key|value|output|expand|reduce`, all with bias; the inner width is 2C.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        let c = config.channels;
        let layer =
            |name: &str, size, activation| LinearLayer::new(size, true, activation, vb.pp(name));
        Ok(Self {
            query: layer("query", [c, c], Activation::None)?,
            key: layer("key", [c, c], Activation::None)?,
            value: layer("value", [c, c], Activation::None)?,
            output: layer("output", [c, c], Activation::None)?,
            expand: layer("expand", [c, 2 * c], Activation::Relu)?,
            reduce: layer("reduce", [2 * c, c], Activation::None)?,
            heads: config.heads,
        })
    }

    /// e_r `[N, P, C]` of the latent features h_r `[N, P, C]`.
    pub fn forward(&self, latent: &Tensor) -> Result<Tensor> {
        let attended = attention(
            &self.query.forward(latent)?,
            &self.key.forward(latent)?,
            &self.value.forward(latent)?,
            self.heads,
        )?;
        let contextualised = self.output.forward_add(&attended, latent)?;
        let widened = self.expand.forward(&contextualised)?;
        self.reduce.forward_add(&widened, &contextualised)
    }

    /// The same with gradients and dropout.
    pub fn forward_train(&self, latent: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        let layers = [&self.query, &self.key, &self.value];
        let joined = LinearLayer::forward_train_joined(&layers, latent)?;
        let attended = self_attention(&joined, self.heads, dropout.mask(DROPOUT))?;
        let output = dropout.apply(&self.output.forward_train(&attended)?, DROPOUT)?;
        let contextualised = (latent + output)?;
        let widened = self.expand.forward_train(&contextualised)?;
        contextualised + self.reduce.forward_train(&widened)?
    }

    /// The attention of single regions of one photo's h_r `[1, P, C]`.
    pub fn region_attention(&self, latent: &Tensor) -> Result<RegionAttention> {
        let (query, key) = (self.query.forward(latent)?, self.key.forward(latent)?);
        RegionAttention::new(&query, &key, self.heads)
    }

    /// The attention r_h = softmax(q kᵀ / √(C/H)), `[N, H, P, P]`: row i is where region i looks.
    pub fn attention_weights(&self, latent: &Tensor) -> Result<Tensor> {
        attention_weights(
            &self.query.forward(latent)?,
            &self.key.forward(latent)?,
            self.heads,
        )
    }
}
