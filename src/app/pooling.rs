//! The ranking's scores with another k than the trained one: pooled anew from the responses that
//! came with the comparison, on a thread, so that the slider never waits for 7,586 labels.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Weak};

use super::state::AppState;
use crate::engine::{Comparison, Ranking};

/// Responses up to this number are pooled within the frame: it takes less than a millisecond.
const AT_ONCE: usize = 100_000;

/// Scores of a comparison's ranking, pooled with some k.
#[derive(Debug)]
pub struct Pooled {
    of: Weak<Comparison>,
    pub k: usize,
    /// `scores[variant][label]`, as in [`Ranking::scores`].
    pub scores: Vec<Vec<f32>>,
}

impl Pooled {
    fn new(comparison: &Arc<Comparison>, ranking: &Ranking, k: usize) -> Self {
        let variants = 0..ranking.responses.len();
        Self {
            of: Arc::downgrade(comparison),
            k,
            scores: variants.map(|v| ranking.scores_at(v, k)).collect(),
        }
    }

    fn is_of(&self, comparison: &Arc<Comparison>) -> bool {
        std::ptr::eq(self.of.as_ptr(), Arc::as_ptr(comparison))
    }
}

impl AppState {
    /// How many regions a score is the mean of: the chosen k, or the trained one.
    pub fn pooled_k(&self) -> usize {
        let regions = self.shown_comparison().map(|c| c.grid.regions());
        let k = self.k.or(self.trained_k()).unwrap_or(1);
        k.clamp(1, regions.unwrap_or(usize::MAX).max(1))
    }

    /// The k that the bundle's networks were trained with, once it is known.
    pub fn trained_k(&self) -> Option<usize> {
        match (self.shown_comparison(), &self.replies.bundle) {
            (Some(comparison), _) => Some(comparison.trained_k),
            (None, Some(bundle)) => Some(bundle.trained_k),
            (None, None) => None,
        }
    }

    /// The scores to rank by, and the k they were pooled with: while another k is being pooled,
    /// those of the last one.
    pub fn scores<'a>(
        &'a self,
        comparison: &'a Arc<Comparison>,
        ranking: &'a Ranking,
    ) -> (usize, &'a [Vec<f32>]) {
        match &self.pooled {
            Some(pooled) if pooled.is_of(comparison) => (pooled.k, &pooled.scores),
            _ => (comparison.trained_k, &ranking.scores),
        }
    }
}

/// Pools on a thread, one k at a time; the newest k is next.
#[derive(Default)]
pub struct Pooling {
    under_way: Option<Receiver<Pooled>>,
}

impl Pooling {
    /// Takes in what was pooled and begins what is wanted now.
    pub fn keep_up(&mut self, ctx: &egui::Context, state: &mut AppState) {
        if let Some(receiver) = &self.under_way {
            match receiver.try_recv() {
                Ok(pooled) => {
                    state.pooled = Some(pooled);
                    self.under_way = None;
                }
                Err(TryRecvError::Disconnected) => self.under_way = None,
                Err(TryRecvError::Empty) => return,
            }
        }
        let k = state.pooled_k();
        let Some(comparison) = state.shown_comparison().map(Arc::clone) else {
            state.pooled = None;
            return;
        };
        if k == comparison.trained_k {
            state.pooled = None;
            return;
        }
        let known = state.pooled.as_ref();
        if known.is_some_and(|pooled| pooled.k == k && pooled.is_of(&comparison)) {
            return;
        }
        let Some(ranking) = &comparison.ranking else {
            return;
        };
        let count: usize = ranking.responses.iter().map(|map| map.len()).sum();
        if count <= AT_ONCE {
            state.pooled = Some(Pooled::new(&comparison, ranking, k));
        } else {
            self.begin(ctx.clone(), comparison, k);
        }
    }

    fn begin(&mut self, wake: egui::Context, comparison: Arc<Comparison>, k: usize) {
        let (sender, receiver) = channel();
        let body = move || {
            if let Some(ranking) = &comparison.ranking {
                // The window may have been closed meanwhile; then nobody minds.
                _ = sender.send(Pooled::new(&comparison, ranking, k));
                wake.request_repaint();
            }
        };
        // Where no thread can be had the old scores stay, and the next frame tries again.
        let thread = std::thread::Builder::new().name("pooling".to_owned());
        if thread.spawn(body).is_ok() {
            self.under_way = Some(receiver);
        }
    }
}
