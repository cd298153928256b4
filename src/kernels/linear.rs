//! 1x1 convolutions and linear layers with their gradients, for training.
//!
//! With y = f(x Wᵀ + b) and the gradient g of y, masked by f' to g': dx = g' W, dW = g'ᵀ x, and db
//! is the sum of the rows of g'.

use super::Activation;
use super::columns::masked_sums;
use super::lanes::InstructionSet;
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{contiguous, filled, read};
use super::parallel;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `activation(x Wᵀ + b)` of `[.., in]` with `weight` `[out, in]` and `bias` `[out]`,
/// differentiable; data that no variable depends on gets no gradient.
///
/// # Errors
/// Shapes that do not fit.
pub fn linear(
    xs: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    if xs.dims().last() != Some(&inputs) || bias.dims() != [outputs] {
        bail!(
            "a linear layer of weight {:?} and bias {:?} was given {:?}",
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
    let (outputs, inputs) = weight.dims2()?;
    let mut dims = xs.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = outputs;
    }
    let product = xs.reshape(((), inputs))?.matmul(&weight.t()?)?;
    activation
        .apply(&product.broadcast_add(bias)?)?
        .reshape(dims)
}

/// The product of `rows` rows with a packed matrix.
fn product(matrix: &PackedMatrix, values: &[f32]) -> Vec<f32> {
    let (depth, columns) = (matrix.depth(), matrix.columns());
    let count = values.len() / depth;
    // SAFETY: the product has count · columns floats and is written whole.
    unsafe {
        filled(count * columns, |output| {
            let target = Target {
                start: output.0,
                stride: columns,
                residual: std::ptr::null(),
            };
            parallel::multiply(
                matrix,
                Rows::plain(values.as_ptr(), count, depth, depth),
                target,
            );
        })
    }
}

/// The layer as candle's operator.
struct Operator {
    activation: Activation,
    set: InstructionSet,
}

impl Operator {
    /// dx = g' W.
    fn to_input(&self, masked: &[f32], weight: &Tensor) -> Result<Vec<f32>> {
        let (outputs, inputs) = weight.dims2()?;
        read("linear", weight, |weight| {
            let entry = |k: usize, c: usize| weight[k * inputs + c];
            let matrix =
                PackedMatrix::new(self.set, outputs, inputs, entry, None, Activation::None);
            Ok(product(&matrix, masked))
        })
    }
}

impl CustomOp3 for Operator {
    fn name(&self) -> &'static str {
        "linear"
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
        let xs = contiguous("linear", xs, xs_layout)?;
        let weight = contiguous("linear", weight, weight_layout)?;
        let bias = contiguous("linear", bias, bias_layout)?;
        let (outputs, inputs) = weight_layout.shape().dims2()?;
        let entry = |k: usize, c: usize| weight[c * inputs + k];
        let matrix = PackedMatrix::new(
            self.set,
            inputs,
            outputs,
            entry,
            Some(bias),
            self.activation,
        );
        let mut dims = xs_layout.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = outputs;
        }
        Ok((CpuStorage::F32(product(&matrix, xs)), Shape::from(dims)))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = weight.dims2()?;
        let device = xs.device();
        let gradient = gradient.contiguous()?;
        let (masked, sums) = read("linear", &gradient, |gradient| {
            read("linear", result, |result| {
                Ok(masked_sums(
                    self.set,
                    gradient,
                    result,
                    outputs,
                    self.activation,
                ))
            })
        })?;
        let rows = gradient.elem_count() / outputs;
        let masked = match masked {
            Some(masked) => Tensor::from_vec(masked, (rows, outputs), device)?,
            None => gradient.reshape((rows, outputs))?,
        };
        let to_input = if xs.track_op() {
            let values = read("linear", &masked, |masked| self.to_input(masked, weight))?;
            Some(Tensor::from_vec(values, xs.shape(), device)?)
        } else {
            None
        };
        let to_weight = if weight.track_op() {
            let xs = xs.detach().reshape((rows, inputs))?;
            Some(masked.t()?.matmul(&xs)?)
        } else {
            None
        };
        let to_bias = if bias.track_op() {
            Some(Tensor::from_vec(sums, bias.shape(), device)?)
        } else {
            None
        };
        Ok((to_input, to_weight, to_bias))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_same_gradients, on_every_instruction_set, random};
    use super::*;

    #[test]
    fn value_and_gradients_are_candle_s() -> Result<()> {
        on_every_instruction_set(|| {
            for (rows, inputs, outputs) in [(1, 1, 1), (13, 5, 7), (50, 33, 65), (700, 40, 48)] {
                for activation in [
                    Activation::None,
                    Activation::Relu,
                    Activation::Relu6,
                    Activation::LeakyRelu(0.2),
                ] {
                    let arguments = [
                        (random(1.0, &[1, rows, inputs]) * 3.0)?,
                        random(2.0, &[outputs, inputs]),
                        random(3.0, &[outputs]),
                    ];
                    assert_same_gradients(
                        &arguments,
                        |[x, w, b]| linear(x, w, b, activation),
                        |[x, w, b]| plain(x, w, b, activation),
                        2e-5,
                    )?;
                }
            }
            Ok(())
        })
    }

    #[test]
    fn data_gets_no_gradient() -> Result<()> {
        let xs = random(1.0, &[4, 6]);
        let weight = candle_core::Var::from_tensor(&random(2.0, &[5, 6]))?;
        let output = linear(&xs, &weight, &random(3.0, &[5]), Activation::None)?;
        let gradients = output.backward()?;
        assert!(gradients.get(&xs).is_none() && gradients.get(&weight).is_some());
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_not_hidden() -> Result<()> {
        on_every_instruction_set(|| {
            let xs = Tensor::full(f32::NAN, (3, 4), &candle_core::Device::Cpu)?;
            for activation in [
                Activation::None,
                Activation::Relu,
                Activation::Relu6,
                Activation::LeakyRelu(0.2),
            ] {
                let output = linear(&xs, &random(1.0, &[40, 4]), &random(2.0, &[40]), activation)?;
                let values = output.flatten_all()?.to_vec1::<f32>()?;
                assert!(values.iter().all(|value| value.is_nan()), "{activation:?}");
            }
            Ok(())
        })
    }

    #[test]
    fn says_what_does_not_fit() {
        let (weight, bias) = (random(1.0, &[5, 6]), random(2.0, &[5]));
        let message = linear(&random(3.0, &[4, 7]), &weight, &bias, Activation::None)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("[5, 6]") && message.contains("[4, 7]"),
            "{message}"
        );
    }
}
