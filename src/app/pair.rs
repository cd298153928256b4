//! Two variants of one label on one photo: left and right of a divider, or one less the other.

use egui::{EventFilter, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::layer::Layer;
use super::panel::{self, Look, PanelAction, Subject};
use super::panel_captions::captions;
use super::panel_lines::crosshair;
use super::single::{steps, title};
use super::state::{AppState, HoveredRegion};
use super::textures::Textures;

/// How far one press of an arrow key moves the divider.
const DIVIDER_STEP: f32 = 0.05;

/// The A/B slider; returns the region under the pointer.
pub fn slider(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    actions: &mut Vec<PanelAction>,
) -> Option<HoveredRegion> {
    let (across, down) = steps(ui);
    if down != 0 {
        state.step_label(down);
    }
    if across != 0 {
        let place = state.view.divider + across as f32 * DIVIDER_STEP;
        actions.push(PanelAction::Divider(place));
    }
    let label = state.chosen_label()?;
    let first = Subject::new(label, state.chosen_variant()?);
    let second = Subject::new(label, state.other_variant()?);
    let space = ui.available_rect_before_wrap();
    let place = panel::alone(ui, state, textures, &[first, second], space);
    let x = egui::lerp(place.x_range(), state.view.divider);
    let (left, right) = place.split_left_right_at_x(x);
    let is_left = ui.ctx().pointer_hover_pos().is_some_and(|at| at.x < x);
    let variant = if is_left { first } else { second }.variant;
    let hovered = panel::hovered_in(ui, state, place, label, Some(variant));
    let look = Look {
        state,
        textures,
        hovered,
    };
    slider_titles(ui, look, first, second, place, space);
    let (id_a, id_b) = (ui.scope_id().with("A"), ui.scope_id().with("B"));
    for (id, half, subject, align) in [
        (id_a, left, first, egui::Align::Min),
        (id_b, right, second, egui::Align::Max),
    ] {
        half_panel(ui, look, id, half, subject, place, align, actions);
    }
    crosshair(ui, look, place);
    divider(ui, state, place, x, actions);
    hovered
}

fn slider_titles(
    ui: &mut Ui,
    look: Look<'_>,
    first: Subject,
    second: Subject,
    place: Rect,
    space: Rect,
) {
    title(ui, look.state, first, place, space);
    let colour = ui.visuals().text_color();
    let font = egui::TextStyle::Body.resolve(ui.style());
    let at = pos2(place.right(), place.top() - panel::TITLE_HEIGHT / 2.0);
    let text = format!("in {}", second.variants_text());
    ui.painter()
        .text(at, egui::Align2::RIGHT_CENTER, text, font, colour);
}

/// One side of the divider: its own part of a panel that takes all of `place`.
#[expect(clippy::too_many_arguments, reason = "one place, one caller")]
fn half_panel(
    ui: &Ui,
    look: Look<'_>,
    id: egui::Id,
    half: Rect,
    subject: Subject,
    place: Rect,
    align: egui::Align,
    actions: &mut Vec<PanelAction>,
) {
    let mut own = Vec::new();
    let response = panel::interact(ui, look, id, half, &mut own);
    actions.extend(own.into_iter().map(|action| in_whole(action, half, place)));
    let text = panel::text(look.state, subject.label);
    let name = format!("{text} in {}", subject.variant.title());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    super::panel_menu::show(&response, look, subject, actions);
    if panel::picture(ui, look, subject, place, half) {
        let room = match align {
            egui::Align::Max => place.with_min_x(place.center().x + 4.0),
            _ => place.with_max_x(place.center().x - 4.0),
        };
        let value = captions(ui, look, subject, room, align);
        panel::tell_value(ui, look, &response, value);
    } else {
        panel::awaited(ui, look, subject, half);
    }
}

/// Zooming and panning of a half, in fractions of the whole panel.
fn in_whole(action: PanelAction, half: Rect, place: Rect) -> PanelAction {
    match action {
        PanelAction::Zoom { factor, at } => {
            let pointer = half.min + at * half.size();
            let at = (pointer - place.min) / place.size();
            PanelAction::Zoom { factor, at }
        }
        PanelAction::Pan(by) => PanelAction::Pan(by * half.size() / place.size()),
        other => other,
    }
}

fn divider(ui: &Ui, state: &AppState, place: Rect, x: f32, actions: &mut Vec<PanelAction>) {
    let grip = Rect::from_center_size(pos2(x, place.center().y), vec2(16.0, place.height()));
    let id = ui.scope_id().with("divider");
    let response = ui.interact(grip, id, Sense::click_and_drag());
    let percent = f64::from(state.view.divider * 100.0).round();
    response.widget_info(|| WidgetInfo::slider(true, percent, "Divider"));
    if let Some(pointer) = response
        .interact_pointer_pos()
        .filter(|_| response.dragged())
    {
        let to = (pointer.x - place.left()) / place.width();
        if to.clamp(0.0, 1.0) != state.view.divider {
            actions.push(PanelAction::Divider(to));
        }
    }
    if response.has_focus() {
        let filter = EventFilter {
            horizontal_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        let across = ui.input(|input| {
            let count = |key| input.num_presses(key) as f32;
            count(egui::Key::ArrowRight) - count(egui::Key::ArrowLeft)
        });
        if across != 0.0 {
            actions.push(PanelAction::Divider(
                state.view.divider + across * DIVIDER_STEP,
            ));
        }
    }
    if response.hovered() || response.dragged() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
    }
    let painter = ui.painter();
    let line = place.y_range();
    painter.vline(
        x,
        line,
        Stroke::new(4.0, egui::Color32::from_black_alpha(140)),
    );
    painter.vline(x, line, Stroke::new(2.0, egui::Color32::WHITE));
    let knob = pos2(x, place.center().y);
    let marked = response.has_focus() || response.hovered();
    let ring = if marked {
        ui.visuals().hyperlink_color
    } else {
        egui::Color32::from_black_alpha(140)
    };
    painter.circle(knob, 7.0, egui::Color32::WHITE, Stroke::new(2.0, ring));
}

/// The difference of two variants in σ; returns the region under the pointer.
pub fn difference(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &mut Textures,
    actions: &mut Vec<PanelAction>,
) -> Option<HoveredRegion> {
    let (across, down) = steps(ui);
    if down != 0 {
        state.step_label(down);
    }
    if across != 0 {
        state.step_variant(across);
    }
    let (label, variant) = (state.chosen_label()?, state.chosen_variant()?);
    let subject = Subject {
        layer: Layer::Less(state.other_variant()?),
        ..Subject::new(label, variant)
    };
    let space = ui.available_rect_before_wrap();
    let place = panel::alone(ui, state, textures, &[subject], space);
    let hovered = panel::hovered_in(ui, state, place, label, Some(variant));
    let look = Look {
        state,
        textures,
        hovered,
    };
    title(ui, state, subject, place, space);
    panel::show(ui, look, subject, place, actions);
    hovered
}
