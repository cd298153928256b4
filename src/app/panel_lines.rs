//! Lines over a panel's picture: contours, outlines of regions, the crosshair.

use egui::{Color32, Rect, Stroke, Ui, vec2};

use super::panel::Look;
use super::read_out::region_rect;
use super::state::AppState;
use crate::engine::ResponseMap;
use crate::figure::contour::region_outlines;

/// A line that is seen on dark and on light ground.
fn two_tone(painter: &egui::Painter, points: Vec<egui::Pos2>, width: f32, colour: Color32) {
    let dark = Stroke::new(width + 1.5, Color32::from_black_alpha(130));
    painter.line(points.clone(), dark);
    painter.line(points, Stroke::new(width, colour));
}

/// A contour line, its points in fractions of the panel.
pub fn contour(painter: &egui::Painter, place: Rect, points: &[[f32; 2]], closed: bool) {
    let ends = closed.then(|| points.first()).flatten();
    let points = points.iter().chain(ends);
    let points = points
        .map(|&[x, y]| place.lerp_inside(vec2(x, y)))
        .collect();
    two_tone(painter, points, 1.0, Color32::WHITE);
}

/// The outlines of the regions that a map's score is made of.
pub fn marks(painter: &egui::Painter, state: &AppState, map: &ResponseMap, place: Rect) {
    let Some(comparison) = state.shown_comparison() else {
        return;
    };
    let regions = map.pooled_regions(state.pooled_k());
    for outline in region_outlines(comparison.grid, comparison.covered, &regions) {
        let rect = rect_in(place, outline).shrink(0.5);
        let stroke = Stroke::new(1.0, Color32::WHITE);
        painter.rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Inside);
    }
}

fn rect_in(place: Rect, [x0, y0, x1, y1]: [f32; 4]) -> Rect {
    Rect::from_min_max(
        place.lerp_inside(vec2(x0, y0)),
        place.lerp_inside(vec2(x1, y1)),
    )
}

/// The same region in every panel: its outline, and lines from it to the panel's edges. Pinned regions
/// and the chosen one are outlined without lines.
pub fn crosshair(ui: &Ui, look: Look<'_>, place: Rect) {
    let painter = &ui.painter_at(place);
    let inspector = &look.state.inspector;
    let outlined = |region, width, colour| {
        if let Some(rect) = region_in(look, place, region) {
            ring(painter, rect, width, colour);
        }
    };
    for &pin in &inspector.pins {
        outlined(pin, 1.0, ui.visuals().warn_fg_color);
    }
    if let Some(chosen) = inspector.region {
        outlined(chosen, 2.0, ui.visuals().hyperlink_color);
    }
    if let Some(lit) = inspector.lit.filter(|_| inspector.open) {
        outlined(lit, 3.0, ui.visuals().error_fg_color);
    }
    let Some(hovered) = look.hovered else {
        return;
    };
    let Some(region) = region_in(look, place, [hovered.row, hovered.column]) else {
        return;
    };
    let centre = region.center();
    let line = Stroke::new(1.0, Color32::from_white_alpha(150));
    painter.hline(place.left()..=region.left(), centre.y, line);
    painter.hline(region.right()..=place.right(), centre.y, line);
    painter.vline(centre.x, place.top()..=region.top(), line);
    painter.vline(centre.x, region.bottom()..=place.bottom(), line);
    ring(painter, region, 1.5, Color32::WHITE);
}

/// Where a region lies in a panel at `place`, where the grid has it.
fn region_in(look: Look<'_>, place: Rect, [row, column]: [usize; 2]) -> Option<Rect> {
    let comparison = look.state.shown_comparison()?;
    let (grid, covered) = (comparison.grid, comparison.covered);
    (row < grid.rows && column < grid.columns).then(|| {
        let whole = look.state.view.whole(place);
        rect_in(whole, region_rect(grid, covered, row, column))
    })
}

fn ring(painter: &egui::Painter, rect: Rect, width: f32, colour: Color32) {
    let outline = [
        rect.left_top(),
        rect.right_top(),
        rect.right_bottom(),
        rect.left_bottom(),
        rect.left_top(),
    ];
    two_tone(painter, outline.to_vec(), width, colour);
}
