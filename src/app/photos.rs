//! The photo list on the left: opening, thumbnails, choosing.

use egui::{Rect, Role, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};

use super::commands::Command;
use super::files::{Finder, typed_path};
use super::photo_facts;
use super::state::{AppState, Focus};
use super::thumbnails::{THUMBNAIL_SIDE, Thumbnails};
use crate::engine::{PhotoSource, Worker};

const ROW_HEIGHT: f32 = 56.0;

/// The whole left panel.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    thumbnails: &mut Thumbnails,
    worker: &Worker,
    finder: &Finder,
) {
    ui.add_space(4.0);
    ui.heading("Photos");
    ui.horizontal(|ui| {
        for (text, command) in [
            ("Open…", Command::OpenPhotos),
            ("Folder…", Command::OpenFolder),
        ] {
            if ui.button(text).clicked() {
                state.give(command);
            }
        }
    });
    path_field(ui, state, finder);
    ui.add_space(2.0);
    egui::Panel::bottom("about this photo")
        .frame(egui::Frame::new())
        .show(ui, |ui| photo_facts::show(ui, state));
    egui::CentralPanel::no_frame().show(ui, |ui| list(ui, state, thumbnails, worker));
}

fn path_field(ui: &mut Ui, state: &mut AppState, finder: &Finder) {
    let field = TextEdit::singleline(&mut state.fields.path)
        .hint_text("Path of a photo or folder")
        .desired_width(f32::INFINITY);
    let response = ui
        .add(field)
        .on_hover_text("Enter opens it; files can also be dropped anywhere in the window");
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_label("Path of a photo or folder")
    });
    if state.open.focus == Some(Focus::Path) {
        state.open.focus = None;
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if entered && let Some(path) = typed_path(&state.fields.path) {
        finder.open(vec![path]);
        state.fields.path.clear();
    }
}

fn list(ui: &mut Ui, state: &mut AppState, thumbnails: &mut Thumbnails, worker: &Worker) {
    let count = state.photos.entries.len();
    let mut scroll = egui::ScrollArea::vertical().auto_shrink(false);
    let step = ROW_HEIGHT + ui.spacing().item_spacing.y;
    if let Some(offset) = thumbnails.follow(state.photos.selected, ROW_HEIGHT, step) {
        scroll = scroll.vertical_scroll_offset(offset);
    }
    let output = scroll.show_rows(ui, ROW_HEIGHT, count, |ui, rows| {
        for index in rows {
            if row(ui, state, index, thumbnails, worker).clicked() {
                state.photos.selected = index;
            }
        }
    });
    thumbnails.seen(output.state.clamped_offset().y, output.inner_rect.height());
}

fn row(
    ui: &mut Ui,
    state: &AppState,
    index: usize,
    thumbnails: &mut Thumbnails,
    worker: &Worker,
) -> egui::Response {
    let source = &state.photos.entries[index];
    let selected = index == state.photos.selected;
    let problem = state.photos.unreadable.get(source);
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = source.name();
    response.widget_info(|| {
        WidgetInfo::selected(Role::Button, true, selected, format!("Photo {name}"))
    });
    let visuals = ui.style().interact_selectable(&response, selected);
    if selected || response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 4.0, visuals.weak_bg_fill);
    }
    let picture = Rect::from_min_size(rect.min + vec2(4.0, 4.0), vec2(60.0, ROW_HEIGHT - 8.0));
    paint_thumbnail(ui, picture, source, problem.is_some(), thumbnails, worker);
    let text = match (problem, source) {
        (Some(_), _) => "cannot be read",
        (None, PhotoSource::Sample(_)) => "sample",
        (None, PhotoSource::File(_)) => "",
    };
    paint_name(
        ui,
        rect,
        picture.right() + 8.0,
        &name,
        text,
        visuals.text_color(),
    );
    match (problem, source.path()) {
        (Some(problem), _) => response.on_hover_text(problem),
        _ if let Some(photo) = state.photo().filter(|_| selected) => {
            response.on_hover_ui(|ui| photo_facts::facts(ui, photo))
        }
        (None, Some(path)) => response.on_hover_text(path.display().to_string()),
        (None, None) => response,
    }
}

fn paint_name(ui: &Ui, row: Rect, left: f32, name: &str, note: &str, colour: egui::Color32) {
    let wrap = |font, colour, rows| {
        let mut job = egui::text::LayoutJob::single_section(
            String::new(),
            egui::TextFormat::simple(font, colour),
        );
        job.wrap = egui::text::TextWrapping {
            max_width: row.right() - left - 6.0,
            max_rows: rows,
            break_anywhere: true,
            overflow_character: Some('…'),
        };
        job
    };
    let body = egui::TextStyle::Body.resolve(ui.style());
    let mut job = wrap(body.clone(), colour, 2);
    job.text.clear();
    job.sections.clear();
    job.append(name, 0.0, egui::TextFormat::simple(body, colour));
    let name = ui.painter().layout_job(job);
    let small = egui::TextStyle::Small.resolve(ui.style());
    let weak = ui.visuals().weak_text_color();
    let note = ui.painter().layout_no_wrap(note.to_owned(), small, weak);
    let note_height = if note.is_empty() { 0.0 } else { note.size().y };
    let top = row.center().y - (name.size().y + note_height) / 2.0;
    let below = top + name.size().y;
    ui.painter().galley(pos2(left, top), name, colour);
    ui.painter().galley(pos2(left, below), note, weak);
}

fn paint_thumbnail(
    ui: &Ui,
    place: Rect,
    source: &PhotoSource,
    broken: bool,
    thumbnails: &mut Thumbnails,
    worker: &Worker,
) {
    let painter = ui.painter();
    match thumbnails.get(source) {
        Some(texture) => {
            let [width, height] = texture.size();
            let scale = (place.width() / width as f32).min(place.height() / height as f32);
            let size = vec2(width as f32, height as f32) * scale;
            let shown = Rect::from_center_size(place.center(), size);
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(texture.id(), shown, whole, egui::Color32::WHITE);
        }
        None => {
            painter.rect_filled(place, 3.0, ui.visuals().faint_bg_color);
            if broken {
                let stroke = egui::Stroke::new(1.5, ui.visuals().error_fg_color);
                let cross = Rect::from_center_size(place.center(), vec2(12.0, 12.0));
                painter.line_segment([cross.left_top(), cross.right_bottom()], stroke);
                painter.line_segment([cross.right_top(), cross.left_bottom()], stroke);
            } else {
                let pixels = ui.pixels_per_point() * 1.5;
                thumbnails.ask(source, (THUMBNAIL_SIDE as f32 * pixels) as u32, worker);
            }
        }
    }
}
