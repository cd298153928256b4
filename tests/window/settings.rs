//! The window's display, ranking, settings and clipboard, driven by the names of its widgets.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::fake_engine::FakeEngine;
use crate::fake_window::{Opening, Window, wait_for};
use biam_lens::app::LensApp;
use biam_lens::app::commands::Command;
use biam_lens::app::state::{RankingFilter, Theme};
use biam_lens::engine::{Request, TrueLabels};
use biam_lens::figure::colour_map::ColourMap;
use biam_lens::figure::scale::ScaleMode;
use biam_lens::model::VariantId;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

fn small(prepare: impl FnOnce(&mut LensApp, &mut FakeEngine)) -> Window<'static> {
    Opening {
        theme: None,
        ..Opening::with(&["dog", "frisbee"])
    }
    .prepared(prepare)
}

/// The ranked labels in view, best first.
fn ranked(window: &Window<'_>) -> Vec<String> {
    (1..=10)
        .filter_map(|rank| {
            let start = format!("Rank {rank}: ");
            let row = window.query_by_label_contains(&start)?;
            let text = row.accesskit_node().label()?;
            Some(text[start.len()..].to_owned())
        })
        .collect()
}

fn set_k(window: &mut Window<'_>, k: f64) {
    window
        .get_by_role_and_label(Role::Slider, "k")
        .set_value_accesskit(k);
    window.run();
}

fn compared(window: &Window<'_>) -> usize {
    let asked = window.state().engine.asked.iter();
    let compare = |request: &&Request| matches!(request, Request::Compare { .. });
    asked.filter(compare).count()
}

#[test]
fn k_changes_the_ranking_at_once_and_the_trained_one_comes_back() {
    let mut window = small(|_, _| {});
    let (trained, asked) = (ranked(&window), compared(&window));
    assert_eq!(trained.len(), 10);
    set_k(&mut window, 1.0);
    window.run();
    assert_eq!(window.state().app.state().pooled_k(), 1);
    let other = ranked(&window);
    assert_ne!(other, trained);
    assert!(window.query_by_label("k = 1").is_some());
    window.get_by_label("trained: 10").click();
    window.run();
    assert_eq!(window.state().app.state().k, None);
    assert_eq!(ranked(&window), trained);
    assert_eq!(compared(&window), asked, "no network was asked");
}

#[test]
fn thousands_of_labels_are_pooled_beside_the_frame() {
    let mut window = small(|_, engine| engine.more_ranked = 7000);
    let trained = ranked(&window);
    set_k(&mut window, 1.0);
    wait_for(&mut window, "scores with the new k", |window| {
        let state = window.state().app.state();
        state.pooled.as_ref().is_some_and(|pooled| pooled.k == 1)
    });
    window.run();
    assert_ne!(ranked(&window), trained);
    window.get_by_label_contains("All 70").click();
    window.run();
    let rows = window
        .query_all_by_label_contains("Rank ")
        .filter(|row| row.accesskit_node().role() == Role::Button)
        .count();
    assert!((5..60).contains(&rows), "{rows} rows of thousands");
}

#[test]
fn true_labels_are_marked_whatever_their_spelling() {
    let mut window = small(|_, engine| {
        engine.true_labels = Some(TrueLabels {
            labels: vec![" DOG".to_owned(), "zebra".to_owned()],
            list: PathBuf::from("photos/labels.tsv"),
        });
    });
    window.get_by_label("Typed").click();
    window.run();
    let described: Vec<(String, Option<String>)> = ["dog", "frisbee"]
        .map(|label| {
            let row = window.query_all_by_label_contains("Rank ").find(|row| {
                let name = row.accesskit_node().label().unwrap_or_default();
                name.ends_with(&format!(": {label}"))
            });
            let node = row.expect("a row").accesskit_node();
            (label.to_owned(), node.description())
        })
        .into();
    assert_eq!(
        described[0],
        ("dog".to_owned(), Some("true label".to_owned()))
    );
    assert_eq!(described[1], ("frisbee".to_owned(), None));
    assert!(window.query_by_label("true label").is_some());
}

fn change_everything(app: &mut LensApp) {
    for command in [
        Command::Theme(Theme::Light),
        Command::Colours(ColourMap::Magma),
        Command::Scale(ScaleMode::Fixed),
        Command::ToggleVariant(VariantId::RCB),
        Command::ToggleInput,
        Command::ToggleContours,
        Command::LargerText,
        Command::SmallerPanels,
    ] {
        app.give(command);
    }
}

fn reopened(path: &Path) -> Window<'static> {
    let path = path.to_owned();
    small(move |app, _| app.keep_settings(path))
}

#[test]
fn settings_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings").join("settings.toml");
    let mut window = reopened(&path);
    change_everything(&mut window.state_mut().app);
    window.run();
    window.get_by_label("ZSL").click();
    window.run();
    let layout = window.state().app.state().layout;
    window.state_mut().app.close().expect("saved");
    drop(window);
    let mut window = reopened(&path);
    let state = window.state().app.state();
    assert_eq!(state.theme, Theme::Light);
    assert_eq!(state.display.style.colour_map, ColourMap::Magma);
    assert_eq!(state.display.scale, ScaleMode::Fixed);
    assert_eq!(state.hidden, [VariantId::RCB]);
    assert!(state.show_input && state.display.style.contours);
    assert!((state.zoom - 1.1).abs() < 1e-4 && state.panel_size < 1.0);
    assert_eq!(state.ranking_filter, RankingFilter::Zsl);
    assert_eq!(state.layout, layout, "no panel grows or shrinks by itself");
    assert!(state.messages.is_empty());
    assert!(window.query_by_label("dog in RCB").is_none());
    window.state_mut().app.close().expect("saved again");
}

#[test]
fn the_window_s_size_is_remembered() {
    let mut window = small(|_, _| {});
    let size = egui::vec2(1100.0, 700.0);
    let viewport = window.input_mut().viewports.entry(egui::ViewportId::ROOT);
    viewport.or_default().inner_rect = Some(egui::Rect::from_min_size(egui::Pos2::ZERO, size));
    window.run();
    assert_eq!(window.state().app.state().layout.window, [1100.0, 700.0]);
}

#[test]
fn damaged_settings_are_named_once_and_kept_beside() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, "theme = \"purple\"\n").expect("written");
    let mut window = reopened(&path);
    assert!(
        window
            .query_by_label_contains("settings.toml.bad")
            .is_some()
    );
    assert_eq!(window.state().app.state().theme, Theme::System);
    let kept = std::fs::read_to_string(folder.path().join("settings.toml.bad"));
    assert_eq!(kept.expect("kept"), "theme = \"purple\"\n");
    window.state_mut().app.close().expect("saved");
    drop(window);
    let window = reopened(&path);
    assert!(window.state().app.state().messages.is_empty());
}

#[test]
fn without_a_settings_file_nothing_is_written() {
    let mut window = small(|_, _| {});
    change_everything(&mut window.state_mut().app);
    window.run();
    window.state_mut().app.close().expect("nothing to do");
}

#[test]
fn a_picture_is_copied_at_the_chosen_size() {
    let mut window = small(|_, _| {});
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    window.run();
    assert!(window.query_by_label("2126 pixels wide").is_some());
    window.key_press(Key::Escape);
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::C);
    window.step();
    let start = Instant::now();
    let size = loop {
        let commands = &window.output().platform_output.commands;
        let copied = commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyImage(picture) => Some(picture.size),
            _ => None,
        });
        if let Some(size) = copied {
            break size;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no picture");
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    };
    assert_eq!(size[0], 2126);
    assert!(size[1] > 400);
    window.step();
    let notice = window.query_by_label_contains("Copied a picture of 2126 by");
    assert!(notice.is_some());
}

/// Writes pictures of the window for looking at, where `LENS_PICTURES` names a folder.
#[test]
fn pictures_for_looking_at() {
    let Some(folder) = std::env::var_os("LENS_PICTURES") else {
        return;
    };
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let labels = ["dog", "frisbee", "toaster"];
        let mut window = Opening::with(&labels).prepared(|app, engine| {
            app.give(Command::Theme(theme));
            app.give(Command::ToggleMarks);
            engine.more_ranked = 7000;
            engine.true_labels = Some(TrueLabels {
                labels: vec![
                    "man".to_owned(),
                    "thing 2947".to_owned(),
                    "grass".to_owned(),
                ],
                list: PathBuf::from("photos/labels.tsv"),
            });
        });
        set_k(&mut window, 4.0);
        wait_for(&mut window, "scores", |window| {
            window.query_by_label("k = 4").is_some()
        });
        let picture = window.render().expect("drawn");
        let path = Path::new(&folder).join(format!("{name}.png"));
        picture.save(path).expect("written");
        window.key_press_modifiers(Modifiers::COMMAND, Key::S);
        window.run();
        let picture = window.render().expect("drawn");
        let path = Path::new(&folder).join(format!("{name}-save.png"));
        picture.save(path).expect("written");
    }
}
