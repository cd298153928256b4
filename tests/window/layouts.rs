//! The comparison's layouts, zoom and menus, driven by the names of widgets.

use crate::fake_engine::GRID;
use crate::fake_window::{Opening, Window, save_as, state, text_with, wait_for};
use biam_lens::app::commands::Command;
use biam_lens::app::view::{LabelsAs, PanelLayout};
use biam_lens::engine::ResponseMap;
use biam_lens::figure::scale::ScaleMode;
use biam_lens::model::VariantId;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT, Queryable};

fn meadow(labels: &[&str]) -> Window<'static> {
    Opening::with(labels).open()
}

fn press_alt(window: &mut Window<'_>, key: Key) {
    window.key_press_modifiers(Modifiers::ALT, key);
    window.run();
}

fn value(window: &Window<'_>, name: &str) -> String {
    window.get_by_label(name).value().expect("a value")
}

/// The middle of a region, counted from 0, in a panel that shows the whole photo.
fn middle(panel: Rect, row: usize, column: usize) -> Pos2 {
    let place = vec2(column as f32 + 0.5, row as f32 + 0.5);
    panel.min + place / vec2(GRID.columns as f32, GRID.rows as f32) * panel.size()
}

fn sigma(map: &ResponseMap, region: usize) -> f32 {
    let ordinary = map.ordinary.as_ref().expect("known");
    ordinary.sigma(map.responses[region])
}

fn map(window: &Window<'_>, label: &str, variant: VariantId) -> ResponseMap {
    state(window).map(label, variant).expect("a map").clone()
}

fn right_click(window: &mut Window<'_>, name: &str) {
    window.get_by_label(name).click_secondary();
    window.run();
}

#[test]
fn every_layout_is_reached_by_its_button_and_its_key() {
    let mut window = meadow(&["dog", "cat"]);
    let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];
    for (layout, key) in std::iter::zip(PanelLayout::ALL, keys).rev() {
        window.get_by_label(layout.title()).click();
        window.run();
        assert_eq!(state(&window).layout(), layout);
        press_alt(&mut window, Key::Num1);
        assert_eq!(state(&window).layout(), PanelLayout::Grid);
        press_alt(&mut window, key);
        assert_eq!(state(&window).layout(), layout);
    }
    assert!(window.query_by_label("cat in RCB").is_some());
}

#[test]
fn one_large_panel_is_changed_by_arrows_and_small_panels() {
    let mut window = meadow(&["dog", "cat", "joy"]);
    press_alt(&mut window, Key::Num2);
    assert!(window.query_by_label("dog in BiAM").is_some());
    assert!(window.query_by_label("cat in BiAM").is_none());
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::ArrowLeft);
    window.run();
    assert!(value(&window, "cat in SCB").contains('σ'));
    window.get_by_label("Show joy").click();
    window.run();
    window.get_by_label("Show in RCB").click();
    window.run();
    let panel = window.get_by_label("joy in RCB").rect();
    assert!(panel.height() > 250.0, "{panel:?}");
    assert!(window.query_by_label("cat in SCB").is_none());
}

#[test]
fn the_divider_moves_by_key_and_by_pointer() {
    let mut window = meadow(&["dog"]);
    press_alt(&mut window, Key::Num3);
    let width = |window: &Window<'_>, name| window.get_by_label(name).rect().width();
    let before = width(&window, "dog in BiAM");
    let whole = before + width(&window, "dog in Standard");
    window.key_press(Key::ArrowRight);
    window.run();
    assert!((state(&window).view.divider - 0.55).abs() < 1e-6);
    assert!((width(&window, "dog in BiAM") - before - 0.05 * whole).abs() < 1.0);
    // With the keyboard on the divider itself as well.
    window
        .get_by_role_and_label(Role::Slider, "Divider")
        .focus();
    window.run();
    window.key_press(Key::ArrowLeft);
    window.run();
    assert!((state(&window).view.divider - 0.5).abs() < 1e-6);
    let grip = window.get_by_label("Divider").rect().center();
    window.drag_at(grip);
    window.run();
    window.hover_at(grip + vec2(0.25 * whole, 0.0));
    window.run();
    window.drop_at(grip + vec2(0.25 * whole, 0.0));
    window.run();
    assert!((state(&window).view.divider - 0.75).abs() < 0.01);
    press_alt(&mut window, Key::X);
    assert_eq!(state(&window).chosen_variant(), Some(VariantId::STANDARD));
}

#[test]
fn a_difference_is_that_of_the_standard_scores() {
    let mut window = meadow(&["dog", "cat"]);
    press_alt(&mut window, Key::Num4);
    let name = "dog in BiAM − Standard";
    let (one, other) = (
        map(&window, "dog", VariantId::BIAM),
        map(&window, "dog", VariantId::STANDARD),
    );
    let at = |region| sigma(&one, region) - sigma(&other, region);
    let highest = (0..GRID.regions()).map(at).fold(f32::MIN, f32::max);
    let caption = value(&window, name);
    assert!(caption.contains(&format!("+{highest:.1} σ")), "{caption}");
    let region = (0..GRID.regions())
        .max_by(|&a, &b| at(a).total_cmp(&at(b)))
        .expect("regions");
    let (row, column) = (region / GRID.columns, region % GRID.columns);
    let panel = window.get_by_label(name).rect();
    window.hover_at(middle(panel, row, column));
    window.run();
    let place = format!("Row {}, column {} ·", row + 1, column + 1);
    let read_out = text_with(&window, &place);
    assert!(read_out.contains(&format!("+{highest:.1} σ")), "{read_out}");
    assert!(
        window
            .query_by_label("Colour bar: difference in σ")
            .is_some()
    );
    window.key_press(Key::ArrowRight);
    window.run();
    assert!(window.query_by_label("dog in BiAM − RCB").is_some());
}

#[test]
fn without_ordinary_regions_there_is_no_difference() {
    let mut window = Opening {
        ordinary_regions: false,
        ..Opening::with(&["dog"])
    }
    .open();
    let button = window.get_by_label("Difference");
    assert!(button.accesskit_node().is_disabled());
    press_alt(&mut window, Key::Num4);
    assert_eq!(state(&window).layout(), PanelLayout::Grid);
    window.get_by_label("Difference").hover();
    window.run_steps(8);
    assert!(
        window
            .query_by_label_contains("no ordinary regions")
            .is_some()
    );
}

#[test]
fn zooming_keeps_the_region_under_the_pointer_and_becomes_sharp_when_it_stands_still() {
    let mut window = meadow(&["dog", "cat"]);
    let panel = window.get_by_label("dog in RCB").rect();
    let pointer = middle(panel, 2, 11);
    window.hover_at(pointer);
    window.run();
    let before = window.state().app.pictures_made();
    let hovered = state(&window).hovered.expect("a region");
    assert_eq!((hovered.row, hovered.column), (2, 11));
    for _ in 0..4 {
        window.event(egui::Event::Zoom(1.3));
        window.run();
        assert_eq!(state(&window).hovered, Some(hovered));
    }
    assert!((state(&window).view.zoom - 1.3f32.powi(4)).abs() < 0.01);
    // One region is now almost three times as wide: a little to the side is still the same.
    window.hover_at(pointer + vec2(panel.width() / GRID.columns as f32, 0.0));
    window.run();
    assert_eq!(state(&window).hovered, Some(hovered));
    let centre = state(&window).view.centre;
    window.drag_at(panel.center());
    window.run();
    window.hover_at(panel.center() + vec2(40.0, 0.0));
    window.run();
    window.drop_at(panel.center() + vec2(40.0, 0.0));
    window.run();
    let moved = state(&window).view.centre[0] - centre[0];
    let expected = -40.0 / panel.width() / state(&window).view.zoom;
    assert!((moved - expected).abs() < 0.01, "{moved} {expected}");
    wait_for(&mut window, "sharp pictures", |window| {
        window.state().app.pictures_made() > before
    });
    let sharp = window.state().app.pictures_made();
    window.get_by_label("Reset zoom").click();
    window.run();
    assert_eq!(state(&window).view.zoom, 1.0);
    assert_eq!(window.state().app.pictures_made(), sharp, "the old ones do");
}

#[test]
fn a_hidden_variant_and_a_hidden_label_come_back() {
    let mut window = meadow(&["dog", "cat"]);
    right_click(&mut window, "dog in RCB");
    window.get_by_label("Hide RCB").click();
    window.run();
    assert!(window.query_by_label("dog in RCB").is_none());
    right_click(&mut window, "cat in SCB");
    window.get_by_label("Hide the label cat").click();
    window.run();
    assert!(window.query_by_label("cat in SCB").is_none());
    assert_eq!(state(&window).labels.labels().len(), 2, "it stays listed");
    window.get_by_label("Show 2 hidden").click();
    window.run();
    assert!(window.query_by_label("dog in RCB").is_some());
    assert!(window.query_by_label("cat in SCB").is_some());
}

#[test]
fn a_panels_menu_copies_compares_and_makes_large() {
    let mut window = meadow(&["dog", "cat"]);
    let panel = window.get_by_label("cat in RCB").rect();
    window.hover_at(panel.center());
    window.run();
    right_click(&mut window, "cat in RCB");
    window.get_by_label("Copy this value").click();
    window.step();
    let copied = window.output().platform_output.commands.iter().any(|command| {
        matches!(command, egui::OutputCommand::CopyText(text) if text.contains("cat in RCB: raw"))
    });
    assert!(copied, "{:?}", window.output().platform_output.commands);
    window.run();
    right_click(&mut window, "cat in RCB");
    window
        .get_by_label("Compare A/B with the next variant")
        .click();
    window.run();
    assert_eq!(state(&window).layout(), PanelLayout::Slider);
    assert!(window.query_by_label("cat in SCB").is_some());
    right_click(&mut window, "cat in RCB");
    window.get_by_label("Make large").click();
    window.run();
    assert_eq!(state(&window).layout(), PanelLayout::Large);
    assert!(window.query_by_label("cat in RCB").is_some());
    assert!(window.query_by_label("cat in SCB").is_none());
}

#[test]
fn one_panel_alone_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("panel.png");
    let mut window = meadow(&["dog", "cat"]);
    right_click(&mut window, "cat in RCB");
    window.get_by_label("Save this panel…").click();
    window.run();
    assert!(
        window
            .query_by_label_contains("The panel of cat in RCB")
            .is_some()
    );
    save_as(&mut window, &path);
    let picture = image::open(&path).expect("a picture");
    let aspect = picture.width() as f32 / picture.height() as f32;
    assert!(aspect < 2.0, "one panel is no wide strip: {aspect}");
}

#[test]
fn the_labels_of_the_pointed_region_are_listed() {
    let mut window = meadow(&["dog"]);
    let panel = window.get_by_label("dog in SCB").rect();
    window.hover_at(panel.center());
    window.run();
    let text = text_with(&window, "Most in this region, SCB, σ: ");
    assert!(text.contains("σ: dog\u{a0}"), "{text}");
    window
        .state_mut()
        .app
        .give(Command::Scale(ScaleMode::RawPanel));
    window.run();
    let text = text_with(&window, "Most in this region, SCB");
    let comparison = state(&window).comparison().expect("maps");
    let ranking = comparison.ranking.as_ref().expect("asked for");
    let hovered = state(&window).hovered.expect("a region is pointed at");
    let place = hovered.row * comparison.grid.columns + hovered.column;
    let region = ranking.region(2, place).expect("a region");
    let best = (0..region.len())
        .max_by(|&a, &b| region[a].total_cmp(&region[b]))
        .expect("labels");
    let first = format!("raw: {}\u{a0}", ranking.labels[best].0);
    assert!(text.contains(&first), "{text} lacks {first}");
    window.remove_cursor();
    window.run();
    assert!(window.query_by_label_contains("Most in this").is_none());
}

#[test]
fn a_portrait_photo_shows_two_rows_or_all_as_columns() {
    let labels = ["dog", "cat", "joy", "toaster"];
    let mut window = Opening {
        photos: &["portrait"],
        ..Opening::with(&labels)
    }
    .open();
    let bar = window.get_by_label_contains("Colour bar: ").rect();
    for label in ["dog", "cat"] {
        let panel = window.get_by_label(&format!("{label} in BiAM")).rect();
        assert!(panel.bottom() + 25.0 < bar.top(), "{label}: {panel:?}");
    }
    press_alt(&mut window, Key::C);
    assert_eq!(state(&window).view.labels_as, LabelsAs::Columns);
    let [one, below, beside] = ["dog in Standard", "dog in RCB", "cat in Standard"]
        .map(|name| window.get_by_label(name).rect());
    assert_eq!(one.left(), below.left());
    assert_eq!(one.top(), beside.top());
    assert!(one.bottom() < below.top() && one.right() < beside.left());
}

fn label_field<'a>(window: &'a Window<'_>) -> egui_kittest::Node<'a> {
    window.get_by_role_and_label(Role::TextInput, "Add labels")
}

#[test]
fn labels_that_are_added_come_into_view() {
    let mut window = meadow(&["dog", "cat", "grass", "sky"]);
    label_field(&window).focus();
    window.run();
    label_field(&window).type_text("zebra");
    window.run();
    window.key_press(Key::Enter);
    window.run_steps(30);
    let panel = window.get_by_label("zebra in BiAM").rect();
    let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1280.0, 720.0));
    assert!(screen.contains_rect(panel), "{panel:?}");
}

#[test]
fn a_key_with_alt_types_nothing() {
    let mut window = meadow(&["dog"]);
    label_field(&window).focus();
    window.run();
    let key = egui::Event::Key {
        key: Key::Num3,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::ALT,
    };
    let input = window.input_mut();
    input
        .events
        .extend([key, egui::Event::Text("3".to_owned())]);
    window.step();
    assert_eq!(state(&window).layout(), PanelLayout::Slider);
    assert_eq!(state(&window).fields.labels, "");
}
