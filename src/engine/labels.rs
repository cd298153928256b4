//! Label vectors and what follows from them, each computed once: nearest labels, responses over
//! ordinary regions.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::Tensor;

use super::EngineError;
use super::cache::Cache;
use super::messages::{LabelFacts, OrdinaryResponses, RefusedLabel};
use crate::bundle::{Bundle, TrainedVariant};
use crate::model::{PreparedLabels, VariantId};
use crate::semantics::{MAX_LABELS, label_key, neighbours, normalise_label};

/// Labels whose vectors are kept.
const KEPT_LABELS: usize = MAX_LABELS;
/// Label and variant pairs whose responses over ordinary regions are kept (8 KB each).
const KEPT_ORDINARY: usize = 4096;
/// How many nearest seen labels are told.
const NEAREST: usize = 3;

/// Everything known of labels so far.
pub struct KnownLabels {
    /// By [`label_key`]: the vector `[D]`.
    vectors: Cache<String, Tensor>,
    /// By [`label_key`]: why the encoder has no vector.
    refused: Cache<String, String>,
    facts: Cache<String, LabelFacts>,
    ordinary: Cache<(String, VariantId), Option<Arc<OrdinaryResponses>>>,
    /// Row of each of the bundle's labels in its matrix, by [`label_key`].
    rows: HashMap<String, usize>,
    /// The seen labels' texts and vectors `[S, D]`.
    seen: Vec<String>,
    seen_vectors: Tensor,
}

impl KnownLabels {
    /// Knows the bundle's own labels from the start.
    pub fn new(bundle: &Bundle) -> Result<Self, EngineError> {
        let labels = bundle.lists.labels();
        let rows = labels
            .iter()
            .enumerate()
            .map(|(row, listed)| (label_key(&listed.label), row))
            .collect();
        let (seen_rows, seen): (Vec<u32>, Vec<String>) = labels
            .iter()
            .zip(0u32..)
            .filter(|(listed, _)| listed.seen)
            .map(|(listed, row)| (row, listed.label.clone()))
            .unzip();
        let count = seen_rows.len();
        let seen_rows = Tensor::from_vec(seen_rows, count, &bundle.device)?;
        Ok(Self {
            vectors: Cache::new(KEPT_LABELS),
            refused: Cache::new(KEPT_LABELS),
            facts: Cache::new(KEPT_LABELS),
            ordinary: Cache::new(KEPT_ORDINARY),
            rows,
            seen,
            seen_vectors: bundle.label_vectors.index_select(&seen_rows, 0)?,
        })
    }

    /// Whether all vectors are at hand, so that no text need be encoded.
    pub fn all_encoded(&mut self, labels: &[String]) -> bool {
        labels.iter().all(|label| {
            let key = label_key(label);
            self.rows.contains_key(&key)
                || self.vectors.get(&key).is_some()
                || self.refused.get(&key).is_some()
        })
    }

    /// The label's row among the bundle's labels, if it is one of them.
    pub fn row(&self, label: &str) -> Option<usize> {
        self.rows.get(&label_key(label)).copied()
    }

    /// Those of `labels` that have a vector, and the others with the reason; those not yet known are
    /// encoded together.
    ///
    /// # Errors
    /// An encoder that fails for another reason than a label.
    pub fn resolve_labels(
        &mut self,
        bundle: &Bundle,
        labels: &[String],
    ) -> Result<(Vec<String>, Vec<RefusedLabel>), EngineError> {
        let mut new: Vec<&str> = Vec::new();
        for label in labels {
            let key = label_key(label);
            let known = self.rows.contains_key(&key)
                || self.vectors.get(&key).is_some()
                || self.refused.get(&key).is_some();
            if !known {
                new.push(label);
            }
        }
        self.encode(bundle, &new)?;
        let (mut good, mut refused) = (Vec::with_capacity(labels.len()), Vec::new());
        for label in labels {
            match self.refused.get(&label_key(label)) {
                None => good.push(label.clone()),
                Some(reason) => refused.push(RefusedLabel {
                    label: label.clone(),
                    reason: reason.clone(),
                }),
            }
        }
        Ok((good, refused))
    }

    /// Encodes what is known of labels; those of which nothing is are refused.
    fn encode(&mut self, bundle: &Bundle, labels: &[&str]) -> Result<(), EngineError> {
        let (mut known, mut texts) = (Vec::new(), Vec::new());
        for label in labels {
            match bundle.encoder.reading(label) {
                Ok(reading) => {
                    known.push(label_key(label));
                    texts.push(reading.text);
                }
                Err(error) if error.is_about_a_label() => {
                    self.refused.insert(label_key(label), error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encoded = bundle.encoder.encode(&texts)?;
        for (row, key) in known.into_iter().enumerate() {
            self.vectors.insert(key, encoded.get(row)?);
        }
        Ok(())
    }

    /// What of a label its vector is made without; the bundle's own labels are whole.
    ///
    /// # Errors
    /// An encoder that fails.
    pub fn left_out(&self, bundle: &Bundle, label: &str) -> Result<Option<String>, EngineError> {
        match self.row(label) {
            Some(_) => Ok(None),
            None => Ok(bundle.encoder.reading(label)?.note(label)),
        }
    }

    /// Vectors `[L, D]` of labels that [`KnownLabels::resolve_labels`] has found good.
    pub fn vectors(&mut self, bundle: &Bundle, labels: &[String]) -> Result<Tensor, EngineError> {
        let mut rows = Vec::with_capacity(labels.len());
        for label in labels {
            let key = label_key(label);
            let row = match self.rows.get(&key) {
                Some(&row) => bundle.label_vectors.get(row)?,
                None => self
                    .vectors
                    .get(&key)
                    .cloned()
                    .ok_or(EngineError::TooManyLabels(KEPT_LABELS))?,
            };
            rows.push(row);
        }
        if rows.is_empty() {
            let dimension = bundle.sizes.label_dimension;
            return Ok(bundle
                .label_vectors
                .narrow(0, 0, 0)?
                .reshape((0, dimension))?);
        }
        Ok(Tensor::stack(&rows, 0)?)
    }

    /// Status and nearest seen labels of `label`, whose vector is `[D]`.
    pub fn facts(
        &mut self,
        bundle: &Bundle,
        label: &str,
        vector: &Tensor,
    ) -> Result<LabelFacts, EngineError> {
        let key = label_key(label);
        if let Some(facts) = self.facts.get(&key) {
            return Ok(facts.clone());
        }
        let nearest = neighbours(vector, &self.seen_vectors, NEAREST)?
            .into_iter()
            .filter_map(|(row, cosine)| Some((self.seen.get(row)?.clone(), cosine)))
            .collect();
        let facts = LabelFacts {
            text: normalise_label(label)?,
            status: bundle.lists.status(label),
            nearest,
            left_out: self.left_out(bundle, label)?,
        };
        self.facts.insert(key, facts.clone());
        Ok(facts)
    }

    /// Responses over ordinary regions of `labels`, which the network has `prepared`, in order.
    pub fn ordinary(
        &mut self,
        trained: &TrainedVariant,
        labels: &[String],
        prepared: &PreparedLabels,
    ) -> Result<Vec<Option<Arc<OrdinaryResponses>>>, EngineError> {
        let Some(regions) = &trained.ordinary_regions else {
            return Ok(vec![None; labels.len()]);
        };
        let variant = trained.id;
        let mut found = Vec::with_capacity(labels.len());
        let mut missing: Vec<u32> = Vec::new();
        for (label, row) in labels.iter().zip(0u32..) {
            let known = self.ordinary.get(&(label_key(label), variant)).cloned();
            if known.is_none() {
                missing.push(row);
            }
            found.push(known);
        }
        if !missing.is_empty() {
            let chosen = prepared.select(&missing)?;
            let responses = trained.network.respond_regions(regions, &chosen)?;
            let all = responses.to_vec2::<f32>()?;
            for (row, values) in missing.into_iter().zip(all) {
                let ordinary = OrdinaryResponses::new(values).map(Arc::new);
                let row = row as usize;
                self.ordinary
                    .insert((label_key(&labels[row]), variant), ordinary.clone());
                found[row] = Some(ordinary);
            }
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }
}
