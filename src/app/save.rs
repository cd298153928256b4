//! Saving the comparison on screen as a picture: drawn by the figure room, on a thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Key, Modifiers, Rect, TextEdit, Ui};

use super::display::Display;
use super::files::{Finder, Found, typed_path};
use super::photo_part::{WHOLE, cut, seen_in, whole_pixels};
use super::state::{About, AppState, Focus, PictureSize, SaveNote};
use super::view::{LabelsAs, PanelLayout};
use crate::backbone::Covered;
use crate::engine::{Comparison, ShownPhoto};
use crate::figure::display_list::DisplayList;
use crate::figure::figure_style::{FigureStyle, Orientation};
use crate::figure::file_format::FileFormat;
use crate::figure::layout::comparison_figure;
use crate::figure::missing_letters;
use crate::files::{check_target, shown, write_atomically};
use crate::model::VariantId;

/// The window that asks where to, when it is open.
pub fn show(ctx: &egui::Context, state: &mut AppState, finder: &Finder) {
    if !state.open.save {
        return;
    }
    let just_opened = state.open.focus == Some(Focus::SavePath);
    if just_opened {
        state.open.focus = None;
        state.fields.save_path = suggested(state).display().to_string();
    }
    let modal = egui::Modal::new(egui::Id::unique("save picture"));
    let response = modal.show(ctx, |ui| {
        ui.set_width(440.0);
        contents(ui, state, finder, just_opened);
    });
    if response.should_close() {
        close(state);
    }
}

fn close(state: &mut AppState) {
    state.open.save = false;
    state.fields.save_path.clear();
    state.fields.save_note = None;
    state.view.save_only = None;
}

/// The photo's name with `.png`, in a folder that people look into: that of the last picture, the
/// user's pictures, the photo's own, the user's home.
fn suggested(state: &AppState) -> PathBuf {
    let photo = state.photos.chosen();
    let name = photo.map(|photo| photo.name()).unwrap_or_default();
    let stem = Path::new(&name).file_stem().unwrap_or_default();
    let name = format!("{}-maps.png", stem.to_string_lossy());
    let user = directories::UserDirs::new();
    let pictures = user.as_ref().and_then(|user| user.picture_dir());
    let beside = photo.and_then(|photo| photo.path()?.parent());
    let home = user.as_ref().map(|user| user.home_dir());
    let folders = [state.saved_in.as_deref(), pictures, beside, home];
    let mut folders = folders.into_iter().flatten();
    let folder = folders.find(|folder| folder.is_dir());
    let path = folder.map_or(PathBuf::from(&name), |folder| folder.join(&name));
    std::path::absolute(&path).unwrap_or(path)
}

fn contents(ui: &mut Ui, state: &mut AppState, finder: &Finder, just_opened: bool) {
    ui.heading("Save picture");
    let what = match &state.view.save_only {
        Some((label, variant)) => format!("The panel of {label} in {}", variant.title()),
        None => layout_in_words(state),
    };
    ui.label(format!("{what}, as {}.", FileFormat::endings()));
    picture_size(ui, &mut state.picture);
    let field = TextEdit::singleline(&mut state.fields.save_path)
        .hint_text("Path of the picture")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label("Path of the picture"));
    if just_opened {
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if response.changed() {
        state.fields.save_note = None;
    }
    let replace = note(ui, state, &response);
    ui.horizontal(|ui| {
        let save = ui.button(if replace { "Replace it" } else { "Save" });
        if replace && ui.memory(|memory| memory.focused().is_none()) {
            save.request_focus();
        }
        if save.clicked() || entered {
            save_typed(state, finder, replace);
            if let Some(SaveNote::Problem(_)) = state.fields.save_note {
                response.request_focus();
            }
        }
        if ui.button("Choose a place…").clicked() {
            finder.choose_save(typed_target(state).unwrap_or_default());
        }
        if ui.button("Do not save").clicked() {
            close(state);
        }
    });
}

/// What stands between the path and the file; true when it is the question whether to replace one,
/// which Escape answers too.
fn note(ui: &mut Ui, state: &mut AppState, field: &egui::Response) -> bool {
    let asks = matches!(state.fields.save_note, Some(SaveNote::Exists(_)));
    if asks && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        state.fields.save_note = None;
        field.request_focus();
    }
    match &state.fields.save_note {
        Some(SaveNote::Problem(problem)) => {
            ui.colored_label(ui.visuals().error_fg_color, problem);
        }
        Some(SaveNote::Exists(path)) => {
            let text = format!(
                "{} exists already. Replace it? Enter does, Escape goes back.",
                shown(path)
            );
            ui.colored_label(ui.visuals().warn_fg_color, text);
            return true;
        }
        None => {
            let target =
                typed_target(state).filter(|path| *path != Path::new(&state.fields.save_path));
            let place = target.map(|path| format!("Becomes {}", shown(&path)));
            ui.weak(place.unwrap_or_default());
        }
    }
    false
}

/// The whole path that the typed one means: a name alone lies in the suggested folder.
fn typed_target(state: &AppState) -> Option<PathBuf> {
    let typed = typed_path(&state.fields.save_path)?;
    let suggested = suggested(state);
    Some(suggested.parent().unwrap_or(Path::new("")).join(typed))
}

/// Saves to the typed path, or says what keeps it from that; `replace` where that was asked.
fn save_typed(state: &mut AppState, finder: &Finder, replace: bool) {
    let Some(path) = typed_target(state) else {
        let text = "A picture needs a path".to_owned();
        state.fields.save_note = Some(SaveNote::Problem(text));
        return;
    };
    let format = match FileFormat::of(&path) {
        Ok(format) => format,
        Err(error) => {
            state.fields.save_note = Some(SaveNote::Problem(error.to_string()));
            return;
        }
    };
    if let Err(error) = check_target(&path) {
        state.fields.save_note = Some(SaveNote::Problem(error.to_string()));
    } else if path.exists() && !replace {
        state.fields.save_note = Some(SaveNote::Exists(path));
    } else {
        state.saved_in = path.parent().map(Path::to_owned);
        start(state, finder, path, format);
        close(state);
    }
}

/// What the layout on screen becomes on paper, where nothing slides.
fn layout_in_words(state: &AppState) -> String {
    match state.layout() {
        PanelLayout::Grid => "The comparison as it is on screen",
        PanelLayout::Large => "The large panel",
        PanelLayout::Slider => "A and B side by side",
        PanelLayout::Difference => "The difference of A and B",
    }
    .to_owned()
}

fn picture_size(ui: &mut Ui, size: &mut PictureSize) {
    ui.horizontal(|ui| {
        let mut number = |name: &str, value: &mut f32, range, suffix| {
            let label = ui.label(name);
            let field = egui::DragValue::new(value)
                .range(range)
                .max_decimals(1)
                .suffix(suffix);
            ui.add(field).labelled_by(label.id);
        };
        number("Width", &mut size.width_mm, 20.0..=2000.0, " mm");
        number("Resolution", &mut size.dpi, 36.0..=2400.0, " dpi");
        ui.weak(format!("{} pixels wide", size.pixels()));
    });
}

/// What is drawn, and how: taken from the window so that a thread can draw it.
struct Drawing {
    comparison: Comparison,
    display: Display,
    style: FigureStyle,
}

impl Drawing {
    /// One panel, or the comparison as it is on screen; `None` before there is one.
    fn of(state: &AppState, panel: Option<&(String, VariantId)>) -> Option<Self> {
        let (variants, labels) = match panel {
            Some((label, variant)) => (vec![*variant], vec![label.clone()]),
            None => on_screen(state)?,
        };
        let mut comparison = only(state.comparison()?, &variants, &labels, state.view.part());
        // The marked regions are those of the k on screen.
        comparison.trained_k = state.pooled_k();
        Some(Self {
            comparison,
            display: state.display,
            style: FigureStyle {
                input: state.show_input,
                orientation: match state.view.labels_as {
                    LabelsAs::Automatic => Orientation::Automatic,
                    LabelsAs::Rows => Orientation::LabelsAsRows,
                    LabelsAs::Columns => Orientation::LabelsAsColumns,
                },
                difference: panel.is_none() && state.layout() == PanelLayout::Difference,
                ranges: state.display.ranges,
                width_mm: state.picture.width_mm,
                dpi: state.picture.dpi,
                ..FigureStyle::default()
            },
        })
    }

    fn page(&self) -> DisplayList {
        let overlay = if self.style.difference {
            self.display.style_on(&self.display.ranges.difference())
        } else {
            self.display.style_for_all(&self.comparison)
        };
        comparison_figure(&self.comparison, &overlay, self.display.scale, &self.style)
    }

    fn draw(&self, page: &DisplayList, format: FileFormat) -> Result<Vec<u8>, String> {
        let drawn = format.draw(page, self.style.dpi);
        drawn.map_err(|error| error.to_string())
    }

    /// Writes the picture; what is to be noted about it comes back.
    fn save(&self, path: &Path, format: FileFormat) -> Result<Option<String>, String> {
        let page = self.page();
        let drawn = self.draw(&page, format);
        let bytes = drawn.map_err(|reason| format!("{} was not saved: {reason}", shown(path)))?;
        let written = write_atomically(path, |file| std::io::Write::write_all(file, &bytes));
        written.map_err(|error| error.to_string())?;
        Ok(missing_letters::note(&page))
    }

    /// The picture, and what is to be noted about it.
    fn picture(&self) -> Result<(egui::ColorImage, Option<String>), String> {
        let page = self.page();
        let read =
            |bytes: Vec<u8>| image::load_from_memory(&bytes).map_err(|error| error.to_string());
        let picture = self.draw(&page, FileFormat::Png).and_then(read);
        let picture = picture.map_err(|reason| format!("The picture was not copied: {reason}"))?;
        let picture = picture.into_rgba8();
        let size = [picture.width() as usize, picture.height() as usize];
        let picture = egui::ColorImage::from_rgba_unmultiplied(size, &picture);
        Ok((picture, missing_letters::note(&page)))
    }
}

/// Draws the picture on a thread of its own; it comes back for the clipboard.
pub fn copy(state: &AppState, finder: &Finder) {
    if let Some(drawing) = Drawing::of(state, None) {
        finder.spawn("copy picture", move || {
            Some(match drawing.picture() {
                Ok((picture, note)) => Found::Copy(picture, note),
                Err(problem) => Found::Problem(About::Saving, problem),
            })
        });
    }
}

/// Draws and writes the picture on a thread of its own; the outcome comes as a message.
fn start(state: &AppState, finder: &Finder, path: PathBuf, format: FileFormat) {
    if let Some(drawing) = Drawing::of(state, state.view.save_only.as_ref()) {
        finder.spawn("save picture", move || {
            Some(match drawing.save(&path, format) {
                Ok(note) => Found::Saved(path, note),
                Err(problem) => Found::Problem(About::Saving, problem),
            })
        });
    }
}

/// The variants and labels of the layout on screen, in its order.
fn on_screen(state: &AppState) -> Option<(Vec<VariantId>, Vec<String>)> {
    let text = |label: usize| state.labels.labels().get(label).cloned();
    let one = |label: Option<usize>| Some(vec![text(label?)?]);
    Some(match state.layout() {
        PanelLayout::Grid => {
            let labels = state.shown_labels().into_iter().filter_map(text);
            (state.shown_variants(), labels.collect())
        }
        PanelLayout::Large => (vec![state.chosen_variant()?], one(state.chosen_label())?),
        PanelLayout::Slider | PanelLayout::Difference => {
            let pair = vec![state.chosen_variant()?, state.other_variant()?];
            (pair, one(state.chosen_label())?)
        }
    })
}

/// The comparison cut down to what is on screen, `part` of the photo among it.
fn only(
    comparison: &Comparison,
    variants: &[VariantId],
    labels: &[String],
    part: Rect,
) -> Comparison {
    let place = |variant: &VariantId| {
        comparison
            .variants
            .iter()
            .position(|&known| known == *variant)
    };
    let columns: Vec<usize> = variants.iter().filter_map(place).collect();
    let rows: Vec<usize> = labels
        .iter()
        .filter_map(|label| comparison.labels.iter().position(|l| l.text == *label))
        .collect();
    let maps_of = |&variant: &usize| {
        let maps = comparison.maps.get(variant);
        let maps = rows.iter().filter_map(|&label| maps?.get(label).cloned());
        maps.collect()
    };
    let (photo, covered) = magnified(comparison, part);
    Comparison {
        photo,
        grid: comparison.grid,
        covered,
        trained_k: comparison.trained_k,
        labels: rows.iter().map(|&l| comparison.labels[l].clone()).collect(),
        refused: Vec::new(),
        variants: columns.iter().map(|&v| comparison.variants[v]).collect(),
        maps: columns.iter().map(maps_of).collect(),
        ranking: None,
        times: Vec::new(),
        device: comparison.device.clone(),
    }
}

/// The part of the photo that is magnified on screen, and where the grid lies in it.
fn magnified(comparison: &Comparison, part: Rect) -> (Arc<ShownPhoto>, Covered) {
    let photo = &comparison.photo;
    if part == WHOLE {
        return (Arc::clone(photo), comparison.covered);
    }
    let part = whole_pixels(part, &photo.shown);
    let size = [part.width(), part.height()];
    let shown = cut(&photo.shown, part);
    let photo = ShownPhoto {
        source: photo.source.clone(),
        size: std::array::from_fn(|side| (photo.size[side] as f32 * size[side]).round() as usize),
        shown,
        facts: Vec::new(),
        true_labels: None,
    };
    (Arc::new(photo), seen_in(comparison.covered, part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::comparison;

    #[test]
    fn only_what_is_on_screen_is_drawn() {
        let all = comparison(3, 4);
        let labels = [all.labels[2].text.clone(), all.labels[0].text.clone()];
        let cut = only(&all, &[all.variants[1]], &labels, WHOLE);
        assert_eq!(cut.variants, [all.variants[1]]);
        assert_eq!(cut.labels, [all.labels[2].clone(), all.labels[0].clone()]);
        assert_eq!(cut.maps.len(), 1);
        assert!(Arc::ptr_eq(
            &cut.maps[0][0].responses,
            &all.maps[1][2].responses
        ));
    }

    #[test]
    fn a_picture_is_written_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("maps.png");
        let drawing = Drawing {
            comparison: comparison(1, 2),
            display: Display::default(),
            style: FigureStyle {
                width_mm: 50.8,
                dpi: 200.0,
                ..FigureStyle::default()
            },
        };
        let saved = drawing.save(&path, FileFormat::Png);
        assert_eq!(saved.expect("written"), None);
        let picture = image::open(&path).expect("a picture");
        assert_eq!(picture.width(), 400);
        let missing = folder.path().join("none").join("maps.png");
        let problem = drawing.save(&missing, FileFormat::Png);
        assert!(problem.expect_err("no folder").contains("none"));
    }

    #[test]
    fn a_magnified_photo_is_cut_with_its_grid() {
        let all = comparison(1, 1);
        let part = Rect::from_min_max(egui::pos2(0.5, 0.0), egui::pos2(1.0, 0.5));
        let cut = only(&all, &all.variants, &[all.labels[0].text.clone()], part);
        assert_eq!(cut.photo.size, [300, 200]);
        assert_eq!(cut.photo.shown.dimensions(), (300, 200));
        let corner = all.photo.shown.get_pixel(300, 0);
        assert_eq!(cut.photo.shown.get_pixel(0, 0), corner);
        let Covered { x0, y0, x1, y1 } = cut.covered;
        assert_eq!([x0, y0, x1, y1], [-1.0, 0.0, 1.0, 2.0]);
    }
}
