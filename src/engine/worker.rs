//! The worker thread: requests in, replies out, the newest request wins.

use std::sync::mpsc::{Receiver, Sender, TryIter};

use super::{Reply, Request};

/// The window's end of the engine: sends requests, takes replies, never waits.
pub struct Worker {
    requests: Sender<Request>,
    replies: Receiver<Reply>,
}

impl Worker {
    /// From two channels, so that tests and the window's first frame need no network.
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
