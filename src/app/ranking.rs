//! The ranking on the right: which labels each network finds in the photo.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use egui::{Atom, Button, IdSalt, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::state::{AppState, RankingFilter};
use super::{theme, variants};
use crate::engine::{Comparison, Ranking, TrueLabels};
use crate::model::VariantId;
use crate::semantics::{LabelStatus, label_key};

/// How many labels are listed unless all are.
const LISTED: usize = 10;
const ROW_HEIGHT: f32 = 22.0;

/// The whole lower part of the right panel.
pub fn show(ui: &mut Ui, state: &mut AppState, listing: &mut Listing) {
    // The panel keeps its height while there is nothing to list yet.
    ui.take_available_space();
    ui.add_space(2.0);
    egui::Sides::new().show(
        ui,
        |ui| ui.heading("Ranking"),
        |ui| {
            for filter in RankingFilter::ALL.into_iter().rev() {
                let chosen = state.ranking_filter == filter;
                let button = ui
                    .selectable_label(chosen, filter.title())
                    .on_hover_text(filter.explanation());
                if button.clicked() {
                    state.ranking_filter = filter;
                }
            }
        },
    );
    variant_choice(ui, state);
    let Some(comparison) = state.shown_comparison().cloned() else {
        let waiting = state.replies.awaits_reply();
        ui.weak(if waiting {
            "computing…"
        } else {
            "No scores yet"
        });
        return;
    };
    let Some(ranking) = &comparison.ranking else {
        ui.weak("No scores yet");
        return;
    };
    listing.bring_up_to_date(state, &comparison, ranking);
    let truth = Truth::new(comparison.photo.true_labels.as_ref());
    let (k, _) = state.scores(&comparison, ranking);
    ui.horizontal_wrapped(|ui| {
        length_choice(ui, state, listing.order.len());
        if k != comparison.trained_k {
            ui.weak(format!("k = {k}"));
        }
        truth.legend(ui);
    });
    let (_, scores) = state.scores(&comparison, ranking);
    let rows = Rows {
        state,
        ranking,
        scores,
        listing,
        truth: &truth,
    };
    if let Some(label) = rows.show(ui) {
        state.labels.add_all([label.as_str()].into_iter());
    }
}

/// The first labels or all of them.
fn length_choice(ui: &mut Ui, state: &mut AppState, count: usize) {
    for (all, text) in [
        (false, format!("Top {LISTED}")),
        (true, format!("All {count}")),
    ] {
        if ui.selectable_label(state.rank_all == all, text).clicked() {
            state.rank_all = all;
        }
    }
}

/// The labels that somebody gave the photo.
struct Truth<'a> {
    given: Option<&'a TrueLabels>,
    keys: HashSet<String>,
}

impl<'a> Truth<'a> {
    fn new(given: Option<&'a TrueLabels>) -> Self {
        let labels = given.map_or(&[][..], |truth| &truth.labels);
        Self {
            given,
            keys: labels.iter().map(|label| label_key(label)).collect(),
        }
    }

    fn has(&self, label: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains(&label_key(label))
    }

    /// What the ticks mean, where there are any.
    fn legend(&self, ui: &mut Ui) {
        let Some(truth) = self.given else {
            return;
        };
        let (place, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
        tick(ui, place);
        ui.weak("true label").on_hover_text(format!(
            "One of this photo's {} labels in {}",
            truth.labels.len(),
            truth.list.display()
        ));
    }
}

/// The sign of a true label.
fn tick(ui: &Ui, place: Rect) {
    let colour = theme::status_colour(ui.visuals(), LabelStatus::Seen);
    let stroke = egui::Stroke::new(2.0, colour);
    let at = |x, y| place.lerp_inside(vec2(x, y));
    let points = vec![at(0.1, 0.55), at(0.4, 0.85), at(0.9, 0.15)];
    ui.painter().line(points, stroke);
}

/// Which network orders the list; at the same time the legend of the bars.
fn variant_choice(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        for variant in state.shown_variants() {
            let chosen = state.ranked_by == variant;
            // One widget, so that no line break comes between the square and its name.
            let id = IdSalt::new("square");
            let square = Atom::custom(id, vec2(10.0, 10.0));
            let button = Button::selectable(chosen, (square, variant.title()));
            let shown = button.atom_ui(ui);
            if let Some(square) = shown.rect(id) {
                let colour = variants::variant_colour(ui.visuals(), variant);
                ui.painter().rect_filled(square, 2.0, colour);
            }
            let response = shown.response;
            let name = format!("Rank by {}", variant.title());
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &name));
            if response
                .on_hover_text("Order the list by this network")
                .clicked()
            {
                state.ranked_by = variant;
            }
        }
    });
}

/// One listed label.
struct Listed<'a> {
    label: &'a str,
    status: LabelStatus,
    /// Index in the ranking's own list.
    index: usize,
}

/// A variant with its place in the comparison and the scores where its bars begin and end.
type Range = (VariantId, usize, [f32; 2]);

/// What an order of labels depends on.
#[derive(PartialEq)]
struct OrderOf {
    k: usize,
    filter: RankingFilter,
    ranked_by: VariantId,
    shown: Vec<(VariantId, usize)>,
    /// The labels under comparison, where only they are listed.
    typed: Vec<String>,
}

/// Labels in their order, kept until something about it changes: to sort thousands of labels in
/// every frame would be noticed.
#[derive(Default)]
pub struct Listing {
    of: Option<(Weak<Comparison>, OrderOf)>,
    /// Indices in the ranking's own list, best first.
    order: Vec<usize>,
    ranges: Vec<Range>,
}

impl Listing {
    fn bring_up_to_date(
        &mut self,
        state: &AppState,
        comparison: &Arc<Comparison>,
        ranking: &Ranking,
    ) {
        let (k, scores) = state.scores(comparison, ranking);
        let typed = match state.ranking_filter {
            RankingFilter::Typed => state.labels.labels().to_vec(),
            _ => Vec::new(),
        };
        let order_of = OrderOf {
            k,
            filter: state.ranking_filter,
            ranked_by: state.ranked_by,
            shown: shown(state, comparison),
            typed,
        };
        if self.of.as_ref().is_some_and(|(of, known)| {
            std::ptr::eq(of.as_ptr(), Arc::as_ptr(comparison)) && *known == order_of
        }) {
            return;
        }
        self.order = filtered(state, ranking);
        self.ranges = order_of
            .shown
            .iter()
            .filter_map(|&(variant, index)| {
                Some((variant, index, range(&self.order, scores.get(index)?)))
            })
            .collect();
        let first = order_of.shown.iter();
        let mut first = first.filter(|(variant, _)| *variant == state.ranked_by);
        let place = first.next().or(order_of.shown.last());
        if let Some(scores) = place.and_then(|&(_, index)| scores.get(index)) {
            let higher_first = |&a: &usize, &b: &usize| {
                let order = score(scores, b).total_cmp(&score(scores, a));
                order.then(a.cmp(&b))
            };
            self.order.sort_unstable_by(higher_first);
        }
        self.of = Some((Arc::downgrade(comparison), order_of));
    }
}

/// Everything that the list's rows show.
struct Rows<'a> {
    state: &'a AppState,
    ranking: &'a Ranking,
    scores: &'a [Vec<f32>],
    listing: &'a Listing,
    truth: &'a Truth<'a>,
}

impl Rows<'_> {
    /// The rows in view; returns the label that was clicked.
    fn show(&self, ui: &mut Ui) -> Option<String> {
        let all = self.listing.order.len();
        if all == 0 {
            ui.weak("No label passes this filter");
        }
        let count = if self.state.rank_all {
            all
        } else {
            all.min(LISTED)
        };
        let mut clicked = None;
        ui.spacing_mut().item_spacing.y = 2.0;
        egui::ScrollArea::vertical()
            .id_salt("ranking")
            .auto_shrink([false, false])
            .show_rows(ui, ROW_HEIGHT, count, |ui, rows| {
                for rank in rows {
                    clicked = self.row(ui, rank).or(clicked.take());
                }
            });
        clicked
    }

    fn row(&self, ui: &mut Ui, rank: usize) -> Option<String> {
        let index = *self.listing.order.get(rank)?;
        let (text, status) = self.ranking.labels.get(index)?;
        let label = Listed {
            label: text,
            status: *status,
            index,
        };
        let response = self.bar_row(ui, &label, rank);
        let response = response.on_hover_ui(|ui| self.scores_of(ui, &label));
        response.clicked().then(|| text.clone())
    }

    fn bar_row(&self, ui: &mut Ui, label: &Listed<'_>, rank: usize) -> egui::Response {
        let size = vec2(ui.available_width(), ROW_HEIGHT);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        let chosen = self.state.labels.contains(label.label);
        let is_true = self.truth.has(label.label);
        let name = format!("Rank {}: {}", rank + 1, label.label);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &name));
        if is_true {
            ui.ctx().accesskit_node_builder(response.id, |node| {
                node.set_description("true label");
            });
        }
        // The bars must stand out, so a chosen row is only a little lighter or darker than the rest.
        let visuals = ui.style().interact(&response);
        if response.hovered() || response.has_focus() || chosen {
            ui.painter().rect_filled(rect, 3.0, visuals.weak_bg_fill);
        }
        let split = rect.left() + (rect.width() * 0.5).max(100.0);
        if is_true {
            let centre = pos2(split - 11.0, rect.center().y);
            tick(ui, Rect::from_center_size(centre, vec2(11.0, 11.0)));
        }
        let colour = visuals.text_color();
        let font = egui::TextStyle::Body.resolve(ui.style());
        let text = label.label.to_owned();
        let mut job = egui::text::LayoutJob::simple_singleline(text, font, colour);
        let free = split - rect.left() - if is_true { 36.0 } else { 20.0 };
        job.wrap = egui::text::TextWrapping::truncate_at_width(free);
        let text = ui.painter().layout_job(job);
        let dot = pos2(rect.left() + 7.0, rect.center().y);
        let status_colour = theme::status_colour(ui.visuals(), label.status);
        ui.painter().circle_filled(dot, 3.0, status_colour);
        let at = pos2(rect.left() + 15.0, rect.center().y - text.size().y / 2.0);
        ui.painter().galley(at, text, colour);
        let place = Rect::from_min_max(
            pos2(split, rect.top() + 3.0),
            pos2(rect.right() - 4.0, rect.bottom() - 3.0),
        );
        self.paint_bars(ui, label, place);
        response
    }

    fn paint_bars(&self, ui: &Ui, label: &Listed<'_>, place: Rect) {
        let ranges = &self.listing.ranges;
        let height = place.height() / ranges.len().max(1) as f32;
        for (row, (variant, index, [low, high])) in ranges.iter().enumerate() {
            let Some(scores) = self.scores.get(*index) else {
                continue;
            };
            let own = score(scores, label.index);
            let part = ((own - low) / (high - low)).clamp(0.0, 1.0);
            let top = place.top() + row as f32 * height;
            let bar = Rect::from_min_size(
                pos2(place.left(), top + 0.5),
                vec2((place.width() * part).max(1.0), (height - 1.0).max(1.0)),
            );
            let colour = variants::variant_colour(ui.visuals(), *variant);
            ui.painter().rect_filled(bar, 1.0, colour);
        }
    }

    fn scores_of(&self, ui: &mut Ui, label: &Listed<'_>) {
        let among = &self.listing.order;
        ui.horizontal(|ui| {
            ui.strong(label.label);
            theme::badge(ui, label.status);
        });
        if self.truth.has(label.label) {
            ui.label("A true label of this photo");
        }
        egui::Grid::new("scores").num_columns(3).show(ui, |ui| {
            for (variant, index, _) in &self.listing.ranges {
                let Some(scores) = self.scores.get(*index) else {
                    continue;
                };
                let own = score(scores, label.index);
                let before = among.iter().filter(|&&other| score(scores, other) > own);
                let rank = before.count() + 1;
                ui.label(variant.title());
                ui.monospace(format!("{own:.3}"));
                ui.label(format!("rank {rank} of {}", among.len()));
                ui.end_row();
            }
        });
        ui.weak("Bars: each network's own scale, from its middle label to its best.");
    }
}

/// The variants on screen with their places in the comparison.
fn shown(state: &AppState, comparison: &Comparison) -> Vec<(VariantId, usize)> {
    let place = |variant| comparison.variants.iter().position(|&v| v == variant);
    let shown = state.shown_variants().into_iter();
    shown
        .filter_map(|variant| Some((variant, place(variant)?)))
        .collect()
}

/// The labels that pass the filter, as indices in the ranking's own list.
fn filtered(state: &AppState, ranking: &Ranking) -> Vec<usize> {
    let passes = |label: &str, status| match state.ranking_filter {
        RankingFilter::Gzsl => true,
        RankingFilter::Zsl => status != LabelStatus::Seen,
        RankingFilter::Typed => state.labels.contains(label),
    };
    let all = ranking.labels.iter().enumerate();
    all.filter(|(_, (label, status))| passes(label, *status))
        .map(|(index, _)| index)
        .collect()
}

fn score(scores: &[f32], label: usize) -> f32 {
    scores.get(label).copied().unwrap_or(f32::NEG_INFINITY)
}

/// From the middle label's score, where bars begin, to the best one's: raw scores have no zero of
/// their own and no common scale.
fn range(among: &[usize], scores: &[f32]) -> [f32; 2] {
    let mut values: Vec<f32> = among.iter().map(|&label| score(scores, label)).collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return [0.0, 1.0];
    }
    let (lower, median, higher) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let median = *median;
    let highest = higher.iter().copied().fold(median, f32::max);
    if highest > median {
        return [median, highest];
    }
    let lowest = lower.iter().copied().fold(median, f32::min);
    [lowest, highest.max(lowest + 1e-6)]
}
