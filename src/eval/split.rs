//! Which of a data set's labels are seen and unseen, and how near an unseen one is to a seen one.

use candle_core::{IndexOp, Tensor};

use super::EvalError;
use crate::bundle::Bundle;
use crate::semantics::{label_key, neighbours};

/// Cosine from which on a seen label is a near-twin of an unseen one: couch and sofa, motorbike and
/// motorcycle.
pub const NEAR_TWIN: f32 = 0.7;
/// Labels that are encoded at once.
const BATCH: usize = 64;

/// The seen label nearest in meaning to an unseen one.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    pub label: String,
    pub cosine: f32,
}

/// A data set's labels by what training saw of them.
#[derive(Clone, Debug, Default)]
pub struct LabelSets {
    /// Places of the labels that training saw.
    pub seen: Vec<usize>,
    /// Places of the labels that it did not.
    pub unseen: Vec<usize>,
    /// For each of `unseen`; `None` where no label was seen.
    pub nearest: Vec<Option<Nearest>>,
}

impl LabelSets {
    /// Sorts the labels `names` with vectors `[L, D]` by `is_unseen` of their places. Near an unseen
    /// label may be any that the bundle or this data set has as seen.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(
        bundle: &Bundle,
        names: &[String],
        vectors: &Tensor,
        is_unseen: impl Fn(usize) -> bool,
    ) -> Result<Self, EvalError> {
        let (unseen, seen): (Vec<usize>, Vec<usize>) =
            (0..names.len()).partition(|&l| is_unseen(l));
        let kept_out: Vec<String> = unseen.iter().map(|&l| label_key(&names[l])).collect();
        let mut known: Vec<String> = Vec::new();
        let mut rows: Vec<Tensor> = Vec::new();
        for (place, listed) in bundle.lists.labels().iter().enumerate() {
            if listed.seen && !kept_out.contains(&label_key(&listed.label)) {
                known.push(listed.label.clone());
                rows.push(bundle.label_vectors.i(place)?);
            }
        }
        for &label in &seen {
            known.push(names[label].clone());
            rows.push(vectors.i(label)?);
        }
        let mut nearest = vec![None; unseen.len()];
        if !rows.is_empty() {
            let rows = Tensor::stack(&rows, 0)?;
            for (nearest, &label) in nearest.iter_mut().zip(&unseen) {
                let found = neighbours(&vectors.i(label)?, &rows, 1)?;
                *nearest = found.first().map(|&(row, cosine)| Nearest {
                    label: known[row].clone(),
                    cosine,
                });
            }
        }
        Ok(Self {
            seen,
            unseen,
            nearest,
        })
    }

    /// The unseen labels that have no near-twin among the seen ones.
    pub fn apart(&self) -> Vec<usize> {
        let near = |nearest: &Option<Nearest>| {
            nearest
                .as_ref()
                .is_some_and(|nearest| nearest.cosine >= NEAR_TWIN)
        };
        let unseen = self.unseen.iter().zip(&self.nearest);
        unseen
            .filter(|(_, nearest)| !near(nearest))
            .map(|(&label, _)| label)
            .collect()
    }

    /// All labels.
    pub fn all(&self) -> Vec<usize> {
        let mut all = [&self.seen[..], &self.unseen].concat();
        all.sort_unstable();
        all
    }
}

/// Labels that the bundle's encoder does not read whole, one line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotWhole {
    /// Why there is no vector.
    pub refused: Vec<String>,
    /// What a vector is made without, and why.
    pub in_part: Vec<String>,
}

impl NotWhole {
    /// Those among `labels`; what the bundle itself lists is whole.
    ///
    /// # Errors
    /// An encoder that fails for another reason than a label.
    pub fn of(bundle: &Bundle, labels: &[String]) -> Result<Self, EvalError> {
        let mut found = Self::default();
        let new = |label: &&String| bundle.lists.place(label).is_none();
        for label in labels.iter().filter(new) {
            match bundle.encoder.reading(label) {
                Ok(reading) => found.in_part.extend(reading.note(label)),
                Err(error) if error.is_about_a_label() => found.refused.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}

/// Vectors `[L, D]` of `labels`: the bundle's own where it lists them, else of their texts.
///
/// # Errors
/// A text that is no label or of which nothing is known, a device that fails.
pub fn label_vectors(bundle: &Bundle, labels: &[String]) -> Result<Tensor, EvalError> {
    let new: Vec<&str> = labels
        .iter()
        .filter(|label| bundle.lists.place(label).is_none())
        .map(String::as_str)
        .collect();
    let mut encoded = Vec::with_capacity(new.len());
    for batch in new.chunks(BATCH) {
        let vectors = bundle.encoder.encode_known(batch)?;
        for row in 0..batch.len() {
            encoded.push(vectors.i(row)?);
        }
    }
    let mut encoded = encoded.into_iter();
    let mut rows = Vec::with_capacity(labels.len());
    for label in labels {
        match bundle.lists.place(label) {
            Some(place) => rows.push(bundle.label_vectors.i(place)?),
            None => rows.extend(encoded.next()),
        }
    }
    if rows.is_empty() {
        return Err(EvalError::NoLabels);
    }
    Ok(Tensor::stack(&rows, 0)?)
}
