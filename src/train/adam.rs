//! Adam with L2 regularisation added to the gradient (coupled, not AdamW), as
//! `torch.optim.Adam(weight_decay=…)` does it.
//!
//! Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp3, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

/// Added to the root of the second moment.
const EPSILON: f64 = 1e-8;
/// Values that one task updates.
const BLOCK: usize = 16 << 10;

/// The optimiser's two moments for each weight, by name, and how many steps they have seen.
pub struct Adam {
    weight_decay: f64,
    betas: [f64; 2],
    steps: usize,
    moments: BTreeMap<String, [Tensor; 2]>,
}

impl Adam {
    /// Moments of zero for these weights.
    pub fn new(
        weights: &BTreeMap<String, Var>,
        betas: [f64; 2],
        weight_decay: f64,
    ) -> Result<Self> {
        let zeros = |var: &Var| Tensor::zeros(var.shape(), DType::F32, var.device());
        let moments = weights
            .iter()
            .map(|(name, var)| Ok((name.clone(), [zeros(var)?, zeros(var)?])))
            .collect::<Result<_>>()?;
        Ok(Self {
            weight_decay,
            betas,
            steps: 0,
            moments,
        })
    }

    /// One step at `rate` for every weight that has a gradient.
    pub fn step(
        &mut self,
        weights: &BTreeMap<String, Var>,
        gradients: &GradStore,
        rate: f64,
    ) -> Result<()> {
        self.steps += 1;
        let step = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let [beta1, beta2] = self.betas;
        let update = Update {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            weight_decay: self.weight_decay as f32,
            size: (rate / (1.0 - beta1.powi(step))) as f32,
            root_correction: (1.0 - beta2.powi(step)).sqrt() as f32,
        };
        for (name, var) in weights {
            let (Some(gradient), Some([first, second])) =
                (gradients.get(var), self.moments.get(name))
            else {
                continue;
            };
            let gradient = gradient.contiguous()?;
            if var.device().is_cpu() {
                first.inplace_op3(&gradient, var, &First(update))?;
                second.inplace_op3(&gradient, var, &Second(update))?;
                var.inplace_op3(first, second, &Weights(update))?;
            } else {
                let moments = update.with_tensors(var, &gradient, [first, second])?;
                self.moments.insert(name.clone(), moments);
            }
        }
        Ok(())
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// First and second moment of each weight.
    pub fn moments(&self) -> &BTreeMap<String, [Tensor; 2]> {
        &self.moments
    }

    /// Goes on from moments that were kept, on whatever device, on that of the weights.
    ///
    /// # Errors
    /// Moments of other weights, or of other shapes.
    pub fn restore(&mut self, steps: usize, moments: BTreeMap<String, [Tensor; 2]>) -> Result<()> {
        if !moments.keys().eq(self.moments.keys()) {
            bail!("the optimiser's moments belong to another network")
        }
        for (name, [first, second]) in &mut self.moments {
            for (own, kept) in [first, second].into_iter().zip(&moments[name]) {
                if own.shape() != kept.shape() {
                    bail!("the optimiser's moments of {name} have another shape")
                }
                *own = kept.to_device(own.device())?.copy()?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Update {
    beta1: f32,
    beta2: f32,
    weight_decay: f32,
    /// Learning rate over the first moment's bias correction.
    size: f32,
    /// Root of the second moment's bias correction.
    root_correction: f32,
}

impl Update {
    /// The step in candle's operators, for devices other than the CPU: the new moments.
    fn with_tensors(
        self,
        var: &Var,
        gradient: &Tensor,
        [first, second]: [&Tensor; 2],
    ) -> Result<[Tensor; 2]> {
        let weight = var.as_detached_tensor();
        let gradient = (gradient + (&weight * f64::from(self.weight_decay))?)?;
        let first = (first + ((&gradient - first)? * f64::from(1.0 - self.beta1))?)?;
        let squared = (gradient.sqr()? * f64::from(1.0 - self.beta2))?;
        let second = ((second * f64::from(self.beta2))? + squared)?;
        let root = (second.sqrt()? / f64::from(self.root_correction))?;
        let change = (&first / (root + EPSILON)?)?;
        var.set(&(weight - (change * f64::from(self.size))?)?)?;
        Ok([first, second])
    }

    fn gradient(self, gradient: f32, weight: f32) -> f32 {
        gradient + self.weight_decay * weight
    }
}

/// m ← m + (g - m)(1 - β₁), with g the gradient plus weight decay times the weight.
struct First(Update);
/// v ← β₂ v + (1 - β₂) g².
struct Second(Update);
/// w ← w - size · m / (√v / root correction + ε).
struct Weights(Update);

macro_rules! elementwise {
    ($name:ty, $title:literal, |$update:ident, $own:ident, $a:ident, $b:ident| $new:expr) => {
        impl InplaceOp3 for $name {
            fn name(&self) -> &'static str {
                $title
            }

            fn cpu_fwd(
                &self,
                own: &mut CpuStorage,
                own_layout: &Layout,
                a: &CpuStorage,
                a_layout: &Layout,
                b: &CpuStorage,
                b_layout: &Layout,
            ) -> Result<()> {
                let $update = self.0;
                let (a, b) = (values(a, a_layout)?, values(b, b_layout)?);
                let CpuStorage::F32(own) = own else {
                    bail!("{} takes single precision", $title)
                };
                let Some((start, end)) = own_layout.contiguous_offsets() else {
                    bail!("{} takes contiguous tensors", $title)
                };
                own[start..end]
                    .par_chunks_mut(BLOCK)
                    .zip(a.par_chunks(BLOCK).zip(b.par_chunks(BLOCK)))
                    .for_each(|(own, (a, b))| {
                        for ($own, (&$a, &$b)) in own.iter_mut().zip(a.iter().zip(b)) {
                            *$own = $new;
                        }
                    });
                Ok(())
            }
        }
    };
}

elementwise!(
    First,
    "Adam's first moment",
    |update, own, gradient, weight| {
        *own + (update.gradient(gradient, weight) - *own) * (1.0 - update.beta1)
    }
);
elementwise!(
    Second,
    "Adam's second moment",
    |update, own, gradient, weight| {
        let gradient = update.gradient(gradient, weight);
        *own * update.beta2 + (1.0 - update.beta2) * gradient * gradient
    }
);
elementwise!(Weights, "Adam's step", |update, own, first, second| {
    *own - update.size * first / (second.sqrt() / update.root_correction + EPSILON as f32)
});

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("Adam takes contiguous tensors in single precision"),
    }
}
