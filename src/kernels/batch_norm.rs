//! Batch normalisation in training, channels last: statistics of the batch, and the gradient
//! through them.
//!
//! With x̂ = (x - mean) / √(variance + ε) and y = γ x̂ + β over n rows, and the gradient g of y:
//! dβ = Σ g, dγ = Σ g x̂, dx = γ / √(variance + ε) · (g - dβ / n - x̂ dγ / n).

use super::columns::sums;
use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{SharedMut, contiguous, filled, read};
use super::parallel;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// Rows of a piece of work.
const ROWS: usize = 128;

/// A normalised batch and what it was normalised with.
pub struct Normalised {
    /// y, of the input's shape.
    pub output: Tensor,
    /// Mean of each channel, `[C]`.
    pub mean: Tensor,
    /// Unbiased variance of each channel, `[C]`: what PyTorch's running variance follows.
    pub variance: Tensor,
}

/// Normalises `[.., C]` over all rows, with scale γ and shift β, `[C]` each; differentiable. The
/// values are divided by the root of the biased variance plus `epsilon`.
///
/// # Errors
/// Shapes that do not fit, or fewer than two rows.
pub fn batch_norm(xs: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f64) -> Result<Normalised> {
    let channels = xs.dims().last().copied().unwrap_or(0);
    let rows = xs.elem_count() / channels.max(1);
    if gamma.dims() != [channels] || beta.dims() != [channels] {
        bail!(
            "batch normalisation of {:?} was given scale {:?} and shift {:?}",
            xs.dims(),
            gamma.dims(),
            beta.dims()
        );
    }
    if rows < 2 {
        bail!("batch normalisation needs more than one value of each channel: use larger batches");
    }
    if !xs.device().is_cpu() {
        return plain(xs, gamma, beta, epsilon);
    }
    let set = InstructionSet::detect();
    let xs = xs.contiguous()?;
    let (mean, variance) = read("batch normalisation", &xs, |values| {
        Ok(statistics(set, values, channels))
    })?;
    let inverse = variance
        .iter()
        .map(|&variance| (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32)
        .collect();
    let correction = rows as f32 / (rows - 1) as f32;
    let unbiased = variance.iter().map(|&v| v * correction).collect();
    let means = Tensor::from_vec(mean.clone(), channels, xs.device())?;
    let output = xs.apply_op3(
        &gamma.contiguous()?,
        &beta.contiguous()?,
        Operator { set, mean, inverse },
    )?;
    Ok(Normalised {
        output,
        mean: means,
        variance: Tensor::from_vec(unbiased, channels, xs.device())?,
    })
}

/// The same with candle's own operators.
fn plain(xs: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f64) -> Result<Normalised> {
    let channels = gamma.dim(0)?;
    let flat = xs.reshape(((), channels))?;
    let rows = flat.dim(0)? as f64;
    let mean = flat.mean_keepdim(0)?;
    let centred = flat.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(0)?;
    let output = centred
        .broadcast_div(&(&variance + epsilon)?.sqrt()?)?
        .broadcast_mul(gamma)?
        .broadcast_add(beta)?
        .reshape(xs.shape())?;
    Ok(Normalised {
        output,
        mean: mean.squeeze(0)?.detach(),
        variance: (variance.squeeze(0)? * (rows / (rows - 1.0)))?.detach(),
    })
}

/// Mean and biased variance of each channel.
fn statistics(set: InstructionSet, values: &[f32], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = values.len() / channels;
    let share = 1.0 / rows as f32;
    let of = |piece: std::ops::Range<usize>| &values[piece.start * channels..piece.end * channels];
    let zero = vec![0.0; channels];
    let mut mean = sums(rows, channels, |piece, sums| {
        // SAFETY: adds up slices only.
        unsafe { add_differences_entry(set, of(piece), &zero, sums) };
    });
    mean.iter_mut().for_each(|sum| *sum *= share);
    let mut variance = sums(rows, channels, |piece, sums| {
        // SAFETY: as above.
        unsafe { add_squares_entry(set, of(piece), &mean, sums) };
    });
    variance.iter_mut().for_each(|sum| *sum *= share);
    (mean, variance)
}

instruction_set_entry!(
    /// Adds the rows' differences from `centre` to `sums`.
    add_differences_entry => add_differences(values: &[f32], centre: &[f32], sums: &mut [f32])
);

#[inline(always)]
unsafe fn add_differences<L: Lanes>(values: &[f32], centre: &[f32], sums: &mut [f32]) {
    for row in values.chunks_exact(sums.len()) {
        for ((sum, value), centre) in sums.iter_mut().zip(row).zip(centre) {
            *sum += value - centre;
        }
    }
}

instruction_set_entry!(
    /// Adds the squares of the rows' differences from `centre` to `sums`.
    add_squares_entry => add_squares(values: &[f32], centre: &[f32], sums: &mut [f32])
);

#[inline(always)]
unsafe fn add_squares<L: Lanes>(values: &[f32], centre: &[f32], sums: &mut [f32]) {
    for row in values.chunks_exact(sums.len()) {
        for ((sum, value), centre) in sums.iter_mut().zip(row).zip(centre) {
            let difference = value - centre;
            *sum += difference * difference;
        }
    }
}

instruction_set_entry!(
    /// Adds g to the first half of `sums` and g (x - mean) to the second.
    add_products_entry => add_products(
        values: &[f32],
        gradient: &[f32],
        mean: &[f32],
        sums: &mut [f32],
    )
);

#[inline(always)]
unsafe fn add_products<L: Lanes>(values: &[f32], gradient: &[f32], mean: &[f32], sums: &mut [f32]) {
    let channels = mean.len();
    let (plain, products) = sums.split_at_mut(channels);
    let rows = values
        .chunks_exact(channels)
        .zip(gradient.chunks_exact(channels));
    for (values, gradient) in rows {
        for i in 0..channels {
            plain[i] += gradient[i];
            products[i] += gradient[i] * (values[i] - mean[i]);
        }
    }
}

instruction_set_entry!(
    /// Writes a · x + b.
    affine_entry => affine(values: &[f32], a: &[f32], b: &[f32], output: *mut f32)
);

#[inline(always)]
unsafe fn affine<L: Lanes>(values: &[f32], a: &[f32], b: &[f32], output: *mut f32) {
    let channels = a.len();
    for (row, values) in values.chunks_exact(channels).enumerate() {
        for i in 0..channels {
            // SAFETY: the caller has room for as many values as it gave.
            unsafe {
                output
                    .add(row * channels + i)
                    .write(values[i] * a[i] + b[i])
            };
        }
    }
}

instruction_set_entry!(
    /// Writes a · g + b · x + c.
    combine_entry => combine(
        values: &[f32],
        gradient: &[f32],
        coefficients: [&[f32]; 3],
        output: *mut f32,
    )
);

#[inline(always)]
unsafe fn combine<L: Lanes>(
    values: &[f32],
    gradient: &[f32],
    [a, b, c]: [&[f32]; 3],
    output: *mut f32,
) {
    let channels = a.len();
    let rows = values
        .chunks_exact(channels)
        .zip(gradient.chunks_exact(channels));
    for (row, (values, gradient)) in rows.enumerate() {
        for i in 0..channels {
            let value = a[i] * gradient[i] + b[i] * values[i] + c[i];
            // SAFETY: the caller has room for as many values as it gave.
            unsafe { output.add(row * channels + i).write(value) };
        }
    }
}

/// Lets `work(floats, output)` write `length` floats, a few rows of `channels` at a time.
fn by_rows(
    length: usize,
    channels: usize,
    work: impl Fn(std::ops::Range<usize>, *mut f32) + Send + Sync,
) -> Vec<f32> {
    let piece_length = ROWS * channels;
    let run = |output: SharedMut| {
        parallel::for_each_piece(length.div_ceil(piece_length), |piece| {
            let first = piece * piece_length;
            // SAFETY: `first` lies in the output.
            let to = unsafe { output.at(first) };
            work(first..length.min(first + piece_length), to);
        });
    };
    // SAFETY: the pieces cover everything.
    unsafe { filled(length, run) }
}

/// The normalisation as candle's operator, with the batch's statistics.
struct Operator {
    set: InstructionSet,
    mean: Vec<f32>,
    /// 1 / √(variance + ε).
    inverse: Vec<f32>,
}

impl Operator {
    /// dx, dγ and dβ.
    fn gradients(
        &self,
        values: &[f32],
        gradient: &[f32],
        gamma: &[f32],
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let channels = gamma.len();
        let rows = values.len() / channels;
        assert_eq!(values.len(), rows * channels);
        assert_eq!(values.len(), gradient.len());
        let share = 1.0 / rows as f32;
        let place = |piece: std::ops::Range<usize>| piece.start * channels..piece.end * channels;
        let mut to_beta = sums(rows, 2 * channels, |piece, sums| {
            let (x, g) = (&values[place(piece.clone())], &gradient[place(piece)]);
            // SAFETY: adds up slices only.
            unsafe { add_products_entry(self.set, x, g, &self.mean, sums) };
        });
        let products = to_beta.split_off(channels);
        let to_gamma: Vec<f32> = products
            .iter()
            .zip(&self.inverse)
            .map(|(product, inverse)| product * inverse)
            .collect();
        let [mut a, mut b, mut c] = [(); 3].map(|()| vec![0.0; channels]);
        for i in 0..channels {
            a[i] = gamma[i] * self.inverse[i];
            b[i] = -a[i] * self.inverse[i] * to_gamma[i] * share;
            c[i] = -a[i] * to_beta[i] * share - b[i] * self.mean[i];
        }
        let to_input = by_rows(values.len(), channels, |place, output| {
            let (x, g) = (&values[place.clone()], &gradient[place]);
            // SAFETY: the output has room for this piece.
            unsafe { combine_entry(self.set, x, g, [&a, &b, &c], output) };
        });
        (to_input, to_gamma, to_beta)
    }
}

impl CustomOp3 for Operator {
    fn name(&self) -> &'static str {
        "batch normalisation"
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let xs = contiguous("batch normalisation", xs, xs_layout)?;
        let gamma = contiguous("batch normalisation", gamma, gamma_layout)?;
        let beta = contiguous("batch normalisation", beta, beta_layout)?;
        let scale: Vec<f32> = gamma
            .iter()
            .zip(&self.inverse)
            .map(|(a, b)| a * b)
            .collect();
        let shift: Vec<f32> = (0..beta.len())
            .map(|i| beta[i] - self.mean[i] * scale[i])
            .collect();
        let output = by_rows(xs.len(), scale.len(), |place, output| {
            // SAFETY: the output has room for this piece.
            unsafe { affine_entry(self.set, &xs[place], &scale, &shift, output) };
        });
        Ok((CpuStorage::F32(output), xs_layout.shape().clone()))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let name = self.name();
        let (to_input, to_gamma, to_beta) = read(name, xs, |xs| {
            read(name, gradient, |gradient| {
                read(name, gamma, |gamma| Ok(self.gradients(xs, gradient, gamma)))
            })
        })?;
        Ok((
            Some(Tensor::from_vec(to_input, xs.shape(), xs.device())?),
            Some(Tensor::from_vec(to_gamma, gamma.shape(), xs.device())?),
            Some(Tensor::from_vec(to_beta, beta.shape(), xs.device())?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        assert_close, assert_same_gradients, on_every_instruction_set, random,
    };
    use super::*;

    const EPSILON: f64 = 1e-3;

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for shape in [[1, 2, 1, 1], [2, 3, 5, 7], [3, 7, 9, 40]] {
                let channels = shape[3];
                let arguments = [
                    (random(1.0, &shape) + 2.0)?,
                    random(2.0, &[channels]),
                    random(3.0, &[channels]),
                ];
                assert_same_gradients(
                    &arguments,
                    |[x, a, b]| Ok(batch_norm(x, a, b, EPSILON)?.output),
                    |[x, a, b]| Ok(plain(x, a, b, EPSILON)?.output),
                    2e-5,
                )?;
            }
            Ok(())
        })
    }

    #[test]
    fn statistics_are_mean_and_unbiased_variance() -> Result<()> {
        let xs = Tensor::new(
            &[[1f32, 10.0], [2.0, 10.0], [6.0, 10.0]],
            &candle_core::Device::Cpu,
        )?;
        let ones = Tensor::ones(2, xs.dtype(), xs.device())?;
        for found in [
            batch_norm(&xs, &ones, &ones, EPSILON)?,
            plain(&xs, &ones, &ones, EPSILON)?,
        ] {
            assert_eq!(found.mean.to_vec1::<f32>()?, [3.0, 10.0]);
            assert_close(
                &found.variance,
                &Tensor::new(&[7f32, 0.0], xs.device())?,
                1e-6,
            )?;
        }
        Ok(())
    }

    #[test]
    fn a_large_mean_does_not_spoil_the_variance() -> Result<()> {
        let xs = random(1.0, &[500, 3]);
        let ones = Tensor::ones(3, xs.dtype(), xs.device())?;
        let expected = plain(&xs, &ones, &ones, EPSILON)?.output;
        let found = batch_norm(&(xs + 1000.0)?, &ones, &ones, EPSILON)?.output;
        assert_close(&found, &expected, 1e-3)
    }

    #[test]
    fn one_row_is_refused() {
        let ones = random(1.0, &[3]);
        let Err(error) = batch_norm(&random(1.0, &[1, 3]), &ones, &ones, EPSILON) else {
            panic!("one row has no variance");
        };
        assert!(error.to_string().contains("larger batches"), "{error}");
    }
}
