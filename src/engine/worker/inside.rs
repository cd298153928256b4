//! Requests about the inside of networks: answered after those for maps, since they are about maps
//! that are on screen.

use std::sync::Arc;
use std::time::Instant;

use super::{Engine, Outbox};
use crate::engine::messages::PhotoSource;
use crate::engine::occlusion::Covering;
use crate::engine::photos::PreparedPhoto;
use crate::engine::session::Session;
use crate::engine::{EngineError, Reply, Request};
use crate::panics::quietly_caught;

/// Requests of each kind that wait; a newer one takes the place of an older one.
#[derive(Default)]
pub(super) struct Asked {
    inside: Option<Request>,
    attention: Option<Request>,
    scene: Option<Request>,
    covering: Option<Covering>,
}

impl Asked {
    /// Takes a request about insides.
    pub(super) fn accept(&mut self, request: Request) {
        match request {
            Request::Attend { .. } => self.attention = Some(request),
            Request::OtherScene { .. } => self.scene = Some(request),
            Request::Occlude(covering) => self.covering = Some(covering),
            _ => self.inside = Some(request),
        }
    }

    /// Whether any waits.
    pub(super) fn any(&self) -> bool {
        let requests = [&self.inside, &self.attention, &self.scene];
        requests.iter().any(|asked| asked.is_some()) || self.covering.is_some()
    }

    /// Takes a request about parts back, where no newer one has come.
    fn put_back(&mut self, request: &Request) {
        self.inside.get_or_insert_with(|| request.clone());
    }

    /// Forgets what takes long; the rest is over in a moment, and nobody would ask for it again.
    pub(super) fn cancel(&mut self) {
        self.covering.take_if(|asked| asked.is_slide());
    }

    /// The photo to cover next.
    pub(super) fn take_covering(&mut self) -> Option<Covering> {
        self.covering.take()
    }

    /// The next one to answer at once: that of a region comes at every move.
    fn take(&mut self) -> Option<Request> {
        self.attention
            .take()
            .or_else(|| self.inside.take())
            .or_else(|| self.scene.take())
    }
}

impl Engine {
    /// Whether a request about insides waits.
    pub(super) fn asked_inside(&self) -> bool {
        self.pending.borrow().inside.any()
    }

    /// The next request about insides.
    pub(super) fn next_inside(&self) -> Option<Request> {
        self.pending.borrow_mut().inside.take()
    }

    /// Answers a request about insides.
    pub(super) fn answer_inside(&mut self, session: &mut Session, request: &Request) {
        let start = Instant::now();
        let answer = quietly_caught(|| self.inside(session, request));
        log::debug!("inside: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        let (photo, outbox): (_, &Outbox) = (photo_of(request), &self.outbox);
        match answer {
            Ok(Ok(Some(reply))) => outbox.send(reply),
            // Interrupted: it is answered after what came between, unless a newer one takes its place.
            Ok(Ok(None)) => self.pending.borrow_mut().inside.put_back(request),
            Ok(Err(error)) => outbox.fail(&error, photo, false),
            Err(panic) => outbox.fail(&EngineError::Internal(panic), photo, false),
        }
    }

    fn inside(
        &mut self,
        session: &mut Session,
        request: &Request,
    ) -> Result<Option<Reply>, EngineError> {
        match request {
            Request::LookInside {
                photo,
                labels,
                variants,
            } => {
                let photo = self.on_screen(session, photo)?;
                let inside = session.look_inside(&photo, labels, variants, &|| self.stop())?;
                Ok(inside.map(|inside| Reply::Inside(Arc::new(inside))))
            }
            Request::Attend {
                photo,
                region,
                variants,
            } => {
                let photo = self.on_screen(session, photo)?;
                let looks = session.attend(&photo, *region, variants)?;
                Ok(Some(Reply::Looks(Arc::new(looks))))
            }
            Request::OtherScene {
                photo,
                scene,
                labels,
                variants,
            } => {
                let photo = self.on_screen(session, photo)?;
                let scene = self.on_screen(session, scene)?;
                let other = session.other_scene(&photo, &scene, labels, variants)?;
                Ok(Some(Reply::Scene(Arc::new(other))))
            }
            _ => Ok(None),
        }
    }

    /// The photo that the last comparison was of, even if its file has gone since; another one is
    /// opened.
    pub(super) fn on_screen(
        &mut self,
        session: &Session,
        source: &PhotoSource,
    ) -> Result<Arc<PreparedPhoto>, EngineError> {
        match &self.shown {
            Some(shown) if shown.photo.source == *source => Ok(Arc::clone(shown)),
            _ => self.prepared(session, source),
        }
    }
}

/// The photo that a request about insides can fail for.
fn photo_of(request: &Request) -> Option<&PhotoSource> {
    match request {
        Request::OtherScene { scene, .. } => Some(scene),
        Request::LookInside { photo, .. } | Request::Attend { photo, .. } => Some(photo),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Cover;

    fn look(photo: &str) -> Request {
        Request::LookInside {
            photo: PhotoSource::File(photo.into()),
            labels: Vec::new(),
            variants: Vec::new(),
        }
    }

    fn covering(cover: Cover) -> Request {
        Request::Occlude(Covering {
            photo: PhotoSource::File("a.jpg".into()),
            labels: Vec::new(),
            variants: Vec::new(),
            k: 1,
            cover,
        })
    }

    #[test]
    fn what_was_interrupted_waits_again_unless_a_newer_one_came() {
        let next = |asked: &mut Asked| match asked.take() {
            Some(Request::LookInside { photo, .. }) => photo.name(),
            other => panic!("{other:?}"),
        };
        let mut asked = Asked::default();
        asked.put_back(&look("a.jpg"));
        assert_eq!(next(&mut asked), "a.jpg");
        asked.accept(look("b.jpg"));
        asked.put_back(&look("a.jpg"));
        assert_eq!(next(&mut asked), "b.jpg");
        assert!(!asked.any());
    }

    #[test]
    fn only_a_slide_is_cancelled() {
        let mut asked = Asked::default();
        asked.accept(look("a.jpg"));
        asked.accept(covering(Cover::Slide { places: 7 }));
        asked.cancel();
        assert!(asked.take_covering().is_none());
        assert!(asked.any());
        asked.accept(covering(Cover::Area([0.0, 0.0, 1.0, 1.0])));
        asked.cancel();
        assert!(asked.take_covering().is_some());
    }
}
