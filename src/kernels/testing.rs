//! What the kernels' tests share.

use super::lanes::InstructionSet;
use candle_core::{Device, Result, Tensor, Var};
use std::cell::Cell;

thread_local! {
    static FORCED: Cell<Option<InstructionSet>> = const { Cell::new(None) };
}

/// The instruction set that layers built on this thread are to use.
pub(crate) fn forced_instruction_set() -> Option<InstructionSet> {
    FORCED.get()
}

/// Runs `test` once with each instruction set this processor has.
pub(crate) fn on_every_instruction_set(test: impl Fn() -> Result<()>) -> Result<()> {
    for set in InstructionSet::available() {
        FORCED.set(Some(set));
        let result = test();
        FORCED.set(None);
        result.map_err(|error| error.context(format!("with {set:?}")))?;
    }
    Ok(())
}

/// Values between -1 and 1 that look random and are the same every time.
pub(crate) fn random(seed: f64, shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count)
        .map(|i| {
            let x = ((i as f64 + 1.0) * 12.9898 + seed * 78.233).sin() * 43_758.545_3;
            ((x - x.floor()) * 2.0 - 1.0) as f32
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Fails where `found` differs from `expected` by more than `tolerance` of the largest value.
#[track_caller]
pub(crate) fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32) -> Result<()> {
    assert_eq!(found.dims(), expected.dims());
    let largest = expected.abs()?.max_all()?.to_scalar::<f32>()?;
    let difference = (found - expected)?.abs()?.flatten_all()?.to_vec1::<f32>()?;
    for (place, difference) in difference.into_iter().enumerate() {
        assert!(
            difference <= tolerance * largest,
            "off by {difference} of {largest} at {place} of {:?}",
            expected.dims()
        );
    }
    Ok(())
}

/// Fails where values or gradients of `found` and `expected`, as functions of `arguments`, differ by
/// more than `tolerance` of the largest. The loss weighs every value differently.
#[track_caller]
pub(crate) fn assert_same_gradients<const N: usize>(
    arguments: &[Tensor; N],
    found: impl Fn([&Tensor; N]) -> Result<Tensor>,
    expected: impl Fn([&Tensor; N]) -> Result<Tensor>,
    tolerance: f32,
) -> Result<()> {
    let variables: Vec<Var> = arguments
        .iter()
        .map(Var::from_tensor)
        .collect::<Result<_>>()?;
    let tensors: [&Tensor; N] = std::array::from_fn(|i| variables[i].as_tensor());
    let (found, expected) = (found(tensors)?, expected(tensors)?);
    assert_close(&found, &expected, tolerance)?;
    let weights = random(99.0, found.dims());
    let gradients = |output: &Tensor| (output * &weights)?.sum_all()?.backward();
    let (found, expected) = (gradients(&found)?, gradients(&expected)?);
    for variable in &variables {
        let gradient = found.get(variable).expect("a gradient");
        assert!(!gradient.track_op(), "a gradient is no part of a graph");
        assert_close(
            gradient,
            expected.get(variable).expect("a gradient"),
            tolerance,
        )?;
    }
    Ok(())
}
