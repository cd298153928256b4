//! Dropout from a generator without state: whether a value is dropped depends on the seed and the
//! value's place alone, so any number of threads draws the same mask, and a backward pass draws it
//! again instead of keeping it.

use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{contiguous, filled, read};
use super::parallel;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// Values of a piece of work.
const PIECE: usize = 64 * 1024;

/// Which values are dropped: each with one probability.
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    key: [u32; 2],
    /// A value is dropped where 24 random bits are below this.
    threshold: u32,
    /// What the others are multiplied by.
    kept: f32,
}

impl Mask {
    /// The mask number `call` of the generator started with `seed`: 0 with probability
    /// `probability`, else 1 / (1 - `probability`).
    #[must_use]
    pub fn new(seed: u64, call: u64, probability: f32) -> Self {
        let bits = mixed(mixed(seed).wrapping_add(call));
        Self {
            key: [bits as u32, (bits >> 32) as u32],
            threshold: (probability.clamp(0.0, 1.0) * (1 << 24) as f32) as u32,
            kept: 1.0 / (1.0 - probability),
        }
    }

    /// The factor of the value at `place`: 0 or 1 / (1 - p).
    ///
    /// The mixing is Wellons' lowbias32, with half of the key added in its middle so that two keys
    /// never give shifted copies of one sequence.
    #[inline(always)]
    fn factor(self, place: u32) -> f32 {
        let mut bits = place.wrapping_add(self.key[0]);
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x21f0_aaad);
        bits = bits.wrapping_add(self.key[1]);
        bits = (bits ^ (bits >> 15)).wrapping_mul(0xd35a_2d97);
        bits ^= bits >> 15;
        if (bits >> 8) < self.threshold {
            0.0
        } else {
            self.kept
        }
    }

    /// Multiplies `values`, the first of which is at `place`, by their factors.
    ///
    /// Places count modulo 2^32.
    pub(crate) fn multiply(self, set: InstructionSet, place: usize, values: &mut [f32]) {
        // SAFETY: changes a slice only.
        unsafe { multiply_entry(set, self, place as u32, values) }
    }
}

/// The finaliser of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

instruction_set_entry!(
    /// [`Mask::multiply`] for one instruction set.
    multiply_entry => multiply(mask: Mask, place: u32, values: &mut [f32])
);

/// The compiler makes vectors of it; the lanes only name the instruction set.
#[inline(always)]
unsafe fn multiply<L: Lanes>(mask: Mask, place: u32, values: &mut [f32]) {
    for (i, value) in values.iter_mut().enumerate() {
        *value *= mask.factor(place.wrapping_add(i as u32));
    }
}

/// `xs` times its mask, differentiable; the mask counts the values in their order.
///
/// # Errors
/// Those of candle's operators.
pub fn dropout(xs: &Tensor, mask: Mask) -> Result<Tensor> {
    if xs.device().is_cpu() {
        xs.contiguous()?.apply_op1(Operator(mask))
    } else {
        xs * factors(xs.shape(), mask)?.to_device(xs.device())?
    }
}

/// The mask itself, in main memory.
pub(crate) fn factors(shape: &Shape, mask: Mask) -> Result<Tensor> {
    let ones = vec![1.0; shape.elem_count()];
    Tensor::from_vec(masked(mask, &ones), shape, &candle_core::Device::Cpu)
}

/// `values` times their factors.
fn masked(mask: Mask, values: &[f32]) -> Vec<f32> {
    let set = InstructionSet::detect();
    // SAFETY: the pieces cover everything once.
    unsafe {
        filled(values.len(), |output| {
            let pieces = values.len().div_ceil(PIECE);
            parallel::for_each_piece(pieces, |piece| {
                let first = piece * PIECE;
                let from = &values[first..values.len().min(first + PIECE)];
                let to = output.at(first);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
                mask.multiply(set, first, std::slice::from_raw_parts_mut(to, from.len()));
            });
        })
    }
}

/// Dropout as candle's operator.
struct Operator(Mask);

impl CustomOp1 for Operator {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("dropout", storage, layout)?;
        let product = masked(self.0, values);
        Ok((CpuStorage::F32(product), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let product = read("dropout", gradient, |values| Ok(masked(self.0, values)))?;
        Tensor::from_vec(product, gradient.shape(), gradient.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;
    use candle_core::Var;

    #[test]
    fn drops_its_share_and_keeps_the_mean() -> Result<()> {
        on_every_instruction_set(|| {
            for (call, p) in [(0, 0.1), (1, 0.5), (2, 0.9)] {
                let mask =
                    factors(&Shape::from(300_000), Mask::new(3, call, p))?.to_vec1::<f32>()?;
                let dropped = mask.iter().filter(|&&x| x == 0.0).count() as f32 / 3e5;
                let mean = mask.iter().map(|&x| f64::from(x)).sum::<f64>() / 3e5;
                assert!((dropped - p).abs() < 0.004, "{p}: {dropped}");
                assert!((mean - 1.0).abs() < 0.02, "{p}: {mean}");
            }
            Ok(())
        })
    }

    #[test]
    fn neighbours_calls_and_seeds_are_independent() -> Result<()> {
        let shape = Shape::from(100_000);
        let of = |seed, call| factors(&shape, Mask::new(seed, call, 0.5))?.to_vec1::<f32>();
        let first = of(5, 0)?;
        let agree = |other: &[f32]| {
            let same = first.iter().zip(other).filter(|(a, b)| a == b).count();
            same as f32 / other.len() as f32
        };
        for other in [of(5, 1)?, of(6, 0)?] {
            assert!((agree(&other) - 0.5).abs() < 0.01);
        }
        for shift in [1, 2, 3, 16, 196, 256] {
            let share = agree(&first[shift..]);
            assert!((share - 0.5).abs() < 0.01, "{shift}: {share}");
        }
        Ok(())
    }

    #[test]
    fn is_the_same_on_any_number_of_threads_and_instruction_set() -> Result<()> {
        let xs = random(1.0, &[3, 70_001]);
        let mask = Mask::new(9, 4, 0.2);
        let expected = (&xs * factors(xs.shape(), mask)?)?;
        on_every_instruction_set(|| {
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let found = pool.unwrap().install(|| dropout(&xs, mask))?;
                assert_close(&found, &expected, 0.0)?;
            }
            Ok(())
        })
    }

    #[test]
    fn the_gradient_passes_where_values_pass() -> Result<()> {
        let xs = Var::from_tensor(&random(1.0, &[40, 50]))?;
        let mask = Mask::new(9, 4, 0.3);
        let gradient = dropout(xs.as_tensor(), mask)?.sqr()?.backward()?;
        let plain = factors(xs.shape(), mask)?;
        let expected = (xs.as_tensor() * 2.0)?.mul(&plain.sqr()?)?;
        assert_close(gradient.get(&xs).unwrap(), &expected, 1e-6)
    }
}
