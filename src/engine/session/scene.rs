//! A photo whose scene is another photo.

use std::sync::Arc;

use super::{PixelsKey, Session, Wanted};
use crate::engine::EngineError;
use crate::engine::photos::PreparedPhoto;
use crate::engine::scene::{NetworkScene, OtherScene};
use crate::model::{EncodeOptions, VariantId};

impl Session {
    /// Gates and maps of a photo with the global feature of `scene` in the place of its own, in those
    /// of `variants` that have a scene-contextualised block.
    ///
    /// # Errors
    /// A variant that the bundle lacks, a failing device.
    pub fn other_scene(
        &mut self,
        photo: &PreparedPhoto,
        scene: &PreparedPhoto,
        labels: &[String],
        variants: &[VariantId],
    ) -> Result<OtherScene, EngineError> {
        self.check_variants(variants)?;
        let features = self.known_features(PixelsKey::of(&photo.pixels), &photo.pixels)?;
        let other = self.known_features(PixelsKey::of(&scene.pixels), &scene.pixels)?;
        let mut set = self.label_set(labels)?;
        let known = set.known.clone();
        let mut networks = Vec::new();
        for &variant in variants {
            let network = Arc::clone(&self.trained(variant)?.network);
            let own = features.of(network.takes());
            let options = EncodeOptions {
                scene: Some(other.of(network.takes()).global.clone()),
                ..EncodeOptions::default()
            };
            let inside = network.look_inside(own, &options)?;
            let Some(gate) = inside.and_then(|inside| inside.gate) else {
                continue;
            };
            let wanted = Wanted {
                labels: &known,
                variants,
                ranking: false,
                ordinary: true,
            };
            let encoded = network.encode(own, &options)?;
            networks.push(NetworkScene {
                variant,
                gate: gate.to_vec1()?.into(),
                maps: self.respond(&encoded, variant, &wanted, &mut set)?,
            });
        }
        self.asked = Some(set);
        Ok(OtherScene {
            photo: photo.photo.source.clone(),
            scene: scene.photo.source.clone(),
            labels: known,
            networks,
        })
    }
}
