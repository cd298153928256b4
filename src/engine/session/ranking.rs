//! How a photo answers all of a bundle's labels, and those that were typed beside them.

use std::sync::Arc;

use super::{PixelsKey, Session};
use crate::bundle::TrainedVariant;
use crate::engine::{EngineError, ResponseMap};
use crate::model::{Encoded, PreparedLabels, VariantId};
use crate::semantics::LabelStatus;

/// One variant's answer to many labels.
pub(super) struct Ranked {
    pub scores: Vec<f32>,
    /// `[P, L]`.
    pub responses: Arc<[f32]>,
}

/// One network's answer to one photo.
pub(super) struct Answer {
    /// Responses of each label, region by region.
    pub maps: Vec<Vec<f32>>,
    pub scores: Vec<f32>,
    /// Whether a score is that of its map's largest responses.
    pub pooled: bool,
}

/// A network's answer to a photo for prepared labels.
pub(super) fn answer(
    trained: &TrainedVariant,
    photo: &Encoded,
    labels: &PreparedLabels,
) -> Result<Answer, EngineError> {
    let responses = trained.network.respond(photo, labels)?;
    let maps = responses.maps.ok_or(EngineError::NoMaps(trained.id))?;
    Ok(Answer {
        maps: maps.squeeze(0)?.flatten_from(1)?.to_vec2()?,
        scores: responses.scores.squeeze(0)?.to_vec1()?,
        pooled: trained.network.top_k().is_some(),
    })
}

impl Session {
    /// The answer to the bundle's labels, then to those `labels` that are not among them.
    pub(super) fn rank(
        &mut self,
        key: PixelsKey,
        encoded: &Encoded,
        variant: VariantId,
        labels: &[String],
        maps: &[ResponseMap],
    ) -> Result<Ranked, EngineError> {
        let own = self.rank_own(key, encoded, variant)?;
        let typed: Vec<&ResponseMap> = labels
            .iter()
            .zip(maps)
            .filter(|(label, _)| self.labels.row(label).is_none())
            .map(|(_, map)| map)
            .collect();
        let mut scores = own.scores.clone();
        if typed.is_empty() {
            let responses = own.responses.clone();
            return Ok(Ranked { scores, responses });
        }
        let k = self.trained(variant)?.network.top_k().unwrap_or(1);
        scores.extend(typed.iter().map(|map| map.score(k)));
        let mut responses = Vec::with_capacity(scores.len() * encoded.grid.0 * encoded.grid.1);
        for (region, row) in own
            .responses
            .chunks_exact(own.scores.len().max(1))
            .enumerate()
        {
            responses.extend_from_slice(row);
            responses.extend(typed.iter().map(|map| map.responses[region]));
        }
        Ok(Ranked {
            scores,
            responses: responses.into(),
        })
    }

    /// The answer to the bundle's own labels, from the cache where it is known.
    fn rank_own(
        &mut self,
        key: PixelsKey,
        encoded: &Encoded,
        variant: VariantId,
    ) -> Result<Arc<Ranked>, EngineError> {
        if let Some(ranked) = self.ranked.get(&(key, variant)) {
            return Ok(ranked.clone());
        }
        let trained = self
            .bundle
            .variant(variant)
            .ok_or_else(|| EngineError::NoVariant(variant, String::new()))?;
        let prepared = match self.own.get(&variant) {
            Some(prepared) => prepared.clone(),
            None => {
                let vectors = &self.bundle.label_vectors;
                let prepared = trained.prepare_labels(vectors)?;
                self.own.insert(variant, prepared.clone());
                prepared
            }
        };
        let Answer { maps, scores, .. } = answer(trained, encoded, &prepared)?;
        let regions = maps.first().map_or(0, Vec::len);
        let by_region = (0..regions).flat_map(|region| maps.iter().map(move |map| map[region]));
        let ranked = Arc::new(Ranked {
            scores,
            responses: by_region.collect(),
        });
        self.ranked.insert((key, variant), ranked.clone());
        Ok(ranked)
    }

    /// The labels that [`Session::rank`] scores, in its order.
    pub(super) fn ranked_labels(&self, labels: &[String]) -> Arc<[(String, LabelStatus)]> {
        let own = self.facts.labels.iter().cloned();
        let typed = labels
            .iter()
            .filter(|label| self.labels.row(label).is_none())
            .map(|label| (label.clone(), self.bundle.lists.status(label)));
        own.chain(typed).collect()
    }
}
