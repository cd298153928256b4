//! What is lost when a part of the photo is covered: a box that is dragged, a square that is slid.

use egui::{Color32, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::{amount, change, small_maps};
use crate::app::layer::Layer;
use crate::app::occlusion::PLACES;
use crate::app::photo_part::WHOLE;
use crate::app::read_out::region_rect;
use crate::app::state::AppState;
use crate::app::textures::Textures;
use crate::engine::Area;
use crate::model::VariantId;

/// Boxes narrower than this part of the photo are a click, not a box.
const NARROWEST: f32 = 0.02;

/// Height of the photo and the map in points, so that both and the table fit a small window.
const HIGHEST: f32 = 150.0;

/// The whole tab.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    label: &str,
    variant: VariantId,
) {
    ui.label("Drag a box over the photo: it is covered with the photo’s mean colour.");
    let size = small_maps::size(ui, state, 1).min(vec2(f32::INFINITY, HIGHEST));
    let aspect = state
        .shown_photo()
        .map_or(4.0 / 3.0, |photo| photo.aspect());
    let size = vec2(size.x.min(size.y * aspect), size.y.min(size.x / aspect));
    let slid = Layer::Occlusion;
    small_maps::prepare(ui, state, textures, (label, variant), &[slid], size);
    photo(ui, state, textures, size);
    ui.horizontal_wrapped(|ui| {
        let region = state.chosen_region().is_some();
        let cover = egui::Button::new("Cover the chosen region");
        if ui.add_enabled(region, cover).clicked() {
            state.inspector.occlusion.area = around_region(state);
        }
        let any = state.inspector.occlusion.area.is_some();
        let clear = egui::Button::new("Uncover");
        if ui.add_enabled(any, clear).clicked() {
            state.inspector.occlusion.area = None;
        }
    });
    table(ui, state, variant);
    slide(ui, state, textures, label, variant, size);
}

/// The photo with the box, which a drag changes.
fn photo(ui: &mut Ui, state: &mut AppState, textures: &Textures, size: Vec2) {
    let (place, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Photo to cover"));
    let painter = ui.painter_at(place);
    match state
        .shown_photo()
        .and_then(|photo| textures.shown_photo(photo, WHOLE))
    {
        Some((texture, part)) => {
            painter.image(texture, place, part, Color32::WHITE);
        }
        None => _ = painter.rect_filled(place, 0.0, ui.visuals().faint_bg_color),
    }
    let at =
        |pointer: egui::Pos2| ((pointer - place.min) / place.size()).clamp(Vec2::ZERO, Vec2::ONE);
    let origin = ui.input(|input| input.pointer.press_origin());
    if response.dragged_by(egui::PointerButton::Primary)
        && let (Some(from), Some(to)) = (origin, response.interact_pointer_pos())
    {
        let (from, to) = (at(from), at(to));
        let (low, high) = (from.min(to), from.max(to));
        let area = [low.x, low.y, high.x, high.y];
        let wide = (high - low).min_elem() >= NARROWEST;
        if wide {
            state.inspector.occlusion.area = Some(area);
        }
    }
    if let Some([x0, y0, x1, y1]) = state.inspector.occlusion.area {
        let rect = Rect::from_min_max(
            place.lerp_inside(vec2(x0, y0)),
            place.lerp_inside(vec2(x1, y1)),
        );
        painter.rect_filled(rect, 0.0, Color32::from_black_alpha(120));
        let stroke = Stroke::new(2.0, ui.visuals().hyperlink_color);
        painter.rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Inside);
    }
}

/// A square of three regions about the chosen one.
fn around_region(state: &AppState) -> Option<Area> {
    let comparison = state.shown_comparison()?;
    let [row, column] = state.inspector.region?;
    let (grid, covered) = (comparison.grid, comparison.covered);
    let from = region_rect(
        grid,
        covered,
        row.saturating_sub(1),
        column.saturating_sub(1),
    );
    let (row, column) = (
        (row + 1).min(grid.rows - 1),
        (column + 1).min(grid.columns - 1),
    );
    let to = region_rect(grid, covered, row, column);
    Some([from[0], from[1], to[2], to[3]])
}

/// What every label's score loses.
fn table(ui: &mut Ui, state: &AppState, variant: VariantId) {
    if state.inspector.occlusion.area.is_none() {
        return;
    }
    let Some(covered) = state.covered() else {
        ui.weak("computing…");
        return;
    };
    ui.strong(format!(
        "Scores in {} with the box covered",
        variant.title()
    ));
    egui::Grid::new("covered")
        .num_columns(4)
        .striped(true)
        .show(ui, |ui| {
            for head in ["", "as it is", "covered", "change"] {
                ui.weak(head);
            }
            ui.end_row();
            for label in &covered.labels {
                let Some(scores) = covered.scores(label, variant) else {
                    continue;
                };
                let ordinary = state
                    .map(label, variant)
                    .and_then(|map| map.ordinary.as_ref());
                let [whole, hidden] =
                    scores.map(|score| ordinary.map_or(score, |ordinary| ordinary.sigma(score)));
                let unit = if ordinary.is_some() { "σ" } else { "raw" };
                ui.label(label);
                ui.monospace(amount(whole, unit));
                ui.monospace(amount(hidden, unit));
                ui.monospace(format!("{} {unit}", change(hidden - whole, unit)));
                ui.end_row();
            }
        });
}

/// A square slid over all places, and what it has shown.
fn slide(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    label: &str,
    variant: VariantId,
    size: Vec2,
) {
    ui.add_space(6.0);
    ui.strong("A square slid over the whole photo");
    ui.horizontal_wrapped(|ui| {
        for places in PLACES {
            let text = format!("{places} × {places} places");
            let hint = "One photo for each place; the status line counts them and can cancel";
            if ui.button(text).on_hover_text(hint).clicked() {
                state.inspector.occlusion.wanted_slide = Some(places);
            }
        }
    });
    let Some(scale) = state.layer_scale(label, variant, Layer::Occlusion) else {
        return;
    };
    ui.checkbox(
        &mut state.inspector.occlusion.in_grid,
        "Occlusion in the grid",
    );
    let unit = state.part_unit(label, variant);
    let k = state.slid().map_or(0, |slid| slid.asked.k);
    ui.weak(format!(
        "How far the score of {label} (k = {k}) falls where the photo is covered: red where it is \
         needed, to \
         {} {unit}; blue where covering helps",
        amount(scale.high, unit)
    ));
    let name = format!("Occlusion: {label} in {}", variant.title());
    let value = |value| format!("falls by {} {unit}", amount(value, unit));
    small_maps::show(
        ui,
        state,
        textures,
        (label, variant),
        Layer::Occlusion,
        size,
        &name,
        value,
    );
}
