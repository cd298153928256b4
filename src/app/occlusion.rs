//! What of the photo is covered in the inspector: plain data.

use std::sync::Arc;

use super::state::AppState;
use crate::engine::{Area, Comparison, Cover, Covering, Occluded, Request};

/// Places a square is slid over, along each side of the photo.
pub const PLACES: [usize; 2] = [7, 14];

/// What is covered, what was asked about that and what came.
#[derive(Debug, Default)]
pub struct Occlusion {
    /// The rectangle that was dragged.
    pub area: Option<Area>,
    /// Whether drops of the slid square stand in the grid.
    pub in_grid: bool,
    /// Wanted by the button: a square slid over so many places.
    pub wanted_slide: Option<usize>,
    pub covered: Option<Arc<Occluded>>,
    pub slid: Option<Arc<Occluded>>,
    /// The rectangle that was asked for last.
    pub asked: Option<Covering>,
}

impl AppState {
    /// What covering the rectangle does to the photo on screen, once it is known.
    pub fn covered(&self) -> Option<&Arc<Occluded>> {
        let covered = self.inspector.occlusion.covered.as_ref()?;
        let asked = self.inspector.occlusion.asked.as_ref();
        (asked == Some(&covered.asked)).then_some(covered)
    }

    /// What sliding a square over the photo on screen does, once it is known.
    pub fn slid(&self) -> Option<&Arc<Occluded>> {
        let photo = &self.shown_comparison()?.photo.source;
        let slid = self.inspector.occlusion.slid.as_ref()?;
        (slid.asked.photo == *photo).then_some(slid)
    }

    /// The next rectangle or slide to ask for.
    pub(super) fn ask_for_occlusion(&mut self, comparison: &Comparison) -> Option<Request> {
        let covering = |cover| Covering {
            photo: comparison.photo.source.clone(),
            labels: comparison
                .labels
                .iter()
                .map(|label| label.text.clone())
                .collect(),
            variants: comparison.variants.clone(),
            k: self.pooled_k(),
            cover,
        };
        if let Some(places) = self.inspector.occlusion.wanted_slide {
            let asked = covering(Cover::Slide { places });
            self.inspector.occlusion.wanted_slide = None;
            return Some(Request::Occlude(asked));
        }
        let asked = covering(Cover::Area(self.inspector.occlusion.area?));
        if self.inspector.occlusion.asked.as_ref() == Some(&asked) {
            return None;
        }
        self.inspector.occlusion.asked = Some(asked.clone());
        Some(Request::Occlude(asked))
    }
}
