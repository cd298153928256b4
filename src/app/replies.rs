//! What the engine has said so far, what it still owes, and what it is asked next.

use std::collections::HashMap;
use std::sync::Arc;

use super::state::{About, AppState, MessageKind};
use crate::engine::{
    BundleFacts, Comparison, Failure, LabelFacts, PhotoSource, Reply, Request, ResponseMap,
    ShownPhoto, WorkProgress,
};
use crate::model::VariantId;
use crate::semantics::{LabelStatus, label_key};

/// How many labels that are not read whole are named at once.
const MOST_NAMED: usize = 3;

/// What a comparison is asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    photo: PhotoSource,
    labels: Vec<String>,
    variants: Vec<VariantId>,
}

/// What the engine has said so far, and what it still owes.
#[derive(Debug, Default)]
pub struct EngineReplies {
    pub bundle: Option<Arc<BundleFacts>>,
    pub photo: Option<Arc<ShownPhoto>>,
    pub comparison: Option<Arc<Comparison>>,
    pub progress: Option<WorkProgress>,
    /// Nothing can be computed any more, and why.
    pub fatal: Option<String>,
    asked: Option<Asked>,
    /// The comparison whose neighbours were asked for ahead.
    ahead: Option<Asked>,
    awaits_reply: bool,
    /// What the bundle's labels are to it, by [`label_key`].
    statuses: HashMap<String, LabelStatus>,
}

impl EngineReplies {
    /// Before the engine has said anything: the bundle is awaited.
    pub fn awaiting_the_bundle() -> Self {
        Self {
            awaits_reply: true,
            ..Self::default()
        }
    }

    /// Whether an answer is still to come.
    pub fn awaits_reply(&self) -> bool {
        self.awaits_reply || self.progress.is_some()
    }
}

impl AppState {
    /// The decoded photo, once it is the chosen one.
    pub fn photo(&self) -> Option<&Arc<ShownPhoto>> {
        let chosen = self.photos.chosen()?;
        let photo = self.replies.photo.as_ref()?;
        (photo.source == *chosen).then_some(photo)
    }

    /// The last comparison, if it is of the chosen photo.
    pub fn comparison(&self) -> Option<&Arc<Comparison>> {
        let chosen = self.photos.chosen()?;
        let comparison = self.replies.comparison.as_ref()?;
        (comparison.photo.source == *chosen).then_some(comparison)
    }

    /// Whether the maps on screen are those of the chosen photo.
    pub fn is_current(&self) -> bool {
        self.comparison().is_some()
    }

    /// The comparison on screen: while that of the chosen photo is awaited, the last one.
    pub fn shown_comparison(&self) -> Option<&Arc<Comparison>> {
        let asked = self.replies.asked.as_ref().map(|asked| &asked.photo);
        let awaited = self.replies.awaits_reply() || asked != self.photos.chosen();
        let last = self.replies.comparison.as_ref();
        self.comparison().or(last.filter(|_| awaited))
    }

    /// The photo on screen: that of the comparison on screen, or else the chosen one.
    pub fn shown_photo(&self) -> Option<&Arc<ShownPhoto>> {
        let comparison = self.shown_comparison();
        comparison
            .map(|comparison| &comparison.photo)
            .or(self.photo())
    }

    /// The labels that a list beside the chosen photo gives it.
    pub fn true_labels(&self) -> Option<&[String]> {
        let labels = self.photo()?.true_labels.as_ref()?;
        Some(&labels.labels)
    }

    /// The map of a label in a variant that is on screen.
    pub fn map(&self, label: &str, variant: VariantId) -> Option<&ResponseMap> {
        let comparison = self.shown_comparison()?;
        let variant = comparison.variants.iter().position(|&v| v == variant)?;
        let label = comparison.labels.iter().position(|l| l.text == label)?;
        comparison.maps.get(variant)?.get(label)
    }

    /// What the last comparison says of a label; labels do not depend on the photo.
    pub fn label_facts(&self, label: &str) -> Option<&LabelFacts> {
        let comparison = self.replies.comparison.as_ref()?;
        comparison.labels.iter().find(|facts| facts.text == label)
    }

    /// What a label is to the bundle, as far as it is known yet.
    pub fn label_status(&self, label: &str) -> Option<LabelStatus> {
        if let Some(facts) = self.label_facts(label) {
            return Some(facts.status);
        }
        self.replies.statuses.get(&label_key(label)).copied()
    }

    /// Why a label has no vector, where the last comparison found none.
    pub fn refusal(&self, label: &str) -> Option<&str> {
        let comparison = self.replies.comparison.as_ref()?;
        let mut refused = comparison.refused.iter();
        let found = refused.find(|refused| refused.label == label)?;
        Some(&found.reason)
    }

    /// Why the scales that need ordinary regions cannot be had; `None` when they can.
    pub fn no_ordinary_regions(&self) -> Option<&'static str> {
        let bundle = self.replies.bundle.as_ref()?;
        (!bundle.has_ordinary_regions).then_some(
            "This model has no ordinary regions to compare with; “biam-lens import MODEL \
                 --ordinary PHOTOS” computes them from a folder of photos",
        )
    }

    /// The request that brings the answers in line with the choices, if they are not yet.
    pub fn next_request(&mut self) -> Option<Request> {
        let ready = self.replies.bundle.is_some() && self.replies.fatal.is_none();
        if !ready || self.opening {
            return None;
        }
        let wanted = Asked {
            photo: self.photos.chosen()?.clone(),
            labels: self.labels.labels().to_vec(),
            variants: self.variants(),
        };
        if self.replies.asked.as_ref() == Some(&wanted) {
            return self.request_ahead(wanted);
        }
        self.replies.asked = Some(wanted.clone());
        self.replies.awaits_reply = true;
        Some(Request::Compare {
            photo: wanted.photo,
            labels: wanted.labels,
            variants: wanted.variants,
            ranking: true,
        })
    }

    /// Once a comparison is there: its photo's neighbours in the list, the next one first.
    fn request_ahead(&mut self, wanted: Asked) -> Option<Request> {
        if self.replies.awaits_reply()
            || !self.is_current()
            || self.replies.ahead.as_ref() == Some(&wanted)
        {
            return None;
        }
        let here = self.photos.selected;
        let neighbours = [here.checked_add(1), here.checked_sub(1)];
        let entries = &self.photos.entries;
        let photos = neighbours.into_iter().flatten();
        let photos = photos.filter_map(|at| entries.get(at).cloned()).collect();
        self.replies.ahead = Some(wanted.clone());
        Some(Request::Ahead {
            photos,
            labels: wanted.labels,
            variants: wanted.variants,
        })
    }

    /// Forgets what was asked, so that it is asked again.
    pub fn ask_again(&mut self) {
        self.replies.asked = None;
        self.inspect_again();
    }

    /// The last comparison is computed once more, on another device.
    pub fn wait_again(&mut self) {
        self.replies.awaits_reply = self.replies.asked.is_some();
    }

    /// No answer is waited for any longer.
    pub fn stop_waiting(&mut self) {
        self.replies.awaits_reply = false;
        self.replies.progress = None;
    }

    /// Takes in one reply of the engine. Thumbnails are pictures and go elsewhere.
    pub fn receive(&mut self, reply: Reply) {
        match reply {
            Reply::Bundle(bundle) => self.receive_bundle(bundle),
            Reply::Photo(photo) => self.receive_photo(photo),
            Reply::Comparison(comparison) => self.receive_comparison(comparison),
            Reply::Progress(progress) => self.replies.progress = progress,
            Reply::Failure(failure) => self.receive_failure(failure),
            Reply::Inside(inside) => self.receive_inside(inside),
            Reply::Looks(looks) => self.receive_looks(looks),
            Reply::Scene(scene) => self.receive_scene(scene),
            Reply::Occluded(occluded) => self.receive_occluded(occluded),
            Reply::Thumbnail { .. } => {}
        }
    }

    fn receive_bundle(&mut self, bundle: Arc<BundleFacts>) {
        if let Some(note) = &bundle.device_note {
            self.add_message(MessageKind::Note, note.clone());
        }
        if !bundle.variants.contains(&self.ranked_by)
            && let Some(&last) = bundle.variants.last()
        {
            self.ranked_by = last;
        }
        if !bundle.has_ordinary_regions {
            self.display.leave_ordinary_regions();
        }
        let labels = bundle.labels.iter();
        let statuses = labels.map(|(label, status)| (label_key(label), *status));
        self.replies.statuses = statuses.collect();
        self.replies.bundle = Some(bundle);
    }

    fn receive_photo(&mut self, photo: Arc<ShownPhoto>) {
        self.photos.unreadable.remove(&photo.source);
        self.has_passed(&About::Photo(photo.source.clone()));
        self.replies.photo = Some(photo);
    }

    fn receive_comparison(&mut self, comparison: Arc<Comparison>) {
        let answered = self.replies.asked.as_ref().is_some_and(|asked| {
            let refused = |label: &&String| comparison.refused.iter().any(|r| r.label == **label);
            let known = asked.labels.iter().filter(|label| !refused(label));
            asked.photo == comparison.photo.source
                && known.eq(comparison.labels.iter().map(|facts| &facts.text))
        });
        if answered {
            self.replies.awaits_reply = false;
        }
        self.tell_of_unread_labels(&comparison);
        self.receive_photo(Arc::clone(&comparison.photo));
        if let Some(old) = self.replies.comparison.replace(comparison) {
            free_elsewhere(old);
        }
    }

    /// Says which labels have no vector, or one that is made without a part of them, and why; those
    /// of the comparison before have been told of.
    fn tell_of_unread_labels(&mut self, comparison: &Comparison) {
        let refused = comparison.refused.iter();
        let refused: Vec<(String, String)> = refused
            .filter(|refused| self.refusal(&refused.label).is_none())
            .map(|refused| (refused.label.clone(), refused.reason.clone()))
            .collect();
        let in_part = comparison.labels.iter();
        let in_part: Vec<(String, String)> = in_part
            .filter(|facts| {
                let before = self.label_facts(&facts.text);
                before.is_none_or(|before| before.left_out.is_none())
            })
            .filter_map(|facts| Some((facts.text.clone(), facts.left_out.clone()?)))
            .collect();
        self.tell_of_labels(MessageKind::Error, refused, "labels without a vector");
        self.tell_of_labels(MessageKind::Note, in_part, "labels that are read in part");
    }

    /// Tells of the first few of some labels with what there is to say, and how many more there are: a
    /// long column may be pasted.
    fn tell_of_labels(&mut self, kind: MessageKind, labels: Vec<(String, String)>, what: &str) {
        let more = labels.len().saturating_sub(MOST_NAMED);
        for (label, line) in labels.into_iter().take(MOST_NAMED) {
            self.push(kind, About::Label(label), line);
        }
        if more > 0 {
            self.add_message(kind, format!("{more} more {what}; their chips say why"));
        }
    }

    fn receive_failure(&mut self, failure: Failure) {
        let chosen = self.photos.chosen();
        let about_another = failure.photo.is_some() && failure.photo.as_ref() != chosen;
        // A failure after the photo was opened is not the photo's fault.
        let opened = self.replies.photo.as_ref().map(|photo| &photo.source);
        if let Some(photo) = failure
            .photo
            .as_ref()
            .filter(|&photo| opened != Some(photo))
        {
            self.photos
                .unreadable
                .insert(photo.clone(), failure.message.clone());
        }
        if failure.fatal {
            self.replies.fatal = Some(failure.message.clone());
        }
        // A photo in the list that nobody looks at says so in its row.
        if about_another && !failure.fatal {
            return;
        }
        self.stop_waiting();
        let about = failure.photo.map_or(About::Lasting, About::Photo);
        self.add_error(about, failure.message);
    }

    /// The engine's thread is gone.
    pub fn engine_ended(&mut self) {
        if self.replies.fatal.is_none() {
            let text = "The engine has stopped; restart the program".to_owned();
            self.replies.fatal = Some(text.clone());
            self.stop_waiting();
            self.add_message(MessageKind::Error, text);
        }
    }
}

/// Frees the tens of megabytes of a comparison on a thread of its own: that takes milliseconds,
/// which a frame does not have.
fn free_elsewhere(comparison: Arc<Comparison>) {
    let thread = std::thread::Builder::new().name("free".to_owned());
    // Where no thread can be had, it is freed here.
    _ = thread.spawn(move || drop(comparison));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> AppState {
        let labels = ["dog".to_owned()];
        let mut state = AppState::new(Vec::new(), &["meadow", "harbour"], &labels);
        assert!(state.next_request().is_none(), "the bundle comes first");
        state.receive(Reply::Bundle(Arc::new(BundleFacts {
            name: "made up".to_owned(),
            folder: "weights".into(),
            variants: vec![VariantId::STANDARD, VariantId::SCB],
            labels: Vec::new().into(),
            trained_k: 10,
            has_ordinary_regions: false,
            device: "CPU".to_owned(),
            device_note: None,
        })));
        state
    }

    #[test]
    fn choices_that_the_bundle_does_not_allow_are_changed() {
        let state = state();
        assert_eq!(
            state.shown_variants(),
            [VariantId::STANDARD, VariantId::SCB]
        );
        assert_eq!(state.ranked_by, VariantId::SCB);
        assert!(!state.display.scale.needs_ordinary_regions());
    }

    #[test]
    fn a_request_is_sent_once_for_each_change() {
        let mut state = state();
        assert!(matches!(
            state.next_request(),
            Some(Request::Compare { .. })
        ));
        assert!(state.next_request().is_none());
        assert!(state.replies.awaits_reply());
        state.labels.add("cat");
        assert!(state.next_request().is_some());
        state.stop_waiting();
        assert!(
            state.next_request().is_none(),
            "cancelled is not asked again"
        );
        state.ask_again();
        assert!(state.next_request().is_some());
    }

    #[test]
    fn a_failure_with_another_photo_stays_in_its_row() {
        let mut state = state();
        _ = state.next_request();
        let failure = |name| {
            Reply::Failure(Failure {
                message: format!("{name} is broken"),
                photo: Some(PhotoSource::Sample(name)),
                fatal: false,
            })
        };
        state.receive(failure("harbour"));
        assert!(state.messages.is_empty() && state.replies.awaits_reply());
        assert_eq!(state.photos.unreadable.len(), 1);
        state.receive(failure("meadow"));
        state.receive(failure("meadow"));
        assert_eq!(state.messages.len(), 1);
        assert!(!state.replies.awaits_reply());
    }

    #[test]
    fn nothing_is_asked_of_an_engine_that_cannot_compute() {
        let mut state = state();
        state.receive(Reply::Failure(Failure {
            message: "no bundle".to_owned(),
            photo: None,
            fatal: true,
        }));
        assert!(state.next_request().is_none());
        assert_eq!(state.replies.fatal.as_deref(), Some("no bundle"));
    }
}
