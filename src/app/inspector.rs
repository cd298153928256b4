//! The inspector: which region is looked into, what is asked of the engine about it and what came.

use std::sync::Arc;

use super::layer::LayerMaps;
use super::occlusion::Occlusion;
use super::scene::Scene;
use super::state::AppState;
use crate::engine::{Comparison, Cover, Occluded, PhotoInside, PhotoSource, RegionLooks, Request};
use crate::model::{Part, VariantId};

/// How many regions can be pinned.
pub const MOST_PINS: usize = 12;

/// What the inspector shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InspectorTab {
    /// The chosen region.
    #[default]
    Region,
    /// How scores are pooled.
    Pooling,
    /// What is lost when a part of the photo is covered.
    Occlusion,
    /// What the scene opens and closes.
    Scene,
}

impl InspectorTab {
    /// All of them, in the order they are offered.
    pub const ALL: [Self; 4] = [Self::Region, Self::Pooling, Self::Occlusion, Self::Scene];

    /// The name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Region => "Region",
            Self::Pooling => "Pooling",
            Self::Occlusion => "Occlusion",
            Self::Scene => "Scene",
        }
    }
}

/// Everything the inspector knows.
#[derive(Debug, Default)]
pub struct Inspector {
    pub open: bool,
    pub tab: InspectorTab,
    /// Row and column of the chosen region, from 0; it stays when photos change.
    pub region: Option<[usize; 2]>,
    pub pins: Vec<[usize; 2]>,
    /// Parts that stand in the grid beside the chosen network.
    pub parts: Vec<Part>,
    /// A region that something in the inspector points at.
    pub lit: Option<[usize; 2]>,
    pub occlusion: Occlusion,
    pub scene: Scene,
    pub maps: LayerMaps,
    inside: Option<Arc<PhotoInside>>,
    looks: Option<Arc<RegionLooks>>,
    asked: Option<AskedInside>,
    asked_looks: Option<(PhotoSource, usize, Vec<VariantId>)>,
}

/// What the inside of the networks was asked for.
#[derive(Clone, Debug, PartialEq)]
struct AskedInside {
    photo: PhotoSource,
    labels: Vec<String>,
    variants: Vec<VariantId>,
}

impl AppState {
    /// The chosen region of the comparison on screen, counted row by row.
    pub fn chosen_region(&self) -> Option<usize> {
        let grid = self.shown_comparison()?.grid;
        let [row, column] = self.inspector.region?;
        (row < grid.rows && column < grid.columns).then_some(row * grid.columns + column)
    }

    /// Chooses a region, and what the inspector speaks of with it; opens the inspector.
    pub fn choose_region(&mut self, region: [usize; 2], label: usize, variant: Option<VariantId>) {
        self.inspector.region = Some(region);
        self.inspector.open = true;
        self.inspector.tab = InspectorTab::Region;
        self.view.label = self.labels.labels().get(label).cloned();
        // Of two networks A stays A.
        if let Some(variant) = variant.filter(|_| !self.compares_two()) {
            self.view.variant = Some(variant);
        }
    }

    /// Moves the chosen region within the grid; from nowhere, to its middle.
    pub fn step_region(&mut self, down: isize, right: isize) {
        let Some(grid) = self.shown_comparison().map(|comparison| comparison.grid) else {
            return;
        };
        let within = |at: usize, by: isize, count: usize| {
            at.saturating_add_signed(by).min(count.saturating_sub(1))
        };
        self.inspector.region = Some(match self.inspector.region {
            Some([row, column]) => [
                within(row, down, grid.rows),
                within(column, right, grid.columns),
            ],
            None => [grid.rows / 2, grid.columns / 2],
        });
        self.inspector.open = true;
        self.inspector.tab = InspectorTab::Region;
    }

    /// Pins the chosen region, or takes its pin away.
    pub fn toggle_pin_of_region(&mut self) {
        let Some(region) = self.inspector.region else {
            return;
        };
        let pins = &mut self.inspector.pins;
        match pins.iter().position(|&pin| pin == region) {
            Some(known) => _ = pins.remove(known),
            None if pins.len() < MOST_PINS => pins.push(region),
            None => self.notice(format!("At most {MOST_PINS} regions can be pinned")),
        }
    }

    /// Shows a part of the chosen network's responses in the grid, or no longer.
    pub fn toggle_part(&mut self, part: Part) {
        let parts = &mut self.inspector.parts;
        match parts.iter().position(|&shown| shown == part) {
            Some(known) => _ = parts.remove(known),
            None => {
                parts.push(part);
                parts.sort();
            }
        }
    }

    /// The parts in the grid that a network has.
    pub fn shown_parts(&self, variant: VariantId) -> Vec<Part> {
        let network = self.inside().and_then(|inside| inside.network(variant));
        let parts = network.and_then(|network| network.parts.as_ref());
        let has = |part: &Part| parts.is_some_and(|parts| parts.iter().any(|of| of.part == *part));
        self.inspector.parts.iter().copied().filter(has).collect()
    }

    /// The inside of the networks for the photo on screen.
    pub fn inside(&self) -> Option<&Arc<PhotoInside>> {
        let photo = &self.shown_comparison()?.photo.source;
        self.inspector
            .inside
            .as_ref()
            .filter(|inside| inside.photo == *photo)
    }

    /// Where the chosen region of the photo on screen looks.
    pub fn looks(&self) -> Option<&Arc<RegionLooks>> {
        let photo = &self.shown_comparison()?.photo.source;
        let region = self.chosen_region()?;
        self.inspector
            .looks
            .as_ref()
            .filter(|looks| looks.photo == *photo && looks.region == region)
    }

    /// One σ of a label in a network, in raw responses.
    fn unit_of(&self, label: &str, variant: VariantId) -> Option<f32> {
        let ordinary = self.map(label, variant)?.ordinary.as_ref();
        ordinary.map(|ordinary| ordinary.deviation())
    }

    /// The request that brings the inspector in line with what is on screen, if it is not yet.
    pub fn next_inspection(&mut self) -> Option<Request> {
        if !self.inspector.open && self.inspector.parts.is_empty() {
            return None;
        }
        let comparison = Arc::clone(self.comparison()?);
        self.ask_for_looks(&comparison)
            .or_else(|| self.ask_for_occlusion(&comparison))
            .or_else(|| self.ask_for_scene(&comparison))
            .or_else(|| self.ask_for_inside(&comparison))
    }

    fn ask_for_looks(&mut self, comparison: &Comparison) -> Option<Request> {
        let region = self.chosen_region().filter(|_| self.inspector.open)?;
        let photo = comparison.photo.source.clone();
        let variants = comparison.variants.clone();
        let wanted = (photo.clone(), region, variants.clone());
        if self.inspector.asked_looks.as_ref() == Some(&wanted) {
            return None;
        }
        self.inspector.asked_looks = Some(wanted);
        Some(Request::Attend {
            photo,
            region,
            variants,
        })
    }

    fn ask_for_inside(&mut self, comparison: &Comparison) -> Option<Request> {
        let wanted = AskedInside {
            photo: comparison.photo.source.clone(),
            labels: comparison
                .labels
                .iter()
                .map(|label| label.text.clone())
                .collect(),
            variants: comparison.variants.clone(),
        };
        if self.inspector.asked.as_ref() == Some(&wanted) {
            return None;
        }
        self.inspector.asked = Some(wanted.clone());
        Some(Request::LookInside {
            photo: wanted.photo,
            labels: wanted.labels,
            variants: wanted.variants,
        })
    }

    /// Everything is asked for anew.
    pub fn inspect_again(&mut self) {
        self.inspector.asked = None;
        self.inspector.asked_looks = None;
        self.inspector.occlusion.asked = None;
        self.inspector.scene.asked = None;
    }

    /// Takes in what covering a part of the photo does.
    pub fn receive_occluded(&mut self, occluded: Arc<Occluded>) {
        let grid = self.shown_comparison().map(|comparison| comparison.grid);
        match (occluded.asked.cover, grid) {
            (Cover::Slide { .. }, Some(grid)) => {
                let mut maps = std::mem::take(&mut self.inspector.maps);
                maps.take_drops(&occluded, grid, |label, variant| {
                    self.unit_of(label, variant)
                });
                self.inspector.maps = maps;
                self.inspector.occlusion.slid = Some(occluded);
            }
            _ => self.inspector.occlusion.covered = Some(occluded),
        }
    }

    /// Takes in the inside of the networks.
    pub fn receive_inside(&mut self, inside: Arc<PhotoInside>) {
        let mut maps = std::mem::take(&mut self.inspector.maps);
        maps.take_parts(&inside, |label, variant| self.unit_of(label, variant));
        self.inspector.maps = maps;
        self.inspector.inside = Some(inside);
    }

    /// Takes in where a region looks.
    pub fn receive_looks(&mut self, looks: Arc<RegionLooks>) {
        self.inspector.maps.take_looks(&looks);
        self.inspector.looks = Some(looks);
    }
}
