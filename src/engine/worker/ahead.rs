//! Photos brought into the caches before they are asked for.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{Comparing, Engine};
use crate::engine::EngineError;
use crate::engine::messages::PhotoSource;
use crate::engine::photos::{PhotoStamp, PreparedPhoto, prepare};
use crate::engine::session::{Session, Wanted};
use crate::panics::quietly_caught;

/// Work ahead begins when nothing was asked for so long, so that it is in nobody's way.
const IDLE: Duration = Duration::from_millis(150);
/// How often it is looked whether a photo that is opened ahead is still wanted.
const CHECKED_EVERY: Duration = Duration::from_millis(2);

impl Engine {
    /// Waits for a request and computes ahead meanwhile; false when the window has gone.
    pub(super) fn wait(&mut self, mut session: Option<&mut Session>) -> bool {
        loop {
            let ahead = self.pending.borrow_mut().ahead.pop_front();
            let Some(ahead) = ahead.filter(|_| session.is_some()) else {
                let request = self.inbox.recv();
                return request.map(|request| self.accept(request)).is_ok();
            };
            match self.inbox.recv_timeout(IDLE) {
                Ok(request) => {
                    self.pending.borrow_mut().ahead.push_front(ahead);
                    self.accept(request);
                    return true;
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(session) = session.as_deref_mut() {
                // What fails is told when it is asked for.
                _ = quietly_caught(|| self.compute_ahead(session, &ahead));
            }
            if self.stop() || self.asked_inside() {
                return true;
            }
        }
    }

    /// Brings a photo into the caches, unless something else is asked for.
    fn compute_ahead(
        &mut self,
        session: &mut Session,
        ahead: &Comparing,
    ) -> Result<(), EngineError> {
        let (source, input) = (ahead.photo.clone(), session.input());
        let Some(photo) = self.open_ahead(&ahead.photo, move || prepare(&source, input)) else {
            return Ok(());
        };
        let wanted = Wanted {
            labels: &ahead.labels,
            variants: &ahead.variants,
            ranking: false,
            ordinary: true,
        };
        let stop = || self.stop() || self.asked_inside();
        if !stop() {
            session.compare(&photo, &wanted, &stop)?;
        }
        Ok(())
    }

    /// A photo opened on a thread of its own, which is left alone as soon as another photo is asked
    /// for: a large one takes long. `None` too where it cannot be opened, which is told when it is
    /// asked for.
    fn open_ahead(
        &mut self,
        source: &PhotoSource,
        open: impl FnOnce() -> Result<PreparedPhoto, EngineError> + Send + 'static,
    ) -> Option<Arc<PreparedPhoto>> {
        let stamp = PhotoStamp::of(source);
        if let Some(photo) = self.photos.get(&stamp) {
            return Some(photo.clone());
        }
        let (sender, opened) = channel();
        thread::spawn(move || sender.send(quietly_caught(open)));
        loop {
            match opened.recv_timeout(CHECKED_EVERY) {
                Ok(Ok(Ok(photo))) => {
                    let photo = Arc::new(photo);
                    self.photos.insert(stamp, photo.clone());
                    return Some(photo);
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.is_overtaken(source) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether something else than this photo is wanted by now.
    fn is_overtaken(&self, photo: &PhotoSource) -> bool {
        let stop = self.stop();
        let pending = self.pending.borrow();
        let compare = pending.compare.as_ref();
        let compared = stop && compare.is_none_or(|compare| compare.photo != *photo);
        compared || pending.inside.any()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::Request;
    use crate::engine::worker::{Outbox, WorkerOptions};

    /// Opens `ahead` as one that never ends while `asked` is asked for; whether it was left.
    fn is_left(ahead: &str, asked: Request) -> bool {
        let (requests, inbox) = channel();
        let outbox = Outbox {
            sender: channel().0,
            wake: Arc::new(|| ()),
        };
        let mut engine = Engine::new(WorkerOptions::default(), inbox, channel().0, outbox);
        requests.send(asked).expect("the engine is there");
        let (release, held) = channel::<()>();
        let released = Arc::new(AtomicBool::new(false));
        let says = released.clone();
        // Long enough for a busy machine to leave before.
        let releasing = thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            says.store(true, Ordering::SeqCst);
            drop(release);
        });
        let endless = move || {
            let _ = held.recv();
            Err(EngineError::Internal("released".to_owned()))
        };
        let opened = engine.open_ahead(&PhotoSource::File(ahead.into()), endless);
        assert!(opened.is_none());
        let left = !released.load(Ordering::SeqCst);
        releasing.join().expect("it only waits");
        left
    }

    fn compare(photo: &str) -> Request {
        Request::Compare {
            photo: PhotoSource::File(photo.into()),
            labels: Vec::new(),
            variants: Vec::new(),
            ranking: false,
        }
    }

    #[test]
    fn a_photo_that_is_opened_ahead_holds_up_no_other() {
        assert!(is_left("next.jpg", compare("other.jpg")));
        assert!(is_left("next.jpg", Request::Cancel));
        assert!(
            !is_left("next.jpg", compare("next.jpg")),
            "it is wanted now"
        );
    }
}
