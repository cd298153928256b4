//! What the fake engine says of the inside of networks.

use std::sync::Arc;

use biam_lens::engine::{
    Covering, Looks, NetworkInside, NetworkScene, Occluded, OtherScene, PartMaps, PhotoInside,
    PhotoSource, RegionLooks, Reply, ResponseMap, WorkProgress,
};
use biam_lens::model::{Part, VariantId};

use super::{FakeEngine, GRID, refused};

impl FakeEngine {
    /// A third from h_r, a half from the blocks that a network has, the rest alike for all labels.
    pub(super) fn inside(
        &self,
        source: &PhotoSource,
        labels: &[String],
        variants: &[VariantId],
    ) -> PhotoInside {
        let labels: Vec<String> = labels.iter().filter(|l| !refused(l)).cloned().collect();
        let network = |&variant: &VariantId| {
            let maps: Vec<ResponseMap> = labels
                .iter()
                .map(|label| self.map(source, label, variant))
                .collect();
            let part = |part: Part, share: f32| PartMaps {
                part,
                maps: maps
                    .iter()
                    .map(|map| map.responses.iter().map(|m| m * share).collect())
                    .collect(),
            };
            let (rcb, scb) = blocks(variant);
            let mut parts = vec![part(Part::Latent, 0.3)];
            parts.extend(rcb.then(|| part(Part::Rcb, 0.4)));
            parts.extend(scb.then(|| part(Part::Scb, -0.1)));
            let shares = 0.3 + if rcb { 0.4 } else { 0.0 } - if scb { 0.1 } else { 0.0 };
            parts.push(part(Part::LabelIndependent, 1.0 - shares));
            NetworkInside {
                variant,
                parts: (variant != VariantId::RIDGE).then_some(parts),
                gate: scb.then(|| (0..16).map(|channel| channel as f32 / 15.0).collect()),
                attends: rcb,
            }
        };
        PhotoInside {
            photo: source.clone(),
            networks: variants.iter().map(network).collect(),
            labels,
        }
    }

    /// With another scene a label is where it is in that photo.
    pub(super) fn other_scene(
        &self,
        photo: &PhotoSource,
        scene: &PhotoSource,
        labels: &[String],
        variants: &[VariantId],
    ) {
        if scene.name().contains("broken") {
            self.fail(scene);
            return;
        }
        let labels: Vec<String> = labels.iter().filter(|l| !refused(l)).cloned().collect();
        let network = |&variant: &VariantId| NetworkScene {
            variant,
            gate: [0.25; 16].into(),
            maps: labels
                .iter()
                .map(|label| self.map(scene, label, variant))
                .collect(),
        };
        let with_scene = variants.iter().filter(|&&variant| blocks(variant).1);
        self.reply(Reply::Scene(Arc::new(OtherScene {
            photo: photo.clone(),
            scene: scene.clone(),
            networks: with_scene.map(network).collect(),
            labels,
        })));
    }

    /// Every score falls by a tenth of itself for each place further to the right.
    pub(super) fn occlude(&self, asked: &Covering) {
        let labels: Vec<String> = asked
            .labels
            .iter()
            .filter(|l| !refused(l))
            .cloned()
            .collect();
        let whole: Vec<Vec<f32>> = asked
            .variants
            .iter()
            .map(|&variant| {
                let of = |label: &String| self.map(&asked.photo, label, variant).score(asked.k);
                labels.iter().map(of).collect()
            })
            .collect();
        let places = asked.cover.areas();
        let covered = places.iter().map(|area| {
            let left = 1.0 - 0.5 * area[0];
            let of = |scores: &Vec<f32>| scores.iter().map(|score| score * left).collect();
            whole.iter().map(of).collect()
        });
        if self.slow {
            self.reply(Reply::Progress(Some(WorkProgress {
                doing: "Covered 8 of 50 places".to_owned(),
                fraction: Some(0.16),
            })));
            return;
        }
        self.reply(Reply::Occluded(Arc::new(Occluded {
            asked: asked.clone(),
            covered: covered.collect(),
            labels,
            whole,
        })));
    }
}

/// Whether a variant has RCB and SCB.
fn blocks(variant: VariantId) -> (bool, bool) {
    let full = variant == VariantId::BIAM;
    (
        full || variant == VariantId::RCB,
        full || variant == VariantId::SCB,
    )
}

/// Each of eight heads looks at one region alone, in a row of its own.
pub(super) fn looks(photo: &PhotoSource, region: usize, variants: &[VariantId]) -> RegionLooks {
    let head = |head: usize| {
        let at = (region + head * GRID.columns) % GRID.regions();
        let regions = 0..GRID.regions();
        regions
            .map(|other| if other == at { 1.0 } else { 0.0 })
            .collect()
    };
    let of = |&variant: &VariantId| {
        let heads: Vec<Vec<f32>> = (0..8).map(head).collect();
        let looks = Looks {
            to: heads.clone(),
            from: heads,
        };
        blocks(variant).0.then_some((variant, looks))
    };
    RegionLooks {
        photo: photo.clone(),
        region,
        networks: variants.iter().filter_map(of).collect(),
    }
}
