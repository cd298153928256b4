//! Saving the comparison on screen as a picture: drawn by the figure room, on a thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Key, TextEdit, Ui};

use super::display::Display;
use super::files::{Finder, Found, typed_path};
use super::state::AppState;
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
    ui.label(format!("{what}, 180 mm wide at 300 dpi."));
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

/// Draws and writes the picture on a thread of its own; the outcome comes as a message.
pub fn start(state: &AppState, finder: &Finder, path: PathBuf) {
    let Some(comparison) = state.comparison().map(Arc::clone) else {
        return;
    };
    let (variants, labels) = state.panels_to_save();
    let (display, input) = (state.display, state.show_input);
    finder.spawn("save picture", move || {
        let wanted = only(&comparison, &variants, &labels);
        Some(match draw(&wanted, &display, input, &path) {
            Ok(()) => Found::Saved(path),
            Err(problem) => Found::Problem(problem),
        })
    });
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

fn draw(
    comparison: &Comparison,
    display: &Display,
    input: bool,
    path: &Path,
) -> Result<(), String> {
    let style = FigureStyle {
        input,
        orientation: Orientation::LabelsAsRows,
        fixed_range: display.fixed,
        ..FigureStyle::default()
    };
    let overlay = display.style_for_all(comparison);
    let page = comparison_figure(comparison, &overlay, display.scale, &style);
    let failed = |reason: String| format!("{} was not saved: {reason}", shown(path));
    let text = svg(&page).map_err(|error| failed(error.to_string()))?;
    let is_svg = path.extension().is_some_and(|ending| ending == "svg");
    let bytes = if is_svg {
        text.into_bytes()
    } else {
        png(&text, style.dpi).map_err(|error| failed(error.to_string()))?
    };
    let written = write_atomically(path, |file| std::io::Write::write_all(file, &bytes));
    written.map_err(|error| error.to_string())
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
        let display = Display::default();
        draw(&comparison(1, 2), &display, false, &path).expect("written");
        let picture = image::open(&path).expect("a picture");
        assert!(picture.width() > 1000);
        let missing = folder.path().join("none").join("maps.png");
        let problem = draw(&comparison(1, 2), &display, false, &missing);
        assert!(problem.expect_err("no folder").contains("none"));
    }

    #[test]
    fn a_path_without_an_ending_becomes_a_png() {
        assert_eq!(with_ending("a".into()), PathBuf::from("a.png"));
        assert_eq!(with_ending("a.svg".into()), PathBuf::from("a.svg"));
    }
}
