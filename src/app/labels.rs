//! Labels on the right: the field above the chips, and the searchable list of the bundle's labels.

use egui::{Role, Sense, Stroke, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::chips;
use super::commands::{self, Command};
use super::state::{AppState, Focus};
use super::theme;
use crate::semantics::{LabelStatus, in_one_line};

const LIST_ROW: f32 = 20.0;

/// The whole upper part of the right panel.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    ui.add_space(4.0);
    egui::Sides::new().show(
        ui,
        |ui| ui.heading("Labels"),
        |ui| {
            for (text, command) in [
                ("Clear", Command::ClearLabels),
                ("Redo", Command::Redo),
                ("Undo", Command::Undo),
                ("Sets", Command::LabelSets),
            ] {
                let possible = commands::available(command, state).is_ok();
                if ui.add_enabled(possible, egui::Button::new(text)).clicked() {
                    state.give(command);
                }
            }
        },
    );
    label_field(ui, state);
    chips::show(ui, state);
    ui.add_space(2.0);
    bundle_labels(ui, state);
}

fn label_field(ui: &mut Ui, state: &mut AppState) {
    let id = ui.scope_id().with("add labels");
    keep_pasted_lines_apart(ui, id);
    let field = TextEdit::singleline(&mut state.fields.labels)
        .id(id)
        .hint_text("dog, traffic light, joy")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label("Add labels"));
    if state.open.focus == Some(Focus::Labels) {
        state.open.focus = None;
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if entered && !state.fields.labels.trim().is_empty() {
        state.labels.add(&state.fields.labels);
        state.fields.labels.clear();
        response.request_focus();
    }
    response.on_hover_text(
        "Any words, commas or semicolons between labels; a column can be pasted; Enter adds them",
    );
}

/// A field of one line takes the line ends of a pasted column for spaces, which would make one label
/// of it: while the field has the keyboard, commas stand in their place.
pub(super) fn keep_pasted_lines_apart(ui: &Ui, field: egui::Id) {
    if !ui.memory(|memory| memory.has_focus(field)) {
        return;
    }
    ui.input_mut(|input| {
        for event in &mut input.events {
            if let egui::Event::Paste(text) | egui::Event::MiddleClickPaste { text, .. } = event {
                *text = in_one_line(text);
            }
        }
    });
}

/// A text cut off where it is wider than `width`.
pub(super) fn one_line(
    ui: &Ui,
    text: &str,
    font: egui::FontId,
    colour: egui::Color32,
    width: f32,
) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(30.0));
    ui.painter().layout_job(job)
}

fn bundle_labels(ui: &mut Ui, state: &mut AppState) {
    let Some(bundle) = state.replies.bundle.clone() else {
        ui.weak("Opening the bundle…");
        return;
    };
    let hint = format!("Search {} labels of the bundle", bundle.labels.len());
    let field = TextEdit::singleline(&mut state.fields.search)
        .hint_text(hint)
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label("Search labels"));
    if state.open.focus == Some(Focus::Search) {
        state.open.focus = None;
        response.request_focus();
    }
    let wanted = state.fields.search.trim().to_lowercase();
    let found: Vec<&(String, LabelStatus)> = bundle
        .labels
        .iter()
        .filter(|(label, _)| wanted.is_empty() || label.to_lowercase().contains(&wanted))
        .collect();
    if found.is_empty() {
        ui.weak("No label of the bundle has these letters; type it above to add it");
    }
    egui::ScrollArea::vertical()
        .id_salt("bundle labels")
        .auto_shrink([false, false])
        .show_rows(ui, LIST_ROW, found.len(), |ui, rows| {
            for &(label, status) in &found[rows] {
                list_row(ui, state, label, *status);
            }
        });
}

/// A label of the bundle; a click adds it, or takes it away again.
fn list_row(ui: &mut Ui, state: &mut AppState, label: &str, status: LabelStatus) {
    let chosen = state.labels.contains(label);
    let size = vec2(ui.available_width(), LIST_ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let text_colour = ui.visuals().text_color();
    let name = format!("Bundle label {label}");
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, chosen, &name));
    let visuals = ui.style().interact(&response);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 3.0, visuals.weak_bg_fill);
    }
    if chosen {
        tick(
            ui.painter(),
            pos2(rect.left() + 8.0, rect.center().y),
            text_colour,
        );
    }
    let small = egui::TextStyle::Small.resolve(ui.style());
    let body = egui::TextStyle::Body.resolve(ui.style());
    let colour = theme::status_colour(ui.visuals(), status);
    let word = theme::status_word(status);
    let right = rect.right_center() - vec2(6.0, 0.0);
    ui.painter()
        .text(right, egui::Align2::RIGHT_CENTER, word, small, colour);
    let text = one_line(ui, label, body, text_colour, rect.width() - 72.0);
    let at = pos2(rect.left() + 18.0, rect.center().y - text.size().y / 2.0);
    ui.painter().galley(at, text, text_colour);
    if response.clicked() {
        if chosen {
            state.labels.remove(label);
        } else {
            state.labels.add_all([label].into_iter());
        }
    }
}

/// The default fonts have no tick.
fn tick(painter: &egui::Painter, centre: egui::Pos2, colour: egui::Color32) {
    let corners = [vec2(-4.0, 0.0), vec2(-1.0, 3.0), vec2(4.0, -4.0)];
    let points = corners.map(|corner| centre + corner).to_vec();
    painter.line(points, Stroke::new(1.5, colour));
}
