//! The labels that respond most in the region under the pointer.

use egui::{Role, Ui, WidgetInfo};

use super::state::AppState;
use crate::engine::{Comparison, Ranking, ResponseMap};
use crate::figure::scale::{ScaleMode, number_text, panel_values};
use crate::model::VariantId;

const SHOWN: usize = 5;
/// The least room for it, in points.
const NARROWEST: f32 = 150.0;

/// One line in small print: the first labels of the hovered region, by the scale on screen.
pub fn show(ui: &mut Ui, state: &AppState) {
    // Beside the colour bar of a narrow window it would become a column of letters.
    let Some(text) = sentence(state).filter(|_| ui.available_width() >= NARROWEST) else {
        return;
    };
    let shown = egui::RichText::new(&text).small();
    let response = ui.add(egui::Label::new(shown).wrap());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
}

fn sentence(state: &AppState) -> Option<String> {
    let hovered = state.hovered?;
    let variant = hovered.variant.or(state.chosen_variant())?;
    let columns = state.comparison()?.grid.columns;
    let region = hovered.row * columns + hovered.column;
    let (unit, best) = ranked(state, variant, region, SHOWN)?;
    let texts: Vec<String> = best
        .into_iter()
        // A number stays on the line of its label.
        .map(|(label, value)| format!("{label}\u{a0}{value}"))
        .collect();
    let title = variant.title();
    Some(format!(
        "Most in this region, {title}, {unit}: {}",
        texts.join(" · ")
    ))
}

/// The unit of the scale on screen, and the first labels of a region by it with their values.
pub fn ranked(
    state: &AppState,
    variant: VariantId,
    region: usize,
    count: usize,
) -> Option<(&'static str, Vec<(&str, String)>)> {
    let comparison = state.comparison()?;
    let place = comparison.variants.iter().position(|&v| v == variant)?;
    let mode = state.display.scale.available(comparison);
    let (unit, best) = match mode {
        ScaleMode::Rank => (
            "rank",
            best_compared(comparison, place, region, mode, count),
        ),
        ScaleMode::Sigma => ("σ", best_compared(comparison, place, region, mode, count)),
        _ => (
            "raw",
            best(comparison.ranking.as_ref()?, place, region, count),
        ),
    };
    let value = |value: f32| match mode {
        ScaleMode::Rank => format!("{} %", number_text(100.0 * value, 1)),
        ScaleMode::Sigma => number_text(value, 1),
        _ => number_text(value, 2),
    };
    let best = best
        .into_iter()
        .map(|(label, number)| (label, value(number)));
    let best: Vec<(&str, String)> = best.collect();
    (!best.is_empty()).then_some((unit, best))
}

/// The labels under comparison by what the scale makes of a region, largest first: ordinary regions
/// are known for these alone.
fn best_compared(
    comparison: &Comparison,
    variant: usize,
    region: usize,
    mode: ScaleMode,
    count: usize,
) -> Vec<(&str, f32)> {
    let maps = comparison.maps.get(variant).into_iter().flatten();
    let value = |map: &ResponseMap| panel_values(map, mode)?.get(region).copied();
    let mut all: Vec<(&str, f32)> = std::iter::zip(&comparison.labels, maps)
        .filter_map(|(label, map)| Some((label.text.as_str(), value(map)?)))
        .collect();
    all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    all.truncate(count);
    all
}

/// The labels with the largest responses of a region, largest first.
fn best(ranking: &Ranking, variant: usize, region: usize, count: usize) -> Vec<(&str, f32)> {
    let Some(responses) = ranking.region(variant, region) else {
        return Vec::new();
    };
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(count + 1);
    for (label, &raw) in responses.iter().enumerate() {
        let place = best.partition_point(|&(_, other)| other >= raw);
        if place < count {
            best.insert(place, (label, raw));
            best.truncate(count);
        }
    }
    best.into_iter()
        .filter_map(|(label, raw)| Some((ranking.labels.get(label)?.0.as_str(), raw)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::LabelStatus;

    #[test]
    fn the_largest_responses_of_one_region_come_first() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let labels: Vec<_> = names
            .iter()
            .map(|&name| (name.to_owned(), LabelStatus::Seen))
            .collect();
        let mut responses = vec![9.0; 7];
        responses.extend([0.5, -1.0, 3.0, 2.0, 0.0, 2.5, 1.0]);
        let ranking = Ranking {
            labels: labels.into(),
            scores: vec![vec![0.0; 7]],
            pooled: vec![true],
            responses: vec![responses.into()],
        };
        let order: Vec<&str> = best(&ranking, 0, 1, 5)
            .into_iter()
            .map(|(l, _)| l)
            .collect();
        assert_eq!(order, ["c", "f", "d", "g", "a"]);
        assert!(best(&ranking, 0, 2, 5).is_empty());
        assert!(best(&ranking, 1, 0, 5).is_empty());
    }
}
