//! The desk around the maps: saving, panels that are put away, the next photo, messages that pass,
//! the keyboard.

use std::path::Path;

use biam_lens::app::commands::Command;
use biam_lens::app::view::PanelLayout;
use biam_lens::figure::scale::ScaleMode;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::fake_window::{Opening, Window, give, labels, save_as, state, wait_for};

const SAVE_FIELD: &str = "Path of the picture";
const PATH_FIELD: &str = "Path of a photo or folder";

fn press(window: &mut Window<'_>, key: Key) {
    window.key_press(key);
    window.run();
}

/// Puts `text` in place of what a field holds and presses Enter.
fn enter(window: &mut Window<'_>, field: &str, text: &str) {
    window.get_by_role_and_label(Role::TextInput, field).click();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, field)
        .type_text(text);
    window.run();
    press(window, Key::Enter);
}

fn enter_path(window: &mut Window<'_>, path: &Path) {
    enter(window, PATH_FIELD, &path.display().to_string());
}

#[test]
fn the_suggested_path_is_whole_and_other_endings_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut window = Opening::with(&["dog"]).open();
    give(&mut window, Command::SavePicture);
    let suggested = state(&window).fields.save_path.clone();
    assert!(Path::new(&suggested).is_absolute(), "{suggested}");
    for name in ["fig.pdf", "fig.jpg", "fig"] {
        let path = folder.path().join(name);
        enter(&mut window, SAVE_FIELD, &path.display().to_string());
        let refusal = window.query_by_label_contains("figures are written as .png or .svg");
        assert!(refusal.is_some() && !path.exists(), "{name}");
    }
    enter(&mut window, SAVE_FIELD, "/no/such/folder/fig.png");
    assert!(
        window
            .query_by_label_contains("create the folder")
            .is_some()
    );
    let drawing = folder.path().join("fig.SVG");
    save_as(&mut window, &drawing);
    let bytes = std::fs::read_to_string(&drawing).expect("text");
    assert!(bytes.starts_with("<svg"));
}

#[test]
fn an_existing_file_is_replaced_only_when_that_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.png");
    std::fs::write(&path, b"mine").expect("written");
    let mut window = Opening::with(&["dog"]).open();
    give(&mut window, Command::SavePicture);
    let typed = path.display().to_string();
    enter(&mut window, SAVE_FIELD, &typed);
    assert!(window.query_by_label_contains("exists already").is_some());
    press(&mut window, Key::Escape);
    assert!(window.query_by_label_contains("exists already").is_none());
    assert_eq!(std::fs::read(&path).expect("kept"), b"mine");
    assert!(state(&window).open.save, "the path can be changed");
    enter(&mut window, SAVE_FIELD, &typed);
    press(&mut window, Key::Enter);
    wait_for(&mut window, "picture", |window| {
        window.query_by_label_contains("Saved ").is_some()
    });
    assert!(
        std::fs::read(&path)
            .expect("a picture")
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn maps_are_seen_at_1280_by_720_whatever_the_text_size() {
    for steps in [0, 5, 10] {
        let mut window = Opening::with(&["dog", "frisbee"]).open();
        for _ in 0..steps {
            give(&mut window, Command::LargerText);
        }
        let zoom = state(&window).zoom;
        let screen = egui::vec2(1280.0, 720.0) / zoom;
        for panel in ["dog in Standard", "dog in BiAM"] {
            let rect = window.get_by_label(panel).rect();
            assert!(rect.width() * zoom > 90.0, "{panel} at {zoom}: {rect:?}");
            assert!(rect.right() <= screen.x && rect.bottom() <= screen.y);
        }
    }
}

#[test]
fn panels_are_put_away_and_brought_back_with_keys() {
    let mut window = Opening::with(&["dog"]).open();
    let before = window.get_by_label("dog in BiAM").rect().width();
    for (key, name) in [
        (Key::F7, "Photos"),
        (Key::F8, "Labels"),
        (Key::F9, "Rank 1: "),
        (Key::F6, "Scale"),
    ] {
        let there = |window: &Window<'_>| window.query_all_by_label_contains(name).count();
        let count = there(&window);
        press(&mut window, key);
        assert!(there(&window) < count, "{name} is away");
        press(&mut window, key);
        assert_eq!(there(&window), count, "{name} is back");
    }
    press(&mut window, Key::F7);
    press(&mut window, Key::F8);
    let after = window.get_by_label("dog in BiAM").rect().width();
    assert!(after > 1.3 * before, "{before} then {after}");
    window.key_press_modifiers(Modifiers::COMMAND, Key::L);
    window.run();
    assert!(window.query_by_label("Add labels").is_some());
}

#[test]
fn a_narrow_window_has_one_side_panel_at_a_time() {
    let mut window = Opening {
        size: [640.0, 360.0],
        ..Opening::with(&["dog"])
    }
    .open();
    let there = |window: &Window<'_>| {
        ["Add labels", PATH_FIELD].map(|name| window.query_by_label(name).is_some())
    };
    assert_eq!(there(&window), [true, false]);
    press(&mut window, Key::F7);
    assert_eq!(there(&window), [false, true]);
    press(&mut window, Key::F7);
    assert_eq!(there(&window), [false, false]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::G);
    window.run();
    assert_eq!(there(&window), [false, true]);
    press(&mut window, Key::F8);
    assert_eq!(there(&window), [true, false]);
}

#[test]
fn the_maps_alone_fill_the_screen_until_escape() {
    let mut window = Opening::with(&["dog"]).open();
    press(&mut window, Key::F11);
    assert!(window.query_by_label("File").is_none());
    assert!(window.query_by_label("Add labels").is_none());
    assert!(window.query_by_label("dog in BiAM").is_some());
    press(&mut window, Key::Escape);
    assert!(window.query_by_label("File").is_some());
    press(&mut window, Key::F11);
    press(&mut window, Key::F11);
    assert!(!state(&window).full_screen);
}

#[test]
fn the_last_comparison_stays_until_the_next_is_there() {
    let mut window = Opening::with(&["dog"]).open();
    let ahead = &window.state().engine.ahead;
    let names: Vec<String> = ahead.iter().map(|photo| photo.name()).collect();
    assert_eq!(names, ["harbour"], "the neighbour is computed ahead");
    window.state_mut().engine.slow = true;
    window.key_press(Key::PageDown);
    window.run_steps(6);
    assert!(window.query_by_label("Computing harbour…").is_some());
    assert!(state(&window).shown_comparison().is_some());
    let panel = window.get_by_label("dog in BiAM");
    assert_eq!(panel.value(), None, "it says nothing of the old photo");
    give_steps(&mut window, Command::SavePicture);
    assert!(!state(&window).open.save);
    window.state_mut().engine.slow = false;
    give_steps(&mut window, Command::Cancel);
    press(&mut window, Key::F5);
    assert!(window.query_by_label("Computing harbour…").is_none());
    assert!(window.get_by_label("dog in BiAM").value().is_some());
}

/// Gives a command to a window that does not come to rest.
fn give_steps(window: &mut Window<'_>, command: Command) {
    window.state_mut().app.give(command);
    window.run_steps(3);
}

#[test]
fn letters_typed_in_the_frame_of_ctrl_l_or_enter_are_kept() {
    let mut window = Opening::with(&[]).open();
    let key = |key, modifiers| egui::Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers,
    };
    let text = |text: &str| egui::Event::Text(text.to_owned());
    window.input_mut().events.extend([
        key(Key::L, Modifiers::COMMAND),
        text("d"),
        text("og"),
        key(Key::Enter, Modifiers::NONE),
        text("cat"),
        key(Key::Enter, Modifiers::NONE),
        text("z"),
    ]);
    window.run();
    assert_eq!(labels(&window), ["dog", "cat"]);
    assert_eq!(state(&window).fields.labels, "z");
}

#[test]
fn errors_leave_when_what_they_tell_of_has_passed() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.jpg");
    let good = folder.path().join("good.png");
    std::fs::write(&broken, b"no photo").expect("written");
    std::fs::write(&good, b"made up").expect("written");
    let mut window = Opening::with(&["dog", "<flurb>"]).open();
    let says = |window: &Window<'_>, part: &str| window.query_by_label_contains(part).is_some();
    assert!(says(&window, "“<flurb>” has no vector"));
    window.get_by_label("Remove <flurb>").click();
    window.run();
    assert!(!says(&window, "“<flurb>” has no vector"));
    enter_path(&mut window, &broken);
    wait_for(&mut window, "error", |w| says(w, "broken.jpg is not"));
    enter_path(&mut window, Path::new("/no/such/place.png"));
    wait_for(&mut window, "error", |w| says(w, "/no/such/place.png"));
    enter_path(&mut window, &good);
    wait_for(&mut window, "photo", |w| !says(w, "/no/such/place.png"));
    assert!(
        !says(&window, "broken.jpg is not"),
        "another photo is shown"
    );
}

#[test]
fn a_photo_that_is_deleted_while_shown_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("short lived.png");
    std::fs::write(&path, b"made up").expect("written");
    let mut window = Opening::with(&["dog"]).open();
    enter_path(&mut window, &path);
    let said = |w: &Window<'_>| w.query_by_label_contains("is no longer there").is_some();
    wait_for(&mut window, "photo", |w| {
        let chosen = state(w).photos.chosen();
        state(w).is_current() && chosen.is_some_and(|photo| photo.name() == "short lived.png")
    });
    std::fs::remove_file(&path).expect("removed");
    wait_for(&mut window, "word", said);
    std::fs::write(&path, b"back").expect("written");
    wait_for(&mut window, "silence", |w| !said(w));
}

#[test]
fn help_explains_the_words_and_writes_keys_as_people_do() {
    let mut window = Opening::with(&["dog"]).open();
    press(&mut window, Key::F1);
    for word in ["σ", "Seen", "Taught", "Unseen", "RCB", "SCB", "k"] {
        assert!(window.query_all_by_label(word).count() > 0, "{word}");
    }
    for keys in ["Ctrl+]", "Ctrl+.", "Page Down", "F11"] {
        assert!(window.query_all_by_label(keys).count() > 0, "{keys}");
    }
    press(&mut window, Key::Escape);
    assert!(!state(&window).open.help);
}

#[test]
fn a_difference_greys_what_does_not_apply_and_says_why() {
    let mut window = Opening::with(&["dog"]).open();
    give(&mut window, Command::Layout(PanelLayout::Difference));
    for name in ["Scale", "Colours"] {
        let choice = window.get_by_role_and_label(Role::ComboBox, name);
        assert!(choice.accesskit_node().is_disabled(), "{name}");
    }
    window
        .get_by_role_and_label(Role::ComboBox, "Colours")
        .hover();
    window.run_steps(8);
    let reason = window.query_by_label_contains("A difference is always shown in σ");
    assert!(reason.is_some());
    give(&mut window, Command::Layout(PanelLayout::Grid));
    let choice = window.get_by_role_and_label(Role::ComboBox, "Scale");
    assert!(!choice.accesskit_node().is_disabled());
}

#[test]
fn a_fixed_range_begins_with_the_values_on_screen() {
    let mut window = Opening::with(&["dog"]).open();
    give(&mut window, Command::Scale(ScaleMode::Fixed));
    let [low, high] = state(&window).display.ranges.fixed;
    let comparison = state(&window).comparison().expect("maps");
    let values = || {
        comparison
            .maps
            .iter()
            .flat_map(|maps| maps[0].responses.iter())
    };
    let lowest = values().copied().fold(f32::INFINITY, f32::min);
    let highest = values().copied().fold(f32::NEG_INFINITY, f32::max);
    assert!(low <= lowest && lowest < low + 0.011, "{low} for {lowest}");
    assert!(
        high >= highest && highest > high - 0.011,
        "{high} for {highest}"
    );
}

#[test]
fn the_scale_of_sigma_ends_where_it_is_told_to() {
    let mut window = Opening::with(&["dog"]).open();
    let highest = |window: &Window| state(window).display.ranges.highest_sigma;
    assert_eq!(highest(&window), 5.0);
    let comparison = state(&window).comparison().expect("maps");
    let sigmas = comparison.maps.iter().filter_map(|maps| maps[0].sigmas());
    let most = sigmas.flatten().fold(f32::NEG_INFINITY, f32::max);
    window.get_by_label("Fit").click();
    window.run_steps(4);
    let fitted = highest(&window);
    assert!(
        fitted >= most && fitted < most + 0.51,
        "{fitted} for {most}"
    );
}

#[test]
fn a_set_of_one_window_is_not_overwritten_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    let open = || {
        let path = path.clone();
        Opening::with(&["dog"]).prepared(move |app, _| app.keep_settings(path))
    };
    let (mut one, mut other) = (open(), open());
    for (window, name) in [(&mut one, "first"), (&mut other, "second")] {
        give(window, Command::SaveLabelSet);
        enter(window, "Name of the set", name);
        let wanted = format!("name = \"{name}\"");
        wait_for(window, "a written set", |_| {
            // Nothing closes the window: it might as well be killed.
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains(&wanted))
        });
    }
    let text = std::fs::read_to_string(&path).expect("written");
    assert!(
        text.contains("\"first\"") && text.contains("\"second\""),
        "{text}"
    );
    wait_for(&mut other, "the other set", |window| {
        state(window).labels.sets().len() == 2
    });
}
