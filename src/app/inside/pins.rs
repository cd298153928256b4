//! Pinned regions: a table of regions by labels by networks, copied as TSV.

use std::fmt::Write as _;

use egui::{ScrollArea, Ui};

use crate::app::state::AppState;
use crate::engine::Comparison;
use crate::figure::scale::number_text;
use crate::model::VariantId;

/// The pinned regions' values of every label in one network.
pub fn show(ui: &mut Ui, state: &mut AppState, variant: VariantId) {
    if state.inspector.pins.is_empty() {
        return;
    }
    ui.add_space(6.0);
    ui.strong(format!("Pinned regions in {}", variant.title()));
    let Some(comparison) = state.comparison().cloned() else {
        return;
    };
    let mut chosen_pin = None;
    ScrollArea::horizontal().id_salt("pins").show(ui, |ui| {
        egui::Grid::new("pins").striped(true).show(ui, |ui| {
            ui.label("row, column");
            for label in &comparison.labels {
                ui.label(&label.text);
            }
            ui.end_row();
            for &[row, column] in &state.inspector.pins {
                let name = format!("{}, {}", row + 1, column + 1);
                if ui
                    .button(&name)
                    .on_hover_text("Choose this region")
                    .clicked()
                {
                    chosen_pin = Some([row, column]);
                }
                for label in &comparison.labels {
                    ui.monospace(cell(
                        state,
                        &comparison,
                        [row, column],
                        &label.text,
                        variant,
                    ));
                }
                ui.end_row();
            }
        });
    });
    if let Some(chosen) = chosen_pin {
        state.inspector.region = Some(chosen);
    }
}

fn cell(
    state: &AppState,
    comparison: &Comparison,
    region: [usize; 2],
    label: &str,
    variant: VariantId,
) -> String {
    match reading(state, comparison, region, label, variant) {
        Some((_, Some(sigma))) => format!("{} σ", number_text(sigma, 1)),
        Some((raw, None)) => number_text(raw, 3),
        None => "–".to_owned(),
    }
}

/// The raw response and the standard score.
fn reading(
    state: &AppState,
    comparison: &Comparison,
    [row, column]: [usize; 2],
    label: &str,
    variant: VariantId,
) -> Option<(f32, Option<f32>)> {
    let grid = comparison.grid;
    if row >= grid.rows || column >= grid.columns {
        return None;
    }
    let map = state.map(label, variant)?;
    let raw = *map.responses.get(row * grid.columns + column)?;
    Some((
        raw,
        map.ordinary.as_ref().map(|ordinary| ordinary.sigma(raw)),
    ))
}

/// The pinned regions, or else the chosen one, by labels by networks on screen: tab-separated, one
/// value a line. `None` where there is none.
pub fn table(state: &AppState) -> Option<String> {
    let comparison = state.comparison()?;
    let regions = match state.inspector.pins.is_empty() {
        true => vec![state.inspector.region?],
        false => state.inspector.pins.clone(),
    };
    let mut text = "photo\trow\tcolumn\tlabel\tnetwork\tresponse\tsigma\n".to_owned();
    // A name may hold any character; a table only those that end no cell.
    let photo = comparison
        .photo
        .source
        .name()
        .replace(['\t', '\n', '\r'], " ");
    for region in regions {
        for label in &comparison.labels {
            for variant in state.shown_variants() {
                let Some((raw, sigma)) = reading(state, comparison, region, &label.text, variant)
                else {
                    continue;
                };
                let sigma = sigma.map_or(String::new(), |sigma| sigma.to_string());
                let [row, column] = region.map(|at| at + 1);
                let label = &label.text;
                // Writing to a String cannot fail.
                _ = writeln!(
                    text,
                    "{photo}\t{row}\t{column}\t{label}\t{variant}\t{raw}\t{sigma}"
                );
            }
        }
    }
    Some(text)
}
