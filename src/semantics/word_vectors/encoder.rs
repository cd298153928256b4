//! Word vectors as a label encoder.

use candle_core::{DType, Device, Tensor};

use super::WordVectors;
use crate::semantics::{LabelEncoder, Reading, SemanticsError, normalise_label};

/// A label is the l2-normalised mean of its words' vectors; a label with a word that has none is
/// refused.
#[derive(Debug)]
pub struct WordEncoder {
    vectors: WordVectors,
    device: Device,
}

impl WordEncoder {
    /// An encoder whose vectors go to `device`.
    pub fn new(vectors: WordVectors, device: &Device) -> Self {
        Self {
            vectors,
            device: device.clone(),
        }
    }

    /// The words.
    pub fn vectors(&self) -> &WordVectors {
        &self.vectors
    }
}

impl LabelEncoder for WordEncoder {
    fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    fn encode(&self, labels: &[&str]) -> Result<Tensor, SemanticsError> {
        let mut numbers = Vec::with_capacity(labels.len() * self.dimension());
        for label in labels {
            numbers.extend(self.vectors.encode(&normalise_label(label)?)?);
        }
        let shape = (labels.len(), self.dimension());
        if labels.is_empty() {
            return Ok(Tensor::zeros(shape, DType::F32, &self.device)?);
        }
        Ok(Tensor::from_vec(numbers, shape, &self.device)?)
    }

    /// All of a label or nothing: a word that is spelled wrong is better typed again than left out.
    fn reading(&self, label: &str) -> Result<Reading, SemanticsError> {
        let text = normalise_label(label)?;
        self.vectors.encode(&text)?;
        Ok(Reading {
            text,
            left_out: Vec::new(),
        })
    }
}
