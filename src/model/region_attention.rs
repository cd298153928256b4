//! Where one region looks, and who looks at it, without the attention of all the others.

use std::sync::OnceLock;

use candle_core::{D, Result, Tensor, bail};
use candle_nn::ops::softmax_last_dim;

use crate::kernels::attention::split_heads;

/// Queries and keys of one photo's regions: the attention of a region (Eq. 2) is one row of their
/// products.
#[derive(Debug)]
pub struct RegionAttention {
    /// q / √(C / H), `[H, P, C / H]`.
    query: Tensor,
    /// k, `[H, P, C / H]`.
    key: Tensor,
    /// The logarithm of each softmax's denominator, `[H, P]`: only who asks who looks at a region
    /// needs those of all of them.
    denominators: OnceLock<Tensor>,
}

impl RegionAttention {
    /// From queries and keys `[1, P, C]`.
    ///
    /// # Errors
    /// More than one photo, heads that do not divide the channels.
    pub fn new(query: &Tensor, key: &Tensor, heads: usize) -> Result<Self> {
        let (photos, _, channels) = query.dims3()?;
        if photos != 1 {
            bail!("the attention of single regions is that of one photo, not of {photos}")
        }
        let scale = ((channels / heads.max(1)) as f64).powf(-0.5);
        Ok(Self {
            query: (split_heads(query, heads)?.squeeze(0)? * scale)?,
            key: split_heads(key, heads)?.squeeze(0)?,
            denominators: OnceLock::new(),
        })
    }

    /// How many regions there are.
    pub fn regions(&self) -> usize {
        self.query.dims()[1]
    }

    /// How much `region` looks at each region, head by head: `[H][P]`, each row with the sum 1.
    ///
    /// # Errors
    /// A region that is not there.
    pub fn from_region(&self, region: usize) -> Result<Vec<Vec<f32>>> {
        let scores = products(&self.query.narrow(1, region, 1)?, &self.key)?;
        softmax_last_dim(&scores)?.squeeze(1)?.to_vec2()
    }

    /// How much each region looks at `region`, head by head: `[H][P]`.
    ///
    /// # Errors
    /// A region that is not there.
    pub fn to_region(&self, region: usize) -> Result<Vec<Vec<f32>>> {
        let scores = products(&self.key.narrow(1, region, 1)?, &self.query)?.squeeze(1)?;
        (scores - self.denominators()?)?.exp()?.to_vec2()
    }

    fn denominators(&self) -> Result<&Tensor> {
        if let Some(known) = self.denominators.get() {
            return Ok(known);
        }
        let computed = products(&self.query, &self.key)?.log_sum_exp(D::Minus1)?;
        Ok(self.denominators.get_or_init(|| computed))
    }
}

/// `[H, A, B]` of `[H, A, w]` and `[H, B, w]`.
fn products(one: &Tensor, other: &Tensor) -> Result<Tensor> {
    one.contiguous()?.matmul(&other.t()?.contiguous()?)
}

/// The entropy of a row of attention in bits: 0 where all of it lies on one region, log₂ P where it
/// is spread evenly.
pub fn entropy(weights: &[f32]) -> f32 {
    let terms = weights.iter().filter(|&&weight| weight > 0.0);
    -terms.map(|&weight| weight * weight.log2()).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::attention::attention_weights;
    use candle_core::Device;

    fn random() -> Result<Tensor> {
        Tensor::randn(0f32, 1.0, (1, 12, 16), &Device::Cpu)
    }

    #[test]
    fn rows_and_columns_are_those_of_the_whole_attention() -> Result<()> {
        let (query, key) = (random()?, random()?);
        let whole = attention_weights(&query, &key, 4)?.squeeze(0)?;
        let attention = RegionAttention::new(&query, &key, 4)?;
        assert_eq!(attention.regions(), 12);
        for region in [0, 7, 11] {
            let row = whole.narrow(1, region, 1)?.squeeze(1)?.to_vec2::<f32>()?;
            let column = whole.narrow(2, region, 1)?.squeeze(2)?.to_vec2::<f32>()?;
            for (found, expected) in [
                (attention.from_region(region)?, row),
                (attention.to_region(region)?, column),
            ] {
                let pairs = found.iter().flatten().zip(expected.iter().flatten());
                for (found, expected) in pairs {
                    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
                }
            }
            for head in attention.from_region(region)? {
                assert!((head.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
        }
        assert!(attention.from_region(12).is_err());
        Ok(())
    }

    #[test]
    fn entropy_counts_the_bits_of_the_choice() {
        assert_eq!(entropy(&[0.0, 1.0, 0.0]), 0.0);
        assert_eq!(entropy(&[0.25; 4]), 2.0);
    }
}
