//! Which labels, variants and part of the photo the comparison shows, and how they are laid out:
//! plain data.

use egui::{Rect, Vec2, pos2, vec2};

use super::state::AppState;
use crate::model::VariantId;

/// How panels are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PanelLayout {
    /// All labels by all variants.
    #[default]
    Grid,
    /// One label in one variant.
    Large,
    /// One label in two variants, with a divider that is moved.
    Slider,
    /// One label: the standard scores in one variant less those in another.
    Difference,
}

impl PanelLayout {
    /// All layouts in the order they are offered.
    pub const ALL: [Self; 4] = [Self::Grid, Self::Large, Self::Slider, Self::Difference];

    /// The name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Grid => "Grid",
            Self::Large => "One large",
            Self::Slider => "A/B slider",
            Self::Difference => "Difference",
        }
    }

    /// What it shows, in a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Grid => "Every label in every variant",
            Self::Large => "One label in one variant; arrow keys change them",
            Self::Slider => "One label in two variants, left and right of a divider",
            Self::Difference => "One label: σ in one variant less σ in another",
        }
    }
}

/// Which way round the grid is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelsAs {
    /// As rows, unless columns show more panels of a portrait photo.
    #[default]
    Automatic,
    Rows,
    Columns,
}

impl LabelsAs {
    /// All choices in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Automatic, Self::Rows, Self::Columns];

    /// The name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Automatic => "as they fit",
            Self::Rows => "as rows",
            Self::Columns => "as columns",
        }
    }
}

/// The largest magnification of the photo.
pub const MOST_ZOOM: f32 = 16.0;

/// What is shown of the comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub layout: PanelLayout,
    pub labels_as: LabelsAs,
    /// The label of layouts that show one.
    pub label: Option<String>,
    /// The variant of layouts that show one or two (A).
    pub variant: Option<VariantId>,
    /// The other one of layouts that show two (B).
    pub other: Option<VariantId>,
    /// Where the divider of the A/B slider stands, 0 (left) to 1.
    pub divider: f32,
    /// Magnification in all panels: 1 shows the whole photo.
    pub zoom: f32,
    /// The place of the photo, in fractions, in the middle of every panel.
    pub centre: [f32; 2],
    /// Labels that stay in the list but have no panels.
    pub hidden_labels: Vec<String>,
    /// The one panel to save, where it is not all of them.
    pub save_only: Option<(String, VariantId)>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            layout: PanelLayout::Grid,
            labels_as: LabelsAs::Automatic,
            label: None,
            variant: None,
            other: None,
            divider: 0.5,
            zoom: 1.0,
            centre: [0.5, 0.5],
            hidden_labels: Vec::new(),
            save_only: None,
        }
    }
}

impl View {
    /// The part of the photo that panels show, in fractions of its width and height.
    pub fn part(&self) -> Rect {
        let size = Vec2::splat(1.0 / self.zoom.max(1.0));
        Rect::from_center_size(self.centre.into(), size)
    }

    /// Where the whole photo would lie on screen for a panel at `place`.
    pub fn whole(&self, place: Rect) -> Rect {
        let part = self.part();
        let size = place.size() / part.size();
        Rect::from_min_size(place.min - part.min.to_vec2() * size, size)
    }

    /// Magnifies by `factor`; the photo's place at `at` of a panel (fractions of its size) stays.
    pub fn zoom_at(&mut self, factor: f32, at: Vec2) {
        let before = self.part();
        let fixed = before.min + at * before.size();
        self.zoom = (self.zoom * factor).clamp(1.0, MOST_ZOOM);
        let size = 1.0 / self.zoom;
        self.look_at(fixed + (vec2(0.5, 0.5) - at) * size);
    }

    /// Moves the photo by a part of the panel's size.
    pub fn pan(&mut self, by: Vec2) {
        let size = self.part().size();
        self.look_at(egui::Pos2::from(self.centre) - by * size);
    }

    /// Shows the whole photo.
    pub fn reset_zoom(&mut self) {
        self.zoom = 1.0;
        self.centre = [0.5, 0.5];
    }

    fn look_at(&mut self, centre: egui::Pos2) {
        // Nothing beyond the photo's border comes into view.
        let half = 0.5 / self.zoom;
        let inside = |value: f32| value.clamp(half, (1.0 - half).max(half));
        let centre = pos2(inside(centre.x), inside(centre.y));
        self.centre = centre.into();
    }
}

impl AppState {
    /// The layout on screen: the chosen one, or the grid where that cannot be had.
    pub fn layout(&self) -> PanelLayout {
        let chosen = self.view.layout;
        if self.why_no_layout(chosen).is_none() {
            chosen
        } else {
            PanelLayout::Grid
        }
    }

    /// Why a layout cannot be had; `None` when it can.
    pub fn why_no_layout(&self, layout: PanelLayout) -> Option<&'static str> {
        let shown = self.shown_variants().len();
        match layout {
            PanelLayout::Grid => None,
            PanelLayout::Large => (shown == 0).then_some("No variant is shown"),
            PanelLayout::Slider => (shown < 2).then_some("Two variants must be shown"),
            PanelLayout::Difference => self
                .no_ordinary_regions()
                .or((shown < 2).then_some("Two variants must be shown")),
        }
    }

    /// Places in the list of the labels that have panels: all where all are hidden.
    pub fn shown_labels(&self) -> Vec<usize> {
        let labels = self.labels.labels();
        let shown: Vec<usize> = (0..labels.len())
            .filter(|&place| !self.view.hidden_labels.contains(&labels[place]))
            .collect();
        if shown.is_empty() {
            (0..labels.len()).collect()
        } else {
            shown
        }
    }

    /// Labels that were taken off the list are not hidden when they come back.
    pub fn forget_removed_labels(&mut self) {
        let labels = self.labels.labels();
        let is_listed = |label: &String| labels.contains(label);
        self.view.hidden_labels.retain(is_listed);
    }

    /// The label of layouts that show one: its place in the list.
    pub fn chosen_label(&self) -> Option<usize> {
        let shown = self.shown_labels();
        let is_chosen =
            |&place: &usize| self.labels.labels().get(place) == self.view.label.as_ref();
        let chosen = shown.iter().copied().find(is_chosen);
        chosen.or(shown.first().copied())
    }

    /// The variant A: the chosen one, or else the last that is shown.
    pub fn chosen_variant(&self) -> Option<VariantId> {
        let shown = self.shown_variants();
        let chosen = self.view.variant.filter(|chosen| shown.contains(chosen));
        chosen.or(shown.last().copied())
    }

    /// The variant B: never the same as A.
    pub fn other_variant(&self) -> Option<VariantId> {
        let first = self.chosen_variant();
        let mut shown = self.shown_variants();
        shown.retain(|&variant| Some(variant) != first);
        let chosen = self.view.other.filter(|other| shown.contains(other));
        chosen.or(shown.first().copied())
    }

    /// Goes to the label `steps` further down the list, staying within it.
    pub fn step_label(&mut self, steps: isize) {
        let shown = self.shown_labels();
        let now = self.chosen_label();
        let at = shown.iter().position(|&place| Some(place) == now);
        let next = at
            .unwrap_or(0)
            .saturating_add_signed(steps)
            .min(shown.len().saturating_sub(1));
        let label = shown.get(next).and_then(|&l| self.labels.labels().get(l));
        self.view.label = label.cloned();
    }

    /// Goes to the variant `steps` further: A of one large panel, B where two are compared.
    pub fn step_variant(&mut self, steps: isize) {
        let mut shown = self.shown_variants();
        let first = self.chosen_variant();
        let pair = self.compares_two();
        if pair {
            shown.retain(|&variant| Some(variant) != first);
        }
        let now = if pair { self.other_variant() } else { first };
        let at = shown.iter().position(|&variant| Some(variant) == now);
        let next = at
            .unwrap_or(0)
            .saturating_add_signed(steps)
            .min(shown.len().saturating_sub(1));
        let next = shown.get(next).copied();
        if pair {
            self.view.other = next;
        } else {
            self.view.variant = next;
        }
    }

    /// Whether the layout on screen shows two variants, A and B.
    pub fn compares_two(&self) -> bool {
        matches!(self.layout(), PanelLayout::Slider | PanelLayout::Difference)
    }

    /// Exchanges A and B.
    pub fn swap_variants(&mut self) {
        let (first, other) = (self.chosen_variant(), self.other_variant());
        (self.view.variant, self.view.other) = (other, first);
    }

    /// Shows one panel alone.
    pub fn make_large(&mut self, label: usize, variant: VariantId) {
        self.view.label = self.labels.labels().get(label).cloned();
        self.view.variant = Some(variant);
        self.view.layout = PanelLayout::Large;
    }

    /// Puts a panel beside the next variant of the same label under the A/B slider.
    pub fn compare_with_next(&mut self, label: usize, variant: VariantId) {
        let shown = self.shown_variants();
        let at = shown.iter().position(|&other| other == variant);
        let next = at.map(|at| (at + 1) % shown.len());
        self.make_large(label, variant);
        self.view.other = next.and_then(|next| shown.get(next).copied());
        self.view.layout = PanelLayout::Slider;
    }

    /// Takes a label's panels off the screen; the last one stays.
    pub fn hide_label(&mut self, label: usize) {
        if self.shown_labels().len() > 1
            && let Some(label) = self.labels.labels().get(label)
        {
            self.view.hidden_labels.push(label.clone());
        }
    }

    /// How many variants and labels have no panels.
    pub fn hidden_count(&self) -> usize {
        let variants = self.variants().len() - self.shown_variants().len();
        variants + self.labels.labels().len() - self.shown_labels().len()
    }

    /// Brings hidden variants and labels back.
    pub fn show_all(&mut self) {
        self.hidden.clear();
        self.view.hidden_labels.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_place_under_the_pointer() {
        let mut view = View::default();
        let panel = Rect::from_min_size(pos2(100.0, 50.0), vec2(400.0, 300.0));
        let pointer = pos2(180.0, 260.0);
        let place = |view: &View| {
            let whole = view.whole(panel);
            (pointer - whole.min) / whole.size()
        };
        let before = place(&view);
        for factor in [1.7, 1.3, 0.9] {
            view.zoom_at(factor, (pointer - panel.min) / panel.size());
            assert!((place(&view) - before).length() < 1e-4);
        }
        view.zoom_at(0.01, vec2(0.2, 0.9));
        assert_eq!((view.zoom, view.centre), (1.0, [0.5, 0.5]));
    }

    #[test]
    fn panning_stops_at_the_photos_border() {
        let mut view = View::default();
        view.pan(vec2(0.4, 0.0));
        assert_eq!(view.centre, [0.5, 0.5], "all of it is in view");
        view.zoom_at(4.0, vec2(0.5, 0.5));
        view.pan(vec2(0.5, 0.0));
        assert_eq!(view.centre, [0.375, 0.5]);
        view.pan(vec2(9.0, -9.0));
        assert_eq!(
            view.part(),
            Rect::from_min_max(pos2(0.0, 0.75), pos2(0.25, 1.0))
        );
    }

    #[test]
    fn a_and_b_are_never_the_same() {
        let mut state = AppState::new(Vec::new(), &["a"], &["dog".to_owned()]);
        assert_eq!(state.chosen_variant(), Some(VariantId::BIAM));
        assert_eq!(state.other_variant(), Some(VariantId::STANDARD));
        state.swap_variants();
        assert_eq!(state.chosen_variant(), Some(VariantId::STANDARD));
        assert_eq!(state.other_variant(), Some(VariantId::BIAM));
        state.compare_with_next(0, VariantId::RCB);
        assert_eq!(state.layout(), PanelLayout::Slider);
        for _ in 0..5 {
            state.step_variant(-1);
            assert_ne!(state.chosen_variant(), state.other_variant());
        }
        assert_eq!(state.other_variant(), Some(VariantId::STANDARD));
        state.hidden = vec![VariantId::STANDARD, VariantId::SCB, VariantId::BIAM];
        assert_eq!(state.layout(), PanelLayout::Grid, "two are needed");
        state.show_all();
        assert_eq!(state.layout(), PanelLayout::Slider);
    }

    #[test]
    fn hidden_labels_are_stepped_over_and_the_last_one_stays() {
        let labels = ["dog", "cat", "joy"].map(str::to_owned);
        let mut state = AppState::new(Vec::new(), &["a"], &labels);
        state.hide_label(1);
        assert_eq!(state.shown_labels(), [0, 2]);
        state.step_label(1);
        assert_eq!(state.chosen_label(), Some(2));
        state.step_label(1);
        assert_eq!(state.chosen_label(), Some(2));
        state.hide_label(2);
        state.hide_label(0);
        assert_eq!(state.chosen_label(), Some(0));
        assert_eq!(state.hidden_count(), 2);
        state.labels.remove("dog");
        assert_eq!(state.shown_labels(), [0, 1], "never none");
        state.labels.remove("cat");
        state.forget_removed_labels();
        state.labels.add("cat, dog");
        assert_eq!(state.shown_labels(), [1, 2], "joy alone is hidden");
    }
}
