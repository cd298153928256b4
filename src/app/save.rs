//! Saving the comparison on screen as a picture: drawn by the figure room, on a thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Key, TextEdit, Ui};

use super::display::Display;
use super::files::{Finder, Found, typed_path};
use super::state::{AppState, PictureSize};
use crate::engine::Comparison;
use crate::figure::figure_style::{FigureStyle, Orientation};
use crate::figure::layout::comparison_figure;
use crate::figure::{png::png, svg::svg};
use crate::files::{shown, write_atomically};
use crate::model::Variant;

/// The window that asks where to, when it is open.
pub fn show(ctx: &egui::Context, state: &mut AppState, finder: &Finder) {
    if !state.open.save {
        return;
    }
    if state.fields.save_path.is_empty() {
        state.fields.save_path = suggested(state);
    }
    let modal = egui::Modal::new(egui::Id::unique("save picture"));
    let response = modal.show(ctx, |ui| {
        ui.set_width(440.0);
        contents(ui, state, finder);
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

fn contents(ui: &mut Ui, state: &mut AppState, finder: &Finder) {
    ui.heading("Save picture");
    let what = match &state.view.save_only {
        Some((label, variant)) => format!("The panel of {label} in {}", variant.title()),
        None => "The comparison as it is on screen".to_owned(),
    };
    ui.label(format!("{what}, as PNG or SVG."));
    picture_size(ui, &mut state.picture);
    let field = TextEdit::singleline(&mut state.fields.save_path)
        .hint_text("Path of the picture")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label("Path of the picture"));
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
    input: bool,
    size: PictureSize,
}

impl Drawing {
    /// One panel, or the comparison as it is on screen; `None` before there is one.
    fn of(state: &AppState, panel: Option<&(String, Variant)>) -> Option<Self> {
        let (variants, labels) = match panel {
            Some((label, variant)) => (vec![*variant], vec![label.clone()]),
            None => {
                let shown = state.shown_labels();
                let all = state.labels.labels().iter().enumerate();
                let labels = all.filter(|(place, _)| shown.contains(place));
                let labels = labels.map(|(_, label)| label.clone()).collect();
                (state.shown_variants(), labels)
            }
        };
        let mut comparison = only(state.comparison()?, &variants, &labels);
        // The marked regions are those of the k on screen.
        comparison.trained_k = state.pooled_k();
        Some(Self {
            comparison,
            display: state.display,
            input: state.show_input,
            size: state.picture,
        })
    }

    fn svg(&self) -> Result<String, String> {
        let style = FigureStyle {
            input: self.input,
            orientation: Orientation::LabelsAsRows,
            fixed_range: self.display.fixed,
            width_mm: self.size.width_mm,
            dpi: self.size.dpi,
            ..FigureStyle::default()
        };
        let overlay = self.display.style_for_all(&self.comparison);
        let page = comparison_figure(&self.comparison, &overlay, self.display.scale, &style);
        svg(&page).map_err(|error| error.to_string())
    }

    fn png(&self) -> Result<Vec<u8>, String> {
        png(&self.svg()?, self.size.dpi).map_err(|error| error.to_string())
    }

    fn save(&self, path: &Path) -> Result<(), String> {
        let is_svg = path.extension().is_some_and(|ending| ending == "svg");
        let drawn = if is_svg {
            self.svg().map(String::into_bytes)
        } else {
            self.png()
        };
        let bytes = drawn.map_err(|reason| format!("{} was not saved: {reason}", shown(path)))?;
        let written = write_atomically(path, |file| std::io::Write::write_all(file, &bytes));
        written.map_err(|error| error.to_string())
    }

    fn picture(&self) -> Result<egui::ColorImage, String> {
        let read =
            |bytes: Vec<u8>| image::load_from_memory(&bytes).map_err(|error| error.to_string());
        let picture = self.png().and_then(read);
        let picture = picture.map_err(|reason| format!("The picture was not copied: {reason}"))?;
        let picture = picture.into_rgba8();
        let size = [picture.width() as usize, picture.height() as usize];
        Ok(egui::ColorImage::from_rgba_unmultiplied(size, &picture))
    }
}

/// Draws the picture on a thread of its own; it comes back for the clipboard.
pub fn copy(state: &AppState, finder: &Finder) {
    if let Some(drawing) = Drawing::of(state, None) {
        finder.spawn("copy picture", move || {
            Some(match drawing.picture() {
                Ok(picture) => Found::Copy(picture),
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
                Ok(()) => Found::Saved(path),
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

/// The comparison cut down to what is on screen.
fn only(comparison: &Comparison, variants: &[Variant], labels: &[String]) -> Comparison {
    let columns: Vec<usize> = (0..comparison.variants.len())
        .filter(|&v| variants.contains(&comparison.variants[v]))
        .collect();
    let rows: Vec<usize> = labels
        .iter()
        .filter_map(|label| comparison.labels.iter().position(|l| l.text == *label))
        .collect();
    let maps_of = |&variant: &usize| {
        let maps = comparison.maps.get(variant);
        let maps = rows.iter().filter_map(|&label| maps?.get(label).cloned());
        maps.collect()
    };
    Comparison {
        photo: Arc::clone(&comparison.photo),
        grid: comparison.grid,
        covered: comparison.covered,
        trained_k: comparison.trained_k,
        labels: rows.iter().map(|&l| comparison.labels[l].clone()).collect(),
        variants: columns.iter().map(|&v| comparison.variants[v]).collect(),
        maps: columns.iter().map(maps_of).collect(),
        ranking: None,
        times: Vec::new(),
        device: comparison.device.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::comparison;

    #[test]
    fn only_what_is_on_screen_is_drawn() {
        let all = comparison(3, 4);
        let labels = [all.labels[2].text.clone(), all.labels[0].text.clone()];
        let cut = only(&all, &[all.variants[1]], &labels);
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
            input: false,
            size: PictureSize {
                width_mm: 50.8,
                dpi: 200.0,
            },
        };
        drawing.save(&path).expect("written");
        let picture = image::open(&path).expect("a picture");
        assert_eq!(picture.width(), drawing.size.pixels());
        let missing = folder.path().join("none").join("maps.png");
        let problem = drawing.save(&missing);
        assert!(problem.expect_err("no folder").contains("none"));
    }

    #[test]
    fn a_path_without_an_ending_becomes_a_png() {
        assert_eq!(with_ending("a".into()), PathBuf::from("a.png"));
        assert_eq!(with_ending("a.svg".into()), PathBuf::from("a.svg"));
    }
}
