//! 3x3 convolution of stride 1 and padding 1 with its gradients, for training.
//!
//! With y = f(x * W + b) and the gradient g of y, masked by f' to g': dx is the convolution of g'
//! with the weights turned by 180 degrees and their channels exchanged; dW is computed in Winograd's
//! places, see `winograd_gradient.rs`; db is the sum of g' over all pixels.

use super::Activation;
use super::columns::masked_sums;
use super::lanes::InstructionSet;
use super::memory::{contiguous, read};
use super::winograd::PackedWinograd;
use super::winograd_gradient::weight_gradient;
use super::winograd_tiles::TileSize;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `activation(x * W + b)` of `[N, h, w, in]` with `weight` `[out, in, 3, 3]` and `bias` `[out]`,
/// differentiable; data that no variable depends on gets no gradient.
///
/// # Errors
/// Shapes that do not fit.
pub fn conv3x3(
    xs: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let (_, _, _, channels) = xs.dims4()?;
    let (outputs, inputs, height, width) = weight.dims4()?;
    if channels != inputs || bias.dims() != [outputs] || (height, width) != (3, 3) {
        bail!(
            "a 3x3 convolution of weight {:?} and bias {:?} was given {:?}",
            weight.dims(),
            bias.dims(),
            xs.dims()
        );
    }
    if !xs.device().is_cpu() {
        return plain(xs, weight, bias, activation);
    }
    xs.contiguous()?.apply_op3(
        &weight.contiguous()?,
        &bias.contiguous()?,
        Operator {
            activation,
            set: InstructionSet::detect(),
        },
    )
}

/// The same with candle's own operators.
fn plain(xs: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let convolved = xs
        .permute((0, 3, 1, 2))?
        .contiguous()?
        .conv2d(weight, 1, 1, 1, 1)?
        .permute((0, 2, 3, 1))?
        .contiguous()?;
    activation.apply(&convolved.broadcast_add(bias)?)
}

/// The weights `[in, out, 3, 3]` whose convolution takes gradients back to the input.
fn turned(weight: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(weight.len());
    for input in 0..inputs {
        for output in 0..outputs {
            let window = &weight[(output * inputs + input) * 9..][..9];
            turned.extend(window.iter().rev());
        }
    }
    turned
}

/// The convolution as candle's operator.
struct Operator {
    activation: Activation,
    set: InstructionSet,
}

impl Operator {
    fn to_input(
        &self,
        masked: &[f32],
        weight: &Tensor,
        (images, height, width): (usize, usize, usize),
    ) -> Result<Vec<f32>> {
        let (outputs, inputs, _, _) = weight.dims4()?;
        read(self.name(), weight, |weight| {
            let layer = PackedWinograd::new(
                (self.set, TileSize::Two),
                [inputs, outputs],
                &turned(weight, outputs, inputs),
                None,
                Activation::None,
                None,
            );
            Ok(layer.forward(masked, images, (height, width)))
        })
    }
}

impl CustomOp3 for Operator {
    fn name(&self) -> &'static str {
        "conv3x3"
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (images, height, width, _) = xs_layout.shape().dims4()?;
        let (outputs, inputs, _, _) = weight_layout.shape().dims4()?;
        let layer = PackedWinograd::new(
            (self.set, TileSize::Two),
            [outputs, inputs],
            contiguous(self.name(), weight, weight_layout)?,
            Some(contiguous(self.name(), bias, bias_layout)?),
            self.activation,
            None,
        );
        let xs = contiguous(self.name(), xs, xs_layout)?;
        let output = layer.forward(xs, images, (height, width));
        let shape = Shape::from((images, height, width, outputs));
        Ok((CpuStorage::F32(output), shape))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (name, device) = (self.name(), xs.device());
        let (images, height, width, inputs) = xs.dims4()?;
        let outputs = weight.dim(0)?;
        read(name, gradient, |gradient| {
            let (masked, sums) = read(name, result, |result| {
                let (set, activation) = (self.set, self.activation);
                Ok(masked_sums(set, gradient, result, outputs, activation))
            })?;
            let masked = masked.as_deref().unwrap_or(gradient);
            let size = (images, height, width);
            let to_input = if xs.track_op() {
                let values = self.to_input(masked, weight, size)?;
                Some(Tensor::from_vec(values, xs.shape(), device)?)
            } else {
                None
            };
            let to_weight = if weight.track_op() {
                let values = read(name, xs, |xs| {
                    Ok(weight_gradient(
                        self.set,
                        (xs, inputs),
                        (masked, outputs),
                        size,
                    ))
                })?;
                Some(Tensor::from_vec(values, weight.shape(), device)?)
            } else {
                None
            };
            let to_bias = Tensor::from_vec(sums, bias.shape(), device)?;
            Ok((to_input, to_weight, Some(to_bias)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_gradients, on_every_instruction_set, random};
    use super::*;
    use candle_core::Var;

    /// Images, height, width, channels in and out.
    const SIZES: [[usize; 5]; 5] = [
        [1, 1, 1, 1, 1],
        [2, 3, 5, 3, 7],
        [1, 6, 2, 20, 4],
        [2, 7, 7, 17, 33],
        [5, 14, 14, 8, 40],
    ];

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for (i, [images, height, width, inputs, outputs]) in SIZES.into_iter().enumerate() {
                let activation = [Activation::None, Activation::Relu][i % 2];
                let arguments = [
                    random(1.0, &[images, height, width, inputs]),
                    random(2.0, &[outputs, inputs, 3, 3]),
                    random(3.0, &[outputs]),
                ];
                assert_same_gradients(
                    &arguments,
                    |[x, w, b]| conv3x3(x, w, b, activation),
                    |[x, w, b]| plain(x, w, b, activation),
                    2e-5,
                )?;
            }
            Ok(())
        })
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() -> Result<()> {
        let (xs, bias) = (random(1.0, &[2, 5, 4, 3]), random(3.0, &[6]));
        let start = random(2.0, &[6, 3, 3, 3]);
        let aim = random(4.0, &[2, 5, 4, 6]);
        let loss = |weight: &Tensor| -> Result<Tensor> {
            // Without kinks, so that the loss is a parabola along every direction.
            let output = conv3x3(&xs, weight, &bias, Activation::None)?;
            (output - &aim)?.sqr()?.sum_all()
        };
        let weight = Var::from_tensor(&start)?;
        let gradients = loss(&weight)?.backward()?;
        let gradient = gradients.get(&weight).unwrap();
        for seed in [5.0, 6.0, 7.0] {
            let direction = random(seed, start.dims());
            let at = |t: f64| -> Result<f32> { loss(&(&start + (&direction * t)?)?)?.to_scalar() };
            let slope = at(0.5)? - at(-0.5)?;
            let expected = (gradient * &direction)?.sum_all()?.to_scalar::<f32>()?;
            assert!(
                (slope - expected).abs() < 1e-3 * expected.abs().max(1.0),
                "{slope} {expected}"
            );
        }
        Ok(())
    }

    #[test]
    fn data_gets_no_gradient_and_runs_repeat_to_the_bit() -> Result<()> {
        let xs = random(1.0, &[7, 9, 9, 24]);
        let weight = Var::from_tensor(&random(2.0, &[40, 24, 3, 3]))?;
        let bias = Var::from_tensor(&random(3.0, &[40]))?;
        let run = || -> Result<Vec<f32>> {
            let gradients = conv3x3(&xs, &weight, &bias, Activation::Relu)?
                .sqr()?
                .backward()?;
            assert!(gradients.get(&xs).is_none());
            gradients.get(&weight).unwrap().flatten_all()?.to_vec1()
        };
        assert_eq!(run()?, run()?);
        Ok(())
    }

    #[test]
    #[should_panic = "values of whole images"]
    fn a_missing_pixel_is_refused_not_read_past_the_end() {
        let set = InstructionSet::detect();
        let (values, gradient) = ([1.0; 3], [1.0; 8]);
        weight_gradient(set, (&values, 1), (&gradient, 2), (1, 2, 2));
    }

    #[test]
    #[should_panic = "a gradient of whole images"]
    fn a_missing_gradient_is_refused_not_read_past_the_end() {
        let set = InstructionSet::detect();
        let (values, gradient) = ([1.0; 4], [1.0; 7]);
        weight_gradient(set, (&values, 1), (&gradient, 2), (1, 2, 2));
    }

    #[test]
    fn says_what_does_not_fit() {
        let (weight, bias) = (random(1.0, &[5, 6, 3, 3]), random(2.0, &[5]));
        let message = conv3x3(
            &random(3.0, &[1, 4, 4, 7]),
            &weight,
            &bias,
            Activation::None,
        )
        .unwrap_err()
        .to_string();
        assert!(message.contains("[1, 4, 4, 7]"), "{message}");
    }
}
