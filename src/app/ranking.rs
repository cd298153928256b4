//! The ranking on the right: which labels each network finds in the photo.

use egui::{Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::state::{AppState, RankingFilter};
use super::theme;
use crate::engine::{Comparison, Ranking};
use crate::model::Variant;
use crate::semantics::LabelStatus;

/// How many labels are listed.
const LISTED: usize = 10;
const ROW_HEIGHT: f32 = 22.0;

/// The whole lower part of the right panel.
pub fn show(ui: &mut Ui, state: &mut AppState) {
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
    let Some(comparison) = state.comparison().cloned() else {
        let waiting = state.answers.owed();
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
    let mut clicked = None;
    egui::ScrollArea::vertical()
        .id_salt("ranking")
        .auto_shrink([false, false])
        .show(ui, |ui| clicked = bars(ui, state, &comparison, ranking));
    if let Some(label) = clicked {
        state.labels.add(&label);
    }
}

/// Which network orders the list; at the same time the legend of the bars.
fn variant_choice(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        for variant in state.shown_variants() {
            let chosen = state.ranked_by == variant;
            let size = vec2(10.0, 10.0);
            let (square, _) = ui.allocate_exact_size(size, Sense::hover());
            let colour = theme::variant_colour(ui.visuals(), variant);
            ui.painter().rect_filled(square, 2.0, colour);
            let response = ui.selectable_label(chosen, variant.title());
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

fn bars(
    ui: &mut Ui,
    state: &AppState,
    comparison: &Comparison,
    ranking: &Ranking,
) -> Option<String> {
    let variants = shown(state, comparison);
    let order = variants
        .iter()
        .find(|(variant, _)| *variant == state.ranked_by)
        .or(variants.last());
    let scores = order.and_then(|&(_, index)| ranking.scores.get(index))?;
    let among = filtered(state, ranking);
    let listed = top(&among, scores);
    if listed.is_empty() {
        ui.weak("No label passes this filter");
    }
    let ranges: Vec<(Variant, usize, [f32; 2])> = variants
        .iter()
        .filter_map(|&(variant, index)| {
            Some((variant, index, range(&among, ranking.scores.get(index)?)))
        })
        .collect();
    let mut clicked = None;
    for (rank, label) in listed.iter().enumerate() {
        let response = bar_row(ui, state, ranking, label, rank, &ranges);
        let response = response.on_hover_ui(|ui| scores_of(ui, ranking, label, &among, &ranges));
        if response.clicked() {
            clicked = Some(label.label.to_owned());
        }
    }
    clicked
}

/// The variants on screen with their places in the comparison.
fn shown(state: &AppState, comparison: &Comparison) -> Vec<(Variant, usize)> {
    let place = |variant| comparison.variants.iter().position(|&v| v == variant);
    let shown = state.shown_variants().into_iter();
    shown
        .filter_map(|variant| Some((variant, place(variant)?)))
        .collect()
}

fn filtered<'a>(state: &AppState, ranking: &'a Ranking) -> Vec<Listed<'a>> {
    let passes = |label: &str, status| match state.ranking_filter {
        RankingFilter::Gzsl => true,
        RankingFilter::Zsl => status != LabelStatus::Seen,
        RankingFilter::Typed => state.labels.contains(label),
    };
    let all = ranking.labels.iter().enumerate();
    all.filter(|(_, (label, status))| passes(label, *status))
        .map(|(index, (label, status))| Listed {
            label,
            status: *status,
            index,
        })
        .collect()
}

fn score(scores: &[f32], label: &Listed<'_>) -> f32 {
    scores
        .get(label.index)
        .copied()
        .unwrap_or(f32::NEG_INFINITY)
}

fn top<'a, 'b>(among: &'b [Listed<'a>], scores: &[f32]) -> Vec<&'b Listed<'a>> {
    let mut order: Vec<&Listed<'a>> = among.iter().collect();
    let higher_first =
        |a: &&Listed<'a>, b: &&Listed<'a>| score(scores, b).total_cmp(&score(scores, a));
    if order.len() > LISTED {
        order.select_nth_unstable_by(LISTED, higher_first);
        order.truncate(LISTED);
    }
    order.sort_by(higher_first);
    order
}

/// From the middle label's score, where bars begin, to the best one's: raw scores have no zero of
/// their own and no common scale.
fn range(among: &[Listed<'_>], scores: &[f32]) -> [f32; 2] {
    let mut values: Vec<f32> = among.iter().map(|label| score(scores, label)).collect();
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

fn bar_row(
    ui: &mut Ui,
    state: &AppState,
    ranking: &Ranking,
    label: &Listed<'_>,
    rank: usize,
    ranges: &[(Variant, usize, [f32; 2])],
) -> egui::Response {
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let chosen = state.labels.contains(label.label);
    let name = format!("Rank {}: {}", rank + 1, label.label);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &name));
    // The bars must stand out, so a chosen row is only a little lighter or darker than the rest.
    let visuals = ui.style().interact(&response);
    if response.hovered() || response.has_focus() || chosen {
        ui.painter().rect_filled(rect, 3.0, visuals.weak_bg_fill);
    }
    let split = rect.left() + (rect.width() * 0.5).max(100.0);
    let colour = visuals.text_color();
    let font = egui::TextStyle::Body.resolve(ui.style());
    let mut job = egui::text::LayoutJob::simple_singleline(label.label.to_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(split - rect.left() - 20.0);
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
    paint_bars(ui, ranking, label, place, ranges);
    response
}

fn paint_bars(
    ui: &Ui,
    ranking: &Ranking,
    label: &Listed<'_>,
    place: Rect,
    ranges: &[(Variant, usize, [f32; 2])],
) {
    let height = place.height() / ranges.len().max(1) as f32;
    for (row, (variant, index, [low, high])) in ranges.iter().enumerate() {
        let Some(scores) = ranking.scores.get(*index) else {
            continue;
        };
        let part = ((score(scores, label) - low) / (high - low)).clamp(0.0, 1.0);
        let top = place.top() + row as f32 * height;
        let bar = Rect::from_min_size(
            pos2(place.left(), top + 0.5),
            vec2((place.width() * part).max(1.0), (height - 1.0).max(1.0)),
        );
        let colour = theme::variant_colour(ui.visuals(), *variant);
        ui.painter().rect_filled(bar, 1.0, colour);
    }
}

fn scores_of(
    ui: &mut Ui,
    ranking: &Ranking,
    label: &Listed<'_>,
    among: &[Listed<'_>],
    ranges: &[(Variant, usize, [f32; 2])],
) {
    ui.horizontal(|ui| {
        ui.strong(label.label);
        theme::badge(ui, label.status);
    });
    egui::Grid::new("scores").num_columns(3).show(ui, |ui| {
        for (variant, index, _) in ranges {
            let Some(scores) = ranking.scores.get(*index) else {
                continue;
            };
            let own = score(scores, label);
            let before = among.iter().filter(|other| score(scores, other) > own);
            let rank = before.count() + 1;
            ui.label(variant.title());
            ui.monospace(format!("{own:.3}"));
            ui.label(format!("rank {rank} of {}", among.len()));
            ui.end_row();
        }
    });
    ui.weak("Bars: each network's own scale, from its middle label to its best.");
}
