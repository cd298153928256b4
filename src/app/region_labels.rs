//! The labels that respond most in the region under the pointer.

use egui::{Role, Ui, WidgetInfo};

use super::state::AppState;
use crate::engine::Ranking;
use crate::figure::scale::number_text;

const SHOWN: usize = 5;

/// One line in small print: the first labels of the pointed region with their raw responses.
pub fn show(ui: &mut Ui, state: &AppState) {
    let Some(text) = sentence(state) else {
        return;
    };
    let shown = egui::RichText::new(&text).small();
    let response = ui.add(egui::Label::new(shown).wrap());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
}

fn sentence(state: &AppState) -> Option<String> {
    let pointed = state.pointed?;
    let variant = pointed.variant.or(state.chosen_variant())?;
    let comparison = state.comparison()?;
    let place = comparison.variants.iter().position(|&v| v == variant)?;
    let region = pointed.row * comparison.grid.columns + pointed.column;
    let best = best(comparison.ranking.as_ref()?, place, region);
    if best.is_empty() {
        return None;
    }
    let texts: Vec<String> = best
        .into_iter()
        // A number stays on the line of its label.
        .map(|(label, raw)| format!("{label}\u{a0}{}", number_text(raw, 2)))
        .collect();
    let title = variant.title();
    Some(format!(
        "Most in this region, {title}, raw: {}",
        texts.join(" · ")
    ))
}

/// The labels with the largest responses of a region, largest first.
fn best(ranking: &Ranking, variant: usize, region: usize) -> Vec<(&str, f32)> {
    let Some(responses) = ranking.region(variant, region) else {
        return Vec::new();
    };
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(SHOWN + 1);
    for (label, &raw) in responses.iter().enumerate() {
        let place = best.partition_point(|&(_, other)| other >= raw);
        if place < SHOWN {
            best.insert(place, (label, raw));
            best.truncate(SHOWN);
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
        let order: Vec<&str> = best(&ranking, 0, 1).into_iter().map(|(l, _)| l).collect();
        assert_eq!(order, ["c", "f", "d", "g", "a"]);
        assert!(best(&ranking, 0, 2).is_empty());
        assert!(best(&ranking, 1, 0).is_empty());
    }
}
