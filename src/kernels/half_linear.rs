//! Linear layers whose weights stay in half precision: for layers so large that reading the weights
//! is the work.
//!
//! Every weight is read once for each two photos and converted on its way into a register; sums are
//! in single precision. On other devices than the CPU the weights are held in single precision.

use super::Activation;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{SharedMut, contiguous, filled};
use super::parallel;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use half::f16;
use std::ops::Range;

/// Outputs that are computed at once.
const OUTPUTS: usize = 4;

/// A linear layer, `activation(x Wᵀ + b)`, with W in half precision.
pub struct HalfLinear {
    weight: Tensor,
    bias: Tensor,
    activation: Activation,
}

impl HalfLinear {
    /// A layer of `weight` `[out, in]` and `bias` `[out]`. A contiguous weight in f16 is not copied.
    ///
    /// # Errors
    /// The shapes are others.
    pub fn new(weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Self> {
        let (outputs, _) = weight.dims2()?;
        let kind = match weight.device().is_cpu() {
            true => DType::F16,
            false => DType::F32,
        };
        let Some(bias) = super::vector_of("linear layer's bias", Some(bias), outputs)? else {
            bail!("a linear layer needs a bias");
        };
        Ok(Self {
            weight: weight.to_dtype(kind)?.contiguous()?,
            bias,
            activation,
        })
    }

    /// `[N, in]` to `[N, out]`.
    ///
    /// # Errors
    /// The input has another shape.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let (_, inputs) = self.weight.dims2()?;
        if xs.dims2()?.1 != inputs {
            bail!(
                "a linear layer of {inputs} inputs was given a tensor of shape {:?}",
                xs.dims()
            );
        }
        let product = match xs.device().is_cpu() {
            true => {
                let product = Product(InstructionSet::detect());
                xs.contiguous()?.apply_op2_no_bwd(&self.weight, &product)?
            }
            false => xs.matmul(&self.weight.t()?)?,
        };
        self.activation.apply(&product.broadcast_add(&self.bias)?)
    }
}

/// x Wᵀ as candle's operator.
struct Product(InstructionSet);

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product with half-precision weights"
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let values = contiguous(self.name(), xs, xs_layout)?;
        let (CpuStorage::F16(weight), Some((start, end))) =
            (weight, weight_layout.contiguous_offsets())
        else {
            bail!("{} takes contiguous weights in f16", self.name());
        };
        let weight = &weight[start..end];
        let (photos, inputs) = xs_layout.shape().dims2()?;
        let outputs = weight_layout.dims()[0];
        assert_eq!(weight.len(), outputs * inputs, "weights for these inputs");
        let run = |product: SharedMut| {
            let pieces = parallel::pieces(photos * weight.len());
            parallel::for_each_piece(pieces, |piece| {
                let part = parallel::part(outputs, pieces, piece);
                // SAFETY: each piece computes outputs of its own.
                unsafe { rows_entry(self.0, (values, weight), [inputs, outputs], part, product) };
            });
        };
        // SAFETY: the pieces write every output of every photo.
        let product = unsafe { filled(photos * outputs, run) };
        Ok((CpuStorage::F32(product), Shape::from((photos, outputs))))
    }
}

instruction_set_entry!(
    /// Some outputs of all photos.
    rows_entry => rows(
        factors: (&[f32], &[f16]),
        size: [usize; 2],
        part: Range<usize>,
        product: SharedMut,
    )
);

#[inline(always)]
unsafe fn rows<L: Lanes>(
    (values, weight): (&[f32], &[f16]),
    [inputs, outputs]: [usize; 2],
    part: Range<usize>,
    product: SharedMut,
) {
    let mut output = part.start;
    while output < part.end {
        let count = if part.end - output >= OUTPUTS {
            OUTPUTS
        } else {
            1
        };
        let weight = &weight[output * inputs..(output + count) * inputs];
        for (pair, photos) in values.chunks(2 * inputs).enumerate() {
            // SAFETY: these outputs of these photos are this piece's.
            unsafe {
                let to = SharedMut(product.at(2 * pair * outputs + output));
                match (count, photos.len() / inputs) {
                    (1, 1) => tile::<L, 1, 1>(photos, weight, inputs, (to, outputs)),
                    (1, _) => tile::<L, 1, 2>(photos, weight, inputs, (to, outputs)),
                    (_, 1) => tile::<L, OUTPUTS, 1>(photos, weight, inputs, (to, outputs)),
                    _ => tile::<L, OUTPUTS, 2>(photos, weight, inputs, (to, outputs)),
                }
            }
        }
        output += count;
    }
}

/// `O` outputs of `P` photos; `stride` floats lie between two photos' outputs.
#[inline(always)]
unsafe fn tile<L: Lanes, const O: usize, const P: usize>(
    photos: &[f32],
    weight: &[f16],
    inputs: usize,
    (to, stride): (SharedMut, usize),
) {
    let whole = inputs - inputs % L::WIDTH;
    // SAFETY: `photos` has P rows and `weight` O rows of `inputs`; room for the result is the
    // caller's promise.
    unsafe {
        let mut sums = [[L::splat(0.0); P]; O];
        for k in (0..whole).step_by(L::WIDTH) {
            let mut xs = [L::splat(0.0); P];
            for (p, x) in xs.iter_mut().enumerate() {
                *x = L::load(photos.as_ptr().add(p * inputs + k));
            }
            for (o, sums) in sums.iter_mut().enumerate() {
                let weights = L::load_half(weight.as_ptr().add(o * inputs + k));
                for (sum, x) in sums.iter_mut().zip(xs) {
                    *sum = weights.mul_add(x, *sum);
                }
            }
        }
        for (o, sums) in sums.into_iter().enumerate() {
            for (p, sum) in sums.into_iter().enumerate() {
                let mut sum = sum.sum();
                for k in whole..inputs {
                    sum += photos[p * inputs + k] * weight[o * inputs + k].to_f32();
                }
                to.at(p * stride + o).write(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;

    #[test]
    fn is_a_linear_layer_of_the_rounded_weights() -> Result<()> {
        on_every_instruction_set(|| {
            // The last is enough work for several threads.
            for (photos, inputs, outputs) in [(1, 1, 1), (1, 37, 9), (2, 48, 6), (5, 700, 103)] {
                let weight = random(1.0, &[outputs, inputs]).to_dtype(DType::F16)?;
                let (bias, xs) = (random(2.0, &[outputs]), random(3.0, &[photos, inputs]));
                let layer = HalfLinear::new(&weight, &bias, Activation::Relu)?;
                let weight = weight.to_dtype(DType::F32)?;
                let expected = xs.matmul(&weight.t()?)?.broadcast_add(&bias)?.relu()?;
                assert_close(&layer.forward(&xs)?, &expected, 1e-5)?;
            }
            Ok(())
        })
    }

    #[test]
    fn says_what_does_not_fit() -> Result<()> {
        let (weight, bias) = (random(1.0, &[6, 5]), random(2.0, &[6]));
        let layer = HalfLinear::new(&weight, &bias, Activation::None)?;
        let message = layer
            .forward(&random(3.0, &[2, 4]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("5 inputs") && message.contains("[2, 4]"),
            "{message}"
        );
        assert!(HalfLinear::new(&weight, &random(2.0, &[5]), Activation::None).is_err());
        Ok(())
    }
}
