//! Small maps of the inspector: the photo with a layer over it, the chosen region outlined.

use egui::{Color32, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use crate::app::layer::Layer;
use crate::app::panel::pixels;
use crate::app::photo_part::WHOLE;
use crate::app::read_out::{region_at, region_rect};
use crate::app::state::AppState;
use crate::app::textures::{Textures, WantedPanel};
use crate::app::theme::GAP;
use crate::model::VariantId;

/// The largest size of `across` maps side by side.
pub fn size(ui: &Ui, state: &AppState, across: usize) -> Vec2 {
    let aspect = state
        .shown_photo()
        .map_or(4.0 / 3.0, |photo| photo.aspect());
    let count = across.max(1) as f32;
    let width = ((ui.available_width() - GAP * (count - 1.0)) / count).max(24.0);
    // A portrait photo would take the whole height.
    let width = width.min(width * aspect).floor();
    vec2(width, (width / aspect).max(1.0).round())
}

/// Makes the pictures of some layers that are not there yet, for maps up to `size`.
pub fn prepare(
    ui: &Ui,
    state: &AppState,
    textures: &mut Textures,
    (label, variant): (&str, VariantId),
    layers: &[Layer],
    size: Vec2,
) {
    let (Some(photo), Some(comparison)) = (state.shown_photo(), state.shown_comparison()) else {
        return;
    };
    textures.prepare_photo(ui.ctx(), photo, pixels(ui, size), WHOLE);
    let wanted = layers.iter().filter_map(|&layer| {
        let scale = state.layer_scale(label, variant, layer)?;
        Some(WantedPanel {
            key: (label.to_owned(), variant, layer),
            map: state.layer_map(label, variant, layer)?,
            less: None,
            scale,
            style: state.display.style_on(&scale),
        })
    });
    let wanted: Vec<WantedPanel<'_>> = wanted.collect();
    textures.prepare(ui.ctx(), comparison, &wanted);
}

/// One map. A click in it chooses a region; `value` says what a value is, for the pointer.
#[expect(
    clippy::too_many_arguments,
    reason = "what is shown, where, under which name"
)]
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    (label, variant): (&str, VariantId),
    layer: Layer,
    size: Vec2,
    name: &str,
    value: impl Fn(f32) -> String,
) -> Response {
    let (place, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let key = (label.to_owned(), variant, layer);
    let map = state.layer_map(label, variant, layer);
    let picture = map.and_then(|map| textures.panel(&key, map, None, WHOLE));
    let painter = ui.painter_at(place.expand(1.0));
    match picture {
        Some(picture) => {
            painter.image(picture.texture.id(), place, WHOLE, Color32::WHITE);
        }
        None => _ = painter.rect_filled(place, 0.0, ui.visuals().faint_bg_color),
    }
    if let Some([row, column]) = state.inspector.region {
        outline(&painter, state, place, row, column);
    }
    let Some(comparison) = state.shown_comparison() else {
        return response;
    };
    let (grid, covered) = (comparison.grid, comparison.covered);
    let pointer = response
        .hover_pos()
        .map(|at| (at - place.min) / place.size());
    let under = pointer.and_then(|at| region_at(grid, covered, at.x, at.y));
    let Some((row, column)) = under else {
        return response;
    };
    let responses = map.map(|map| &map.responses);
    let here = responses.and_then(|map| map.get(row * grid.columns + column).copied());
    let place_text = format!("Row {}, column {}", row + 1, column + 1);
    let text = here.map_or(place_text.clone(), |here| {
        format!("{place_text}: {}", value(here))
    });
    if response.clicked() {
        state.inspector.region = Some([row, column]);
    }
    response.on_hover_text_at_pointer(text)
}

/// A region's outline in a small map.
fn outline(painter: &egui::Painter, state: &AppState, place: Rect, row: usize, column: usize) {
    let Some(comparison) = state.shown_comparison() else {
        return;
    };
    let [x0, y0, x1, y1] = region_rect(comparison.grid, comparison.covered, row, column);
    let rect = Rect::from_min_max(
        place.lerp_inside(vec2(x0, y0)),
        place.lerp_inside(vec2(x1, y1)),
    );
    let dark = Stroke::new(3.0, Color32::from_black_alpha(150));
    painter.rect_stroke(rect, 0.0, dark, egui::StrokeKind::Middle);
    let light = Stroke::new(1.5, Color32::WHITE);
    painter.rect_stroke(rect, 0.0, light, egui::StrokeKind::Middle);
}

/// Arrows from the chosen region to others.
pub fn arrows(ui: &Ui, state: &AppState, place: Rect, to: &[usize]) {
    let (Some(comparison), Some([row, column])) =
        (state.shown_comparison(), state.inspector.region)
    else {
        return;
    };
    let (grid, covered) = (comparison.grid, comparison.covered);
    let middle = |row, column| {
        let [x0, y0, x1, y1] = region_rect(grid, covered, row, column);
        place.lerp_inside(vec2((x0 + x1) / 2.0, (y0 + y1) / 2.0))
    };
    let from = middle(row, column);
    let painter = ui.painter_at(place);
    for &region in to {
        let end = middle(region / grid.columns, region % grid.columns);
        for (width, colour) in [(3.0, Color32::from_black_alpha(150)), (1.5, Color32::WHITE)] {
            painter.arrow(from, end - from, Stroke::new(width, colour));
        }
    }
}
