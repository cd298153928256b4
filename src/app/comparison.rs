//! The comparison in the centre: a grid of panels, labels by variants.

use egui::{Color32, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::read_out::{self, region_at, region_rect};
use super::state::{AppState, Pointed};
use super::textures::{Textures, Wanted};
use super::theme::{self, GAP};
use crate::backbone::Covered;
use crate::engine::{Grid, ResponseMap};
use crate::figure::caption::caption;
use crate::figure::contour::region_outlines;
use crate::figure::scale::{Scale, panel_scale};
use crate::model::Variant;

const TITLE_HEIGHT: f32 = 24.0;
const CAPTION_HEIGHT: f32 = 30.0;
const WHOLE: Rect = Rect {
    min: pos2(0.0, 0.0),
    max: pos2(1.0, 1.0),
};

/// Where the panels of every row stand.
struct Columns {
    /// `None` is the input photo.
    variants: Vec<Option<Variant>>,
    panel: Vec2,
}

impl Columns {
    fn new(state: &AppState, width: f32, height: f32) -> Self {
        let mut variants: Vec<Option<Variant>> = Vec::new();
        if state.show_input {
            variants.push(None);
        }
        variants.extend(state.shown_variants().into_iter().map(Some));
        let aspect = state.photo().map_or(4.0 / 3.0, |photo| photo.aspect());
        let count = variants.len().max(1) as f32;
        let widest = (width - GAP * (count - 1.0)) / count;
        let highest = (height - TITLE_HEIGHT - CAPTION_HEIGHT).max(80.0);
        let fitting = widest.min(highest * aspect);
        let panel_width = (fitting * state.panel_size).max(60.0).floor();
        Self {
            variants,
            panel: vec2(panel_width, (panel_width / aspect).max(1.0).round()),
        }
    }

    fn row_height(&self) -> f32 {
        TITLE_HEIGHT + self.panel.y + CAPTION_HEIGHT
    }

    fn left(&self, start: f32, column: usize) -> f32 {
        start + column as f32 * (self.panel.x + GAP)
    }

    fn panel_rect(&self, row: Rect, column: usize) -> Rect {
        let corner = pos2(self.left(row.left(), column), row.top() + TITLE_HEIGHT);
        Rect::from_min_size(corner, self.panel)
    }
}

/// The whole comparison, or what stands in its place.
pub fn show(ui: &mut Ui, state: &mut AppState, textures: &mut Textures) {
    state.pointed = None;
    if state.opening {
        hint(ui, "Opening…");
    } else if state.photos.chosen().is_none() {
        hint(ui, "Open a photo, or drop one here.");
    } else if let Some(reason) = state.answers.fatal.clone() {
        hint(ui, &reason);
    } else if state.photo().is_none() && !state.answers.owed() {
        hint(ui, "This photo could not be opened.");
    } else if state.labels.labels().is_empty() {
        photo_alone(ui, state, textures);
    } else {
        grid(ui, state, textures);
    }
}

fn hint(ui: &mut Ui, text: &str) {
    ui.centered_and_justified(|ui| ui.weak(text));
}

fn photo_alone(ui: &mut Ui, state: &AppState, textures: &mut Textures) {
    ui.label("Type a label on the right to see where each network responds to it.");
    let space = ui.available_rect_before_wrap();
    let Some(photo) = state.photo() else {
        ui.put(space, egui::Spinner::new());
        return;
    };
    let width = space.width().min(space.height() * photo.aspect());
    let size = vec2(width, width / photo.aspect());
    let rect = Rect::from_center_size(space.center(), size);
    let texture = textures.photo(ui.ctx(), photo, pixels(ui, size)).id();
    ui.painter().image(texture, rect, WHOLE, Color32::WHITE);
    let response = ui.interact(rect, ui.scope_id().with("photo"), Sense::hover());
    let name = format!("Photo {}", photo.source.name());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
}

fn pixels(ui: &Ui, size: Vec2) -> [u32; 2] {
    let size = size * ui.pixels_per_point();
    [
        size.x.round().max(1.0) as u32,
        size.y.round().max(1.0) as u32,
    ]
}

fn grid(ui: &mut Ui, state: &mut AppState, textures: &mut Textures) {
    let scroll_bar = ui.spacing().scroll.allocated_width();
    let width = ui.available_width() - scroll_bar;
    let heading = ui.spacing().interact_size.y;
    let height = ui.available_height() - heading - GAP;
    let columns = Columns::new(state, width, height);
    column_titles(ui, &columns);
    let count = state.labels.labels().len();
    let scroll = egui::ScrollArea::vertical().auto_shrink(false);
    let pointed = scroll
        .show_rows(ui, columns.row_height(), count, |ui, rows| {
            visible_rows(ui, state, textures, &columns, rows)
        })
        .inner;
    state.pointed = pointed;
}

fn column_titles(ui: &mut Ui, columns: &Columns) {
    let height = ui.spacing().interact_size.y;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    for (index, variant) in columns.variants.iter().enumerate() {
        let left = columns.left(rect.left(), index);
        let place = Rect::from_min_size(pos2(left, rect.top()), vec2(columns.panel.x, height));
        let title = variant.map_or("Input", Variant::title);
        let text = egui::RichText::new(title).strong();
        let label = egui::Label::new(text).truncate();
        ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| {
            ui.add(label).on_hover_text(variant_sentence(*variant));
        });
    }
}

fn variant_sentence(variant: Option<Variant>) -> &'static str {
    match variant {
        None => "The photo as it is",
        Some(Variant::Standard) => "Standard region features, without either block",
        Some(Variant::Rcb) => "Region-contextualised block alone: attention between regions",
        Some(Variant::Scb) => "Scene-contextualised block alone: channels gated by the scene",
        Some(Variant::Biam) => "Both blocks together: the full network",
    }
}

/// Lays out, prepares and paints the rows in view; returns the region under the pointer.
fn visible_rows(
    ui: &mut Ui,
    state: &AppState,
    textures: &mut Textures,
    columns: &Columns,
    rows: std::ops::Range<usize>,
) -> Option<Pointed> {
    let size = vec2(ui.available_width(), columns.row_height());
    let placed: Vec<(usize, Rect)> = rows
        .map(|label| (label, ui.allocate_exact_size(size, Sense::hover()).0))
        .collect();
    if let Some(photo) = state.photo() {
        textures.photo(ui.ctx(), photo, pixels(ui, columns.panel));
    }
    let labels: Vec<usize> = placed.iter().map(|(label, _)| *label).collect();
    prepare(ui, state, textures, columns, &labels);
    let pointed = placed
        .iter()
        .find_map(|&(label, rect)| pointed_in_row(ui, state, columns, label, rect));
    for (label, rect) in placed {
        row(ui, state, textures, columns, label, rect, pointed);
    }
    pointed
}

fn prepare(
    ui: &Ui,
    state: &AppState,
    textures: &mut Textures,
    columns: &Columns,
    labels: &[usize],
) {
    let Some(comparison) = state.comparison() else {
        return;
    };
    let mut wanted = Vec::new();
    for label in labels.iter().filter_map(|&l| state.labels.labels().get(l)) {
        for &variant in columns.variants.iter().flatten() {
            if let Some(map) = state.map(label, variant) {
                let scale = scale_of(state, label, variant);
                wanted.push(Wanted {
                    key: (label.clone(), variant),
                    map,
                    scale,
                    style: state.display.style_on(&scale),
                });
            }
        }
    }
    textures.prepare(ui.ctx(), comparison, &wanted);
}

fn scale_of(state: &AppState, label: &str, variant: Variant) -> Scale {
    let Some(comparison) = state.comparison() else {
        return Scale::SIGMA;
    };
    let variant = comparison.variants.iter().position(|&v| v == variant);
    let label = comparison.labels.iter().position(|l| l.text == label);
    let mode = state.display.scale.available(comparison);
    panel_scale(
        comparison,
        variant.unwrap_or(usize::MAX),
        label.unwrap_or(usize::MAX),
        mode,
        state.display.fixed,
    )
}

fn pointed_in_row(
    ui: &Ui,
    state: &AppState,
    columns: &Columns,
    label: usize,
    row: Rect,
) -> Option<Pointed> {
    let comparison = state.comparison()?;
    let pointer = ui.ctx().pointer_hover_pos()?;
    let column = (0..columns.variants.len())
        .find(|&column| ui.rect_contains_pointer(columns.panel_rect(row, column)))?;
    let place = (pointer - columns.panel_rect(row, column).min) / columns.panel;
    let (row, region_column) = region_at(comparison.grid, comparison.covered, place.x, place.y)?;
    Some(Pointed {
        row,
        column: region_column,
        label,
        variant: columns.variants[column],
    })
}

fn row(
    ui: &mut Ui,
    state: &AppState,
    textures: &Textures,
    columns: &Columns,
    label: usize,
    rect: Rect,
    pointed: Option<Pointed>,
) {
    let Some(label) = state.labels.labels().get(label) else {
        return;
    };
    row_title(ui, state, label, rect);
    for (index, variant) in columns.variants.iter().enumerate() {
        let place = columns.panel_rect(rect, index);
        match variant {
            None => input_panel(ui, state, textures, place),
            Some(variant) => panel(ui, state, textures, label, *variant, place, pointed),
        }
        if let (Some(pointed), Some(comparison)) = (pointed, state.comparison()) {
            crosshair(ui, place, comparison.grid, comparison.covered, pointed);
        }
    }
}

fn row_title(ui: &mut Ui, state: &AppState, label: &str, row: Rect) {
    let place = Rect::from_min_size(row.min, vec2(row.width(), TITLE_HEIGHT));
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let builder = egui::UiBuilder::new().max_rect(place).layout(layout);
    ui.scope_builder(builder, |ui| {
        let text = egui::RichText::new(label).strong().italics();
        let most = ui.available_width() - 70.0;
        ui.scope(|ui| {
            ui.set_max_width(most);
            ui.add(egui::Label::new(text).truncate());
        });
        if let Some(status) = state.label_status(label) {
            theme::badge(ui, status);
        }
    });
}

fn input_panel(ui: &Ui, state: &AppState, textures: &Textures, place: Rect) {
    match textures.shown_photo().filter(|_| state.photo().is_some()) {
        Some(photo) => {
            ui.painter().image(photo, place, WHOLE, Color32::WHITE);
        }
        None => {
            ui.painter()
                .rect_filled(place, 0.0, ui.visuals().faint_bg_color);
        }
    }
}

fn panel(
    ui: &Ui,
    state: &AppState,
    textures: &Textures,
    label: &str,
    variant: Variant,
    place: Rect,
    pointed: Option<Pointed>,
) {
    let response = ui.interact(place, ui.scope_id().with((label, variant)), Sense::hover());
    let map = state.map(label, variant);
    let picture = textures.panel(&(label.to_owned(), variant));
    let name = format!("{label} in {}", variant.title());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let (Some(map), Some(picture)) = (map, picture) else {
        awaited_panel(ui, state, textures, place);
        return;
    };
    let painter = ui.painter();
    painter.image(picture.texture.id(), place, WHOLE, Color32::WHITE);
    for line in &picture.contours {
        contour(painter, place, &line.points, line.closed);
    }
    if state.display.style.marks {
        marks(ui, state, map, place);
    }
    let scale = scale_of(state, label, variant);
    let text = captions(ui, state, map, &scale, place, pointed);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_value(text));
}

/// The photo in grey stands in for a map that is still to come.
fn awaited_panel(ui: &Ui, state: &AppState, textures: &Textures, place: Rect) {
    let painter = ui.painter();
    painter.rect_filled(place, 0.0, ui.visuals().faint_bg_color);
    if let Some(photo) = textures.shown_photo()
        && state.photo().is_some()
    {
        painter.image(photo, place, WHOLE, Color32::from_white_alpha(90));
    }
    let text = if state.answers.owed() {
        "computing…"
    } else {
        "not computed"
    };
    let font = egui::TextStyle::Small.resolve(ui.style());
    let colour = ui.visuals().weak_text_color();
    let at = place.center_bottom() + vec2(0.0, 3.0);
    painter.text(at, egui::Align2::CENTER_TOP, text, font, colour);
}

/// The lines under a panel: its best region, and the region under the pointer. Returns the first.
fn captions(
    ui: &Ui,
    state: &AppState,
    map: &ResponseMap,
    scale: &Scale,
    place: Rect,
    pointed: Option<Pointed>,
) -> String {
    let painter = ui.painter();
    let font = egui::TextStyle::Small.resolve(ui.style());
    let strong = ui.visuals().text_color();
    let layout = |text: &str, colour| painter.layout_no_wrap(text.to_owned(), font.clone(), colour);
    let fits = |text: &str| layout(text, strong).size().x <= place.width();
    let best = caption(map, scale);
    let colour = if best.faint {
        ui.visuals().weak_text_color()
    } else {
        strong
    };
    let galley = layout(best.fitting(fits), colour);
    let below = galley.size().y + 1.0;
    let at = place.left_bottom() + vec2(0.0, 2.0);
    painter.galley(at, galley, colour);
    if let (Some(pointed), Some(comparison)) = (pointed, state.comparison()) {
        let region = pointed.row * comparison.grid.columns + pointed.column;
        if let Some(reading) = read_out::read(map, region) {
            let lines = reading.lines();
            let line = lines.iter().find(|line| fits(line)).or(lines.last());
            let colour = ui.visuals().hyperlink_color;
            let galley = layout(line.map_or("", String::as_str), colour);
            painter.galley(at + vec2(0.0, below), galley, colour);
        }
    }
    best.text
}

/// A line that is seen on dark and on light ground.
fn two_tone(painter: &egui::Painter, points: Vec<egui::Pos2>, width: f32) {
    let dark = Stroke::new(width + 1.5, Color32::from_black_alpha(130));
    painter.line(points.clone(), dark);
    painter.line(points, Stroke::new(width, Color32::WHITE));
}

fn contour(painter: &egui::Painter, place: Rect, points: &[[f32; 2]], closed: bool) {
    let ends = closed.then(|| points.first()).flatten();
    let points = points.iter().chain(ends);
    let points = points
        .map(|&[x, y]| place.lerp_inside(vec2(x, y)))
        .collect();
    two_tone(painter, points, 1.0);
}

fn marks(ui: &Ui, state: &AppState, map: &ResponseMap, place: Rect) {
    let Some(comparison) = state.comparison() else {
        return;
    };
    let regions = map.pooled_regions(state.pooled_k());
    for outline in region_outlines(comparison.grid, comparison.covered, &regions) {
        let rect = rect_in(place, outline).shrink(0.5);
        let stroke = Stroke::new(1.0, Color32::WHITE);
        ui.painter()
            .rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Inside);
    }
}

fn rect_in(place: Rect, [x0, y0, x1, y1]: [f32; 4]) -> Rect {
    Rect::from_min_max(
        place.lerp_inside(vec2(x0, y0)),
        place.lerp_inside(vec2(x1, y1)),
    )
}

/// The same region in every panel: its outline, and lines from it to the panel's edges.
fn crosshair(ui: &Ui, place: Rect, grid: Grid, covered: Covered, pointed: Pointed) {
    let region = rect_in(
        place,
        region_rect(grid, covered, pointed.row, pointed.column),
    );
    let painter = ui.painter();
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
