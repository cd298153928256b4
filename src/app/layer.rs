//! What a panel shows of a label in a network, beside its responses: a difference, a part, a look.

use std::collections::HashMap;
use std::sync::Arc;

use super::panel::scale_of;
use super::state::AppState;
use crate::engine::{Cover, Grid, Occluded, PhotoInside, RegionLooks, ResponseMap};
use crate::figure::scale::{Scale, ScaleMode};
use crate::model::{Part, VariantId};

/// What a picture shows of a label in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The responses.
    #[default]
    Response,
    /// The responses less those in another network, in σ.
    Less(VariantId),
    /// One part of the responses.
    Part(Part),
    /// How far the score falls when each place is covered.
    Occlusion,
    /// The responses with another photo as the scene.
    Scene,
    /// The attention of the chosen region; it does not depend on the label.
    Attention(Look),
}

/// Which attention of the chosen region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// Where it looks, the mean of all heads.
    From,
    /// Who looks at it, the mean of all heads.
    To,
    /// Where it looks with one head, counted from 0.
    Head(usize),
}

impl Look {
    /// The name people read.
    pub fn title(self) -> String {
        match self {
            Self::From => "where it looks".to_owned(),
            Self::To => "who looks at it".to_owned(),
            Self::Head(head) => format!("head {}", head + 1),
        }
    }
}

/// A range of values and the maps that share it.
#[derive(Debug)]
struct Shared<K> {
    maps: HashMap<K, ResponseMap>,
    highest: f32,
}

/// The maps of layers that were computed last, in the unit in which they are painted.
#[derive(Debug, Default)]
pub struct LayerMaps {
    /// Of each label in each network; one range for all parts of one.
    parts: HashMap<(String, VariantId), Shared<Part>>,
    /// Of each network, with the largest value; one for all heads.
    looks: HashMap<VariantId, HashMap<Look, (ResponseMap, f32)>>,
    /// Of each label in each network, with the largest of each.
    drops: HashMap<(String, VariantId), (ResponseMap, f32)>,
}

impl LayerMaps {
    /// Takes in the parts of all labels. They are in σ where `unit` knows a label's σ in a network,
    /// so that they add up to the standard score and what an ordinary region has; raw elsewhere.
    pub fn take_parts(
        &mut self,
        inside: &PhotoInside,
        unit: impl Fn(&str, VariantId) -> Option<f32>,
    ) {
        self.parts.clear();
        for network in &inside.networks {
            for label in &inside.labels {
                let Some(parts) = inside.parts(label, network.variant) else {
                    continue;
                };
                let unit = unit(label, network.variant).unwrap_or(1.0);
                let maps: HashMap<Part, ResponseMap> = parts
                    .into_iter()
                    .map(|(part, raw)| (part, map(raw.iter().map(|m| m / unit))))
                    .collect();
                let highest = maps.values().map(largest).fold(0.0, f32::max);
                let key = (label.clone(), network.variant);
                self.parts.insert(key, Shared { maps, highest });
            }
        }
    }

    /// Takes in where a region looks.
    pub fn take_looks(&mut self, looks: &RegionLooks) {
        self.looks.clear();
        for (variant, looks) in &looks.networks {
            let heads: Vec<ResponseMap> = looks
                .from
                .iter()
                .map(|head| map(head.iter().copied()))
                .collect();
            let of_heads = heads.iter().map(largest).fold(0.0, f32::max);
            let means = [(Look::From, looks.mean_from()), (Look::To, looks.mean_to())];
            let means = means.map(|(look, mean)| (look, map(mean.into_iter())));
            let heads = heads.into_iter().enumerate();
            let heads = heads.map(|(head, map)| (Look::Head(head), (map, of_heads)));
            let means = means.into_iter().map(|(look, map)| {
                let highest = largest(&map);
                (look, (map, highest))
            });
            self.looks.insert(*variant, means.chain(heads).collect());
        }
    }

    /// Takes in how far scores fall, in the unit of [`LayerMaps::take_parts`], on the `grid` of the
    /// other maps.
    pub fn take_drops(
        &mut self,
        occluded: &Occluded,
        grid: Grid,
        unit: impl Fn(&str, VariantId) -> Option<f32>,
    ) {
        self.drops.clear();
        let Cover::Slide { places } = occluded.asked.cover else {
            return;
        };
        // Few places are shown as squares of several regions.
        let place = |region: usize| {
            let (row, column) = (region / grid.columns, region % grid.columns);
            row * places / grid.rows * places + column * places / grid.columns
        };
        for label in &occluded.labels {
            for &variant in &occluded.asked.variants {
                let Some(drops) = occluded.drops(label, variant) else {
                    continue;
                };
                let unit = unit(label, variant).unwrap_or(1.0);
                let at = |region| drops.get(place(region)).copied().unwrap_or_default() / unit;
                let map = map((0..grid.regions()).map(at));
                let highest = largest(&map);
                self.drops.insert((label.clone(), variant), (map, highest));
            }
        }
    }
}

fn map(values: impl Iterator<Item = f32>) -> ResponseMap {
    ResponseMap {
        responses: values.collect::<Arc<[f32]>>(),
        own_score: None,
        ordinary: None,
    }
}

fn largest(map: &ResponseMap) -> f32 {
    let sizes = map.responses.iter().map(|value| value.abs());
    sizes.fold(0.0, f32::max)
}

impl AppState {
    /// The map of a layer of a label in a network on screen; of a difference, what it begins with.
    pub fn layer_map(&self, label: &str, variant: VariantId, layer: Layer) -> Option<&ResponseMap> {
        match layer {
            Layer::Response | Layer::Less(_) => self.map(label, variant),
            Layer::Part(part) => self.shared_parts(label, variant)?.maps.get(&part),
            Layer::Occlusion => Some(&self.drop(label, variant)?.0),
            Layer::Scene => self.other_scene()?.map(label, variant),
            Layer::Attention(look) => Some(&self.look(variant, look)?.0),
        }
    }

    /// The unit in which the parts of a label's responses in a network are.
    pub fn part_unit(&self, label: &str, variant: VariantId) -> &'static str {
        let map = self.map(label, variant);
        match map.is_some_and(|map| map.ordinary.is_some()) {
            true => "σ",
            false => "raw",
        }
    }

    /// The scale of a layer other than a difference.
    pub fn layer_scale(&self, label: &str, variant: VariantId, layer: Layer) -> Option<Scale> {
        let scale = |low: f32, high: f32, difference| Scale {
            mode: ScaleMode::Fixed,
            low,
            high,
            difference,
        };
        match layer {
            Layer::Response | Layer::Scene => Some(scale_of(self, label, variant)),
            Layer::Less(_) => None,
            Layer::Part(_) => {
                let highest = self.shared_parts(label, variant)?.highest;
                Some(scale(-highest, highest, true))
            }
            Layer::Occlusion => {
                let highest = self.drop(label, variant)?.1;
                Some(scale(-highest, highest, true))
            }
            Layer::Attention(look) => Some(scale(0.0, self.look(variant, look)?.1, false)),
        }
    }

    fn shared_parts(&self, label: &str, variant: VariantId) -> Option<&Shared<Part>> {
        self.inside()?;
        let maps = &self.inspector.maps;
        maps.parts.get(&(label.to_owned(), variant))
    }

    fn drop(&self, label: &str, variant: VariantId) -> Option<&(ResponseMap, f32)> {
        self.slid()?;
        let maps = &self.inspector.maps;
        maps.drops.get(&(label.to_owned(), variant))
    }

    fn look(&self, variant: VariantId, look: Look) -> Option<&(ResponseMap, f32)> {
        self.looks()?;
        self.inspector.maps.looks.get(&variant)?.get(&look)
    }
}
