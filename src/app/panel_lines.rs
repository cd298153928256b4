//! Lines over a panel's picture: contours, outlines of regions, the crosshair.

use egui::{Color32, Rect, Stroke, Ui, vec2};

use super::panel::Look;
use super::read_out::region_rect;
use super::state::AppState;
use crate::engine::ResponseMap;
use crate::figure::contour::region_outlines;

/// A line that is seen on dark and on light ground.
fn two_tone(painter: &egui::Painter, points: Vec<egui::Pos2>, width: f32) {
    let dark = Stroke::new(width + 1.5, Color32::from_black_alpha(130));
    painter.line(points.clone(), dark);
    painter.line(points, Stroke::new(width, Color32::WHITE));
}

/// A contour line, its points in fractions of the panel.
pub fn contour(painter: &egui::Painter, place: Rect, points: &[[f32; 2]], closed: bool) {
    let ends = closed.then(|| points.first()).flatten();
    let points = points.iter().chain(ends);
    let points = points
        .map(|&[x, y]| place.lerp_inside(vec2(x, y)))
        .collect();
    two_tone(painter, points, 1.0);
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

/// The same region in every panel: its outline, and lines from it to the panel's edges.
pub fn crosshair(ui: &Ui, look: Look<'_>, place: Rect) {
    let (Some(hovered), Some(comparison)) = (look.hovered, look.state.shown_comparison()) else {
        return;
    };
    let (grid, covered) = (comparison.grid, comparison.covered);
    let region = rect_in(
        look.state.view.whole(place),
        region_rect(grid, covered, hovered.row, hovered.column),
    );
    let painter = &ui.painter_at(place);
    let centre = region.center();
    let line = Stroke::new(1.0, Color32::from_white_alpha(150));
    painter.hline(place.left()..=region.left(), centre.y, line);
    painter.hline(region.right()..=place.right(), centre.y, line);
    painter.vline(centre.x, place.top()..=region.top(), line);
    painter.vline(centre.x, region.bottom()..=place.bottom(), line);
    let outline = [
        region.left_top(),
        region.right_top(),
        region.right_bottom(),
        region.left_bottom(),
        region.left_top(),
    ];
    two_tone(painter, outline.to_vec(), 1.5);
}
