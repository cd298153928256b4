//! The grid of panels: labels by variants, either way round.

use std::ops::Range;

use egui::{Rect, ScrollArea, Sense, Ui, Vec2, pos2, vec2};

use super::layer::Layer;
use super::panel::{self, CAPTION_HEIGHT, Look, PanelAction, Subject, TITLE_HEIGHT};
use super::state::{AppState, HoveredRegion};
use super::textures::Textures;
use super::theme::GAP;
use super::variants;
use super::view::LabelsAs;
use crate::model::VariantId;

/// Height of a variant's name over its row, in points.
const VARIANT_HEIGHT: f32 = 20.0;
/// Lower panels than this are not worth turning the grid for.
const LOWEST_IN_COLUMNS: f32 = 100.0;

/// What stands in a column, or in a row where labels are columns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Input,
    Layer(VariantId, Layer),
}

impl Column {
    /// All of them: the parts of the chosen network stand behind it.
    fn of(state: &AppState) -> Vec<Self> {
        let mut columns = Vec::new();
        if state.show_input {
            columns.push(Self::Input);
        }
        for variant in state.shown_variants() {
            columns.push(Self::Layer(variant, Layer::Response));
            if state.chosen_variant() == Some(variant) {
                let parts = state.shown_parts(variant).into_iter();
                columns.extend(parts.map(|part| Self::Layer(variant, Layer::Part(part))));
                if state.inspector.occlusion.in_grid && state.slid().is_some() {
                    columns.push(Self::Layer(variant, Layer::Occlusion));
                }
            }
        }
        columns
    }

    fn variant(self) -> Option<VariantId> {
        match self {
            Self::Input => None,
            Self::Layer(variant, _) => Some(variant),
        }
    }

    fn subject(self, label: usize) -> Option<Subject> {
        match self {
            Self::Input => None,
            Self::Layer(variant, layer) => Some(Subject {
                layer,
                ..Subject::new(label, variant)
            }),
        }
    }

    fn title(self) -> String {
        match self {
            Self::Input => "Input".to_owned(),
            Self::Layer(variant, Layer::Part(part)) => {
                format!("{}, {}", part.title(), variant.title())
            }
            Self::Layer(variant, Layer::Occlusion) => format!("Occlusion, {}", variant.title()),
            Self::Layer(variant, _) => variant.title().to_owned(),
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Layer(_, Layer::Part(part)) => part.sentence(),
            Self::Layer(_, Layer::Occlusion) => {
                "How far the score falls when each place of the photo is covered"
            }
            other => variants::variant_sentence(other.variant()),
        }
    }
}

/// Where the panels stand.
struct Plan {
    variants: Vec<Column>,
    /// Places in the list of labels.
    labels: Vec<usize>,
    labels_as_columns: bool,
    panel: Vec2,
}

impl Plan {
    fn new(state: &AppState, space: Vec2, heading: f32) -> Self {
        let variants = Column::of(state);
        let labels = state.shown_labels();
        let aspect = state
            .shown_photo()
            .map_or(4.0 / 3.0, |photo| photo.aspect());
        let plan = |labels_as_columns, panel: Vec2| Self {
            variants: variants.clone(),
            labels: labels.clone(),
            labels_as_columns,
            panel: panel_size(panel, aspect, state.panel_size),
        };
        let beneath = space - vec2(0.0, heading);
        let rows = plan(false, room_in_rows(beneath, variants.len(), labels.len()));
        let columns = plan(true, room_in_columns(space, variants.len(), labels.len()));
        match state.view.labels_as {
            LabelsAs::Rows => rows,
            LabelsAs::Columns => columns,
            LabelsAs::Automatic => {
                let narrow = aspect < 1.0 || variants.len() == 1;
                let tall_enough = columns.panel.y >= LOWEST_IN_COLUMNS;
                if narrow && tall_enough && columns.is_better_than(&rows, space, beneath) {
                    columns
                } else {
                    rows
                }
            }
        }
    }

    /// Whether it shows more panels, or as many larger ones, without leaving much more of the
    /// window empty.
    fn is_better_than(&self, other: &Self, space: Vec2, others_space: Vec2) -> bool {
        let (one, other) = (self.shows(space), other.shows(others_space));
        let area = |(count, each): (usize, usize)| count * each;
        one > other && 5 * area(one) >= 4 * area(other)
    }

    /// How many whole panels are in view, and how many square points each has.
    fn shows(&self, space: Vec2) -> (usize, usize) {
        let length = if self.labels_as_columns {
            space.x
        } else {
            space.y
        };
        let labels = ((length + GAP) / self.step()).floor().max(0.0) as usize;
        let count = labels.min(self.labels.len()) * self.variants.len();
        (count, (self.panel.x * self.panel.y) as usize)
    }

    /// From one label's panels to the next.
    fn step(&self) -> f32 {
        if self.labels_as_columns {
            self.panel.x + GAP
        } else {
            TITLE_HEIGHT + self.panel.y + CAPTION_HEIGHT
        }
    }

    fn size(&self) -> Vec2 {
        let (variants, labels) = (self.variants.len() as f32, self.labels.len() as f32);
        if self.labels_as_columns {
            let row = VARIANT_HEIGHT + self.panel.y + CAPTION_HEIGHT;
            vec2(labels * self.step(), TITLE_HEIGHT + variants * row)
        } else {
            let width = variants * (self.panel.x + GAP) - GAP;
            vec2(width, labels * self.step())
        }
    }

    /// A panel's place, from the corner of the grid.
    fn place(&self, label: usize, variant: usize) -> Rect {
        let (label, variant) = (label as f32, variant as f32);
        let corner = if self.labels_as_columns {
            let row = VARIANT_HEIGHT + self.panel.y + CAPTION_HEIGHT;
            let top = TITLE_HEIGHT + variant * row + VARIANT_HEIGHT;
            pos2(label * self.step(), top)
        } else {
            let left = variant * (self.panel.x + GAP);
            pos2(left, label * self.step() + TITLE_HEIGHT)
        };
        Rect::from_min_size(corner, self.panel)
    }

    /// A label's title, from the corner of the grid.
    fn title(&self, label: usize, width: f32) -> Rect {
        let along = label as f32 * self.step();
        if self.labels_as_columns {
            Rect::from_min_size(pos2(along, 0.0), vec2(self.panel.x, TITLE_HEIGHT))
        } else {
            Rect::from_min_size(pos2(0.0, along), vec2(width, TITLE_HEIGHT))
        }
    }

    /// The labels of which something is in view.
    fn in_view(&self, viewport: Rect) -> Range<usize> {
        let (from, to) = if self.labels_as_columns {
            (viewport.left(), viewport.right())
        } else {
            (viewport.top(), viewport.bottom())
        };
        let first = (from / self.step()).floor().max(0.0) as usize;
        let last = (to / self.step()).ceil().max(0.0) as usize;
        let count = self.labels.len();
        first.min(count)..last.min(count)
    }
}

/// The most a panel may take where labels are rows: all variants side by side, two rows in view.
fn room_in_rows(space: Vec2, variants: usize, labels: usize) -> Vec2 {
    let count = variants.max(1) as f32;
    let rows = labels.clamp(1, 2) as f32;
    vec2(
        (space.x - GAP * (count - 1.0)) / count,
        space.y / rows - TITLE_HEIGHT - CAPTION_HEIGHT,
    )
}

/// The most a panel may take where labels are columns: all variants one below the other, two
/// columns in view.
fn room_in_columns(space: Vec2, variants: usize, labels: usize) -> Vec2 {
    let columns = labels.clamp(1, 2) as f32;
    vec2(
        space.x / columns - GAP,
        (space.y - TITLE_HEIGHT) / variants.max(1) as f32 - VARIANT_HEIGHT - CAPTION_HEIGHT,
    )
}

fn panel_size(room: Vec2, aspect: f32, part: f32) -> Vec2 {
    let fitting = room.x.min(room.y.max(60.0) * aspect);
    let width = (fitting * part).max(48.0).floor();
    vec2(width, (width / aspect).max(1.0).round())
}

/// The grid; returns the region under the pointer.
pub fn show(
    ui: &mut Ui,
    state: &AppState,
    textures: &mut Textures,
    actions: &mut Vec<PanelAction>,
) -> Option<HoveredRegion> {
    let bar = ui.spacing().scroll.allocated_width();
    let heading = ui.spacing().interact_size.y + ui.spacing().item_spacing.y;
    let space = ui.available_size() - vec2(bar, 0.0);
    let plan = Plan::new(state, space, heading);
    let scroll = if plan.labels_as_columns {
        ui.style_mut().always_scroll_the_only_direction = true;
        let too_high = plan.size().y > ui.available_height();
        ScrollArea::new([true, too_high])
    } else {
        column_titles(ui, &plan);
        ScrollArea::vertical()
    };
    scroll
        .id_salt(plan.labels_as_columns)
        .auto_shrink(false)
        .show_viewport(ui, |ui, viewport| {
            panels(ui, state, textures, &plan, viewport, actions)
        })
        .inner
}

fn column_titles(ui: &mut Ui, plan: &Plan) {
    let height = ui.spacing().interact_size.y;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    for (index, variant) in plan.variants.iter().enumerate() {
        let left = rect.left() + plan.place(0, index).left();
        let place = Rect::from_min_size(pos2(left, rect.top()), vec2(plan.panel.x, height));
        column_title(ui, *variant, place);
    }
}

fn column_title(ui: &mut Ui, column: Column, place: Rect) {
    let title = egui::RichText::new(column.title()).strong();
    let label = egui::Label::new(title).truncate();
    ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| {
        ui.add(label).on_hover_text(column.sentence());
    });
}

/// Lays out, prepares and paints the panels in view; returns the region under the pointer.
fn panels(
    ui: &mut Ui,
    state: &AppState,
    textures: &mut Textures,
    plan: &Plan,
    viewport: Rect,
    actions: &mut Vec<PanelAction>,
) -> Option<HoveredRegion> {
    let width = plan.size().x.max(ui.available_width());
    let size = vec2(width, plan.size().y);
    let corner = ui.allocate_exact_size(size, Sense::hover()).0.min.to_vec2();
    reveal_new(ui, plan, corner);
    let mut placed = Vec::new();
    for index in plan.in_view(viewport) {
        for (at, column) in plan.variants.iter().enumerate() {
            let place = plan.place(index, at).translate(corner);
            placed.push((plan.labels[index], *column, place));
        }
    }
    let subjects: Vec<Subject> = placed
        .iter()
        .filter_map(|&(label, column, _)| column.subject(label))
        .collect();
    panel::prepare(
        ui,
        state,
        textures,
        &subjects,
        plan.panel,
        state.view.part(),
    );
    let hovered = placed.iter().find_map(|&(label, column, place)| {
        panel::hovered_in(ui, state, place, label, column.variant())
    });
    titles(ui, state, plan, viewport, corner);
    let look = Look {
        state,
        textures,
        hovered,
    };
    for (label, column, place) in placed {
        match column.subject(label) {
            None => panel::input_panel(ui, look, label, place, actions),
            Some(subject) => panel::show(ui, look, subject, place, actions),
        }
    }
    hovered
}

/// Scrolls to the first of the labels that were added since the last frame: somebody wants to see
/// them.
fn reveal_new(ui: &Ui, plan: &Plan, corner: Vec2) {
    let count = plan.labels.len();
    let known = ui.scope_id().with("labels known");
    let before = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or(known, count), count));
    if before > 0 && count > before {
        let panel = plan.place(before, 0);
        let title = plan.title(before, panel.width());
        ui.scroll_to_rect(panel.union(title).translate(corner), None);
    }
}

/// The labels over their panels; where they are columns, the variants over their rows too.
fn titles(ui: &mut Ui, state: &AppState, plan: &Plan, viewport: Rect, corner: Vec2) {
    let width = plan.size().x.max(viewport.width());
    for index in plan.in_view(viewport) {
        let place = plan.title(index, width).translate(corner);
        panel::title(ui, state, plan.labels[index], "", place);
    }
    if plan.labels_as_columns {
        for (row, variant) in plan.variants.iter().enumerate() {
            let top = plan.place(0, row).top() - VARIANT_HEIGHT;
            let at = pos2(viewport.left().max(0.0), top) + corner;
            let place = Rect::from_min_size(at, vec2(viewport.width(), VARIANT_HEIGHT));
            column_title(ui, *variant, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(labels_as_columns: bool, panel: Vec2, labels: usize) -> Plan {
        Plan {
            variants: VariantId::PAPER
                .map(|variant| Column::Layer(variant, Layer::Response))
                .to_vec(),
            labels: (0..labels).collect(),
            labels_as_columns,
            panel,
        }
    }

    #[test]
    fn two_rows_of_a_portrait_photo_are_in_view() {
        let space = vec2(780.0, 500.0);
        let panel = panel_size(room_in_rows(space, 4, 3), 0.66, 1.0);
        let plan = plan(false, panel, 3);
        assert!(2.0 * plan.step() <= space.y + 1.0);
        assert_eq!(plan.shows(space).0, 8);
    }

    #[test]
    fn panels_do_not_overlap_either_way_round() {
        for columns in [false, true] {
            let plan = plan(columns, vec2(120.0, 90.0), 3);
            let whole = Rect::from_min_size(pos2(0.0, 0.0), plan.size());
            let mut seen: Vec<Rect> = Vec::new();
            for (label, variant) in (0..12).map(|i| (i / 4, i % 4)) {
                let place = plan.place(label, variant);
                assert!(whole.contains_rect(place), "{place:?} in {whole:?}");
                assert!(seen.iter().all(|other| !other.intersects(place)));
                seen.push(place);
            }
        }
    }

    #[test]
    fn columns_are_chosen_for_portrait_photos_when_they_fill_the_window() {
        let space = vec2(1420.0, 900.0);
        let better = |labels: usize| {
            let rows = panel_size(room_in_rows(space, 4, labels), 0.66, 1.0);
            let columns = panel_size(room_in_columns(space, 4, labels), 0.66, 1.0);
            let rows = plan(false, rows, labels);
            plan(true, columns, labels).is_better_than(&rows, space, space)
        };
        assert!(better(12), "48 small panels instead of 8");
        assert!(!better(4), "most of the window would stay empty");
    }

    #[test]
    fn only_labels_in_view_are_made() {
        let plan = plan(true, vec2(92.0, 70.0), 50);
        let viewport = Rect::from_min_size(pos2(250.0, 0.0), vec2(400.0, 300.0));
        assert_eq!(plan.in_view(viewport), 2..7);
    }
}
