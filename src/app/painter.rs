//! Work for pictures on threads of its own, so that no frame waits longer than its share.

use std::collections::HashSet;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use rayon::ThreadPool;

/// What a job was for, and what came of it; nothing where it panicked.
type Done<K, T> = (K, Option<T>);

/// Runs jobs, one at a time for each key, in the order in which they were started.
pub struct Painter<K, T> {
    /// Not those that compute networks, which are busy for long stretches.
    threads: Option<Arc<ThreadPool>>,
    sender: Sender<Done<K, T>>,
    done: Receiver<Done<K, T>>,
    underway: HashSet<K>,
}

/// Threads for [`Painter`]s, one core left to the window itself; where none can be had, jobs run
/// when they are started.
pub fn threads() -> Option<Arc<ThreadPool>> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let count = cores.saturating_sub(1).clamp(1, 8);
    let builder = rayon::ThreadPoolBuilder::new().num_threads(count);
    let named = builder.thread_name(|index| format!("panels {index}"));
    named.build().ok().map(Arc::new)
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Send + 'static> Painter<K, T> {
    pub fn new(threads: Option<Arc<ThreadPool>>) -> Self {
        let (sender, done) = channel();
        Self {
            threads,
            sender,
            done,
            underway: HashSet::new(),
        }
    }

    /// One without jobs on the same threads.
    pub fn beside(&self) -> Self {
        Self::new(self.threads.clone())
    }

    /// Starts `work`, unless a job of that key is under way.
    pub fn start(&mut self, key: K, work: impl FnOnce() -> T + Send + 'static) {
        if !self.underway.insert(key.clone()) {
            return;
        }
        let sender = self.sender.clone();
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(work)).ok();
            // Nobody waits for it any more when the window is gone.
            _ = sender.send((key, result));
        };
        match &self.threads {
            Some(threads) => threads.spawn_fifo(job),
            None => job(),
        }
    }

    /// The next finished job, waiting for one until `deadline` while any is under way.
    pub fn finished(&mut self, deadline: Instant) -> Option<(K, T)> {
        while self.is_busy() {
            let patience = deadline.saturating_duration_since(Instant::now());
            let (key, result) = self.done.recv_timeout(patience).ok()?;
            self.underway.remove(&key);
            if let Some(result) = result {
                return Some((key, result));
            }
        }
        None
    }

    /// Whether a job is still under way.
    pub fn is_busy(&self) -> bool {
        !self.underway.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn jobs_finish_whether_there_are_threads_or_not() {
        for threads in [threads(), None] {
            let mut painter = Painter::new(threads);
            for key in 0..5 {
                painter.start(key, move || key * key);
            }
            let mut found: Vec<_> = std::iter::from_fn(|| painter.finished(soon())).collect();
            found.sort_unstable();
            assert_eq!(found, [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]);
            assert!(!painter.is_busy());
        }
    }

    #[test]
    fn a_job_that_takes_long_is_not_waited_for_and_not_started_twice() {
        let mut painter = Painter::new(threads());
        let (go, wait) = channel::<()>();
        painter.start("slow", move || wait.recv().is_ok());
        painter.start("slow", || false);
        assert!(painter.finished(Instant::now()).is_none());
        assert!(painter.is_busy());
        go.send(()).expect("the job waits");
        assert_eq!(painter.finished(soon()), Some(("slow", true)));
        assert!(painter.finished(soon()).is_none());
    }

    #[test]
    fn a_job_that_panics_is_over() {
        crate::panics::quietly_caught(|| {
            let mut painter = Painter::new(None);
            painter.start("bad", || panic!("on purpose"));
            painter.start("good", || 1);
            assert_eq!(painter.finished(soon()), Some(("good", 1)));
            assert!(!painter.is_busy());
        })
        .expect("only the job panics");
    }
}
