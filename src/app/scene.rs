//! Another photo as the scene of the one on screen: plain data.

use std::sync::Arc;

use super::state::AppState;
use crate::engine::{Comparison, OtherScene, PhotoSource, Request};
use crate::model::VariantId;

/// Which photo is the scene, what was asked about it and what came.
#[derive(Debug, Default)]
pub struct Scene {
    /// None: the photo's own.
    pub source: Option<PhotoSource>,
    answer: Option<Arc<OtherScene>>,
    pub(super) asked: Option<AskedScene>,
}

/// What another scene was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AskedScene {
    photo: PhotoSource,
    scene: PhotoSource,
    labels: Vec<String>,
    variants: Vec<VariantId>,
}

impl AppState {
    /// The photo on screen with the chosen scene, once it is known.
    pub fn other_scene(&self) -> Option<&Arc<OtherScene>> {
        let photo = &self.shown_comparison()?.photo.source;
        let scene = self.inspector.scene.source.as_ref()?;
        let answer = self.inspector.scene.answer.as_ref()?;
        (answer.photo == *photo && answer.scene == *scene).then_some(answer)
    }

    /// Takes in what another scene does.
    pub fn receive_scene(&mut self, answer: Arc<OtherScene>) {
        self.inspector.scene.answer = Some(answer);
    }

    pub(super) fn ask_for_scene(&mut self, comparison: &Comparison) -> Option<Request> {
        let scene = self.inspector.scene.source.clone()?;
        let wanted = AskedScene {
            photo: comparison.photo.source.clone(),
            scene,
            labels: comparison
                .labels
                .iter()
                .map(|label| label.text.clone())
                .collect(),
            variants: comparison.variants.clone(),
        };
        if self.inspector.scene.asked.as_ref() == Some(&wanted) {
            return None;
        }
        self.inspector.scene.asked = Some(wanted.clone());
        Some(Request::OtherScene {
            photo: wanted.photo,
            scene: wanted.scene,
            labels: wanted.labels,
            variants: wanted.variants,
        })
    }
}
