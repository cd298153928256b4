//! 1x1 convolutions and linear layers: the same product for every pixel.

use super::Activation;
use super::lanes::InstructionSet;
use super::matrix::{PackedMatrix, Rows, Target};
use super::memory::{contiguous, filled};
use super::parallel;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use std::sync::Arc;

/// A 1x1 convolution or linear layer, `activation(x Wᵀ + b)`.
#[derive(Clone)]
pub struct Pointwise {
    weight: Tensor,
    bias: Option<Tensor>,
    activation: Activation,
    packed: Option<Arc<PackedMatrix>>,
}

impl Pointwise {
    /// A layer of `weight` `[out, in]` or `[out, in, 1, 1]` and `bias` `[out]`.
    ///
    /// # Errors
    /// The shapes are others.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, activation: Activation) -> Result<Self> {
        let weight = match weight.dims() {
            [_, _] => weight.clone(),
            &[out, inputs, 1, 1] => weight.reshape((out, inputs))?,
            other => bail!("a pointwise weight is [out, in] or [out, in, 1, 1], not {other:?}"),
        };
        let weight = weight.to_dtype(DType::F32)?.contiguous()?;
        let (out, inputs) = weight.dims2()?;
        let bias = super::vector_of("pointwise bias", bias, out)?;
        let packed = if weight.device().is_cpu() {
            let values = weight.flatten_all()?.to_vec1::<f32>()?;
            let bias = bias.as_ref().map(Tensor::to_vec1::<f32>).transpose()?;
            Some(Arc::new(PackedMatrix::new(
                InstructionSet::detect(),
                inputs,
                out,
                |k, c| values[c * inputs + k],
                bias.as_deref(),
                activation,
            )))
        } else {
            None
        };
        Ok(Self {
            weight,
            bias,
            activation,
            packed,
        })
    }

    /// The weight, `[out, in]`.
    #[must_use]
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[out]`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Channels in.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Channels out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// `[.., in]` to `[.., out]`.
    ///
    /// # Errors
    /// The last dimension is not `in`.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.check(xs)?;
        match &self.packed {
            Some(packed) => xs.contiguous()?.apply_op1_no_bwd(&Product(packed)),
            None => self.plain(xs),
        }
    }

    /// `[.., in]` to `[.., out]`, plus `residual` `[.., out]` after the activation.
    ///
    /// # Errors
    /// The last dimension is not `in`, or the residual's shape is not the output's.
    pub fn forward_add(&self, xs: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.check(xs)?;
        if residual.dims() != self.output_dims(xs.dims()) {
            bail!(
                "a residual of shape {:?} does not fit the output {:?}",
                residual.dims(),
                self.output_dims(xs.dims())
            );
        }
        match &self.packed {
            Some(packed) => xs
                .contiguous()?
                .apply_op2_no_bwd(&residual.contiguous()?, &Product(packed)),
            None => self.plain(xs)? + residual,
        }
    }

    pub(crate) fn packed(&self) -> Option<&Arc<PackedMatrix>> {
        self.packed.as_ref()
    }

    fn check(&self, xs: &Tensor) -> Result<()> {
        if xs.dims().last() != Some(&self.inputs()) {
            bail!(
                "a pointwise layer of {} channels was given a tensor of shape {:?}",
                self.inputs(),
                xs.dims()
            );
        }
        Ok(())
    }

    fn output_dims(&self, input: &[usize]) -> Vec<usize> {
        let mut dims = input.to_vec();
        if let Some(last) = dims.last_mut() {
            *last = self.outputs();
        }
        dims
    }

    /// The same with candle's own operators.
    fn plain(&self, xs: &Tensor) -> Result<Tensor> {
        let rows = xs.reshape(((), self.inputs()))?;
        let mut product = rows.matmul(&self.weight.t()?)?;
        if let Some(bias) = &self.bias {
            product = product.broadcast_add(bias)?;
        }
        self.activation
            .apply(&product)?
            .reshape(self.output_dims(xs.dims()))
    }
}

/// The product as candle's operator, without and with a residual.
struct Product<'a>(&'a PackedMatrix);

impl Product<'_> {
    fn run(&self, values: &[f32], dims: &[usize], residual: Option<&[f32]>) -> (CpuStorage, Shape) {
        let matrix = self.0;
        let (depth, columns) = (matrix.depth(), matrix.columns());
        let count = values.len() / depth;
        let mut shape = dims.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = columns;
        }
        assert!(residual.is_none_or(|residual| residual.len() == count * columns));
        // SAFETY: the product has count · columns floats and is written whole; the residual has as
        // many.
        let product = unsafe {
            filled(count * columns, |output| {
                let target = Target {
                    start: output.0,
                    stride: columns,
                    residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
                };
                let rows = Rows::plain(values.as_ptr(), count, depth, depth);
                parallel::multiply(matrix, rows, target);
            })
        };
        (CpuStorage::F32(product), Shape::from(shape))
    }
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "pointwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("pointwise", storage, layout)?;
        Ok(self.run(values, layout.dims(), None))
    }
}

impl CustomOp2 for Product<'_> {
    fn name(&self) -> &'static str {
        "pointwise with residual"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let values = contiguous("pointwise", storage, layout)?;
        let residual = contiguous("pointwise", residual, residual_layout)?;
        Ok(self.run(values, layout.dims(), Some(residual)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, on_every_instruction_set, random};
    use super::*;

    const ACTIVATIONS: [Activation; 4] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.2),
    ];

    /// Rows, channels in and out: whole vectors, remainders of every kind, and enough work for
    /// several threads, cut by rows and by columns.
    const SIZES: [(usize, usize, usize); 8] = [
        (1, 1, 1),
        (3, 5, 7),
        (13, 16, 48),
        (27, 3, 100),
        (64, 33, 65),
        (50, 96, 24),
        (700, 40, 20),
        (31, 90, 208),
    ];

    #[test]
    fn is_a_matrix_product_with_bias_and_activation() -> Result<()> {
        on_every_instruction_set(|| {
            for (i, (rows, inputs, outputs)) in SIZES.into_iter().enumerate() {
                let weight = random(1.0, &[outputs, inputs]);
                let bias = random(2.0, &[outputs]);
                let xs = (random(3.0, &[rows, inputs]) * 4.0)?;
                let residual = random(4.0, &[rows, outputs]);
                let activation = ACTIVATIONS[i % 4];
                let layer = Pointwise::new(&weight, Some(&bias), activation)?;
                let product = xs.matmul(&weight.t()?)?.broadcast_add(&bias)?;
                let expected = activation.apply(&product)?;
                assert_close(&layer.forward(&xs)?, &expected, 1e-5)?;
                let expected = (expected + &residual)?;
                assert_close(&layer.forward_add(&xs, &residual)?, &expected, 1e-5)?;
            }
            Ok(())
        })
    }

    #[test]
    fn every_activation_is_applied() -> Result<()> {
        on_every_instruction_set(|| {
            let xs = (random(1.0, &[9, 20]) * 5.0)?;
            for activation in ACTIVATIONS {
                let layer = Pointwise::new(&random(2.0, &[37, 20]), None, activation)?;
                assert_close(&layer.forward(&xs)?, &layer.plain(&xs)?, 1e-5)?;
            }
            Ok(())
        })
    }

    #[test]
    fn takes_any_leading_dimensions_and_views() -> Result<()> {
        let weight = random(1.0, &[6, 5, 1, 1]);
        let layer = Pointwise::new(&weight, None, Activation::None)?;
        let xs = random(2.0, &[2, 5, 3, 4]).permute((0, 2, 3, 1))?;
        let found = layer.forward(&xs)?;
        assert_eq!(found.dims(), [2, 3, 4, 6]);
        assert_close(&found, &layer.plain(&xs.contiguous()?)?, 1e-5)?;
        assert_eq!(layer.forward(&random(0.0, &[0, 5]))?.dims(), [0, 6]);
        Ok(())
    }

    #[test]
    fn says_what_does_not_fit() -> Result<()> {
        let weight = random(1.0, &[6, 5]);
        let layer = Pointwise::new(&weight, None, Activation::None)?;
        let message = layer
            .forward(&random(2.0, &[3, 4]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("5 channels") && message.contains("[3, 4]"),
            "{message}"
        );
        let (xs, residual) = (random(2.0, &[3, 5]), random(3.0, &[3, 5]));
        assert!(layer.forward_add(&xs, &residual).is_err());
        assert!(Pointwise::new(&weight, Some(&random(1.0, &[5])), Activation::None).is_err());
        assert!(Pointwise::new(&random(1.0, &[6, 5, 3, 3]), None, Activation::None).is_err());
        Ok(())
    }
}
