//! Labels on the right: the field, the chips, and the searchable list of the bundle's labels.

use egui::{Rect, Role, Sense, Stroke, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::commands::{self, Command};
use super::state::{AppState, Focus};
use super::theme;
use crate::semantics::LabelStatus;

const CHIP_HEIGHT: f32 = 22.0;
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
            ] {
                let possible = commands::available(command, state).is_ok();
                if ui.add_enabled(possible, egui::Button::new(text)).clicked() {
                    state.give(command);
                }
            }
        },
    );
    label_field(ui, state);
    chips(ui, state);
    ui.add_space(2.0);
    bundle_labels(ui, state);
}

fn label_field(ui: &mut Ui, state: &mut AppState) {
    let field = TextEdit::singleline(&mut state.fields.labels)
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
    response.on_hover_text("Any words, commas between labels; Enter adds them");
}

fn chips(ui: &mut Ui, state: &mut AppState) {
    let labels = state.labels.labels().to_vec();
    let mut removed = None;
    egui::ScrollArea::vertical()
        .id_salt("chips")
        .max_height(150.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(5.0, 5.0);
                for label in &labels {
                    if chip(ui, state, label) {
                        removed = Some(label);
                    }
                }
            });
        });
    if let Some(label) = removed {
        state.labels.remove(label);
    }
}

/// One label with its status and a cross; true when the cross was clicked.
fn chip(ui: &mut Ui, state: &AppState, label: &str) -> bool {
    let status = state.label_status(label);
    let colour = status.map_or(ui.visuals().weak_text_color(), |status| {
        theme::status_colour(ui.visuals(), status)
    });
    let text_colour = ui.visuals().text_color();
    let body = egui::TextStyle::Body.resolve(ui.style());
    let small = egui::TextStyle::Small.resolve(ui.style());
    let word = status.map_or("…", theme::status_word);
    let word = ui.painter().layout_no_wrap(word.to_owned(), small, colour);
    let most = ui.max_rect().width() - word.size().x - 48.0;
    let name = one_line(ui, label, body, text_colour, most);
    let width = name.size().x + word.size().x + 42.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, CHIP_HEIGHT), Sense::hover());
    let painter = ui.painter();
    let stroke = Stroke::new(1.0, colour.gamma_multiply(0.7));
    let fill = ui.visuals().faint_bg_color;
    painter.rect(rect, 11.0, fill, stroke, egui::StrokeKind::Inside);
    let middle = rect.center().y;
    let name_at = pos2(rect.left() + 9.0, middle - name.size().y / 2.0);
    let word_at = pos2(
        name_at.x + name.size().x + 6.0,
        middle - word.size().y / 2.0,
    );
    painter.galley(name_at, name, text_colour);
    painter.galley(word_at, word, colour);
    let accessible = format!("Label {label}");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &accessible));
    response.on_hover_ui(|ui| explain(ui, state, label, status));
    let cross = Rect::from_center_size(pos2(rect.right() - 12.0, middle), vec2(18.0, 18.0));
    remove_button(ui, label, cross)
}

fn one_line(
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

fn explain(ui: &mut Ui, state: &AppState, label: &str, status: Option<LabelStatus>) {
    ui.set_max_width(300.0);
    ui.strong(label);
    match status {
        Some(status) => ui.label(theme::status_sentence(status)),
        None => ui.label("What it is to the bundle is not known yet."),
    };
    let nearest = state.label_facts(label).map(|facts| &facts.nearest);
    let Some(nearest) = nearest.filter(|nearest| !nearest.is_empty()) else {
        return;
    };
    ui.weak("Nearest seen labels (cosine)");
    egui::Grid::new("nearest").num_columns(2).show(ui, |ui| {
        for (name, cosine) in nearest {
            ui.label(name);
            ui.monospace(format!("{cosine:.2}"));
            ui.end_row();
        }
    });
}

fn bundle_labels(ui: &mut Ui, state: &mut AppState) {
    let Some(bundle) = state.answers.bundle.clone() else {
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
            state.labels.add(label);
        }
    }
}

/// The default fonts have no tick.
fn tick(painter: &egui::Painter, centre: egui::Pos2, colour: egui::Color32) {
    let corners = [vec2(-4.0, 0.0), vec2(-1.0, 3.0), vec2(4.0, -4.0)];
    let points = corners.map(|corner| centre + corner).to_vec();
    painter.line(points, Stroke::new(1.5, colour));
}
