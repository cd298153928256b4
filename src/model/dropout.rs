//! Dropout from a seeded generator, so that a training run can be repeated.

use candle_core::{Result, Tensor};

use crate::kernels::dropout::{Mask, dropout};

/// Zeroes values at random while training and scales the rest up, so that means stay.
///
/// The masks depend on the seed and on how many were drawn before, not on the number of threads.
pub struct Dropout {
    seed: Option<u64>,
    drawn: u64,
}

impl Dropout {
    /// Dropout that draws from a generator started with `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed: Some(seed),
            drawn: 0,
        }
    }

    /// No dropout: values pass as they are.
    pub fn off() -> Self {
        Self {
            seed: None,
            drawn: 0,
        }
    }

    /// The next mask, which drops values with probability `p`; none where dropout is off.
    pub fn mask(&mut self, p: f32) -> Option<Mask> {
        let mask = Mask::new(self.seed?, self.drawn, p);
        self.drawn += 1;
        Some(mask)
    }

    /// Each value becomes 0 with probability `p`, else is divided by 1 - p.
    pub fn apply(&mut self, xs: &Tensor, p: f32) -> Result<Tensor> {
        match self.mask(p) {
            Some(mask) => dropout(xs, mask),
            None => Ok(xs.clone()),
        }
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

    #[test]
    fn the_next_mask_is_another() -> Result<()> {
        let ones = Tensor::ones(1000, DType::F32, &Device::Cpu)?;
        let mut dropout = Dropout::seeded(7);
        let first = dropout.apply(&ones, 0.5)?.to_vec1::<f32>()?;
        assert_ne!(first, dropout.apply(&ones, 0.5)?.to_vec1::<f32>()?);
        Ok(())
    }
}
