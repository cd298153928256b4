//! One large panel, with small ones below it to change to.

use egui::{Color32, Rect, Role, ScrollArea, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::layer::Layer;
use super::panel::{self, Look, PanelAction, Subject};
use super::photo_part::WHOLE;
use super::state::{AppState, HoveredRegion};
use super::textures::Textures;
use super::theme::GAP;
use crate::model::VariantId;

const SMALL_HEIGHT: f32 = 60.0;
const NAME_HEIGHT: f32 = 16.0;
/// Room for the name of a variant.
const NARROWEST: f32 = 54.0;

/// The large panel and the strip below it; returns the region under the pointer.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    small: &mut Textures,
    actions: &mut Vec<PanelAction>,
) -> Option<HoveredRegion> {
    arrow_keys(ui, state);
    let (label, variant) = (state.chosen_label()?, state.chosen_variant()?);
    let subject = Subject::new(label, variant);
    let bar = ui.spacing().scroll.allocated_width();
    let strip_height = SMALL_HEIGHT + NAME_HEIGHT + bar + 2.0 * GAP;
    let space = ui.available_rect_before_wrap();
    let (above, strip) = space.split_top_bottom_at_y(space.bottom() - strip_height);
    let place = panel::alone(ui, state, textures, &[subject], above);
    let hovered = panel::hovered_in(ui, state, place, label, Some(variant));
    let look = Look {
        state,
        textures,
        hovered,
    };
    title(ui, state, subject, place, above);
    panel::show(ui, look, subject, place, actions);
    let strip = strip.with_min_y(strip.top() + GAP);
    ui.scope_builder(egui::UiBuilder::new().max_rect(strip), |ui| {
        others(ui, state, small, subject, actions);
    });
    hovered
}

/// The line over a panel that stands alone.
pub fn title(ui: &mut Ui, state: &AppState, subject: Subject, place: Rect, space: Rect) {
    let line = Rect::from_min_max(
        egui::pos2(place.left(), space.top()),
        egui::pos2(place.right().max(place.left() + 260.0), place.top()),
    );
    let more = format!("in {}", subject.variants_text());
    panel::title(ui, state, subject.label, &more, line);
}

/// Arrow keys change the label and the variant, unless something else has the keyboard.
fn arrow_keys(ui: &Ui, state: &mut AppState) {
    let (across, down) = steps(ui);
    if down != 0 {
        state.step_label(down);
    }
    if across != 0 {
        state.step_variant(across);
    }
}

/// How often arrow keys were pressed to the right and down while nothing has the keyboard.
pub fn steps(ui: &Ui) -> (isize, isize) {
    if ui.ctx().memory(|memory| memory.focused().is_some()) {
        return (0, 0);
    }
    ui.input_mut(|input| {
        let mut count = |key| input.count_and_consume_key(egui::Modifiers::NONE, key) as isize;
        let across = count(egui::Key::ArrowRight) - count(egui::Key::ArrowLeft);
        let down = count(egui::Key::ArrowDown) - count(egui::Key::ArrowUp);
        (across, down)
    })
}

/// The same label in every variant, then every label in the same variant.
struct Strip {
    chosen: Subject,
    variants: Vec<VariantId>,
    labels: Vec<usize>,
    picture: Vec2,
}

impl Strip {
    fn new(state: &AppState, chosen: Subject) -> Self {
        let aspect = state
            .shown_photo()
            .map_or(4.0 / 3.0, |photo| photo.aspect());
        let width = (SMALL_HEIGHT * aspect).clamp(40.0, 160.0).round();
        Self {
            chosen,
            variants: state.shown_variants(),
            labels: state.shown_labels(),
            picture: vec2(width, SMALL_HEIGHT),
        }
    }

    fn step(&self) -> f32 {
        self.picture.x.max(NARROWEST) + GAP
    }

    /// Where a picture begins.
    fn left(&self, index: usize) -> f32 {
        let labels_apart = if index < self.variants.len() {
            0.0
        } else {
            2.0 * GAP
        };
        let in_cell = (self.step() - GAP - self.picture.x) / 2.0;
        index as f32 * self.step() + labels_apart + in_cell
    }

    fn subject(&self, index: usize) -> Subject {
        let mut subject = self.chosen;
        if let Some(&variant) = self.variants.get(index) {
            subject.variant = variant;
        } else if let Some(&label) = self.labels.get(index - self.variants.len()) {
            subject.label = label;
        }
        subject
    }
}

fn others(
    ui: &mut Ui,
    state: &AppState,
    small: &mut Textures,
    chosen: Subject,
    actions: &mut Vec<PanelAction>,
) {
    let strip = Strip::new(state, chosen);
    let count = strip.variants.len() + strip.labels.len();
    ui.style_mut().always_scroll_the_only_direction = true;
    let scroll = ScrollArea::horizontal().auto_shrink(false);
    scroll.show_viewport(ui, |ui, viewport| {
        let whole = vec2(strip.left(count), SMALL_HEIGHT + NAME_HEIGHT);
        let corner = ui.allocate_exact_size(whole, Sense::hover()).0.min;
        let in_view: Vec<usize> = (0..count)
            .filter(|&index| {
                let left = strip.left(index);
                left + strip.step() > viewport.left() && left < viewport.right()
            })
            .collect();
        let subjects: Vec<Subject> = in_view.iter().map(|&i| strip.subject(i)).collect();
        panel::prepare(ui, state, small, &subjects, strip.picture, WHOLE);
        for index in in_view {
            let at = corner + vec2(strip.left(index), 0.0);
            let place = Rect::from_min_size(at, strip.picture);
            thumbnail(ui, state, small, &strip, index, place, actions);
        }
    });
}

fn thumbnail(
    ui: &mut Ui,
    state: &AppState,
    small: &Textures,
    strip: &Strip,
    index: usize,
    place: Rect,
    actions: &mut Vec<PanelAction>,
) {
    let subject = strip.subject(index);
    let names_variant = index < strip.variants.len();
    let Subject { label, variant, .. } = subject;
    let text = panel::text(state, label);
    let id = ui.scope_id().with((text, variant, names_variant));
    let response = ui.interact(place, id, Sense::click());
    let name = match names_variant {
        true => format!("Show in {}", variant.title()),
        false => format!("Show {text}"),
    };
    let is_chosen = subject == strip.chosen;
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_chosen, &name));
    let key = (text.to_owned(), variant, Layer::Response);
    let painter = ui.painter_at(place.expand(2.0));
    let map = state.map(text, variant);
    match map.and_then(|map| small.panel(&key, map, None, WHOLE)) {
        Some(panel) => _ = painter.image(panel.texture.id(), place, WHOLE, Color32::WHITE),
        None => _ = painter.rect_filled(place, 0.0, ui.visuals().faint_bg_color),
    }
    if is_chosen || response.hovered() || response.has_focus() {
        let width = if is_chosen { 2.0 } else { 1.0 };
        let stroke = Stroke::new(width, ui.visuals().hyperlink_color);
        painter.rect_stroke(place, 0.0, stroke, egui::StrokeKind::Outside);
    }
    let under = Rect::from_center_size(
        place.center_bottom() + vec2(0.0, NAME_HEIGHT / 2.0),
        vec2(place.width().max(NARROWEST), NAME_HEIGHT),
    );
    let shown = if names_variant { variant.title() } else { text };
    let shown = egui::RichText::new(shown).small();
    ui.put(under, egui::Label::new(shown).truncate().selectable(false));
    if response.clicked() {
        actions.push(PanelAction::MakeLarge(label, variant));
    }
}
