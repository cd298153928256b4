//! The scene's gate on the channels, with its gradient: the paper's Eq. 6 and 7.
//!
//! For each photo, with the mean q of its P rows of values v: r = sigmoid(q ∘ k), α = v ∘ r. With
//! the gradient g of α and z = q ∘ k: dz = r (1 - r) Σ g ∘ v, dk = dz ∘ q, dv = g ∘ r + dz ∘ k / P.

use super::lanes::{InstructionSet, Lanes, instruction_set_entry};
use super::memory::{SharedMut, contiguous, filled, read, with_scratch};
use super::parallel;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use candle_nn::ops::sigmoid;

/// α `[N, h, w, C]` of values v `[N, h, w, C]` and keys k `[N, C]`, differentiable.
///
/// # Errors
/// Shapes that do not fit.
pub fn channel_gate(values: &Tensor, key: &Tensor) -> Result<Tensor> {
    let (images, height, width, channels) = values.dims4()?;
    if key.dims() != [images, channels] || height * width == 0 {
        bail!(
            "a gate for values {:?} has keys [{images}, {channels}], not {:?}",
            values.dims(),
            key.dims()
        );
    }
    if values.device().is_cpu() {
        let set = InstructionSet::detect();
        values
            .contiguous()?
            .apply_op2(&key.contiguous()?, Operator { set })
    } else {
        plain(values, key)
    }
}

/// The same with candle's own operators.
fn plain(values: &Tensor, key: &Tensor) -> Result<Tensor> {
    let query = values.flatten(1, 2)?.mean(1)?;
    let gate = sigmoid(&(query * key)?)?;
    values.broadcast_mul(&gate.unsqueeze(1)?.unsqueeze(1)?)
}

/// The gate as candle's operator.
struct Operator {
    set: InstructionSet,
}

impl CustomOp2 for Operator {
    fn name(&self) -> &'static str {
        "channel gate"
    }

    fn cpu_fwd(
        &self,
        values: &CpuStorage,
        layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let values = contiguous(self.name(), values, layout)?;
        let key = contiguous(self.name(), key, key_layout)?;
        let (images, channels) = key_layout.shape().dims2()?;
        let length = values.len() / images.max(1);
        // SAFETY: every image is written.
        let output = unsafe {
            filled(values.len(), |output| {
                parallel::for_each_piece(images, |image| {
                    let values = &values[image * length..][..length];
                    let key = &key[image * channels..][..channels];
                    forward_entry(self.set, values, key, output.at(image * length));
                });
            })
        };
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(
        &self,
        values: &Tensor,
        key: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let name = self.name();
        let (to_values, to_key) = read(name, values, |values| {
            read(name, key, |keys| {
                read(name, gradient, |gradient| {
                    Ok(self.backward(values, keys, gradient, key.dims()[1]))
                })
            })
        })?;
        let device = values.device();
        Ok((
            Some(Tensor::from_vec(to_values, values.shape(), device)?),
            Some(Tensor::from_vec(to_key, key.shape(), device)?),
        ))
    }
}

impl Operator {
    /// dv and dk.
    fn backward(
        &self,
        values: &[f32],
        keys: &[f32],
        gradient: &[f32],
        channels: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let images = keys.len() / channels;
        let length = values.len() / images;
        assert_eq!(gradient.len(), values.len());
        let mut to_keys = vec![0.0; keys.len()];
        let to_keys_at = SharedMut(to_keys.as_mut_ptr());
        let run = |output: SharedMut| {
            parallel::for_each_piece(images, |image| {
                let place = image * length..(image + 1) * length;
                let (values, gradient) = (&values[place.clone()], &gradient[place.clone()]);
                let key = &keys[image * channels..][..channels];
                with_scratch(2 * channels, |sums| {
                    // SAFETY: each image has places of its own.
                    unsafe {
                        let to_key = to_keys_at.at(image * channels);
                        let to_key = std::slice::from_raw_parts_mut(to_key, channels);
                        let output = output.at(place.start);
                        backward_entry(self.set, values, gradient, key, sums, to_key, output);
                    }
                });
            });
        };
        // SAFETY: every image is written.
        let to_values = unsafe { filled(values.len(), run) };
        (to_values, to_keys)
    }
}

/// 1 / (1 + e^-x).
#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

instruction_set_entry!(
    /// Writes α of one image.
    forward_entry => forward(values: &[f32], key: &[f32], output: *mut f32)
);

#[inline(always)]
unsafe fn forward<L: Lanes>(values: &[f32], key: &[f32], output: *mut f32) {
    let channels = key.len();
    let share = channels as f32 / values.len() as f32;
    let mut gate = vec![0.0; channels];
    for row in values.chunks_exact(channels) {
        for (sum, value) in gate.iter_mut().zip(row) {
            *sum += value;
        }
    }
    for (gate, key) in gate.iter_mut().zip(key) {
        *gate = logistic(*gate * share * key);
    }
    for (row, values) in values.chunks_exact(channels).enumerate() {
        for i in 0..channels {
            // SAFETY: the caller has room for as many values as it gave.
            unsafe { output.add(row * channels + i).write(values[i] * gate[i]) };
        }
    }
}

instruction_set_entry!(
    /// Writes dv and dk of one image; `sums` is room for two values of each channel.
    backward_entry => backward(
        values: &[f32],
        gradient: &[f32],
        key: &[f32],
        sums: &mut [f32],
        to_key: &mut [f32],
        output: *mut f32,
    )
);

#[inline(always)]
unsafe fn backward<L: Lanes>(
    values: &[f32],
    gradient: &[f32],
    key: &[f32],
    sums: &mut [f32],
    to_key: &mut [f32],
    output: *mut f32,
) {
    let channels = key.len();
    let share = channels as f32 / values.len() as f32;
    sums.fill(0.0);
    let (query, products) = sums.split_at_mut(channels);
    let rows = values
        .chunks_exact(channels)
        .zip(gradient.chunks_exact(channels));
    for (values, gradient) in rows {
        for i in 0..channels {
            query[i] += values[i];
            products[i] += values[i] * gradient[i];
        }
    }
    // From here on `query` is the gate, and `products` what every row of dv gets.
    for i in 0..channels {
        let mean = query[i] * share;
        let gate = logistic(mean * key[i]);
        let slope = products[i] * gate * (1.0 - gate);
        to_key[i] = slope * mean;
        query[i] = gate;
        products[i] = slope * key[i] * share;
    }
    for (row, gradient) in gradient.chunks_exact(channels).enumerate() {
        for i in 0..channels {
            let value = gradient[i] * query[i] + products[i];
            // SAFETY: the caller has room for as many values as it gave.
            unsafe { output.add(row * channels + i).write(value) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_gradients, on_every_instruction_set, random};
    use super::*;

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for shape in [[1, 1, 1, 1], [2, 3, 5, 7], [3, 4, 4, 40]] {
                let arguments = [
                    (random(1.0, &shape) + 0.7)?,
                    (random(2.0, &[shape[0], shape[3]]) * 4.0)?,
                ];
                assert_same_gradients(
                    &arguments,
                    |[values, key]| channel_gate(values, key),
                    |[values, key]| plain(values, key),
                    2e-5,
                )?;
            }
            Ok(())
        })
    }

    #[test]
    fn says_what_does_not_fit() {
        let values = random(1.0, &[2, 3, 3, 5]);
        let message = channel_gate(&values, &random(2.0, &[2, 4]))
            .unwrap_err()
            .to_string();
        assert!(message.contains("[2, 5], not [2, 4]"), "{message}");
    }
}
