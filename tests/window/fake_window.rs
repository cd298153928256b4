//! A window without a screen in front of the made-up engine.

use std::path::Path;
use std::time::{Duration, Instant};

use biam_lens::app::LensApp;
use biam_lens::app::commands::Command;
use biam_lens::app::state::{AppState, Theme};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use crate::fake_engine::FakeEngine;

/// The window and the engine behind it.
pub struct Bench {
    pub app: LensApp,
    pub engine: FakeEngine,
}

pub type Window<'a> = Harness<'a, Bench>;

/// What a window opens with.
pub struct Opening<'a> {
    pub photos: &'a [&'static str],
    pub labels: &'a [&'a str],
    pub size: [f32; 2],
    /// None: as the settings have it.
    pub theme: Option<Theme>,
    pub ordinary_regions: bool,
}

impl<'a> Opening<'a> {
    pub fn with(labels: &'a [&'a str]) -> Self {
        Self {
            photos: &["meadow", "harbour"],
            labels,
            size: [1280.0, 720.0],
            theme: Some(Theme::Dark),
            ordinary_regions: true,
        }
    }

    pub fn open(self) -> Window<'static> {
        self.prepared(|_, _| {})
    }

    /// Opens when `prepare` has changed what it likes of the contents and the engine.
    pub fn prepared(self, prepare: impl FnOnce(&mut LensApp, &mut FakeEngine)) -> Window<'static> {
        let (mut engine, worker) = FakeEngine::start(self.ordinary_regions);
        let labels: Vec<String> = self.labels.iter().map(|&label| label.to_owned()).collect();
        let state = AppState::new(Vec::new(), self.photos, &labels);
        let mut app = LensApp::new(&egui::Context::default(), state, worker);
        // However busy the machine is, a frame has all of its pictures.
        app.wait_for_pictures(Duration::from_secs(60));
        if let Some(theme) = self.theme {
            app.give(Command::Theme(theme));
        }
        prepare(&mut app, &mut engine);
        let mut window = Harness::builder()
            .with_size(self.size)
            .with_max_steps(60)
            // Short enough for two clicks to be a double click.
            .with_step_dt(0.08)
            .with_context_setup(LensApp::set_up)
            .build_ui_state(
                |ui, bench: &mut Bench| {
                    if bench.engine.answer() {
                        ui.ctx().request_repaint();
                    }
                    bench.app.ui(ui);
                    if bench.engine.answer() {
                        ui.ctx().request_repaint();
                    }
                },
                Bench { app, engine },
            );
        window.run();
        window
    }
}

/// Steps until `done`; other threads (looking up paths, writing files) may need a moment.
pub fn wait_for(window: &mut Window<'_>, what: &str, done: impl Fn(&Window<'_>) -> bool) {
    let start = Instant::now();
    while !done(window) {
        assert!(start.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    }
    window.run();
}

/// In the open save window: gives the picture's path and waits until it is written.
pub fn save_as(window: &mut Window<'_>, path: &Path) {
    let field = "Path of the picture";
    window.get_by_role_and_label(Role::TextInput, field).click();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run();
    window
        .get_by_role_and_label(Role::TextInput, field)
        .type_text(&path.display().to_string());
    window.run();
    window.key_press(Key::Enter);
    window.run();
    wait_for(window, "picture", |window| {
        window.query_by_label_contains("Saved ").is_some()
    });
}

pub fn state<'a>(window: &'a Window<'_>) -> &'a AppState {
    window.state().app.state()
}

pub fn labels(window: &Window<'_>) -> Vec<String> {
    state(window).labels.labels().to_vec()
}

pub fn give(window: &mut Window<'_>, command: Command) {
    window.state_mut().app.give(command);
    window.run();
}

/// The text of the widget whose text holds `part`.
pub fn text_with(window: &Window<'_>, part: &str) -> String {
    let found = window.get_by_label_contains(part);
    let node = found.accesskit_node();
    node.label().or(node.value()).expect("a text")
}
