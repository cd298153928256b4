//! Attention with dropout and its gradient, for training.
//!
//! For each head, with A = softmax(q kᵀ / √w), the dropout's mask M and o = (A ∘ M) v, and the
//! gradient g of o: dv = (A ∘ M)ᵀ g; D = g vᵀ is the gradient of A ∘ M, so that of the scores is
//! S = A ∘ (M ∘ D - row sums of A ∘ M ∘ D); dq = S k / √w and dk = Sᵀ q / √w. The attention and
//! the mask are computed again instead of kept: a head's fit in the cache, all heads' do not.

use super::Activation;
use super::attention::{Head, split_heads};
use super::dropout::{Mask, factors};
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{contiguous, filled, read, with_scratch};
use super::parallel;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use candle_nn::ops::softmax;

/// Attention of every region to every region from queries, keys and values side by side,
/// `[N, P, 3C]` to `[N, P, C]`, differentiable. The attention, `[N, heads, P, P]`, is multiplied by
/// `mask` where there is one.
///
/// # Errors
/// The heads do not divide the channels.
pub fn self_attention(qkv: &Tensor, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let (_, _, width) = qkv.dims3()?;
    if heads == 0 || width % (3 * heads) != 0 {
        bail!("{heads} heads do not divide {width} / 3 channels");
    }
    if qkv.device().is_cpu() {
        let set = InstructionSet::detect();
        qkv.contiguous()?.apply_op1(Operator { heads, mask, set })
    } else {
        plain(qkv, heads, mask)
    }
}

/// The same with candle's own operators.
fn plain(qkv: &Tensor, heads: usize, mask: Option<Mask>) -> Result<Tensor> {
    let (images, regions, width) = qkv.dims3()?;
    let channels = width / 3;
    let part = |i: usize| qkv.narrow(2, i * channels, channels)?.contiguous();
    let scale = ((channels / heads) as f64).powf(-0.5);
    let query = (split_heads(&part(0)?, heads)? * scale)?;
    let key = split_heads(&part(1)?, heads)?;
    let scores = query.matmul(&key.transpose(2, 3)?.contiguous()?)?;
    // Not `softmax_last_dim`, through which no gradient flows.
    let mut weights = softmax(&scores, 3)?;
    if let Some(mask) = mask {
        let factors = factors(weights.shape(), mask)?.to_device(qkv.device())?;
        weights = (weights * factors)?;
    }
    weights
        .matmul(&split_heads(&part(2)?, heads)?)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((images, regions, channels))
}

/// Attention as candle's operator.
struct Operator {
    heads: usize,
    mask: Option<Mask>,
    set: InstructionSet,
}

/// Images, regions, and channels of q, k and v each.
type Size = (usize, usize, usize);

impl Operator {
    /// Calls `work` for every head of every image with its mask, and its first place in the output.
    fn for_each_head(
        &self,
        qkv: &[f32],
        (images, regions, channels): Size,
        work: impl Fn(&Head, Option<(Mask, usize)>, [usize; 2]) + Send + Sync,
    ) {
        let width = channels / self.heads;
        parallel::for_each_piece(images * self.heads, |piece| {
            let (image, first) = (piece / self.heads, piece % self.heads * width);
            let start = image * regions * 3 * channels + first;
            let head = Head {
                q: &qkv[start..],
                k: &qkv[start + channels..],
                v: &qkv[start + 2 * channels..],
                regions,
                stride: 3 * channels,
                width,
            };
            let mask = self.mask.map(|mask| (mask, piece * regions * regions));
            work(&head, mask, [image * regions * channels + first, start]);
        });
    }

    fn forward(&self, qkv: &[f32], size: Size) -> Vec<f32> {
        let channels = size.2;
        // SAFETY: every head of every image is written.
        unsafe {
            filled(qkv.len() / 3, |output| {
                self.for_each_head(qkv, size, |head, mask, [place, _]| {
                    head.attend(self.set, (output.at(place), channels), mask);
                });
            })
        }
    }

    fn backward(&self, qkv: &[f32], gradient: &[f32], size: Size) -> Vec<f32> {
        let channels = size.2;
        assert_eq!(qkv.len(), 3 * gradient.len());
        // SAFETY: the gradients of q, k and v of every head of every image are written.
        unsafe {
            filled(qkv.len(), |output| {
                self.for_each_head(qkv, size, |head, mask, [place, start]| {
                    let backward = Backward {
                        set: self.set,
                        head,
                        mask,
                        gradient: &gradient[place..],
                        gradient_stride: channels,
                    };
                    let output = [0, 1, 2].map(|part| output.at(start + part * channels));
                    backward.run(output);
                });
            })
        }
    }
}

/// The gradient of one head of one image.
struct Backward<'a> {
    set: InstructionSet,
    head: &'a Head<'a>,
    mask: Option<(Mask, usize)>,
    gradient: &'a [f32],
    gradient_stride: usize,
}

impl Backward<'_> {
    /// Writes the gradients of q, k and v, with rows as theirs.
    ///
    /// # Safety
    /// There is room for them, which nobody else uses.
    unsafe fn run(&self, [to_q, to_k, to_v]: [*mut f32; 3]) {
        let (head, regions) = (self.head, self.head.regions);
        let stride = regions.next_multiple_of(16);
        with_scratch((2 * regions + 1) * stride, |scratch| {
            let (weights, rest) = scratch.split_at_mut(regions * stride);
            let (scores, factors) = rest.split_at_mut(regions * stride);
            // SAFETY: each matrix holds `regions` rows of `stride`; the rest is the caller's.
            unsafe {
                let keys = head.packed_keys(self.set);
                head.weights(self.set, &keys, (0, regions), (weights, stride));
                self.to_weights(scores.as_mut_ptr(), stride);
                for row in 0..regions {
                    let factors = &mut factors[..regions];
                    factors.fill(1.0);
                    if let Some((mask, place)) = self.mask {
                        mask.multiply(self.set, place + row * regions, factors);
                    }
                    let weights = &mut weights[row * stride..][..regions];
                    let scores = &mut scores[row * stride..][..regions];
                    softmax_gradient_entry(self.set, weights, factors, scores);
                }
                let turned = |matrix: &[f32]| Rows {
                    start: matrix.as_ptr(),
                    count: regions,
                    stride: 1,
                    segments: regions,
                    segment_length: 1,
                    segment_stride: stride,
                };
                let gradient = (self.gradient, self.gradient_stride, 1.0);
                self.product(&turned(weights), gradient, to_v);
                let scale = head.scale();
                let rows = Rows::plain(scores.as_ptr(), regions, regions, stride);
                self.product(&rows, (head.k, head.stride, scale), to_q);
                self.product(&turned(scores), (head.q, head.stride, scale), to_k);
            }
        });
    }

    /// D = g vᵀ.
    ///
    /// # Safety
    /// `output` has `regions` rows of `stride`.
    unsafe fn to_weights(&self, output: *mut f32, stride: usize) {
        let Head {
            v, regions, width, ..
        } = *self.head;
        let entry = |i: usize, region: usize| v[region * self.head.stride + i];
        let values = PackedMatrix::new(self.set, width, regions, entry, None, Activation::None);
        let gradient = self.gradient.as_ptr();
        let rows = Rows::plain(gradient, regions, width, self.gradient_stride);
        let target = Target {
            start: output,
            stride,
            residual: std::ptr::null(),
        };
        // SAFETY: the caller's.
        unsafe { values.multiply(0..values.panels(), &rows, &target) };
    }

    /// The product of `left` with `scale` times a matrix of a row for each region, to `output`.
    ///
    /// # Safety
    /// `output` has room for it, rows the head's stride apart.
    unsafe fn product(
        &self,
        left: &Rows,
        (right, stride, scale): (&[f32], usize, f32),
        output: *mut f32,
    ) {
        let (regions, width) = (self.head.regions, self.head.width);
        let entry = |region: usize, i: usize| right[region * stride + i] * scale;
        let matrix = PackedMatrix::new(self.set, regions, width, entry, None, Activation::None);
        let target = Target {
            start: output,
            stride: self.head.stride,
            residual: std::ptr::null(),
        };
        // SAFETY: the caller's.
        unsafe { matrix.multiply(0..matrix.panels(), left, &target) };
    }
}

instruction_set_entry!(
    /// One row: the attention becomes A ∘ M, and D becomes the gradient of the scores.
    softmax_gradient_entry => softmax_gradient(
        weights: &mut [f32],
        factors: &[f32],
        scores: &mut [f32],
    )
);

#[inline(always)]
unsafe fn softmax_gradient<L: Lanes>(weights: &mut [f32], factors: &[f32], scores: &mut [f32]) {
    let length = weights.len();
    // SAFETY: all three have `length` floats.
    unsafe {
        let mut sums = L::splat(0.0);
        for i in (0..length).step_by(L::WIDTH) {
            let lanes = length - i;
            let factor = L::load_up_to(factors.as_ptr().add(i), lanes);
            let place = scores.as_mut_ptr().add(i);
            let masked = L::load_up_to(place, lanes).mul(factor);
            masked.store_up_to(place, lanes);
            sums = masked.mul_add(L::load_up_to(weights.as_ptr().add(i), lanes), sums);
        }
        let sum = L::splat(sums.sum());
        for i in (0..length).step_by(L::WIDTH) {
            let lanes = length - i;
            let place = weights.as_mut_ptr().add(i);
            let weight = L::load_up_to(place, lanes);
            let factor = L::load_up_to(factors.as_ptr().add(i), lanes);
            weight.mul(factor).store_up_to(place, lanes);
            let place = scores.as_mut_ptr().add(i);
            let masked = L::load_up_to(place, lanes);
            weight.mul(masked.sub(sum)).store_up_to(place, lanes);
        }
    }
}

impl CustomOp1 for Operator {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (images, regions, width) = layout.shape().dims3()?;
        let qkv = contiguous(self.name(), qkv, layout)?;
        let output = self.forward(qkv, (images, regions, width / 3));
        Ok((
            CpuStorage::F32(output),
            Shape::from((images, regions, width / 3)),
        ))
    }

    fn bwd(&self, qkv: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let size = gradient.dims3()?;
        let values = read(self.name(), qkv, |qkv| {
            read(self.name(), gradient, |gradient| {
                Ok(self.backward(qkv, gradient, size))
            })
        })?;
        Tensor::from_vec(values, qkv.shape(), qkv.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_gradients, on_every_instruction_set, random};
    use super::*;

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for (images, regions, channels, heads) in
                [(1, 1, 5, 1), (3, 7, 30, 3), (2, 49, 24, 8), (1, 196, 64, 2)]
            {
                for mask in [None, Some(Mask::new(3, 1, 0.3))] {
                    let qkv = (random(1.0, &[images, regions, 3 * channels]) * 2.0)?;
                    assert_same_gradients(
                        &[qkv],
                        |[qkv]| self_attention(qkv, heads, mask),
                        |[qkv]| plain(qkv, heads, mask),
                        2e-5,
                    )?;
                }
            }
            Ok(())
        })
    }

    #[test]
    fn large_scores_do_not_overflow() -> Result<()> {
        on_every_instruction_set(|| {
            let qkv = (random(1.0, &[1, 20, 48]) * 100.0)?;
            // Scores of thousands: their rounding alone changes the attention by some 1e-4.
            assert_same_gradients(
                &[qkv],
                |[qkv]| self_attention(qkv, 2, None),
                |[qkv]| plain(qkv, 2, None),
                1e-3,
            )
        })
    }

    #[test]
    fn says_what_does_not_fit() {
        let message = self_attention(&random(1.0, &[1, 4, 18]), 4, None)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("4 heads do not divide 18 / 3"),
            "{message}"
        );
    }
}
