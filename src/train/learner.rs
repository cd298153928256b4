//! A network that learns: its weights, its optimiser, one step.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;

use super::adam::Adam;
use super::batches::Batch;
use super::distillation::distillation;
use super::ranking_loss::{photo_ranking_loss, ranking_loss};
use crate::model::Configuration;
use crate::model::dropout::Dropout;
use crate::model::network::Trainable;

/// What the network is to learn.
pub struct Objective {
    /// Vectors of the seen labels, `[L, D]`.
    pub label_vectors: Tensor,
    /// Vectors of the teacher's classes, `[T, D]`, where it has a weight.
    pub teacher_vectors: Option<Tensor>,
    /// Weight of the distillation beside the ranking loss.
    pub distillation: f64,
    /// Weight of the ranking loss across the photos of a label.
    pub photo_ranking: f64,
}

/// The losses of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses {
    pub ranking: f64,
    /// Across the photos of a label, without its weight; 0 where it has none.
    pub photo_ranking: f64,
    /// Without its weight; 0 where there is none.
    pub distillation: f64,
    /// What was minimised.
    pub total: f64,
}

/// A network with its optimiser.
pub struct Learner {
    network: Box<dyn Trainable>,
    weights: BTreeMap<String, Var>,
    adam: Adam,
}

impl Learner {
    /// A network that starts from `tensors`: weights, and the norms' running statistics.
    ///
    /// # Errors
    /// Tensors that do not fit the configuration.
    pub fn new(
        configuration: &dyn Configuration,
        tensors: &BTreeMap<String, Tensor>,
        (betas, weight_decay): ([f64; 2], f64),
        device: &Device,
    ) -> Result<Self> {
        let mut weights = BTreeMap::new();
        let mut all = HashMap::new();
        for (name, tensor) in tensors {
            let tensor = tensor.to_device(device)?;
            if name.contains(".running_") {
                all.insert(name.clone(), tensor);
                continue;
            }
            let var = Var::from_tensor(&tensor)?;
            all.insert(name.clone(), var.as_tensor().clone());
            weights.insert(name.clone(), var);
        }
        let vb = VarBuilder::from_tensors(all, DType::F32, device);
        Ok(Self {
            network: configuration.trainable(vb)?,
            adam: Adam::new(&weights, betas, weight_decay)?,
            weights,
        })
    }

    /// The losses of a batch as a differentiable scalar and as numbers.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn losses(
        &self,
        batch: &Batch,
        objective: &Objective,
        dropout: &mut Dropout,
    ) -> Result<(Tensor, Losses)> {
        let photos = self.network.forward(&batch.photos, dropout)?;
        let labels = self.network.project_labels(&objective.label_vectors)?;
        let scores = self.network.scores(&photos, &labels)?;
        let ranking = ranking_loss(&scores, &batch.labels)?;
        let mut loss = ranking.loss;
        let mut losses = Losses {
            ranking: ranking.value,
            total: ranking.value,
            ..Losses::default()
        };
        if objective.photo_ranking > 0.0 {
            let across = photo_ranking_loss(&scores, &batch.labels)?;
            losses.photo_ranking = across.value;
            losses.total += objective.photo_ranking * across.value;
            loss = (loss + across.loss.affine(objective.photo_ranking, 0.0)?)?;
        }
        let (Some(vectors), Some(taught)) = (&objective.teacher_vectors, &batch.taught) else {
            return Ok((loss, losses));
        };
        let classes = self.network.project_labels(vectors)?;
        let places = &taught.places;
        let Some(responses) = self.network.region_responses(&photos, places, &classes)? else {
            return Ok((loss, losses));
        };
        let distilled = distillation(&responses, &taught.targets)?;
        losses.distillation = distilled.value;
        losses.total += objective.distillation * distilled.value;
        let loss = (loss + distilled.loss.affine(objective.distillation, 0.0)?)?;
        Ok((loss, losses))
    }

    /// One step of the optimiser at `rate`. Where the loss is no number the weights stay as they
    /// are.
    ///
    /// # Errors
    /// As [`Learner::losses`].
    pub fn step(
        &mut self,
        batch: &Batch,
        objective: &Objective,
        dropout: &mut Dropout,
        rate: f64,
    ) -> Result<Losses> {
        let (loss, losses) = self.losses(batch, objective, dropout)?;
        if losses.total.is_finite() {
            let gradients = loss.backward()?;
            self.adam.step(&self.weights, &gradients, rate)?;
        }
        Ok(losses)
    }

    /// The network as it is. What answers is built from [`Learner::tensors`].
    pub fn network(&self) -> &dyn Trainable {
        &*self.network
    }

    pub fn optimiser(&self) -> &Adam {
        &self.adam
    }

    /// Goes on from kept moments, see [`Adam::restore`].
    ///
    /// # Errors
    /// As [`Adam::restore`].
    pub fn restore(&mut self, steps: usize, moments: BTreeMap<String, [Tensor; 2]>) -> Result<()> {
        self.adam.restore(steps, moments)
    }

    /// Copies of all weights and of the norms' running statistics, on the CPU.
    ///
    /// # Errors
    /// Those of candle's operators.
    pub fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        let copy = |tensor: &Tensor| tensor.detach().copy()?.to_device(&Device::Cpu);
        let mut tensors = BTreeMap::new();
        for (name, var) in &self.weights {
            tensors.insert(name.clone(), copy(var)?);
        }
        for (name, statistic) in self.network.running_statistics() {
            tensors.insert(name, copy(&statistic)?);
        }
        Ok(tensors)
    }
}
