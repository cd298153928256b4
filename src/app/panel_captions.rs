//! The lines under a panel: what is said of its map, and of the region under the pointer.

use egui::{Rect, Ui, pos2};

use super::layer::Layer;
use super::panel::{Look, Subject, text};
use super::read_out;
use super::state::{AppState, HoveredRegion};
use crate::engine::ResponseMap;
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
        Layer::Occlusion => Some(drop_caption(map, state.part_unit(label, subject.variant))),
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
        return value.map_or_else(Vec::new, |value| vec![format!("{} {unit}", signed(value))]);
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
    let mut caption = difference_caption(values);
    let whole = state.map(label, subject.variant);
    let pooled = whole.map(|whole| whole.pooled_regions(state.pooled_k()));
    let pooled = pooled.unwrap_or_default();
    let brings: f32 = pooled.iter().filter_map(|&region| values.get(region)).sum();
    let in_unit = |text: &str| text.replace('σ', unit);
    caption.text = in_unit(&caption.text);
    caption
        .shorter
        .iter_mut()
        .for_each(|text| *text = in_unit(text));
    if !pooled.is_empty() {
        let brings = signed(brings / pooled.len() as f32);
        let brings = format!("{brings} {unit} of the score");
        caption.shorter.insert(0, brings.clone());
        caption.text = format!("{brings} · {}", caption.text);
    }
    caption
}

/// From where to where a score falls when places are covered.
fn drop_caption(map: &ResponseMap, unit: &str) -> Caption {
    let mut caption = difference_caption(&map.responses);
    caption.text = format!("falls {}", caption.text).replace('σ', unit);
    for text in &mut caption.shorter {
        *text = text.replace('σ', unit);
    }
    caption
}
