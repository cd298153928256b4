//! The insides of networks: parts of responses, gates, the attention of single regions.

use std::sync::Arc;

use super::{LabelSet, PixelsKey, Session};
use crate::bundle::PhotoFeatures;
use crate::engine::EngineError;
use crate::engine::inside::{Looks, NetworkInside, PartMaps, PhotoInside, RegionLooks};
use crate::engine::photos::PreparedPhoto;
use crate::model::{EncodeOptions, Inside, PreparedLabels, VariantId};

impl Session {
    /// What happens inside `variants` on a photo for `labels`; those without a vector are left out.
    /// `Ok(None)` when `stop` said so between two networks.
    ///
    /// # Errors
    /// A variant that the bundle lacks, a failing device.
    pub fn look_inside(
        &mut self,
        photo: &PreparedPhoto,
        labels: &[String],
        variants: &[VariantId],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<PhotoInside>, EngineError> {
        self.check_variants(variants)?;
        let key = PixelsKey::of(&photo.pixels);
        let mut set = self.label_set(labels)?;
        let mut networks = Vec::with_capacity(variants.len());
        for &variant in variants {
            if stop() {
                return Ok(None);
            }
            let inside = self.inside(key, &photo.pixels, variant)?;
            networks.push(self.network_inside(variant, inside.as_ref().as_ref(), &mut set)?);
        }
        let labels = set.known.clone();
        self.asked = Some(set);
        Ok(Some(PhotoInside {
            photo: photo.photo.source.clone(),
            labels,
            networks,
        }))
    }

    /// Where one region of a photo looks in those of `variants` that have the paper's
    /// region-contextualised block, and who looks at it.
    ///
    /// # Errors
    /// A variant that the bundle lacks, a failing device.
    pub fn attend(
        &mut self,
        photo: &PreparedPhoto,
        region: usize,
        variants: &[VariantId],
    ) -> Result<RegionLooks, EngineError> {
        self.check_variants(variants)?;
        let key = PixelsKey::of(&photo.pixels);
        let mut networks = Vec::new();
        for &variant in variants {
            let inside = self.inside(key, &photo.pixels, variant)?;
            let attention = inside.as_ref().as_ref().and_then(|i| i.attention.as_ref());
            // A network on a coarser grid has fewer regions.
            let has_region = attention.filter(|attention| region < attention.regions());
            if let Some(attention) = has_region {
                let looks = Looks {
                    from: attention.from_region(region)?,
                    to: attention.to_region(region)?,
                };
                networks.push((variant, looks));
            }
        }
        Ok(RegionLooks {
            photo: photo.photo.source.clone(),
            region,
            networks,
        })
    }

    fn network_inside(
        &self,
        variant: VariantId,
        inside: Option<&Inside>,
        set: &mut LabelSet,
    ) -> Result<NetworkInside, EngineError> {
        let Some(inside) = inside else {
            return Ok(NetworkInside {
                variant,
                parts: None,
                gate: None,
                attends: false,
            });
        };
        let parts = match set.known.is_empty() {
            true => Vec::new(),
            false => part_maps(inside, set.prepared_for(self.trained(variant)?)?)?,
        };
        let gate = inside.gate.as_ref().map(candle_core::Tensor::to_vec1);
        Ok(NetworkInside {
            variant,
            parts: Some(parts),
            gate: gate.transpose()?.map(Arc::from),
            attends: inside.attention.is_some(),
        })
    }

    /// The inside of a network for one photo, from the cache where it is known.
    fn inside(
        &mut self,
        key: PixelsKey,
        pixels: &[u8],
        variant: VariantId,
    ) -> Result<Arc<Option<Inside>>, EngineError> {
        if let Some(known) = self.insides.get(&(key, variant)) {
            return Ok(Arc::clone(known));
        }
        let features = self.known_features(key, pixels)?;
        let network = &self.trained(variant)?.network;
        let features = features.of(network.takes());
        let inside = Arc::new(network.look_inside(features, &EncodeOptions::default())?);
        self.insides.insert((key, variant), Arc::clone(&inside));
        Ok(inside)
    }

    /// A photo's features, from the cache where they are known.
    pub(super) fn known_features(
        &mut self,
        key: PixelsKey,
        pixels: &[u8],
    ) -> Result<PhotoFeatures, EngineError> {
        if let Some(known) = self.features.get(&key) {
            return Ok(known.clone());
        }
        let features = self.features(pixels)?;
        self.features.insert(key, features.clone());
        Ok(features)
    }
}

fn part_maps(inside: &Inside, labels: &PreparedLabels) -> Result<Vec<PartMaps>, EngineError> {
    let parts = inside.parts.of_labels(labels)?;
    let of_labels = |(part, maps): (_, candle_core::Tensor)| {
        let maps = maps.to_vec2::<f32>()?.into_iter().map(Arc::from).collect();
        Ok(PartMaps { part, maps })
    };
    parts.into_iter().map(of_labels).collect()
}
