//! What to do while no label is compared: the labels ranked highest in the photo, to click.

use egui::{RichText, Role, Ui, WidgetInfo};

use super::commands::{self, Command};
use super::state::AppState;
use super::theme;
use crate::model::VariantId;
use crate::semantics::LabelStatus;

/// How many labels are suggested.
const SUGGESTED: usize = 5;

/// Above the photo: what can be done, and the best-ranked labels.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    ui.label("No label is compared yet. Type any words on the right, or begin with one of these.");
    ui.horizontal_wrapped(|ui| {
        let Some((variant, best)) = best(state) else {
            let waiting = state.replies.awaits_reply();
            ui.weak(if waiting {
                "Ranking the bundle's labels…"
            } else {
                "There is no ranking of this photo to choose from."
            });
            return;
        };
        ui.weak(format!("Highest in {}:", variant.title()));
        for (label, status) in &best {
            let colour = theme::status_colour(ui.visuals(), *status);
            let response = ui
                .button(RichText::new(label).color(colour))
                .on_hover_text(theme::status_sentence(*status));
            let name = format!("Compare {label}");
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
            if response.clicked() {
                state.labels.add_all([label.as_str()].into_iter());
            }
        }
        if ui.button(format!("All {}", best.len())).clicked() {
            let all = best.iter().map(|(label, _)| label.as_str());
            state.labels.add_all(all);
        }
        if commands::available(Command::LabelsOfPhoto, state).is_ok() {
            let response = ui.button("Labels of this photo");
            if response.clicked() {
                state.give(Command::LabelsOfPhoto);
            }
        }
    });
}

/// The highest labels of the full network, or of the last one that the bundle has.
fn best(state: &AppState) -> Option<(VariantId, Vec<(String, LabelStatus)>)> {
    let comparison = state.comparison()?;
    let ranking = comparison.ranking.as_ref()?;
    let mut variants = comparison.variants.iter();
    let index = variants
        .position(|&variant| variant == VariantId::BIAM)
        .unwrap_or(comparison.variants.len().checked_sub(1)?);
    let scores = ranking.scores.get(index)?;
    let mut order: Vec<usize> = (0..ranking.labels.len().min(scores.len())).collect();
    let higher_first = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]);
    if order.len() > SUGGESTED {
        order.select_nth_unstable_by(SUGGESTED, higher_first);
        order.truncate(SUGGESTED);
    }
    order.sort_by(higher_first);
    let labels = order.into_iter().map(|label| ranking.labels[label].clone());
    Some((comparison.variants[index], labels.collect()))
}
