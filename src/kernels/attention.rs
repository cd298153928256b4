//! Attention of every region to every region: the paper's Eq. 2 to 4.

use super::Activation;
use super::dropout::Mask;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{contiguous, filled, with_scratch};
use super::parallel;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor, bail};

/// Queries whose weights are computed together: they stay in the first-level cache.
const QUERIES: usize = 24;

/// softmax(q kᵀ / √(C / heads)) v for each head, from `[N, P, C]` each to `[N, P, C]`; head h has
/// the channels from h · C / heads on.
///
/// # Errors
/// The shapes differ, or the heads do not divide the channels.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize) -> Result<Tensor> {
    let (_, _, channels) = q.dims3()?;
    if q.dims() != k.dims() || q.dims() != v.dims() {
        bail!(
            "attention needs queries, keys and values of one shape, not {:?}, {:?} and {:?}",
            q.dims(),
            k.dims(),
            v.dims()
        );
    }
    if heads == 0 || channels % heads != 0 {
        bail!("{heads} heads do not divide {channels} channels");
    }
    if q.device().is_cpu() {
        let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
        let set = InstructionSet::detect();
        q.apply_op3_no_bwd(&k, &v, &Operator { heads, set })
    } else {
        plain(q, k, v, heads)
    }
}

/// The weights softmax(q kᵀ / √(C / heads)), `[N, heads, P, P]`, with candle's own operators: for
/// looking at.
///
/// # Errors
/// As [`attention`].
pub fn attention_weights(q: &Tensor, k: &Tensor, heads: usize) -> Result<Tensor> {
    let (_, _, channels) = q.dims3()?;
    let scale = ((channels / heads.max(1)) as f64).powf(-0.5);
    let q = (split_heads(q, heads)? * scale)?;
    let k = split_heads(k, heads)?;
    candle_nn::ops::softmax_last_dim(&q.matmul(&k.transpose(D::Minus1, D::Minus2)?.contiguous()?)?)
}

/// `[N, P, C]` to `[N, heads, P, C / heads]`.
///
/// # Errors
/// The heads do not divide the channels.
pub fn split_heads(xs: &Tensor, heads: usize) -> Result<Tensor> {
    let (images, regions, channels) = xs.dims3()?;
    if heads == 0 || channels % heads != 0 {
        bail!("{heads} heads do not divide {channels} channels");
    }
    xs.reshape((images, regions, heads, channels / heads))?
        .transpose(1, 2)?
        .contiguous()
}

/// The same with candle's own operators.
fn plain(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize) -> Result<Tensor> {
    attention_weights(q, k, heads)?
        .matmul(&split_heads(v, heads)?)?
        .transpose(1, 2)?
        .contiguous()?
        .reshape(q.shape())
}

/// Attention as candle's operator.
struct Operator {
    heads: usize,
    set: InstructionSet,
}

impl CustomOp3 for Operator {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let q = contiguous("attention", q, q_layout)?;
        let k = contiguous("attention", k, k_layout)?;
        let v = contiguous("attention", v, v_layout)?;
        let (images, regions, channels) = q_layout.shape().dims3()?;
        let width = channels / self.heads;
        // SAFETY: every head of every image is written.
        let output = unsafe {
            filled(q.len(), |output| {
                parallel::for_each_piece(images * self.heads, |piece| {
                    let start =
                        piece / self.heads * regions * channels + piece % self.heads * width;
                    let head = Head {
                        q: &q[start..],
                        k: &k[start..],
                        v: &v[start..],
                        regions,
                        stride: channels,
                        width,
                    };
                    head.attend(self.set, (output.at(start), channels), None);
                });
            })
        };
        Ok((CpuStorage::F32(output), q_layout.shape().clone()))
    }
}

/// One head of one image: rows of `width` floats, `stride` apart.
pub(super) struct Head<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) regions: usize,
    pub(super) stride: usize,
    pub(super) width: usize,
}

impl Head<'_> {
    /// The keys, packed for products of queries with them.
    pub(super) fn packed_keys(&self, set: InstructionSet) -> PackedMatrix {
        let entry = |i: usize, region: usize| self.k[region * self.stride + i];
        PackedMatrix::new(set, self.width, self.regions, entry, None, Activation::None)
    }

    /// Writes the attention of `count` queries from `first` on to `weights`, rows `stride` apart.
    ///
    /// # Safety
    /// `weights` holds `count` such rows.
    pub(super) unsafe fn weights(
        &self,
        set: InstructionSet,
        keys: &PackedMatrix,
        (first, count): (usize, usize),
        (weights, stride): (&mut [f32], usize),
    ) {
        let queries = self.q[first * self.stride..].as_ptr();
        let scores = Target {
            start: weights.as_mut_ptr(),
            stride,
            residual: std::ptr::null(),
        };
        // SAFETY: the caller's.
        unsafe {
            let rows = Rows::plain(queries, count, self.width, self.stride);
            keys.multiply(0..keys.panels(), &rows, &scores);
            softmax_entry(set, weights, self.regions, stride, count, self.scale());
        }
    }

    /// 1 / √width.
    pub(super) fn scale(&self) -> f32 {
        (self.width as f32).powf(-0.5)
    }

    /// Writes the head's output, rows `output_stride` apart. The attention is multiplied by `mask`
    /// where there is one; its first value is at the place beside it.
    ///
    /// # Safety
    /// `output` has room for it, and nobody else uses that room.
    pub(super) unsafe fn attend(
        &self,
        set: InstructionSet,
        (output, output_stride): (*mut f32, usize),
        mask: Option<(Mask, usize)>,
    ) {
        let (regions, width) = (self.regions, self.width);
        let keys = self.packed_keys(set);
        let entry = |region: usize, i: usize| self.v[region * self.stride + i];
        let values = PackedMatrix::new(set, regions, width, entry, None, Activation::None);
        let stride = regions.next_multiple_of(16);
        with_scratch(QUERIES * stride, |weights| {
            for first in (0..regions).step_by(QUERIES) {
                let count = QUERIES.min(regions - first);
                // SAFETY: `weights` holds `count` rows of `stride`; the output is the caller's.
                unsafe {
                    self.weights(set, &keys, (first, count), (weights, stride));
                    if let Some((mask, place)) = mask {
                        for row in 0..count {
                            let weights = &mut weights[row * stride..][..regions];
                            mask.multiply(set, place + (first + row) * regions, weights);
                        }
                    }
                    let rows = Rows::plain(weights.as_ptr(), count, regions, stride);
                    let target = Target {
                        start: output.add(first * output_stride),
                        stride: output_stride,
                        residual: std::ptr::null(),
                    };
                    values.multiply(0..values.panels(), &rows, &target);
                }
            }
        });
    }
}

instruction_set_entry!(
    /// The softmax of `scale` times each of `count` rows of `length`, in place.
    softmax_entry => softmax(
        rows: &mut [f32],
        length: usize,
        stride: usize,
        count: usize,
        scale: f32,
    )
);

#[inline(always)]
unsafe fn softmax<L: Lanes>(
    rows: &mut [f32],
    length: usize,
    stride: usize,
    count: usize,
    scale: f32,
) {
    for row in rows.chunks_mut(stride).take(count) {
        let row = &mut row[..length];
        let whole = length / L::WIDTH * L::WIDTH;
        // SAFETY: whole vectors inside the row.
        unsafe {
            let mut largest = L::splat(f32::NEG_INFINITY);
            for i in (0..whole).step_by(L::WIDTH) {
                largest = largest.max(L::load(row.as_ptr().add(i)));
            }
            let largest = row[whole..]
                .iter()
                .copied()
                .fold(largest.largest(), f32::max);
            let shift = L::splat(-largest * scale);
            let mut sums = L::splat(0.0);
            for i in (0..whole).step_by(L::WIDTH) {
                let place = row.as_mut_ptr().add(i);
                let value = L::load(place)
                    .mul_add(L::splat(scale), shift)
                    .exp_of_negative();
                value.store(place);
                sums = sums.add(value);
            }
            let mut sum = sums.sum();
            for value in &mut row[whole..] {
                *value = ((*value - largest) * scale).exp();
                sum += *value;
            }
            let inverse = L::splat(1.0 / sum);
            for i in (0..whole).step_by(L::WIDTH) {
                let place = row.as_mut_ptr().add(i);
                L::load(place).mul(inverse).store(place);
            }
            for value in &mut row[whole..] {
                *value /= sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;

    #[test]
    fn is_candle_s_own_attention() -> Result<()> {
        on_every_instruction_set(|| {
            for (images, regions, channels, heads) in
                [(1, 196, 64, 2), (2, 49, 24, 8), (3, 7, 30, 3), (1, 1, 5, 1)]
            {
                let [q, k, v] = [0.0, 1.0, 2.0]
                    .map(|seed| random(seed, &[images, regions, channels]))
                    .map(|x| (x * 2.0).unwrap());
                let found = attention(&q, &k, &v, heads)?;
                assert_close(&found, &plain(&q, &k, &v, heads)?, 1e-5)?;
            }
            Ok(())
        })
    }

    #[test]
    fn large_scores_do_not_overflow() -> Result<()> {
        on_every_instruction_set(|| {
            let q = (random(0.0, &[1, 20, 16]) * 300.0)?;
            let v = random(1.0, &[1, 20, 16]);
            assert_close(&attention(&q, &q, &v, 1)?, &plain(&q, &q, &v, 1)?, 1e-5)
        })
    }

    #[test]
    fn weights_of_a_region_sum_to_one() -> Result<()> {
        let q = random(0.0, &[2, 9, 8]);
        let weights = attention_weights(&q, &q, 2)?;
        assert_eq!(weights.dims(), [2, 2, 9, 9]);
        assert_close(
            &weights.sum(3)?,
            &Tensor::ones((2, 2, 9), q.dtype(), q.device())?,
            1e-6,
        )
    }

    #[test]
    fn says_what_does_not_fit() {
        let q = random(0.0, &[1, 4, 6]);
        let message = attention(&q, &q, &q, 4).unwrap_err().to_string();
        assert!(
            message.contains("4 heads do not divide 6 channels"),
            "{message}"
        );
        let k = random(0.0, &[1, 5, 6]);
        let message = attention(&q, &k, &q, 2).unwrap_err().to_string();
        assert!(message.contains("one shape"), "{message}");
    }
}
