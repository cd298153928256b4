//! Photos and labels in the window, driven by the names of its widgets: renaming, moving, pinning,
//! named sets, what is known of a photo, and what to do while no label is compared.

use std::path::{Path, PathBuf};

use crate::fake_window::{Opening, Window, give, labels, wait_for};
use biam_lens::app::commands::Command;
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

fn click(window: &mut Window<'_>, name: &str) {
    window.get_by_label(name).click();
    window.run();
}

fn undo(window: &mut Window<'_>) {
    give(window, Command::Undo);
}

/// Types into a field that has the keyboard, over what it holds, and presses Enter.
fn type_over(window: &mut Window<'_>, field: &str, text: &str) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, field)
        .type_text(text);
    window.run();
    window.key_press(Key::Enter);
    window.run();
}

fn photo_file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, b"made up").expect("written");
    path
}

/// Pastes a text as the desktop does.
fn paste(window: &mut Window<'_>, text: &str) {
    window.event(egui::Event::Paste(text.to_owned()));
    window.run();
}

fn open_pasted(window: &mut Window<'_>, path: &Path) {
    paste(window, &path.display().to_string());
    let name = path.file_name().expect("a name").to_string_lossy();
    let row = format!("Photo {name}");
    wait_for(window, &row, |window| window.query_by_label(&row).is_some());
    window.run();
}

#[test]
fn a_label_is_renamed_where_it_stands() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    click(&mut window, "Label dog");
    window.key_press(Key::F2);
    window.run();
    type_over(&mut window, "Rename dog", "puppy");
    assert_eq!(labels(&window), ["puppy", "cat"]);
    assert!(window.get_by_label("puppy in BiAM").value().is_some());
    undo(&mut window);
    assert_eq!(labels(&window), ["dog", "cat"]);
}

#[test]
fn a_double_click_renames() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    window.get_by_label("Label cat").click();
    window.get_by_label("Label cat").click();
    window.run();
    type_over(&mut window, "Rename cat", "cow, calf");
    assert_eq!(labels(&window), ["dog", "cow", "calf"]);
}

#[test]
fn renaming_is_left_by_escape_and_refuses_a_label_twice() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    click(&mut window, "Label cat");
    give(&mut window, Command::RenameLabel);
    window
        .get_by_role_and_label(Role::TextInput, "Rename cat")
        .type_text("cow");
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(labels(&window), ["dog", "cat"]);
    give(&mut window, Command::RenameLabel);
    type_over(&mut window, "Rename cat", "Dog");
    assert_eq!(labels(&window), ["dog", "cat"]);
    let note = window.query_by_label_contains("under comparison already");
    assert!(note.is_some());
}

#[test]
fn a_marked_label_moves_by_keys_and_back_by_undo() {
    let mut window = Opening::with(&["dog", "cat", "cow"]).open();
    click(&mut window, "Label dog");
    let chip = window.get_by_label("Label dog");
    assert_eq!(chip.accesskit_node().toggled(), Some(Toggled::True));
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::ArrowRight);
    window.run();
    assert_eq!(labels(&window), ["cat", "dog", "cow"]);
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::ArrowLeft);
    window.run();
    assert_eq!(labels(&window), ["dog", "cat", "cow"]);
    undo(&mut window);
    assert_eq!(labels(&window), ["cat", "dog", "cow"]);
}

#[test]
fn a_chip_is_dragged_to_anothers_place() {
    let mut window = Opening::with(&["dog", "cat", "cow"]).open();
    let from = window.get_by_label("Label dog").rect().left_center() + egui::vec2(15.0, 0.0);
    let to = window.get_by_label("Label cow").rect().left_center() + egui::vec2(15.0, 0.0);
    window.drag_at(from);
    window.run();
    window.hover_at(from.lerp(to, 0.5));
    window.run();
    window.hover_at(to);
    window.run();
    window.drop_at(to);
    window.run();
    assert_eq!(labels(&window), ["cat", "cow", "dog"]);
}

#[test]
fn a_chips_menu_pins_it_so_that_it_stays_when_all_others_go() {
    let mut window = Opening::with(&["dog", "cat", "cow"]).open();
    window.get_by_label("Label cat").click_secondary();
    window.run();
    window.get_by_label_contains("Pin label").click();
    window.run();
    assert!(window.state().app.state().labels.is_pinned("cat"));
    click(&mut window, "Clear");
    assert_eq!(labels(&window), ["cat"]);
    undo(&mut window);
    assert_eq!(labels(&window).len(), 3);
    undo(&mut window);
    assert!(!window.state().app.state().labels.is_pinned("cat"));
}

#[test]
fn the_delete_key_removes_the_marked_label_but_not_while_typing() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    click(&mut window, "Label dog");
    let field = window.get_by_role_and_label(Role::TextInput, "Add labels");
    field.click();
    window.run();
    window.key_press(Key::Delete);
    window.run();
    assert_eq!(labels(&window), ["dog", "cat"]);
    click(&mut window, "Label dog");
    window.key_press(Key::Delete);
    window.run();
    assert_eq!(labels(&window), ["cat"]);
}

#[test]
fn label_sets_are_saved_loaded_and_deleted() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    give(&mut window, Command::SaveLabelSet);
    type_over(&mut window, "Name of the set", "pets");
    let sets = window.state().app.state().labels.sets().to_vec();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].name, "pets");
    undo(&mut window);
    assert!(window.query_by_label("Load pets").is_none());
    give(&mut window, Command::Redo);
    give(&mut window, Command::ClearLabels);
    click(&mut window, "Load pets");
    assert_eq!(labels(&window), ["dog", "cat"]);
    undo(&mut window);
    assert!(labels(&window).is_empty());
    give(&mut window, Command::LabelSets);
    window.get_by_role_and_label(Role::Button, "Labels").click();
    window.run();
    window.get_by_label_contains("Load label set").click();
    window.run();
    window.get_by_label_contains("Load label set: pets").click();
    window.run();
    assert_eq!(labels(&window), ["dog", "cat"]);
    give(&mut window, Command::LabelSets);
    click(&mut window, "Delete pets");
    assert!(window.query_by_label("Load pets").is_none());
    undo(&mut window);
    assert!(window.query_by_label("Load pets").is_some());
}

#[test]
fn the_palette_loads_a_label_set() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    give(&mut window, Command::SaveLabelSet);
    type_over(&mut window, "Name of the set", "pets");
    give(&mut window, Command::LabelSets);
    give(&mut window, Command::ClearLabels);
    give(&mut window, Command::Palette);
    window
        .get_by_role_and_label(Role::TextInput, "Find a command")
        .type_text("set: pets");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(labels(&window), ["dog", "cat"]);
}

#[test]
fn a_photos_own_labels_are_added_one_by_one_or_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = photo_file(folder.path(), "listed.png");
    let mut window = Opening::with(&["cat"]).open();
    assert!(window.query_by_label_contains("True label").is_none());
    open_pasted(&mut window, &path);
    let known = window.get_by_label("True label cat");
    assert_eq!(known.accesskit_node().toggled(), Some(Toggled::True));
    click(&mut window, "True label red ball");
    assert_eq!(labels(&window), ["cat", "red ball"]);
    window.get_by_label("True label zebra").hover();
    window.run_steps(8);
    assert!(window.query_all_by_label_contains("labels.tsv").count() > 0);
    window.key_press_modifiers(Modifiers::COMMAND, Key::T);
    window.run();
    assert_eq!(labels(&window), ["cat", "red ball", "zebra"]);
    undo(&mut window);
    undo(&mut window);
    assert_eq!(labels(&window), ["cat"]);
}

#[test]
fn what_is_known_of_a_photo_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = photo_file(folder.path(), "walk.png");
    let mut window = Opening::with(&["cat"]).open();
    open_pasted(&mut window, &path);
    assert!(window.query_by_label("Box Brownie").is_none());
    click(&mut window, "About this photo");
    assert!(window.query_by_label("Box Brownie").is_some());
    assert!(window.query_by_label("1024 × 768 pixels").is_some());
    click(&mut window, "About this photo");
    assert!(window.query_by_label("Box Brownie").is_none());
    window.get_by_label("Photo walk.png").hover();
    window.run_steps(8);
    assert!(window.query_by_label("Box Brownie").is_some());
}

#[test]
fn recent_photos_are_opened_from_the_menu() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("album");
    std::fs::create_dir(&inner).expect("made");
    photo_file(&inner, "in album.png");
    let first = photo_file(folder.path(), "first.png");
    let mut window = Opening::with(&["dog"]).open();
    open_pasted(&mut window, &first);
    paste(&mut window, &inner.display().to_string());
    wait_for(&mut window, "folder", |window| {
        window.query_by_label("Photo in album.png").is_some()
    });
    paste(&mut window, "/no/such/place.png");
    wait_for(&mut window, "error", |window| {
        window.query_by_label_contains("place.png").is_some()
    });
    assert_eq!(window.state().app.state().recent, [inner, first]);
    assert_eq!(window.state().app.state().photos.selected, 1);
    click(&mut window, "File");
    window.get_by_label_contains("Open recent").hover();
    window.get_by_label_contains("Open recent").click();
    window.run();
    window
        .get_by_label_contains("Open recent: first.png")
        .click();
    window.run();
    wait_for(&mut window, "photo", |window| {
        window.state().app.state().photos.selected == 0
    });
    give(&mut window, Command::ForgetRecent);
    assert!(window.state().app.state().recent.is_empty());
}

#[test]
fn several_pasted_paths_open_together_and_text_pasted_into_a_field_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a.png", "b c.png"].map(|name| photo_file(folder.path(), name));
    let mut window = Opening::with(&["dog"]).open();
    let addresses = paths.map(|path| format!("file://{}", path.display()).replace(' ', "%20"));
    paste(&mut window, &addresses.join("\n"));
    wait_for(&mut window, "photos", |window| {
        window.query_by_label("Photo b c.png").is_some()
    });
    let field = window.get_by_role_and_label(Role::TextInput, "Add labels");
    field.click();
    window.run();
    paste(&mut window, "joy");
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(labels(&window), ["dog", "joy"]);
    assert!(window.state().app.state().messages.is_empty());
}

#[test]
fn without_labels_the_best_ranked_ones_are_offered() {
    let mut window = Opening::with(&[]).open();
    assert!(
        window
            .query_by_label_contains("No label is compared")
            .is_some()
    );
    assert_eq!(window.query_all_by_label_contains("Compare ").count(), 5);
    let first = window.get_by_label_contains("Rank 1: ");
    let first = first.accesskit_node().label().expect("a name");
    let best = first["Rank 1: ".len()..].to_owned();
    click(&mut window, &format!("Compare {best}"));
    assert_eq!(labels(&window), [best]);
    undo(&mut window);
    click(&mut window, "All 5");
    assert_eq!(labels(&window).len(), 5);
    assert!(window.query_by_label_contains("Compare ").is_none());
}

#[test]
fn ten_thousand_photos_cost_a_frame_no_more_than_ten() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 1..=10_000 {
        let path = folder.path().join(format!("{number}.png"));
        std::fs::File::create(path).expect("written");
    }
    let mut window = Opening::with(&["dog"]).open();
    paste(&mut window, &folder.path().display().to_string());
    wait_for(&mut window, "folder", |window| {
        window.state().app.state().photos.entries.len() == 10_002
    });
    window.run();
    assert!(window.query_by_label("Photo 2.png").is_some());
    let rows = window.query_all_by_label_contains("Photo ").count();
    assert!(rows < 30, "{rows} rows are laid out");
    assert!(window.state().engine.thumbnails < 60);
    for _ in 0..40 {
        window.key_press(Key::PageDown);
        window.run();
    }
    assert!(window.query_by_label("Photo 41.png").is_some(), "in view");
}

#[test]
fn a_label_without_a_vector_is_told_and_the_others_stay() {
    let mut window = Opening::with(&["dog", "cat"]).open();
    window
        .get_by_role_and_label(Role::TextInput, "Add labels")
        .focus();
    window.run();
    type_over(&mut window, "Add labels", "<flurb>");
    assert_eq!(labels(&window), ["dog", "cat", "<flurb>"]);
    window.get_by_label("the label “<flurb>” has no vector");
    assert!(window.get_by_label("dog in BiAM").value().is_some());
    assert!(window.get_by_label("<flurb> in BiAM").value().is_none());
    // Told once: what is dismissed stays away when other labels come.
    click(&mut window, "Dismiss");
    window
        .get_by_role_and_label(Role::TextInput, "Add labels")
        .focus();
    window.run();
    type_over(&mut window, "Add labels", "grass");
    assert!(window.get_by_label("grass in BiAM").value().is_some());
    assert!(
        window
            .query_by_label("the label “<flurb>” has no vector")
            .is_none()
    );
}

#[test]
fn a_pasted_column_is_as_many_labels() {
    let mut window = Opening::with(&[]).open();
    let column = "dog\r\ncat\r\ntraffic light\r\nzebra\r\n";
    window
        .get_by_role_and_label(Role::TextInput, "Add labels")
        .focus();
    window.run();
    paste(&mut window, column);
    window.key_press(Key::Enter);
    window.run();
    let four = ["dog", "cat", "traffic light", "zebra"];
    assert_eq!(labels(&window), four);
    // One step back takes all of them away.
    undo(&mut window);
    assert_eq!(labels(&window), [""; 0]);
    // Where no field has the keyboard, words are labels and paths are photos.
    window.key_press(Key::Escape);
    window.run();
    paste(&mut window, &column.replace("\r\n", "\t"));
    assert_eq!(labels(&window), four);
}

#[test]
fn a_label_that_is_read_in_part_says_so_on_its_chip() {
    let mut window = Opening::with(&["dog", "cat собака"]).open();
    let chip = window.get_by_label("Label cat собака");
    let description = chip.accesskit_node().description();
    assert_eq!(description.as_deref(), Some("read in part"));
    let plain = window.get_by_label("Label dog");
    assert_eq!(plain.accesskit_node().description(), None);
    window.get_by_label("the label “cat собака” is read without “собака”");
    click(&mut window, "Dismiss");
    window
        .get_by_role_and_label(Role::TextInput, "Add labels")
        .focus();
    window.run();
    type_over(&mut window, "Add labels", "grass");
    let again = window.query_by_label("the label “cat собака” is read without “собака”");
    assert!(again.is_none(), "told once");
}

#[test]
fn many_labels_without_a_vector_are_counted() {
    let mut window = Opening::with(&[]).open();
    let column: Vec<String> = (0..9).map(|i| format!("<flurb {i}>")).collect();
    paste(&mut window, &column.join("\n"));
    assert_eq!(labels(&window).len(), 9);
    window.get_by_label("6 more labels without a vector; their chips say why");
}

#[test]
fn letters_that_no_font_has_are_named() {
    let mut window = Opening::with(&["dog"]).open();
    window
        .ctx
        .set_missing_glyph_policy(egui::MissingGlyphPolicy::Tofu);
    window.run();
    paste(&mut window, "𓃡 dog\n𓃡 cat");
    window
        .get_by_label_contains("No font of this computer has “𓃡” (U+130E1, Egyptian_Hieroglyphs)");
    click(&mut window, "Dismiss");
    paste(&mut window, "𓃡 cow");
    let again = window.query_by_label_contains("No font of this computer");
    assert!(again.is_none(), "told once");
}
