//! The worker threads: requests in, replies out, the newest request wins.

mod ahead;
mod inside;
mod occlusion;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryIter, channel};
use std::thread;

use super::cache::Cache;
use super::messages::{Failure, PhotoSource, WorkProgress};
use super::photos::{PhotoStamp, PreparedPhoto, prepare, thumbnail};
use super::session::{Session, Wanted};
use super::{DeviceChoice, EngineError, Reply, Request};
use crate::bundle::find_bundle;
use crate::model::VariantId;
use crate::panics::quietly_caught;

/// Decoded photos that are kept (up to 13 MB each).
const KEPT_PHOTOS: usize = 8;
/// Thumbnails that may wait; older wishes are forgotten, since they have scrolled away.
const WAITING_THUMBNAILS: usize = 256;

/// The window's end of the engine: sends requests, takes replies, never waits.
pub struct Worker {
    requests: Sender<Request>,
    replies: Receiver<Reply>,
}

/// Called from the worker's threads whenever a reply is waiting.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the engine starts with.
#[derive(Clone, Debug, Default)]
pub struct WorkerOptions {
    /// The bundle's folder, where one was named.
    pub bundle: Option<PathBuf>,
    pub device: DeviceChoice,
}

impl Worker {
    /// Starts the engine on threads of its own; it ends when the `Worker` is dropped.
    pub fn start(options: WorkerOptions, wake: Wake) -> Self {
        let (requests, inbox) = channel();
        let (sender, replies) = channel();
        let (thumbnails, wishes) = channel();
        let outbox = Outbox { sender, wake };
        let for_thumbnails = outbox.clone();
        thread::spawn(move || serve_thumbnails(&wishes, &for_thumbnails));
        thread::spawn(move || {
            let ended = outbox.clone();
            let engine = || Engine::new(options, inbox, thumbnails, outbox).run();
            if let Err(panic) = quietly_caught(engine) {
                ended.fail(&EngineError::Ended(panic), None, true);
            }
        });
        Self { requests, replies }
    }

    /// From two channels, so that the window can be driven without a network.
    pub fn from_channels(requests: Sender<Request>, replies: Receiver<Reply>) -> Self {
        Self { requests, replies }
    }

    /// Sends a request; false when the engine has ended.
    pub fn ask(&self, request: Request) -> bool {
        self.requests.send(request).is_ok()
    }

    /// The replies that have come since the last call.
    pub fn replies(&self) -> TryIter<'_, Reply> {
        self.replies.try_iter()
    }
}

/// Where replies go.
#[derive(Clone)]
struct Outbox {
    sender: Sender<Reply>,
    wake: Wake,
}

impl Outbox {
    fn send(&self, reply: Reply) {
        // A window that has gone wants no answer.
        if self.sender.send(reply).is_ok() {
            (self.wake)();
        }
    }

    fn fail(&self, error: &EngineError, photo: Option<&PhotoSource>, fatal: bool) {
        log::warn!("{error}");
        self.send(Reply::Failure(Failure {
            message: crate::files::one_line(error),
            photo: photo.cloned(),
            fatal,
        }));
    }
}

/// A comparison that was asked for.
#[derive(Clone)]
struct Comparing {
    photo: PhotoSource,
    labels: Vec<String>,
    variants: Vec<VariantId>,
    ranking: bool,
}

/// Requests taken from the channel and not yet answered.
#[derive(Default)]
struct Pending {
    compare: Option<Comparing>,
    device: Option<DeviceChoice>,
    inside: inside::Asked,
    ahead: VecDeque<Comparing>,
    /// The work in hand is no longer wanted.
    cancelled: bool,
}

struct Engine {
    options: WorkerOptions,
    inbox: Receiver<Request>,
    thumbnails: Sender<(PhotoSource, u32)>,
    outbox: Outbox,
    pending: RefCell<Pending>,
    photos: Cache<PhotoStamp, Arc<PreparedPhoto>>,
    last: Option<Comparing>,
    /// The photo of the last comparison.
    shown: Option<Arc<PreparedPhoto>>,
    occluding: Option<occlusion::Occluding>,
}

impl Engine {
    fn new(
        options: WorkerOptions,
        inbox: Receiver<Request>,
        thumbnails: Sender<(PhotoSource, u32)>,
        outbox: Outbox,
    ) -> Self {
        Self {
            options,
            inbox,
            thumbnails,
            outbox,
            pending: RefCell::default(),
            photos: Cache::new(KEPT_PHOTOS),
            last: None,
            shown: None,
            occluding: None,
        }
    }

    fn run(mut self) {
        self.progress(Some("Loading the model"));
        let mut session = self.open(self.options.device, true);
        self.progress(None);
        while self.wait(session.as_mut()) {
            loop {
                self.accept_waiting();
                let (device, compare, cancelled) = {
                    let mut pending = self.pending.borrow_mut();
                    let cancelled = std::mem::take(&mut pending.cancelled);
                    (pending.device.take(), pending.compare.take(), cancelled)
                };
                if cancelled {
                    self.occluding.take_if(|under_way| under_way.is_slide());
                }
                if let Some(choice) = device {
                    self.progress(Some("Changing the device"));
                    if let Some(opened) = self.open(choice, session.is_none()) {
                        session = Some(opened);
                    }
                    let mut pending = self.pending.borrow_mut();
                    pending.compare = pending.compare.take().or(compare).or(self.last.clone());
                } else if let (Some(compare), Some(session)) = (compare, session.as_mut()) {
                    self.last = Some(compare.clone());
                    self.answer(session, &compare);
                } else if let (Some(session), Some(asked)) = (session.as_mut(), self.next_inside())
                {
                    self.answer_inside(session, &asked);
                } else if !session
                    .as_mut()
                    .is_some_and(|session| self.occlude(session))
                {
                    break;
                }
            }
            self.progress(None);
        }
    }

    /// A photo as the network takes it, from the cache where it is known.
    fn prepared(
        &mut self,
        session: &Session,
        source: &PhotoSource,
    ) -> Result<Arc<PreparedPhoto>, EngineError> {
        let stamp = PhotoStamp::of(source);
        if let Some(photo) = self.photos.get(&stamp) {
            return Ok(photo.clone());
        }
        self.progress(Some(&format!("Opening {}", source.name())));
        let photo = Arc::new(prepare(source, session.input())?);
        self.photos.insert(stamp, photo.clone());
        Ok(photo)
    }

    /// Sorts a request to where it waits; the newest of a kind replaces the one before.
    fn accept(&self, request: Request) {
        log::debug!("{request:?}");
        let mut pending = self.pending.borrow_mut();
        match request {
            Request::Compare {
                photo,
                labels,
                variants,
                ranking,
            } => {
                pending.ahead.clear();
                pending.compare = Some(Comparing {
                    photo,
                    labels,
                    variants,
                    ranking,
                });
            }
            Request::Ahead {
                photos,
                labels,
                variants,
            } => {
                let ahead = photos.into_iter().map(|photo| Comparing {
                    photo,
                    labels: labels.clone(),
                    variants: variants.clone(),
                    ranking: false,
                });
                pending.ahead = ahead.collect();
            }
            Request::Device(choice) => pending.device = Some(choice),
            Request::Cancel => {
                pending.compare = None;
                pending.ahead.clear();
                pending.inside.cancel();
                pending.cancelled = true;
            }
            Request::Thumbnail { photo, side } => {
                // That thread ends only after this one.
                let _ = self.thumbnails.send((photo, side));
            }
            about @ (Request::LookInside { .. }
            | Request::Attend { .. }
            | Request::OtherScene { .. }
            | Request::Occlude(_)) => {
                pending.inside.accept(about);
            }
        }
    }

    fn accept_waiting(&self) {
        while let Ok(request) = self.inbox.try_recv() {
            self.accept(request);
        }
    }

    /// Whether the work in hand has been cancelled or overtaken.
    fn stop(&self) -> bool {
        self.accept_waiting();
        let pending = self.pending.borrow();
        pending.cancelled || pending.compare.is_some() || pending.device.is_some()
    }

    fn open(&self, device: DeviceChoice, fatal: bool) -> Option<Session> {
        let opened = find_bundle(self.options.bundle.as_deref())
            .map_err(EngineError::from)
            .and_then(|folder| Session::open(&folder, device));
        match opened {
            Ok(session) => {
                self.outbox.send(Reply::Bundle(session.facts().clone()));
                Some(session)
            }
            Err(error) => {
                self.outbox.fail(&error, None, fatal);
                None
            }
        }
    }

    fn answer(&mut self, session: &mut Session, compare: &Comparing) {
        // A panic in a network or a decoder costs this answer, not the program.
        let answer = quietly_caught(|| self.compare(session, compare));
        match answer {
            Ok(Ok(Some(reply))) => self.outbox.send(reply),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => self.outbox.fail(&error, Some(&compare.photo), false),
            Err(panic) => {
                self.outbox
                    .fail(&EngineError::Internal(panic), Some(&compare.photo), false)
            }
        }
    }

    fn compare(
        &mut self,
        session: &mut Session,
        compare: &Comparing,
    ) -> Result<Option<Reply>, EngineError> {
        let name = compare.photo.name();
        let photo = self.prepared(session, &compare.photo)?;
        self.shown = Some(Arc::clone(&photo));
        self.keep_occluding(&compare.photo);
        self.outbox.send(Reply::Photo(photo.photo.clone()));
        if self.stop() {
            return Ok(None);
        }
        self.progress(Some(&format!("Looking at {name}")));
        let wanted = Wanted {
            labels: &compare.labels,
            variants: &compare.variants,
            ranking: compare.ranking,
            ordinary: true,
        };
        let comparison = session.compare(&photo, &wanted, &|| self.stop())?;
        Ok(comparison.map(|comparison| Reply::Comparison(Arc::new(comparison))))
    }

    fn progress(&self, doing: Option<&str>) {
        log::info!("{}", doing.unwrap_or("Waiting"));
        self.outbox
            .send(Reply::Progress(doing.map(|doing| WorkProgress {
                doing: doing.to_owned(),
                fraction: None,
            })));
    }
}

/// Makes small pictures, the newest wish first, until the engine ends.
fn serve_thumbnails(wishes: &Receiver<(PhotoSource, u32)>, outbox: &Outbox) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match wishes.recv() {
                Ok(wish) => waiting.push_back(wish),
                Err(_) => return,
            }
        }
        waiting.extend(wishes.try_iter());
        while waiting.len() > WAITING_THUMBNAILS {
            waiting.pop_front();
        }
        let Some((photo, side)) = waiting.pop_back() else {
            continue;
        };
        // Where it fails the list shows a plain tile; the message comes when the photo is opened.
        if let Ok(Ok(picture)) = quietly_caught(|| thumbnail(&photo, side)) {
            outbox.send(Reply::Thumbnail {
                photo,
                picture: Arc::new(picture),
            });
        }
    }
}
