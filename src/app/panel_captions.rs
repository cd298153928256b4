//! The lines under a panel: what is said of its map, and of the region under the pointer.

use egui::{Rect, Ui, pos2};

use super::inside::{amount, change};
use super::layer::Layer;
use super::panel::{Look, Subject, text};
use super::read_out;
use super::state::{AppState, HoveredRegion};
use crate::figure::caption::{Caption, caption, difference_caption};
use crate::figure::scale::{difference_values, number_text, signed};

/// The lines under a panel, at its left or right end: its best region, and the region under the
/// pointer. Returns the first.
pub fn captions(
    ui: &Ui,
    look: Look<'_>,
    subject: Subject,
    place: Rect,
    align: egui::Align,
) -> String {
    let painter = ui.painter();
    let font = egui::TextStyle::Small.resolve(ui.style());
    let strong = ui.visuals().text_color();
    let layout = |text: &str, colour| painter.layout_no_wrap(text.to_owned(), font.clone(), colour);
    let fits = |text: &str| layout(text, strong).size().x <= place.width();
    let at = |width: f32, down: f32| {
        let left = match align {
            egui::Align::Max => place.right() - width,
            _ => place.left(),
        };
        pos2(left, place.bottom() + down)
    };
    let Some(best) = best(look.state, subject) else {
        return String::new();
    };
    let colour = if best.faint {
        ui.visuals().weak_text_color()
    } else {
        strong
    };
    let galley = layout(best.fitting(fits), colour);
    let (width, below) = (galley.size().x, galley.size().y + 3.0);
    painter.galley(at(width, 2.0), galley, colour);
    if let Some(hovered) = look.hovered {
        let lines = hovered_lines(look.state, subject, hovered);
        let line = lines.iter().find(|line| fits(line)).or(lines.last());
        let colour = ui.visuals().hyperlink_color;
        let galley = layout(line.map_or("", String::as_str), colour);
        painter.galley(at(galley.size().x, below), galley, colour);
    }
    best.text
}

/// What is said of a panel whatever the pointer does.
fn best(state: &AppState, subject: Subject) -> Option<Caption> {
    let label = text(state, subject.label);
    let map = state.layer_map(label, subject.variant, subject.layer)?;
    match subject.layer {
        Layer::Response | Layer::Scene | Layer::Attention(_) => {
            Some(caption(map, &subject.scale(state)))
        }
        Layer::Less(less) => {
            let values = difference_values(map, state.map(label, less)?)?;
            Some(difference_caption(&values))
        }
        Layer::Part(_) => Some(part_caption(state, label, subject)),
        Layer::Occlusion => {
            let unit = state.part_unit(label, subject.variant);
            let range = range(&map.responses, unit);
            Some(Caption {
                text: format!("falls by {range}"),
                shorter: vec![range],
                faint: false,
            })
        }
    }
}

/// The hovered region's value in a panel, longest line first.
fn hovered_lines(state: &AppState, subject: Subject, hovered: HoveredRegion) -> Vec<String> {
    let label = text(state, subject.label);
    let region = state.shown_comparison().map(|comparison| {
        let columns = comparison.grid.columns;
        hovered.row * columns + hovered.column
    });
    if let Layer::Part(_) | Layer::Occlusion = subject.layer {
        let map = state.layer_map(label, subject.variant, subject.layer);
        let value = map.and_then(|map| map.responses.get(region?).copied());
        let unit = state.part_unit(label, subject.variant);
        return value.map_or_else(Vec::new, |value| {
            vec![format!("{} {unit}", change(value, unit))]
        });
    }
    let read = |variant| read_out::read(state.map(label, variant)?, region?);
    let Some(reading) = read(subject.variant) else {
        return Vec::new();
    };
    let Layer::Less(less) = subject.layer else {
        return reading.lines();
    };
    match (reading.ordinary, read(less).and_then(|less| less.ordinary)) {
        (Some((one, _)), Some((other, _))) => {
            let difference = signed(one - other);
            let (one, other) = (number_text(one, 1), number_text(other, 1));
            vec![
                format!("{difference} σ: {one} less {other}"),
                format!("{difference} σ"),
            ]
        }
        _ => Vec::new(),
    }
}

/// From where to where a part goes, and what it brings to the score.
fn part_caption(state: &AppState, label: &str, subject: Subject) -> Caption {
    let map = state.layer_map(label, subject.variant, subject.layer);
    let values = map.map_or(&[][..], |map| &map.responses);
    let unit = state.part_unit(label, subject.variant);
    let range = range(values, unit);
    let whole = state.map(label, subject.variant);
    let pooled = whole.map(|whole| whole.pooled_regions(state.pooled_k()));
    let pooled = pooled.unwrap_or_default();
    if pooled.is_empty() {
        return Caption {
            text: range,
            shorter: Vec::new(),
            faint: false,
        };
    }
    let brings: f32 = pooled.iter().filter_map(|&region| values.get(region)).sum();
    let brings = change(brings / pooled.len() as f32, unit);
    let brings = format!("{brings} {unit} of the score");
    Caption {
        text: format!("{brings} · {range}"),
        shorter: vec![brings],
        faint: false,
    }
}

/// The lowest and the highest value.
fn range(values: &[f32], unit: &str) -> String {
    let ends = values
        .iter()
        .fold([f32::MAX, f32::MIN], |[low, high], &value| {
            [low.min(value), high.max(value)]
        });
    let [low, high] = ends.map(|end| amount(end, unit));
    format!("{low} to {high} {unit}")
}
