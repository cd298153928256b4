//! Saving the comparison on screen as a picture: drawn by the figure room, on a thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Key, Rect, TextEdit, Ui};

use super::display::Display;
use super::files::{Finder, Found, typed_path};
use super::state::{AppState, PictureSize};
use super::textures::{WHOLE, cut, seen_in, whole_pixels};
use super::view::{LabelsAs, Layout};
use crate::backbone::Covered;
use crate::engine::{Comparison, Photo};
use crate::figure::display_list::DisplayList;
use crate::figure::figure_style::{FigureStyle, Orientation};
use crate::figure::layout::comparison_figure;
use crate::figure::scale::Scale;
use crate::figure::{missing_letters, png::png, svg::svg};
use crate::files::{shown, write_atomically};
use crate::model::VariantId;

/// The window that asks where to, when it is open.
pub fn show(ctx: &egui::Context, state: &mut AppState, finder: &Finder) {
    if !state.open.save {
        return;
    }
    let just_opened = state.fields.save_path.is_empty();
    if just_opened {
        state.fields.save_path = suggested(state);
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
    state.view.save_only = None;
}

/// The photo's name with `.png`, in the folder the program was started from.
fn suggested(state: &AppState) -> String {
    let name = state.photos.chosen().map(|photo| photo.name());
    let name = name.unwrap_or_default();
    let stem = Path::new(&name).file_stem().unwrap_or_default();
    format!("{}-maps.png", stem.to_string_lossy())
}

fn contents(ui: &mut Ui, state: &mut AppState, finder: &Finder, just_opened: bool) {
    ui.heading("Save picture");
    let what = match &state.view.save_only {
        Some((label, variant)) => format!("The panel of {label} in {}", variant.title()),
        None => layout_in_words(state),
    };
    ui.label(format!("{what}, as PNG or SVG."));
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
    ui.horizontal(|ui| {
        if ui.button("Save").clicked() || entered {
            if let Some(path) = typed_path(&state.fields.save_path) {
                start(state, finder, with_ending(path));
            }
            close(state);
        }
        if ui.button("Choose a place…").clicked() {
            finder.choose_save(state.fields.save_path.clone());
        }
        if ui.button("Do not save").clicked() {
            close(state);
        }
    });
}

/// What the layout on screen becomes on paper, where nothing slides.
fn layout_in_words(state: &AppState) -> String {
    match state.layout() {
        Layout::Grid => "The comparison as it is on screen",
        Layout::Large => "The large panel",
        Layout::Slider => "A and B side by side",
        Layout::Difference => "The difference of A and B",
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
                difference: panel.is_none() && state.layout() == Layout::Difference,
                fixed_range: state.display.fixed,
                width_mm: state.picture.width_mm,
                dpi: state.picture.dpi,
                ..FigureStyle::default()
            },
        })
    }

    fn page(&self) -> DisplayList {
        let overlay = if self.style.difference {
            self.display.style_on(&Scale::DIFFERENCE)
        } else {
            self.display.style_for_all(&self.comparison)
        };
        comparison_figure(&self.comparison, &overlay, self.display.scale, &self.style)
    }

    fn png(&self, page: &DisplayList) -> Result<Vec<u8>, String> {
        let drawing = svg(page).map_err(|error| error.to_string())?;
        png(&drawing, self.style.dpi).map_err(|error| error.to_string())
    }

    /// Writes the picture; what is to be noted about it comes back.
    fn save(&self, path: &Path) -> Result<Option<String>, String> {
        let page = self.page();
        let is_svg = path.extension().is_some_and(|ending| ending == "svg");
        let drawn = if is_svg {
            let drawing = svg(&page).map_err(|error| error.to_string());
            drawing.map(String::into_bytes)
        } else {
            self.png(&page)
        };
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
        let picture = self.png(&page).and_then(read);
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
                Err(problem) => Found::Problem(problem),
            })
        });
    }
}

/// Draws and writes the picture on a thread of its own; the outcome comes as a message.
pub fn start(state: &AppState, finder: &Finder, path: PathBuf) {
    if let Some(drawing) = Drawing::of(state, state.view.save_only.as_ref()) {
        finder.spawn("save picture", move || {
            Some(match drawing.save(&path) {
                Ok(note) => Found::Saved(path, note),
                Err(problem) => Found::Problem(problem),
            })
        });
    }
}

fn with_ending(path: PathBuf) -> PathBuf {
    match path.extension() {
        Some(_) => path,
        None => path.with_extension("png"),
    }
}

/// The variants and labels of the layout on screen, in its order.
fn on_screen(state: &AppState) -> Option<(Vec<VariantId>, Vec<String>)> {
    let text = |label: usize| state.labels.labels().get(label).cloned();
    let one = |label: Option<usize>| Some(vec![text(label?)?]);
    Some(match state.layout() {
        Layout::Grid => {
            let labels = state.shown_labels().into_iter().filter_map(text);
            (state.shown_variants(), labels.collect())
        }
        Layout::Large => (vec![state.chosen_variant()?], one(state.chosen_label())?),
        Layout::Slider | Layout::Difference => {
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
fn magnified(comparison: &Comparison, part: Rect) -> (Arc<Photo>, Covered) {
    let photo = &comparison.photo;
    if part == WHOLE {
        return (Arc::clone(photo), comparison.covered);
    }
    let part = whole_pixels(part, &photo.shown);
    let size = [part.width(), part.height()];
    let shown = cut(&photo.shown, part);
    let photo = Photo {
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
        assert_eq!(drawing.save(&path).expect("written"), None);
        let picture = image::open(&path).expect("a picture");
        assert_eq!(picture.width(), 400);
        let missing = folder.path().join("none").join("maps.png");
        let problem = drawing.save(&missing);
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

    #[test]
    fn a_path_without_an_ending_becomes_a_png() {
        assert_eq!(with_ending("a".into()), PathBuf::from("a.png"));
        assert_eq!(with_ending("a.svg".into()), PathBuf::from("a.svg"));
    }
}
