//! The inspector, driven by the names of its widgets.

use biam_lens::app::commands::Command;
use biam_lens::app::inspector::InspectorTab;
use biam_lens::app::state::Theme;
use biam_lens::engine::Request;
use biam_lens::model::{Part, VariantId};
use egui::accesskit::Role;
use egui::{Key, Modifiers, Rect, vec2};
use egui_kittest::kittest::Queryable;

use crate::fake_engine::GRID;
use crate::fake_window::{Opening, Window, give, state, text_with};
use crate::pictures::snapshot;

fn open() -> Window<'static> {
    Opening::with(&["dog", "cat", "frisbee"]).open()
}

/// Clicks a region, counted from 0, in the named panel.
fn click_region(window: &mut Window<'_>, panel: &str, row: usize, column: usize) {
    let place: Rect = window.get_by_label(panel).rect();
    let part = vec2(
        (column as f32 + 0.5) / GRID.columns as f32,
        (row as f32 + 0.5) / GRID.rows as f32,
    );
    let at = place.min + part * place.size();
    window.hover_at(at);
    window.run();
    for pressed in [true, false] {
        window.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        window.run();
    }
}

fn tab(window: &mut Window<'_>, tab: InspectorTab) {
    window
        .get_by_role_and_label(Role::Button, tab.title())
        .click();
    window.run();
}

#[test]
fn a_click_in_a_panel_looks_into_that_region() {
    let mut window = open();
    assert!(window.query_by_label("Inside").is_some(), "the menu");
    click_region(&mut window, "cat in RCB", 4, 9);
    assert!(state(&window).inspector.open);
    assert_eq!(state(&window).inspector.region, Some([4, 9]));
    assert_eq!(state(&window).chosen_variant(), Some(VariantId::RCB));
    let text = text_with(&window, "Row 5, column 10 · cat in RCB");
    assert!(text.contains('σ'), "{text}");
    text_with(&window, "regions that the score is the mean of");
    text_with(&window, "Through the network, σ: x_r");
    text_with(&window, "RCB’s attention, mean of 8 heads");
    for name in [
        "RCB’s part: cat in RCB",
        "Region 66, where it looks, RCB",
        "Region 66, who looks at it, RCB",
        "Region 66, head 8, RCB",
    ] {
        assert!(window.query_by_label(name).is_some(), "{name}");
    }
    let asked = &window.state().engine.asked;
    let inside = |request: &&Request| matches!(request, Request::LookInside { .. });
    assert_eq!(asked.iter().filter(inside).count(), 1);
    click_region(&mut window, "dog in Standard", 0, 0);
    text_with(&window, "Standard has no region block");
    let asked = &window.state().engine.asked;
    assert_eq!(
        asked.iter().filter(inside).count(),
        1,
        "asked once for all regions"
    );
}

#[test]
fn the_parts_on_screen_add_up() {
    let mut window = open();
    click_region(&mut window, "dog in BiAM", 6, 6);
    let state = state(&window);
    let region = state.chosen_region().expect("chosen");
    let sum = state
        .sum_of_parts("dog", VariantId::BIAM, region)
        .expect("parts");
    let added: f32 = sum.parts.iter().map(|(_, value)| value).sum();
    let total = added + sum.ordinary.expect("ordinary regions");
    assert!((total - sum.total).abs() < 1e-4, "{sum:?}");
    let map = state.map("dog", VariantId::BIAM).expect("a map");
    let sigma = map.sigmas().expect("ordinary regions")[region];
    assert!((sum.total - sigma).abs() < 1e-4);
}

#[test]
fn arrow_keys_move_the_region_and_it_stays_for_the_next_photo() {
    let mut window = open();
    let press = |window: &mut Window<'_>, key| {
        window.key_press_modifiers(Modifiers::SHIFT, key);
        window.run();
    };
    press(&mut window, Key::ArrowRight);
    assert_eq!(state(&window).inspector.region, Some([7, 7]));
    press(&mut window, Key::ArrowRight);
    press(&mut window, Key::ArrowUp);
    assert_eq!(state(&window).inspector.region, Some([6, 8]));
    for _ in 0..20 {
        press(&mut window, Key::ArrowLeft);
    }
    assert_eq!(state(&window).inspector.region, Some([6, 0]));
    let before = state(&window).looks().expect("asked").photo.clone();
    give(&mut window, Command::NextPhoto);
    let looks = state(&window).looks().expect("asked again");
    assert_ne!(looks.photo, before);
    assert_eq!(looks.region, 6 * GRID.columns);
    window.key_press(Key::F4);
    window.run();
    assert!(!state(&window).inspector.open);
    assert!(
        window.query_by_label("Ranking").is_some(),
        "the labels are back"
    );
}

/// The text that a frame soon puts on the clipboard.
fn copied(window: &mut Window<'_>) -> String {
    for _ in 0..5 {
        window.step();
        let commands = &window.output().platform_output.commands;
        let text = commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        if let Some(text) = text {
            return text;
        }
    }
    panic!("nothing was copied")
}

#[test]
fn pinned_regions_are_copied_as_a_table() {
    let mut window = open();
    click_region(&mut window, "dog in BiAM", 2, 3);
    window.get_by_label("Pin").click();
    window.run();
    click_region(&mut window, "dog in BiAM", 5, 6);
    window.get_by_label("Pin").click();
    window.run();
    assert_eq!(state(&window).inspector.pins, [[2, 3], [5, 6]]);
    text_with(&window, "Pinned regions in BiAM");
    window.get_by_label("Copy as TSV").click();
    let table = copied(&mut window);
    let lines: Vec<&str> = table.lines().collect();
    // Two regions, three labels, four networks.
    assert_eq!(lines.len(), 1 + 2 * 3 * 4);
    assert_eq!(
        lines[0],
        "photo\trow\tcolumn\tlabel\tnetwork\tresponse\tsigma"
    );
    assert!(
        lines[1].starts_with("meadow\t3\t4\tdog\tstandard\t"),
        "{}",
        lines[1]
    );
    // They lie further down than the window reaches.
    window.get_by_label("3, 4").click_accesskit();
    window.run();
    assert_eq!(state(&window).inspector.region, Some([2, 3]));
    window.get_by_label("Unpin").click_accesskit();
    window.run();
    assert_eq!(state(&window).inspector.pins, [[5, 6]]);
}

#[test]
fn a_part_stands_in_the_grid() {
    let mut window = open();
    click_region(&mut window, "dog in BiAM", 2, 3);
    window
        .get_by_role_and_label(Role::CheckBox, Part::Rcb.title())
        .click();
    window.run();
    let panel = window.get_by_label("RCB’s part: cat in BiAM");
    let value = panel.value().expect("a caption");
    assert!(value.contains("σ of the score"), "{value}");
    assert!(window.query_by_label("RCB’s part: cat in RCB").is_none());
    // It stays without the inspector, for the next photo too.
    window.key_press(Key::F4);
    window.run();
    give(&mut window, Command::NextPhoto);
    assert!(window.query_by_label("RCB’s part: cat in BiAM").is_some());
}

#[test]
fn a_score_is_shown_for_every_k_and_its_plot_changes_k() {
    let mut window = open();
    give(&mut window, Command::ToggleInspector);
    tab(&mut window, InspectorTab::Pooling);
    let plot = |window: &Window<'_>| {
        let node = window.get_by_label("Score of dog over k");
        node.value().expect("the scores")
    };
    assert!(
        plot(&window).starts_with("k = 10, σ: Standard"),
        "{}",
        plot(&window)
    );
    window.get_by_label("all 196: pooled first").click();
    window.run();
    assert_eq!(state(&window).pooled_k(), 196);
    assert!(plot(&window).starts_with("k = 196"));
    let map = state(&window).map("dog", VariantId::BIAM).expect("a map");
    let mean = map.responses.iter().sum::<f32>() / 196.0;
    let sigma = map.ordinary.as_ref().expect("known").sigma(mean);
    assert!(
        plot(&window).ends_with(&format!("BiAM {}", number(sigma))),
        "{}",
        plot(&window)
    );
    window.get_by_label("10 best regions, as trained").click();
    window.run();
    assert_eq!(state(&window).k, None);
    let bars = window.get_by_label("Pooled regions of dog in BiAM").rect();
    window.hover_at(bars.center());
    window.run();
    let lit = state(&window)
        .inspector
        .lit
        .expect("a bar under the pointer");
    let pooled = state(&window)
        .map("dog", VariantId::BIAM)
        .expect("a map")
        .pooled_regions(10);
    assert!(pooled.contains(&(lit[0] * GRID.columns + lit[1])));
    let histogram = window.get_by_label("Histogram of dog").value();
    assert!(
        histogram
            .expect("counted")
            .contains("of 196 regions lie above 2 σ")
    );
}

fn number(value: f32) -> String {
    let text = format!("{:.2}", value.abs());
    if value < 0.0 {
        format!("−{text}")
    } else {
        text
    }
}

#[test]
fn a_covered_box_and_a_slid_square_tell_what_scores_lose() {
    let mut window = open();
    click_region(&mut window, "dog in BiAM", 5, 8);
    tab(&mut window, InspectorTab::Occlusion);
    window.get_by_label("Cover the chosen region").click();
    window.run();
    text_with(&window, "Scores in BiAM with the box covered");
    let covered = state(&window).covered().expect("answered");
    assert_eq!(covered.labels, ["dog", "cat", "frisbee"]);
    let [whole, hidden] = covered.scores("dog", VariantId::BIAM).expect("scores");
    assert!(hidden < whole);
    window.get_by_label("Uncover").click();
    window.run();
    assert_eq!(state(&window).inspector.occlusion.area, None);
    window.get_by_label("7 × 7 places").click();
    window.run();
    assert!(window.query_by_label("Occlusion: dog in BiAM").is_some());
    window.get_by_label("Occlusion in the grid").click();
    window.run();
    let panels = window.get_all_by_label("Occlusion: dog in BiAM");
    assert_eq!(panels.count(), 2, "in the inspector and in the grid");
}

#[test]
fn another_photo_can_be_the_scene() {
    let mut window = open();
    click_region(&mut window, "dog in Standard", 5, 8);
    tab(&mut window, InspectorTab::Scene);
    text_with(&window, "Standard has no scene block");
    click_region(&mut window, "dog in BiAM", 5, 8);
    tab(&mut window, InspectorTab::Scene);
    let gate = window.get_by_label("Gate of BiAM").value();
    assert_eq!(
        gate.expect("counted"),
        "8 of 16 channels more than half open"
    );
    window
        .get_by_role_and_label(Role::ComboBox, "Scene")
        .click();
    window.run();
    window
        .get_by_role_and_label(Role::Button, "harbour")
        .click();
    window.run();
    let scene = state(&window).other_scene().expect("answered");
    assert_eq!(scene.scene.name(), "harbour");
    for name in ["dog in BiAM, own scene", "dog in BiAM, other scene"] {
        assert!(window.query_by_label(name).is_some(), "{name}");
    }
}

#[test]
fn a_photo_that_cannot_be_read_cannot_be_the_scene() {
    let mut window = Opening {
        photos: &["meadow", "broken"],
        ..Opening::with(&["dog"])
    }
    .open();
    click_region(&mut window, "dog in BiAM", 5, 8);
    tab(&mut window, InspectorTab::Scene);
    window
        .get_by_role_and_label(Role::ComboBox, "Scene")
        .click();
    window.run();
    window.get_by_role_and_label(Role::Button, "broken").click();
    window.run();
    text_with(&window, "broken cannot be the scene: broken is not a photo");
}

#[test]
fn a_bundle_without_ordinary_photos_is_inspected_in_raw_responses() {
    let mut window = Opening {
        ordinary_regions: false,
        ..Opening::with(&["dog"])
    }
    .open();
    click_region(&mut window, "dog in BiAM", 5, 8);
    text_with(&window, "Through the network, raw: x_r");
    tab(&mut window, InspectorTab::Pooling);
    text_with(&window, "This model has no ordinary regions");
}

fn looks(theme: Theme, name: &str) {
    let mut window = Opening {
        size: [1280.0, 720.0],
        theme: Some(theme),
        ..Opening::with(&["dog", "frisbee"])
    }
    .open();
    click_region(&mut window, "dog in BiAM", 6, 8);
    window.hover_at(egui::pos2(4.0, 4.0));
    window.run();
    snapshot(&mut window, &format!("{name}-inside-region"));
    for (tab_of, of) in [
        (InspectorTab::Pooling, "pooling"),
        (InspectorTab::Occlusion, "occlusion"),
        (InspectorTab::Scene, "scene"),
    ] {
        tab(&mut window, tab_of);
        window.hover_at(egui::pos2(4.0, 4.0));
        window.run();
        snapshot(&mut window, &format!("{name}-inside-{of}"));
    }
}

#[test]
fn every_tab_looks_as_it_did_in_light() {
    looks(Theme::Light, "light");
}

#[test]
fn every_tab_looks_as_it_did_in_dark() {
    looks(Theme::Dark, "dark");
}
