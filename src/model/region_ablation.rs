//! What the paper's Table 4 puts in the place of the region-contextualised block.
//!
//! For comparison only: written with candle's operators, one forward for training and for use.

use candle_core::{D, Result, Tensor, bail};
use candle_nn::VarBuilder;
use candle_nn::ops::{sigmoid, softmax};

use super::config::{ModelConfig, RegionContext};
use super::dropout::Dropout;
use super::layers::LinearLayer;
use crate::kernels::Activation;
use crate::kernels::attention::split_heads;

/// Dropout on the attention and on its output while training, as in the block itself.
const DROPOUT: f32 = 0.1;
const LAYER_NORM_EPSILON: f64 = 1e-5;
/// How often criss-cross attention is applied: twice reaches every region from every other.
const CRISS_CROSSES: usize = 2;
/// A score that leaves nothing after the softmax.
const MASKED: f32 = -1e9;

/// A block that makes regions look at others in another way.
pub enum RegionAblation {
    /// The paper's block with layer norms after both of its sums, or with a sigmoid in the place of
    /// the softmax.
    Attention(AttentionAblation),
    /// h + W_z softmax(θ φᵀ) g of half the width (Wang et al., "Non-local Neural Networks",
    /// CVPR 2018, embedded Gaussian).
    NonLocal(Projections),
    /// h + γ · attention along the region's row and column, twice (Huang et al., "CCNet", ICCV
    /// 2019).
    CrissCross {
        projections: Projections,
        /// γ, `[1]`.
        gamma: Tensor,
    },
}

/// Query, key and value, and the way back.
pub struct Projections {
    query: LinearLayer,
    key: LinearLayer,
    value: LinearLayer,
    output: Option<LinearLayer>,
}

impl Projections {
    /// Queries and keys of `width`, values of `value_width`, brought back to C by `output` where
    /// they are of another width.
    fn new(
        c: usize,
        width: usize,
        value_width: usize,
        output: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let layer = |name: &str, size| LinearLayer::new(size, true, Activation::None, vb.pp(name));
        Ok(Self {
            query: layer("query", [c, width])?,
            key: layer("key", [c, width])?,
            value: layer("value", [c, value_width])?,
            output: match output {
                true => Some(layer("output", [value_width, c])?),
                false => None,
            },
        })
    }

    /// q kᵀ of `[N, P, C]`, `[N, P, P]`.
    fn similarity(&self, latent: &Tensor) -> Result<Tensor> {
        let key = self.key.forward_train(latent)?.t()?.contiguous()?;
        self.query.forward_train(latent)?.matmul(&key)
    }

    fn gathered(&self, weights: &Tensor, latent: &Tensor) -> Result<Tensor> {
        let gathered = weights.matmul(&self.value.forward_train(latent)?)?;
        match &self.output {
            Some(output) => output.forward_train(&gathered),
            None => Ok(gathered),
        }
    }
}

/// The paper's block with one thing changed.
pub struct AttentionAblation {
    query: LinearLayer,
    key: LinearLayer,
    value: LinearLayer,
    output: LinearLayer,
    expand: LinearLayer,
    reduce: LinearLayer,
    heads: usize,
    /// Scale and shift after the attention's sum and after the second.
    norms: Option<[(Tensor, Tensor); 2]>,
    /// Whether weights are sigmoid(q kᵀ / √d) over the number of regions, not a softmax.
    sigmoid: bool,
}

impl RegionAblation {
    /// Reads the tensors of the block that `config.region_context` names; `None` for the paper's
    /// own.
    pub fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Option<Self>> {
        let c = config.channels;
        Ok(match config.region_context {
            RegionContext::Attention => None,
            RegionContext::LayerNorm | RegionContext::Sigmoid => {
                Some(Self::Attention(AttentionAblation::new(config, &vb)?))
            }
            RegionContext::NonLocal => {
                let half = (c / 2).max(1);
                Some(Self::NonLocal(Projections::new(c, half, half, true, &vb)?))
            }
            RegionContext::CrissCross => Some(Self::CrissCross {
                projections: Projections::new(c, (c / 8).max(1), c, false, &vb)?,
                gamma: vb.get(1, "gamma")?,
            }),
        })
    }

    /// e_r `[N, P, C]` of the latent features h_r `[N, P, C]` on a grid of `(rows, columns)`.
    pub fn forward(
        &self,
        latent: &Tensor,
        grid: (usize, usize),
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        match self {
            Self::Attention(block) => block.forward(latent, dropout),
            Self::NonLocal(projections) => {
                let weights = softmax(&projections.similarity(latent)?, D::Minus1)?;
                latent + projections.gathered(&weights, latent)?
            }
            Self::CrissCross { projections, gamma } => {
                let mask = criss_cross_mask(grid, latent)?;
                let mut xs = latent.clone();
                for _ in 0..CRISS_CROSSES {
                    let similarity = projections.similarity(&xs)?.broadcast_add(&mask)?;
                    let weights = softmax(&similarity, D::Minus1)?;
                    let gathered = projections.gathered(&weights, &xs)?;
                    xs = (xs + gathered.broadcast_mul(gamma)?)?;
                }
                Ok(xs)
            }
        }
    }
}

impl AttentionAblation {
    fn new(config: &ModelConfig, vb: &VarBuilder) -> Result<Self> {
        let c = config.channels;
        let layer =
            |name: &str, size, activation| LinearLayer::new(size, true, activation, vb.pp(name));
        let norm = |name: &str| -> Result<(Tensor, Tensor)> {
            let vb = vb.pp(name);
            Ok((vb.get(c, "weight")?, vb.get(c, "bias")?))
        };
        Ok(Self {
            query: layer("query", [c, c], Activation::None)?,
            key: layer("key", [c, c], Activation::None)?,
            value: layer("value", [c, c], Activation::None)?,
            output: layer("output", [c, c], Activation::None)?,
            expand: layer("expand", [c, 2 * c], Activation::Relu)?,
            reduce: layer("reduce", [2 * c, c], Activation::None)?,
            heads: config.heads,
            norms: match config.region_context == RegionContext::LayerNorm {
                true => Some([norm("attention_norm")?, norm("output_norm")?]),
                false => None,
            },
            sigmoid: config.region_context == RegionContext::Sigmoid,
        })
    }

    fn forward(&self, latent: &Tensor, dropout: &mut Dropout) -> Result<Tensor> {
        let heads = |layer: &LinearLayer| split_heads(&layer.forward_train(latent)?, self.heads);
        let (query, key, value) = (heads(&self.query)?, heads(&self.key)?, heads(&self.value)?);
        let width = query.dim(D::Minus1)? as f64;
        let similarity = (query.matmul(&key.t()?.contiguous()?)? / width.sqrt())?;
        let weights = match self.sigmoid {
            true => (sigmoid(&similarity)? / latent.dim(1)? as f64)?,
            false => softmax(&similarity, D::Minus1)?,
        };
        let gathered = dropout.apply(&weights, DROPOUT)?.matmul(&value)?;
        let gathered = gathered
            .transpose(1, 2)?
            .contiguous()?
            .reshape(latent.shape())?;
        let output = dropout.apply(&self.output.forward_train(&gathered)?, DROPOUT)?;
        let contextualised = self.normed((latent + output)?, 0)?;
        let widened = self.expand.forward_train(&contextualised)?;
        let sum = (&contextualised + self.reduce.forward_train(&widened)?)?;
        self.normed(sum, 1)
    }

    fn normed(&self, xs: Tensor, place: usize) -> Result<Tensor> {
        let Some(norms) = &self.norms else {
            return Ok(xs);
        };
        let (scale, shift) = &norms[place];
        let centred = xs.broadcast_sub(&xs.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + LAYER_NORM_EPSILON)?.sqrt()?;
        let normed = centred.broadcast_div(&deviation)?;
        normed.broadcast_mul(scale)?.broadcast_add(shift)
    }
}

/// `[P, P]`: 0 where two regions share a row or a column, else a score that counts for nothing.
fn criss_cross_mask((rows, columns): (usize, usize), like: &Tensor) -> Result<Tensor> {
    let regions = rows * columns;
    if like.dim(1)? != regions {
        bail!(
            "{} regions do not fill a grid of {rows} x {columns}",
            like.dim(1)?
        )
    }
    let mut mask = vec![MASKED; regions * regions];
    for (place, value) in mask.iter_mut().enumerate() {
        let (a, b) = (place / regions, place % regions);
        if a / columns == b / columns || a % columns == b % columns {
            *value = 0.0;
        }
    }
    Tensor::from_vec(mask, (regions, regions), like.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Preset;
    use candle_core::{DType, Device, Var};
    use candle_nn::{VarBuilder, VarMap};

    const GRID: (usize, usize) = (3, 4);

    fn config(region_context: RegionContext) -> ModelConfig {
        ModelConfig {
            channels: 16,
            heads: 4,
            region_context,
            ..ModelConfig::preset(Preset::Authors)
        }
    }

    fn block(region_context: RegionContext) -> (RegionAblation, VarMap) {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let block = RegionAblation::new(&config(region_context), vb)
            .unwrap()
            .unwrap();
        for variable in variables.all_vars() {
            let random = Tensor::randn(0f32, 0.3, variable.shape(), &Device::Cpu).unwrap();
            variable.set(&random).unwrap();
        }
        (block, variables)
    }

    fn latent() -> Tensor {
        Tensor::randn(0f32, 1.0, (2, 12, 16), &Device::Cpu).unwrap()
    }

    #[test]
    fn every_block_keeps_the_shape_and_gives_every_weight_a_gradient() {
        for context in RegionContext::ABLATIONS {
            let (block, variables) = block(context);
            let latent = Var::from_tensor(&latent()).unwrap();
            let out = block.forward(&latent, GRID, &mut Dropout::off()).unwrap();
            assert_eq!(out.dims(), latent.dims(), "{context:?}");
            let gradients = out.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            for variable in variables.all_vars() {
                assert!(gradients.get(&variable).is_some(), "{context:?}");
            }
            assert!(gradients.get(&latent).is_some(), "{context:?}");
        }
    }

    #[test]
    fn a_layer_norm_leaves_every_region_with_its_scale_and_shift() {
        let (block, variables) = block(RegionContext::LayerNorm);
        let data = variables.data().lock().unwrap();
        data["output_norm.weight"]
            .set(&Tensor::ones(16, DType::F32, &Device::Cpu).unwrap())
            .unwrap();
        data["output_norm.bias"]
            .set(&Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap())
            .unwrap();
        let out = block.forward(&latent(), GRID, &mut Dropout::off()).unwrap();
        let squares = out.sqr().unwrap().mean(2).unwrap().flatten_all().unwrap();
        for square in squares.to_vec1::<f32>().unwrap() {
            assert!((square - 1.0).abs() < 1e-3, "{square}");
        }
    }

    #[test]
    fn criss_crosses_reach_rows_and_columns_alone() {
        let mask = criss_cross_mask(GRID, &latent())
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        let open = |row: &Vec<f32>| row.iter().filter(|&&value| value == 0.0).count();
        assert!(mask.iter().all(|row| open(row) == 3 + 4 - 1));
        assert_eq!((mask[0][3], mask[0][8], mask[0][5]), (0.0, 0.0, MASKED));
    }
}
