//! The labels under comparison as chips: marked by a click, dragged to another place, renamed where
//! they stand, pinned, removed.

use egui::text::{CCursor, CCursorRange};
use egui::{Color32, Painter, Pos2, Rect, Response, Role, Sense, Stroke, TextEdit, Ui};
use egui::{WidgetInfo, pos2, vec2};

use super::commands::Command;
use super::labels::{keep_pasted_lines_apart, one_line};
use super::state::{AppState, MessageKind, Renaming};
use super::{menu, theme};
use crate::semantics::LabelStatus;

const CHIP_HEIGHT: f32 = 22.0;

/// What a chip's menu offers.
const COMMANDS: [Command; 5] = [
    Command::RenameLabel,
    Command::PinLabel,
    Command::MoveLabelLeft,
    Command::MoveLabelRight,
    Command::RemoveLabel,
];

/// How much of a label the model reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    InPart,
    None,
}

/// What of a label its vector is made without.
fn left_out<'s>(state: &'s AppState, label: &str) -> Option<&'s str> {
    state.label_facts(label)?.left_out.as_deref()
}

/// A chip that is being dragged.
struct Dragged(String);

/// All chips.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    let labels = state.labels.labels().to_vec();
    if let Some(renaming) = &state.fields.renaming
        && !labels.contains(&renaming.label)
    {
        state.fields.renaming = None;
    }
    egui::ScrollArea::vertical()
        .id_salt("chips")
        .max_height(150.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(5.0, 5.0);
                for (index, label) in labels.iter().enumerate() {
                    match state.fields.renaming.take_if(|r| r.label == *label) {
                        Some(renaming) => rename_field(ui, state, renaming),
                        None => chip(ui, state, index, label),
                    }
                }
            });
        });
}

/// The field that stands in a chip's place: Enter or a click elsewhere renames, Escape does not.
fn rename_field(ui: &mut Ui, state: &mut AppState, mut renaming: Renaming) {
    let id = ui.scope_id().with(("rename", &renaming.label));
    keep_pasted_lines_apart(ui, id);
    // As wide as the text, so that the other chips stay about where they were.
    let width = 30.0 + 7.0 * renaming.text.chars().count() as f32;
    let field = TextEdit::singleline(&mut renaming.text).id(id);
    let response = ui.add(field.desired_width(width.clamp(70.0, 180.0)));
    let name = format!("Rename {}", renaming.label);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label(name));
    if !renaming.begun {
        renaming.begun = true;
        response.request_focus();
        let mut edit = egui::text_edit::TextEditState::load(ui.ctx(), id).unwrap_or_default();
        let end = CCursor::new(renaming.text.chars().count());
        let all = CCursorRange::two(CCursor::new(0), end);
        edit.cursor.set_char_range(Some(all));
        edit.store(ui.ctx(), id);
    } else if response.lost_focus() {
        if !ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            rename(state, &renaming);
        }
        return;
    }
    response.on_hover_text("Enter renames the label, Escape leaves it as it is");
    state.fields.renaming = Some(renaming);
}

fn rename(state: &mut AppState, renaming: &Renaming) {
    let Renaming { label, text, .. } = renaming;
    let at = state.labels.position(label);
    if state.labels.rename(label, text) {
        let new = at.and_then(|at| state.labels.labels().get(at)).cloned();
        state.marked_label = new;
    } else if !text.trim().is_empty() && text.trim() != label {
        let text = format!("{} is under comparison already", text.trim());
        state.add_message(MessageKind::Note, text);
    }
}

/// One label with its status and a cross.
fn chip(ui: &mut Ui, state: &mut AppState, index: usize, label: &str) {
    let status = state.label_status(label);
    let pinned = state.labels.is_pinned(label);
    let marked = state.label_in_hand() == Some(index);
    let reading = if state.refusal(label).is_some() {
        Reading::None
    } else if left_out(state, label).is_some() {
        Reading::InPart
    } else {
        Reading::Whole
    };
    let (rect, response) = paint_chip(ui, label, status, reading, pinned, marked);
    let accessible = format!("Label {label}");
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, marked, &accessible));
    let description = [
        (pinned, "pinned"),
        (reading == Reading::InPart, "read in part"),
    ];
    let description = description.into_iter().filter(|(is_so, _)| *is_so);
    let description: Vec<&str> = description.map(|(_, words)| words).collect();
    if !description.is_empty() {
        let description = description.join(", ");
        ui.ctx()
            .accesskit_node_builder(response.id, |node| node.set_description(description));
    }
    if response.clicked() || response.secondary_clicked() || response.gained_focus() {
        state.marked_label = Some(label.to_owned());
    }
    if response.double_clicked() {
        state.give(Command::RenameLabel);
    }
    drag(ui, state, index, label, rect, &response);
    response.context_menu(|ui| {
        for entry in COMMANDS.into_iter().filter_map(super::commands::entry) {
            menu::item(ui, state, entry);
        }
    });
    if response.dragged() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::Grabbing);
    } else {
        response.on_hover_ui(|ui| explain(ui, state, label, status));
    }
    let cross =
        Rect::from_center_size(pos2(rect.right() - 12.0, rect.center().y), vec2(18.0, 18.0));
    if remove_button(ui, label, cross) {
        state.labels.remove(label);
    }
}

fn paint_chip(
    ui: &mut Ui,
    label: &str,
    status: Option<LabelStatus>,
    reading: Reading,
    pinned: bool,
    marked: bool,
) -> (Rect, Response) {
    let visuals = ui.visuals();
    let (word, colour) = match status {
        _ if reading == Reading::None => ("no vector", visuals.error_fg_color),
        Some(_) if reading == Reading::InPart => ("in part", visuals.warn_fg_color),
        Some(status) => (
            theme::status_word(status),
            theme::status_colour(visuals, status),
        ),
        None => ("…", visuals.weak_text_color()),
    };
    let text_colour = visuals.text_color();
    let body = egui::TextStyle::Body.resolve(ui.style());
    let small = egui::TextStyle::Small.resolve(ui.style());
    let word = ui.painter().layout_no_wrap(word.to_owned(), small, colour);
    let pin = if pinned { 13.0 } else { 0.0 };
    let most = ui.max_rect().width() - word.size().x - pin - 48.0;
    let name = one_line(ui, label, body, text_colour, most);
    let width = name.size().x + word.size().x + pin + 42.0;
    let (_, rect) = ui.allocate_space(vec2(width, CHIP_HEIGHT));
    let id = ui.scope_id().with(("chip", label));
    let response = ui.interact(rect, id, Sense::click_and_drag());
    let strength = if response.dragged() { 0.4 } else { 1.0 };
    let line = if marked || response.has_focus() {
        Stroke::new(1.5, colour)
    } else {
        Stroke::new(1.0, colour.gamma_multiply(0.7))
    };
    let visuals = ui.visuals();
    let fill = if marked || response.hovered() {
        visuals.widgets.hovered.weak_bg_fill
    } else {
        visuals.faint_bg_color
    };
    let mut painter = ui.painter().clone();
    painter.multiply_opacity(strength);
    painter.rect(rect, 11.0, fill, line, egui::StrokeKind::Inside);
    let middle = rect.center().y;
    if pinned {
        paint_pin(&painter, pos2(rect.left() + 13.0, middle), text_colour);
    }
    let left = rect.left() + 9.0 + pin;
    let word_left = left + name.size().x + 6.0;
    let name_at = pos2(left, middle - name.size().y / 2.0);
    let word_at = pos2(word_left, middle - word.size().y / 2.0);
    painter.galley(name_at, name, text_colour);
    painter.galley(word_at, word, colour);
    (rect, response)
}

/// A pin seen from the side: the default fonts have none.
fn paint_pin(painter: &Painter, centre: Pos2, colour: Color32) {
    let stroke = Stroke::new(1.3, colour);
    painter.circle_filled(centre - vec2(0.0, 2.5), 3.0, colour);
    painter.hline(centre.x - 3.5..=centre.x + 3.5, centre.y + 1.5, stroke);
    painter.vline(centre.x, centre.y + 1.5..=centre.y + 6.0, stroke);
}

/// Dragging one chip onto another puts it in that one's place.
fn drag(ui: &Ui, state: &mut AppState, index: usize, label: &str, rect: Rect, response: &Response) {
    response.dnd_set_drag_payload(Dragged(label.to_owned()));
    if let Some(dragged) = response.dnd_hover_payload::<Dragged>()
        && dragged.0 != label
    {
        let from = state.labels.position(&dragged.0).unwrap_or_default();
        let x = if from > index {
            rect.left() - 3.0
        } else {
            rect.right() + 3.0
        };
        let stroke = Stroke::new(2.0, ui.visuals().hyperlink_color);
        ui.painter().vline(x, rect.y_range(), stroke);
    }
    if let Some(dragged) = response.dnd_release_payload::<Dragged>() {
        state.labels.place(&dragged.0, index);
    }
}

fn remove_button(ui: &Ui, label: &str, place: Rect) -> bool {
    let response = ui.interact(place, ui.scope_id().with(("remove", label)), Sense::click());
    let name = format!("Remove {label}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let visuals = ui.style().interact(&response);
    if response.hovered() || response.has_focus() {
        ui.painter()
            .circle_filled(place.center(), 8.0, visuals.bg_fill);
    }
    let arms = Rect::from_center_size(place.center(), vec2(7.0, 7.0));
    let stroke = Stroke::new(1.2, visuals.fg_stroke.color);
    ui.painter()
        .line_segment([arms.left_top(), arms.right_bottom()], stroke);
    ui.painter()
        .line_segment([arms.right_top(), arms.left_bottom()], stroke);
    response.clicked()
}

/// What is known of a label, and what can be done with its chip.
fn explain(ui: &mut Ui, state: &AppState, label: &str, status: Option<LabelStatus>) {
    ui.set_max_width(300.0);
    ui.strong(label);
    match status {
        _ if let Some(reason) = state.refusal(label) => ui.label(reason),
        Some(status) => ui.label(theme::status_sentence(status)),
        None => ui.label("What it is to the bundle is not known yet."),
    };
    if let Some(left_out) = left_out(state, label) {
        ui.colored_label(ui.visuals().warn_fg_color, left_out);
    }
    let nearest = state.label_facts(label).map(|facts| &facts.nearest);
    if let Some(nearest) = nearest.filter(|nearest| !nearest.is_empty()) {
        ui.weak("Nearest seen labels (cosine)");
        egui::Grid::new("nearest").num_columns(2).show(ui, |ui| {
            for (name, cosine) in nearest {
                ui.label(name);
                ui.monospace(format!("{cosine:.2}"));
                ui.end_row();
            }
        });
    }
    ui.weak("Drag to move, double-click to rename, right-click for more");
}
