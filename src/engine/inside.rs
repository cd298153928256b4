//! What happens inside the networks for one photo, as plain data.

use std::sync::Arc;

use super::messages::PhotoSource;
use crate::model::region_attention::entropy;
use crate::model::{Part, VariantId};

/// The answer to [`super::Request::LookInside`].
#[derive(Clone, Debug)]
pub struct PhotoInside {
    pub photo: PhotoSource,
    /// Those of the asked labels that have a vector.
    pub labels: Vec<String>,
    pub networks: Vec<NetworkInside>,
}

/// One network's inside.
#[derive(Clone, Debug)]
pub struct NetworkInside {
    pub variant: VariantId,
    /// The parts whose sum every response is; `None` where the network is not made of blocks.
    pub parts: Option<Vec<PartMaps>>,
    /// r_g, where the network has a scene-contextualised block: 0 closes a channel, 1 opens it.
    pub gate: Option<Arc<[f32]>>,
    /// Whether it has the paper's region-contextualised block.
    pub attends: bool,
}

/// One part of the responses of all labels.
#[derive(Clone, Debug)]
pub struct PartMaps {
    pub part: Part,
    /// Of each label, region by region.
    pub maps: Vec<Arc<[f32]>>,
}

impl PhotoInside {
    /// A network's inside.
    pub fn network(&self, variant: VariantId) -> Option<&NetworkInside> {
        self.networks
            .iter()
            .find(|inside| inside.variant == variant)
    }

    /// The parts of a label's responses in a network, in the order in which the photo passes them.
    pub fn parts(&self, label: &str, variant: VariantId) -> Option<Vec<(Part, &[f32])>> {
        let place = self.labels.iter().position(|known| known == label)?;
        let parts = self.network(variant)?.parts.as_ref()?.iter();
        parts
            .map(|of| Some((of.part, &**of.maps.get(place)?)))
            .collect()
    }
}

/// The answer to [`super::Request::Attend`].
#[derive(Clone, Debug)]
pub struct RegionLooks {
    pub photo: PhotoSource,
    pub region: usize,
    /// By network; those without the paper's region-contextualised block are not among them.
    pub networks: Vec<(VariantId, Looks)>,
}

impl RegionLooks {
    /// Where the region looks in a network.
    pub fn network(&self, variant: VariantId) -> Option<&Looks> {
        let mut networks = self.networks.iter();
        networks
            .find(|(of, _)| *of == variant)
            .map(|(_, looks)| looks)
    }
}

/// Where a region looks, and who looks at it.
#[derive(Clone, Debug)]
pub struct Looks {
    /// Head by head, how much of the region's look falls on each region: `[H][P]`, the sum of each
    /// head is 1.
    pub from: Vec<Vec<f32>>,
    /// Head by head, how much of each region's look falls on this one: `[H][P]`.
    pub to: Vec<Vec<f32>>,
}

impl Looks {
    /// Where it looks, the mean of all heads.
    pub fn mean_from(&self) -> Vec<f32> {
        mean(&self.from)
    }

    /// Who looks at it, the mean of all heads.
    pub fn mean_to(&self) -> Vec<f32> {
        mean(&self.to)
    }

    /// The entropy of each head's look, in bits.
    pub fn entropies(&self) -> Vec<f32> {
        self.from.iter().map(|head| entropy(head)).collect()
    }
}

fn mean(heads: &[Vec<f32>]) -> Vec<f32> {
    let regions = heads.first().map_or(0, Vec::len);
    let share = 1.0 / heads.len().max(1) as f32;
    let at = |region: usize| {
        heads
            .iter()
            .filter_map(|head| head.get(region))
            .sum::<f32>()
    };
    (0..regions).map(|region| at(region) * share).collect()
}
