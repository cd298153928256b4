//! Dropout from a seeded generator, so that a training run can be repeated.

use candle_core::{Result, Tensor};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Zeroes values at random while training and scales the rest up, so that means stay.
pub struct Dropout {
    generator: Option<StdRng>,
}

impl Dropout {
    /// Dropout that draws from a generator started with `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            generator: Some(StdRng::seed_from_u64(seed)),
        }
    }

    /// No dropout: values pass as they are.
    pub fn off() -> Self {
        Self { generator: None }
    }

    /// Each value becomes 0 with probability `p`, else is divided by 1 - p.
    pub fn apply(&mut self, xs: &Tensor, p: f32) -> Result<Tensor> {
        let Some(generator) = &mut self.generator else {
            return Ok(xs.clone());
        };
        let kept = 1.0 / (1.0 - p);
        let mask: Vec<f32> = (0..xs.elem_count())
            .map(|_| {
                if generator.random::<f32>() < p {
                    0.0
                } else {
                    kept
                }
            })
            .collect();
        xs * Tensor::from_vec(mask, xs.shape(), xs.device())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_seed_repeats_its_mask_and_the_mean_stays() -> Result<()> {
        let ones = Tensor::ones(20_000, DType::F32, &Device::Cpu)?;
        let first = Dropout::seeded(7).apply(&ones, 0.1)?.to_vec1::<f32>()?;
        let again = Dropout::seeded(7).apply(&ones, 0.1)?.to_vec1::<f32>()?;
        assert_eq!(first, again);
        let zeros = first.iter().filter(|&&x| x == 0.0).count() as f32 / 20_000.0;
        let mean = first.iter().sum::<f32>() / 20_000.0;
        assert!(
            (zeros - 0.1).abs() < 0.01 && (mean - 1.0).abs() < 0.02,
            "{zeros} {mean}"
        );
        assert_eq!(
            Dropout::off().apply(&ones, 0.5)?.to_vec1::<f32>()?[..3],
            [1.0; 3]
        );
        Ok(())
    }
}
