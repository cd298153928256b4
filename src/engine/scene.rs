//! A photo with another one as its scene, as plain data.

use std::sync::Arc;

use super::messages::{PhotoSource, ResponseMap};
use crate::model::VariantId;

/// The answer to [`super::Request::OtherScene`].
#[derive(Clone, Debug)]
pub struct OtherScene {
    pub photo: PhotoSource,
    /// The photo whose global feature takes the place of the photo's own.
    pub scene: PhotoSource,
    /// Those of the asked labels that have a vector.
    pub labels: Vec<String>,
    /// The networks with a scene-contextualised block.
    pub networks: Vec<NetworkScene>,
}

/// One network's answer to it.
#[derive(Clone, Debug)]
pub struct NetworkScene {
    pub variant: VariantId,
    /// r_g with the other scene.
    pub gate: Arc<[f32]>,
    /// Of each label.
    pub maps: Vec<ResponseMap>,
}

impl OtherScene {
    /// A network's answer.
    pub fn network(&self, variant: VariantId) -> Option<&NetworkScene> {
        self.networks.iter().find(|of| of.variant == variant)
    }

    /// The map of a label in a network.
    pub fn map(&self, label: &str, variant: VariantId) -> Option<&ResponseMap> {
        let label = self.labels.iter().position(|known| known == label)?;
        self.network(variant)?.maps.get(label)
    }
}
