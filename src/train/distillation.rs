//! Region-level distillation: a head's responses to the teacher's classes should be the teacher's,
//! up to one scale for the whole batch.

use candle_core::{Result, Tensor, bail};

/// Keeps a batch whose responses are all 0 from dividing by zero.
const SMALLEST_NORM: f64 = 1e-12;

/// The loss of a batch.
#[derive(Clone, Debug)]
pub struct Distillation {
    /// The loss as a differentiable scalar.
    pub loss: Tensor,
    /// The same in 64 bits.
    pub value: f64,
}

/// 1 - <S, T> / (|S| |T|) of the head's responses S `[R, classes]` and the teacher's T of the same
/// shape, each taken as one long vector: one scale is free, no offset is.
///
/// The gradient is written out: (<S, T> S / |S|² - T) / (|S| |T|). The tensor that is returned is
/// linear in S with this slope and has the loss's value.
///
/// # Errors
/// Shapes that differ, and those of candle's operators.
pub fn distillation(responses: &Tensor, targets: &Tensor) -> Result<Distillation> {
    if responses.dims() != targets.dims() {
        bail!(
            "responses {:?} and targets {:?} of another shape",
            responses.dims(),
            targets.dims()
        )
    }
    let student = responses.detach();
    let product = sum((&student * targets)?)?;
    let norms = sum(student.sqr()?)?.sqrt().max(SMALLEST_NORM)
        * sum(targets.sqr()?)?.sqrt().max(SMALLEST_NORM);
    let squared = sum(student.sqr()?)?.max(SMALLEST_NORM * SMALLEST_NORM);
    let slope =
        (student.affine(product / squared / norms, 0.0)? - targets.affine(1.0 / norms, 0.0)?)?;
    let value = 1.0 - product / norms;
    // S times the slope is 0 but for rounding.
    Ok(Distillation {
        loss: (responses * slope)?.sum_all()?.affine(1.0, value)?,
        value,
    })
}

/// Sum of all values, rows in single precision and their sums in 64 bits.
fn sum(values: Tensor) -> Result<f64> {
    let rows = values.flatten_to(values.rank().saturating_sub(2))?.sum(1)?;
    Ok(rows.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_scale_is_free_and_an_offset_is_not() {
        let targets = Tensor::new(&[[1.0_f32, -2.0], [0.5, 3.0]], &Device::Cpu).unwrap();
        let value = |responses: &Tensor| distillation(responses, &targets).unwrap().value;
        assert!(value(&(&targets * 7.0).unwrap()).abs() < 1e-6);
        assert!((value(&(&targets * -1.0).unwrap()) - 2.0).abs() < 1e-6);
        assert!(value(&(&targets + 1.0).unwrap()) > 0.05);
        assert!((value(&targets.zeros_like().unwrap()) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_slope_is_that_of_the_plain_formula() {
        let targets = Tensor::new(&[[1.0_f32, -2.0, 0.3], [0.5, 3.0, -1.0]], &Device::Cpu).unwrap();
        let responses = Tensor::new(&[[0.2_f32, 0.1, -0.4], [1.5, 2.0, 0.7]], &Device::Cpu);
        let var = Var::from_tensor(&responses.unwrap()).unwrap();
        let own = distillation(&var, &targets).unwrap();
        let plain = || -> Result<Tensor> {
            let norm = |t: &Tensor| t.sqr()?.sum_all()?.sqrt();
            let product = (var.as_tensor() * &targets)?.sum_all()?;
            1.0 - (product / (norm(&var)? * norm(&targets)?)?)?
        };
        let plain = plain().unwrap();
        let of = |loss: &Tensor| -> Vec<f32> {
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(&var).unwrap().flatten_all();
            gradient.unwrap().to_vec1().unwrap()
        };
        for (own, plain) in of(&own.loss).into_iter().zip(of(&plain)) {
            assert!((own - plain).abs() < 1e-6, "{own} {plain}");
        }
        let scalar = |loss: &Tensor| loss.to_scalar::<f32>().unwrap();
        assert!((scalar(&own.loss) - scalar(&plain)).abs() < 1e-6);
    }
}
