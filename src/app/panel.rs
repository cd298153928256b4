//! One panel: a map over the photo, its lines, its captions, and what the pointer does in it.

use egui::{Color32, Id, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::layer::Layer;
use super::panel_captions::captions;
use super::panel_lines::{contour, crosshair, marks};
use super::panel_menu;
use super::read_out::region_at;
use super::state::{AppState, HoveredRegion};
use super::textures::{PanelKey, Textures, WantedPanel};
use super::theme;
use crate::figure::scale::{Scale, panel_scale};
use crate::model::VariantId;

/// Height of the line over a panel or a row of panels, in points.
pub const TITLE_HEIGHT: f32 = 24.0;
/// Height of the two lines under a panel, in points.
pub const CAPTION_HEIGHT: f32 = 30.0;

/// What a panel shows: a label in a variant, or that less the same in another variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject {
    /// Place in the list of labels.
    pub label: usize,
    pub variant: VariantId,
    pub layer: Layer,
}

impl Subject {
    /// A label in a variant.
    pub fn new(label: usize, variant: VariantId) -> Self {
        Self {
            label,
            variant,
            layer: Layer::Response,
        }
    }

    fn key(self, state: &AppState) -> PanelKey {
        (text(state, self.label).to_owned(), self.variant, self.layer)
    }

    /// The variants' names: `BiAM`, `BiAM − RCB`.
    pub fn variants_text(self) -> String {
        match self.layer {
            Layer::Less(less) => format!("{} − {}", self.variant.title(), less.title()),
            _ => self.variant.title().to_owned(),
        }
    }

    fn name(self, state: &AppState) -> String {
        let name = format!("{} in {}", text(state, self.label), self.variants_text());
        match self.layer {
            Layer::Part(part) => format!("{}: {name}", part.title()),
            Layer::Occlusion => format!("Occlusion: {name}"),
            _ => name,
        }
    }

    pub(super) fn scale(self, state: &AppState) -> Scale {
        let label = text(state, self.label);
        let ranges = &state.display.ranges;
        match self.layer {
            Layer::Less(_) => ranges.difference(),
            _ => state
                .layer_scale(label, self.variant, self.layer)
                .unwrap_or_else(|| ranges.sigma()),
        }
    }
}

/// The text of the label at a place in the list.
pub fn text(state: &AppState, label: usize) -> &str {
    state
        .labels
        .labels()
        .get(label)
        .map_or("", |label| label.as_str())
}

/// What was done in a panel; carried out when all of them are painted.
#[derive(Clone, Debug)]
pub enum PanelAction {
    /// Magnify by a factor, keeping a place given in fractions of the panel.
    Zoom {
        factor: f32,
        at: Vec2,
    },
    /// Move the photo by a part of the panel.
    Pan(Vec2),
    ResetZoom,
    MakeLarge(usize, VariantId),
    CompareWithNext(usize, VariantId),
    HideVariant(VariantId),
    HideLabel(usize),
    Save(usize, VariantId),
    Divider(f32),
    ChooseRegion(HoveredRegion),
}

/// Carries out what was done.
pub fn carry_out(actions: Vec<PanelAction>, state: &mut AppState) {
    for action in actions {
        match action {
            PanelAction::Zoom { factor, at } => state.view.zoom_at(factor, at),
            PanelAction::Pan(by) => state.view.pan(by),
            PanelAction::ResetZoom => state.view.reset_zoom(),
            PanelAction::MakeLarge(label, variant) => state.make_large(label, variant),
            PanelAction::CompareWithNext(label, variant) => state.compare_with_next(label, variant),
            PanelAction::HideVariant(variant) => state.toggle_variant(variant),
            PanelAction::HideLabel(label) => state.hide_label(label),
            PanelAction::Save(label, variant) => {
                let label = text(state, label).to_owned();
                state.begin_save(Some((label, variant)));
            }
            PanelAction::Divider(place) => state.view.divider = place.clamp(0.0, 1.0),
            PanelAction::ChooseRegion(HoveredRegion {
                row,
                column,
                label,
                variant,
            }) => state.choose_region([row, column], label, variant),
        }
    }
}

/// What panels are painted from.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub state: &'a AppState,
    pub textures: &'a Textures,
    pub hovered: Option<HoveredRegion>,
}

/// A size in points as pixels of the screen.
pub fn pixels(ui: &Ui, size: Vec2) -> [u32; 2] {
    let size = size * ui.pixels_per_point();
    [
        size.x.round().max(1.0) as u32,
        size.y.round().max(1.0) as u32,
    ]
}

/// The largest panel with its title and captions in `space`, in its middle.
pub fn fit(space: Rect, aspect: f32) -> Rect {
    let most = vec2(
        space.width().max(60.0),
        (space.height() - TITLE_HEIGHT - CAPTION_HEIGHT).max(60.0),
    );
    let width = most.x.min(most.y * aspect).floor();
    let size = vec2(width, (width / aspect).max(1.0).round());
    let left = space.center().x - size.x / 2.0;
    Rect::from_min_size(pos2(left.round(), space.top() + TITLE_HEIGHT), size)
}

/// Where a panel stands alone in `space`, with the pictures that it shows.
pub fn alone(
    ui: &Ui,
    state: &AppState,
    textures: &mut Textures,
    subjects: &[Subject],
    space: Rect,
) -> Rect {
    let photo = state.shown_photo();
    let place = fit(space, photo.map_or(4.0 / 3.0, |photo| photo.aspect()));
    prepare(
        ui,
        state,
        textures,
        subjects,
        place.size(),
        state.view.part(),
    );
    place
}

/// Makes the pictures that are not there yet, at a size in points, of a part of the photo.
pub fn prepare(
    ui: &Ui,
    state: &AppState,
    textures: &mut Textures,
    subjects: &[Subject],
    size: Vec2,
    part: Rect,
) {
    if let Some(photo) = state.shown_photo() {
        textures.prepare_photo(ui.ctx(), photo, pixels(ui, size), part);
    }
    let Some(comparison) = state.shown_comparison() else {
        return;
    };
    let wanted: Vec<WantedPanel<'_>> = subjects
        .iter()
        .filter_map(|&subject| {
            let label = text(state, subject.label);
            let less = match subject.layer {
                Layer::Less(less) => Some(state.map(label, less)?),
                _ => None,
            };
            let scale = subject.scale(state);
            Some(WantedPanel {
                key: subject.key(state),
                map: state.layer_map(label, subject.variant, subject.layer)?,
                less,
                scale,
                style: state.display.style_on(&scale),
            })
        })
        .collect();
    textures.prepare(ui.ctx(), comparison, &wanted);
}

/// The scale of a label's responses in a variant.
pub fn scale_of(state: &AppState, label: &str, variant: VariantId) -> Scale {
    let Some(comparison) = state.shown_comparison() else {
        return state.display.ranges.sigma();
    };
    let variant = comparison.variants.iter().position(|&v| v == variant);
    let label = comparison.labels.iter().position(|l| l.text == label);
    let mode = state.display.scale.available(comparison);
    panel_scale(
        comparison,
        variant.unwrap_or(usize::MAX),
        label.unwrap_or(usize::MAX),
        mode,
        &state.display.ranges,
    )
}

/// The region under the pointer, when it is in the panel at `place`.
pub fn hovered_in(
    ui: &Ui,
    state: &AppState,
    place: Rect,
    label: usize,
    variant: Option<VariantId>,
) -> Option<HoveredRegion> {
    let comparison = state.shown_comparison()?;
    let pointer = ui.ctx().pointer_hover_pos()?;
    if !ui.rect_contains_pointer(place) {
        return None;
    }
    let whole = state.view.whole(place);
    let at = (pointer - whole.min) / whole.size();
    let (row, column) = region_at(comparison.grid, comparison.covered, at.x, at.y)?;
    Some(HoveredRegion {
        row,
        column,
        label,
        variant,
    })
}

/// Zooming and panning with the pointer in a panel at `place`, and choosing a region.
pub fn interact(
    ui: &Ui,
    look: Look<'_>,
    id: Id,
    place: Rect,
    actions: &mut Vec<PanelAction>,
) -> Response {
    // With the whole photo in view a finger's drag is left to scrolling.
    let sense = if look.state.view.zoom > 1.0 {
        Sense::click_and_drag()
    } else {
        Sense::click()
    };
    let response = ui.interact(place, id, sense);
    if let Some(pointer) = response.hover_pos() {
        let factor = ui.input(|input| input.zoom_delta());
        if (factor - 1.0).abs() > f32::EPSILON {
            let at = (pointer - place.min) / place.size();
            actions.push(PanelAction::Zoom { factor, at });
        }
    }
    let moved = response.drag_delta() != Vec2::ZERO;
    if moved && response.dragged_by(egui::PointerButton::Primary) {
        actions.push(PanelAction::Pan(response.drag_delta() / place.size()));
    }
    if response.double_clicked() {
        actions.push(PanelAction::ResetZoom);
    } else if let Some(hovered) = look.hovered.filter(|_| response.clicked()) {
        actions.push(PanelAction::ChooseRegion(hovered));
    }
    response
}

/// A panel of the photo alone.
pub fn input_panel(
    ui: &Ui,
    look: Look<'_>,
    label: usize,
    place: Rect,
    actions: &mut Vec<PanelAction>,
) {
    let id = ui.scope_id().with((label, "input"));
    let response = interact(ui, look, id, place, actions);
    let name = format!("Input beside {}", text(look.state, label));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    photo(ui, look, place, Color32::WHITE);
    crosshair(ui, look, place);
}

fn photo(ui: &Ui, look: Look<'_>, place: Rect, tint: Color32) {
    let painter = ui.painter();
    painter.rect_filled(place, 0.0, ui.visuals().faint_bg_color);
    let part = look.state.view.part();
    if let Some(photo) = look.state.shown_photo()
        && let Some((texture, part)) = look.textures.shown_photo(photo, part)
    {
        painter.image(texture, place, part, tint);
    }
}

/// A whole panel: picture, lines, captions, crosshair, menu.
pub fn show(
    ui: &Ui,
    look: Look<'_>,
    subject: Subject,
    place: Rect,
    actions: &mut Vec<PanelAction>,
) {
    let state = look.state;
    let name = subject.name(state);
    let id = ui.scope_id().with(&name);
    let response = interact(ui, look, id, place, actions);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    panel_menu::show(&response, look, subject, actions);
    if picture(ui, look, subject, place, place) {
        let value = captions(ui, look, subject, place, egui::Align::LEFT);
        tell_value(ui, look, &response, value);
    } else {
        awaited(ui, look, subject, place);
    }
    crosshair(ui, look, place);
}

/// A panel's caption for those who do not see it, while it is of the chosen photo.
pub fn tell_value(ui: &Ui, look: Look<'_>, response: &Response, value: String) {
    if look.state.is_current() {
        ui.ctx()
            .accesskit_node_builder(response.id, |node| node.set_value(value));
    }
}

/// The picture of a panel with its lines, as far as it lies in `clip`; false while it is awaited.
pub fn picture(ui: &Ui, look: Look<'_>, subject: Subject, place: Rect, clip: Rect) -> bool {
    let state = look.state;
    let label = text(state, subject.label);
    let Some(map) = state.layer_map(label, subject.variant, subject.layer) else {
        return false;
    };
    let less = match subject.layer {
        Layer::Less(less) => state.map(label, less),
        _ => None,
    };
    let part = state.view.part();
    let key = subject.key(state);
    let Some(picture) = look.textures.panel(&key, map, less, part) else {
        return false;
    };
    let painter = ui.painter_at(clip);
    let texture = picture.texture.id();
    painter.image(texture, place, picture.place_of(part), Color32::WHITE);
    let whole = state.view.whole(place);
    for line in &picture.contours {
        contour(&painter, whole, &line.points, line.closed);
    }
    if state.display.style.marks && subject.layer == Layer::Response {
        marks(&painter, state, map, whole);
    }
    true
}

/// The photo in grey stands in for a map that is still to come, or that cannot be had.
pub fn awaited(ui: &Ui, look: Look<'_>, subject: Subject, place: Rect) {
    photo(ui, look, place, Color32::from_white_alpha(90));
    let label = text(look.state, subject.label);
    let text = if look.state.refusal(label).is_some() {
        "no vector for this label"
    } else if look.state.replies.awaits_reply() {
        "computing…"
    } else {
        "not computed"
    };
    let font = egui::TextStyle::Small.resolve(ui.style());
    let colour = ui.visuals().weak_text_color();
    let at = place.center_bottom() + vec2(0.0, 3.0);
    ui.painter()
        .text(at, egui::Align2::CENTER_TOP, text, font, colour);
}

/// The label over a panel or a row, with its badge and what else there is to say.
pub fn title(ui: &mut Ui, state: &AppState, label: usize, more: &str, place: Rect) {
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let builder = egui::UiBuilder::new().max_rect(place).layout(layout);
    let label = text(state, label);
    ui.scope_builder(builder, |ui| {
        let heading = egui::RichText::new(label).strong().italics();
        let kept = match (more.is_empty(), place.width() >= 130.0) {
            (true, false) => 0.0,
            (true, true) => 70.0,
            (false, _) => 170.0,
        };
        let most = (ui.available_width() - kept).max(30.0);
        ui.scope(|ui| {
            ui.set_max_width(most);
            ui.add(egui::Label::new(heading).truncate());
        });
        let has_room = place.width() >= 130.0;
        if let Some(status) = state.label_status(label).filter(|_| has_room) {
            theme::badge(ui, status);
        }
        if !more.is_empty() {
            ui.add(egui::Label::new(more).truncate());
        }
    });
}
