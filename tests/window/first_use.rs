//! What a newcomer does: opening photos, typing labels, reading values, undoing, meeting errors.

use crate::fake_engine::GRID;
use crate::fake_window::{Opening, Window, labels, save_as, text_with, wait_for};
use biam_lens::engine::Request;
use biam_lens::figure::scale::ScaleMode;
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

fn small(labels: &[&str]) -> Window<'static> {
    Opening::with(labels).open()
}

fn type_into(window: &mut Window<'_>, field: &str, text: &str) {
    window.get_by_role_and_label(Role::TextInput, field).click();
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, field)
        .type_text(text);
    window.run();
    window.key_press(Key::Enter);
    window.run();
}

#[test]
fn the_window_opens_on_a_sample_with_its_maps() {
    let window = small(&["dog", "frisbee"]);
    for panel in ["dog in Standard", "dog in BiAM", "frisbee in SCB"] {
        let value = window.get_by_label(panel).value().expect("a caption");
        assert!(value.contains('σ'), "{panel}: {value}");
    }
    assert!(window.query_by_label("Photo meadow").is_some());
    assert!(window.query_by_label_contains("σ above ordinary").is_some());
}

#[test]
fn while_maps_are_awaited_the_photo_is_shown_and_work_can_be_cancelled() {
    let mut window = small(&["dog"]);
    window.state_mut().engine.slow = true;
    window.key_press(Key::PageDown);
    window.run_steps(4);
    assert!(window.query_by_label("Encoding with RCB").is_some());
    assert!(window.get_by_label("dog in RCB").value().is_none());
    window.get_by_label("Cancel").click();
    window.run();
    assert!(window.query_by_label("Encoding with RCB").is_none());
    let last = window.state().engine.asked.last();
    assert!(matches!(last, Some(Request::Cancel)), "{last:?}");
}

#[test]
fn a_photo_opens_by_its_typed_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("two dogs.png");
    std::fs::write(&path, b"made up").expect("written");
    let mut window = small(&["dog"]);
    let field = "Path of a photo or folder";
    type_into(&mut window, field, &format!("  '{}' ", path.display()));
    wait_for(&mut window, "photo", |window| {
        window.query_by_label("Photo two dogs.png").is_some()
    });
    window.run();
    let state = window.state().app.state();
    assert_eq!(state.photos.selected, 0);
    assert!(state.comparison().is_some(), "its maps are there");
    assert!(window.get_by_label("dog in BiAM").value().is_some());
}

#[test]
fn typed_labels_are_compared_and_undone() {
    let mut window = small(&["dog"]);
    type_into(&mut window, "Add labels", "traffic light,  Joy ,dog");
    assert_eq!(labels(&window), ["dog", "traffic light", "Joy"]);
    assert!(window.get_by_label("Joy in BiAM").value().is_some());
    let asked = window.state().engine.asked.last();
    assert!(
        matches!(asked, Some(Request::Compare { labels, .. }) if labels.len() == 3),
        "{asked:?}"
    );
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run();
    assert_eq!(labels(&window), ["dog"]);
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    window.run();
    assert_eq!(labels(&window).len(), 3);
}

#[test]
fn an_unseen_label_is_called_unseen() {
    let mut window = small(&[]);
    type_into(&mut window, "Add labels", "toaster, spaceship, dog");
    for word in ["taught", "unseen", "seen"] {
        assert!(window.query_all_by_label(word).count() > 0, "{word}");
    }
    window.get_by_label("Label spaceship").hover();
    window.run_steps(8);
    assert!(
        window
            .query_by_label_contains("Nearest seen labels")
            .is_some()
    );
    assert!(window.query_by_label("0.71").is_some());
}

#[test]
fn a_chips_cross_removes_its_label() {
    let mut window = small(&["dog", "cat"]);
    window.get_by_label("Remove dog").click();
    window.run();
    assert_eq!(labels(&window), ["cat"]);
    assert!(window.query_by_label("dog in BiAM").is_none());
}

#[test]
fn the_bundles_labels_are_searched_and_added() {
    let mut window = small(&["dog"]);
    window
        .get_by_role_and_label(Role::TextInput, "Search labels")
        .click();
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, "Search labels")
        .type_text("umb");
    window.run();
    assert!(window.query_by_label("Bundle label cat").is_none());
    window.get_by_label("Bundle label umbrella").click();
    window.run();
    assert_eq!(labels(&window), ["dog", "umbrella"]);
}

#[test]
fn the_ranking_lists_labels_and_adds_them() {
    let mut window = small(&["dog"]);
    assert!(window.query_by_label_contains("Rank 10: ").is_some());
    window.get_by_label("ZSL").click();
    window.run();
    assert!(window.query_by_label_contains("Rank 5: ").is_none());
    let first = text_with(&window, "Rank 1: ");
    window.get_by_label(&first).click();
    window.run();
    assert_eq!(labels(&window)[1], first["Rank 1: ".len()..]);
    window.get_by_label("Typed").click();
    window.run();
    assert!(window.query_by_label_contains("Rank 2: ").is_some());
    assert!(window.query_by_label_contains("Rank 3: ").is_none());
}

#[test]
fn the_value_under_the_pointer_is_read_in_every_panel() {
    let mut window = small(&["dog"]);
    let panel = window.get_by_label("dog in RCB").rect();
    // The middle of row 3, column 12, counted from 1.
    let place = egui::vec2(11.5, 2.5) / egui::vec2(GRID.columns as f32, GRID.rows as f32);
    window.hover_at(panel.min + place * panel.size());
    window.run();
    let comparison = window.state().app.state().comparison().cloned();
    let map = &comparison.expect("maps").maps[1][0];
    let raw = map.responses[2 * GRID.columns + 11];
    let sigma = map.ordinary.as_ref().expect("known").sigma(raw);
    let read_out = text_with(&window, "Row 3, column 12");
    let expected = format!("{:.1} σ", sigma.abs());
    assert!(read_out.contains("dog in RCB: raw"), "{read_out}");
    assert!(read_out.contains(&expected), "{read_out} lacks {expected}");
    window.remove_cursor();
    window.run();
    assert!(window.query_by_label_contains("Row 3, column 12").is_none());
}

#[test]
fn another_scale_repaints_every_panel_and_names_itself() {
    let mut window = small(&["dog", "cat"]);
    let before = window.state().app.pictures_made();
    window.run_steps(5);
    assert_eq!(
        window.state().app.pictures_made(),
        before,
        "nothing changed"
    );
    window
        .get_by_role_and_label(Role::ComboBox, "Scale")
        .click();
    window.run();
    window.get_by_label("rank among ordinary regions").click();
    window.run();
    let state = window.state().app.state();
    assert_eq!(state.display.scale, ScaleMode::Rank);
    assert_eq!(window.state().app.pictures_made(), before + 8);
    let bar = "Colour bar: rank among ordinary regions";
    assert!(window.query_by_label(bar).is_some());
}

#[test]
fn without_ordinary_regions_raw_is_shown_and_the_others_say_why_not() {
    let mut window = Opening {
        ordinary_regions: false,
        ..Opening::with(&["dog"])
    }
    .open();
    assert_eq!(
        window.state().app.state().display.scale,
        ScaleMode::RawPanel
    );
    window
        .get_by_role_and_label(Role::ComboBox, "Scale")
        .click();
    window.run();
    let sigma = window.get_by_role_and_label(Role::Button, "σ above ordinary");
    assert!(sigma.accesskit_node().is_disabled());
    sigma.hover();
    window.run_steps(8);
    assert!(
        window
            .query_by_label_contains("no ordinary regions")
            .is_some()
    );
}

#[test]
fn a_label_that_is_nowhere_is_said_to_be_nowhere() {
    let window = small(&["nothing"]);
    let caption = window.get_by_label("nothing in BiAM").value();
    let caption = caption.expect("a caption");
    assert!(caption.contains("nothing above ordinary"), "{caption}");
}

#[test]
fn an_error_stays_until_it_is_dismissed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.jpg");
    std::fs::write(&path, b"no photo").expect("written");
    let mut window = small(&["dog"]);
    let field = "Path of a photo or folder";
    type_into(&mut window, field, &path.display().to_string());
    wait_for(&mut window, "error", |window| {
        window
            .query_by_label_contains("broken.jpg is not")
            .is_some()
    });
    window.run_steps(20);
    assert!(
        window
            .query_by_label_contains("broken.jpg is not")
            .is_some()
    );
    window.get_by_label("Dismiss").click();
    window.run();
    assert!(
        window
            .query_by_label_contains("broken.jpg is not")
            .is_none()
    );
    assert!(window.query_by_label("Photo broken.jpg").is_some());
    type_into(&mut window, field, "/no/such/place.png");
    wait_for(&mut window, "error", |window| {
        window
            .query_by_label_contains("/no/such/place.png")
            .is_some()
    });
}

#[test]
fn the_palette_finds_and_gives_a_command() {
    let mut window = small(&["dog"]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::P);
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, "Find a command")
        .type_text("magma");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    let state = window.state().app.state();
    assert_eq!(state.display.style.colour_map.name(), "magma");
    assert!(!state.open.palette);
}

#[test]
fn menus_show_what_is_on_and_help_lists_every_command() {
    let mut window = small(&["dog"]);
    window.get_by_label("View").click();
    window.run();
    let shown = window.get_by_label_contains("Show RCB");
    assert_eq!(shown.accesskit_node().toggled(), Some(Toggled::True));
    shown.click();
    window.run();
    assert!(window.query_by_label("dog in RCB").is_none());
    assert!(window.query_by_label("dog in SCB").is_some());
    window.key_press(Key::F1);
    window.run();
    assert!(window.query_by_label("Save picture…").is_some());
}

#[test]
fn thumbnails_are_asked_for_the_rows_in_view_only() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..300 {
        let path = folder.path().join(format!("{number:03}.png"));
        std::fs::write(path, b"made up").expect("written");
    }
    let mut window = small(&["dog"]);
    let field = "Path of a photo or folder";
    type_into(&mut window, field, &folder.path().display().to_string());
    wait_for(&mut window, "folder", |window| {
        window.state().app.state().photos.entries.len() == 302
    });
    window.run();
    let asked = window.state().engine.thumbnails;
    assert!((5..40).contains(&asked), "{asked} thumbnails");
}

#[test]
fn the_comparison_is_saved_as_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("maps.png");
    let mut window = small(&["dog", "cat"]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    window.run();
    save_as(&mut window, &path);
    let picture = image::open(&path).expect("a picture");
    assert!(picture.width() > 1000 && picture.height() > 500);
}
