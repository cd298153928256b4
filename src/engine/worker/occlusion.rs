//! Covering a photo: a few rectangles at a time, between which other requests are answered.

use std::sync::Arc;

use super::Engine;
use crate::engine::messages::{PhotoSource, Reply, WorkProgress};
use crate::engine::occlusion::{Area, Cover, Covering, Occluded, Scores};
use crate::engine::session::{Session, TOGETHER};
use crate::engine::{EngineError, PreparedPhoto};
use crate::panics::quietly_caught;

/// A photo that is being covered.
pub(super) struct Occluding {
    asked: Covering,
    photo: Arc<PreparedPhoto>,
    labels: Vec<String>,
    areas: Vec<Area>,
    /// Of the photo as it is, once it is known, then of each area so far.
    scores: Vec<Scores>,
}

impl Occluding {
    fn photos(&self) -> usize {
        self.areas.len() + 1
    }

    /// Whether a square is slid over many places.
    pub(super) fn is_slide(&self) -> bool {
        self.asked.is_slide()
    }

    fn is_of(&self, photo: &PhotoSource) -> bool {
        self.asked.photo == *photo
    }
}

impl Engine {
    /// Begins what was asked last, or goes on with what is under way; false when nothing is.
    pub(super) fn occlude(&mut self, session: &mut Session) -> bool {
        let asked = self.pending.borrow_mut().inside.take_covering();
        let begun = match asked {
            Some(asked) => self.begin_occlusion(session, asked).map(Some),
            None => Ok(self.occluding.take()),
        };
        let mut occluding = match begun {
            Ok(Some(occluding)) => occluding,
            Ok(None) => return false,
            Err(error) => {
                self.outbox.fail(&error, None, false);
                return true;
            }
        };
        let step = quietly_caught(|| step(session, &mut occluding));
        match step {
            Ok(Ok(())) if occluding.scores.len() < occluding.photos() => {
                self.tell_places(&occluding);
                self.occluding = Some(occluding);
            }
            Ok(Ok(())) => self
                .outbox
                .send(Reply::Occluded(Arc::new(answer(occluding)))),
            Ok(Err(error)) => self
                .outbox
                .fail(&error, Some(&occluding.asked.photo), false),
            Err(panic) => self.outbox.fail(
                &EngineError::Internal(panic),
                Some(&occluding.asked.photo),
                false,
            ),
        }
        true
    }

    /// Drops what is under way unless it is of this photo.
    pub(super) fn keep_occluding(&mut self, photo: &PhotoSource) {
        self.occluding.take_if(|under_way| !under_way.is_of(photo));
    }

    fn begin_occlusion(
        &mut self,
        session: &mut Session,
        asked: Covering,
    ) -> Result<Occluding, EngineError> {
        let photo = self.on_screen(session, &asked.photo)?;
        let (labels, _) = session.resolve_labels(&asked.labels)?;
        Ok(Occluding {
            areas: asked.cover.areas(),
            photo,
            labels,
            scores: Vec::new(),
            asked,
        })
    }

    fn tell_places(&self, occluding: &Occluding) {
        if let Cover::Area(_) = occluding.asked.cover {
            return;
        }
        let (done, all) = (occluding.scores.len(), occluding.photos());
        self.outbox.send(Reply::Progress(Some(WorkProgress {
            doing: format!("Covered {done} of {all} places"),
            fraction: Some(done as f32 / all as f32),
        })));
    }
}

/// The next few photos: the first of all is the photo as it is.
fn step(session: &mut Session, occluding: &mut Occluding) -> Result<(), EngineError> {
    let done = occluding.scores.len();
    let last = (done + TOGETHER).min(occluding.photos());
    let areas: Vec<Option<Area>> = (done..last)
        .map(|photo| occluding.areas.get(photo.checked_sub(1)?).copied())
        .collect();
    let Covering { variants, k, .. } = &occluding.asked;
    let labels = &occluding.labels;
    let scores = session.covered_scores(&occluding.photo, &areas, labels, variants, *k)?;
    occluding.scores.extend(scores);
    Ok(())
}

fn answer(mut occluding: Occluding) -> Occluded {
    let covered = occluding.scores.split_off(1);
    Occluded {
        whole: occluding.scores.pop().unwrap_or_default(),
        covered,
        labels: occluding.labels,
        asked: occluding.asked,
    }
}
