//! Frame times of the window: from input to shapes ready for the graphics card, with one core
//! kept busy beside it as the engine would. Run with `cargo bench --bench frames`.

#[path = "../tests/fake_engine/mod.rs"]
mod fake_engine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use biam_lens::app::LensApp;
use biam_lens::app::commands::Command;
use biam_lens::app::state::AppState;
use egui::accesskit::Role;
use egui::{Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, pos2, vec2};
use fake_engine::FakeEngine;

const LABELS: [&str; 6] = ["dog", "cat", "frisbee", "grass", "toaster", "zebra"];
/// As many as the published label set has.
const RANKED: usize = 7586;
const FRAMES: usize = 240;

fn main() {
    println!("milliseconds a frame   median     p99     max");
    for size in [[1280.0, 720.0], [1920.0, 1080.0]] {
        for (panels, name) in [
            (Panels::FillTheWidth, "panels fill the width"),
            (Panels::AllInView, "all 24 panels in view"),
        ] {
            println!("{} by {}, 4 networks, 6 labels, {name}", size[0], size[1]);
            let work = KeptBusy::start();
            measure(size, panels);
            drop(work);
        }
    }
}

/// How large the panels are.
#[derive(Clone, Copy, PartialEq)]
enum Panels {
    FillTheWidth,
    AllInView,
}

/// A thread that computes until it is dropped.
struct KeptBusy {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<f64>>,
}

impl KeptBusy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let body = move || {
            let mut sum = 0.0;
            while !seen.load(Ordering::Relaxed) {
                sum += (0..10_000).map(|n| f64::from(n).sqrt()).sum::<f64>();
            }
            sum
        };
        let thread = Some(std::thread::spawn(body));
        Self { stop, thread }
    }
}

impl Drop for KeptBusy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            println!("the busy thread ended early");
        }
    }
}

/// The window without a screen.
struct Headless {
    ctx: Context,
    app: LensApp,
    engine: FakeEngine,
    size: [f32; 2],
    frame: usize,
}

impl Headless {
    fn new(size: [f32; 2], panels: Panels) -> Self {
        let ctx = Context::default();
        LensApp::set_up(&ctx);
        let (mut engine, worker) = FakeEngine::start(true);
        engine.more_ranked = RANKED - 16;
        let labels: Vec<String> = LABELS.map(str::to_owned).into();
        let state = AppState::new(Vec::new(), &["meadow", "harbour"], &labels);
        let mut app = LensApp::new(&ctx, state, worker);
        let smaller = if panels == Panels::AllInView { 6 } else { 0 };
        for _ in 0..smaller {
            app.give(Command::SmallerPanels);
        }
        Self {
            ctx,
            app,
            engine,
            size,
            frame: 0,
        }
    }

    /// The next frame's input, a sixtieth of a second after the last one's.
    fn input(&mut self, events: Vec<Event>) -> RawInput {
        self.engine.answer();
        self.frame += 1;
        RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size.into())),
            time: Some(self.frame as f64 / 60.0),
            events,
            ..RawInput::default()
        }
    }

    /// One frame with these events; its time in milliseconds without the engine's.
    fn frame(&mut self, events: Vec<Event>) -> f64 {
        let input = self.input(events);
        let start = Instant::now();
        let mut output = self.ctx.run_ui(input, |ui| self.app.ui(ui));
        let shapes = self
            .ctx
            .tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let time = start.elapsed().as_secs_f64() * 1e3;
        // No graphics card takes the pictures.
        output.textures_delta.clear();
        assert!(!shapes.is_empty());
        time
    }

    fn frames(&mut self, name: &str, mut events: impl FnMut(usize) -> Vec<Event>) {
        let mut times: Vec<f64> = (0..FRAMES).map(|n| self.frame(events(n))).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
        println!(
            "  {name:<20} {:7.2} {:7.2} {:7.2}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }

    /// Where a named widget is, as assistive technology is told.
    fn place_of(&mut self, role: Role, name: &str) -> Option<Rect> {
        self.ctx.enable_accesskit();
        let input = self.input(Vec::new());
        let mut output = self.ctx.run_ui(input, |ui| self.app.ui(ui));
        self.ctx.disable_accesskit();
        output.textures_delta.clear();
        let update = output.platform_output.accesskit_update?;
        let named = |id: &egui::accesskit::NodeId| {
            let mut nodes = update.nodes.iter();
            let node = nodes.find(|(known, _)| known == id).map(|(_, node)| node);
            node.and_then(|node| node.value().or(node.label())) == Some(name)
        };
        let mut nodes = update.nodes.iter();
        let found = nodes.find(|(_, node)| {
            node.role() == role
                && (node.label() == Some(name) || node.labelled_by().iter().any(named))
        });
        let bounds = found?.1.bounds()?;
        let corner = |x: f64, y: f64| pos2(x as f32, y as f32);
        Some(Rect::from_min_max(
            corner(bounds.x0, bounds.y0),
            corner(bounds.x1, bounds.y1),
        ))
    }
}

fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    }
}

fn measure(size: [f32; 2], panels: Panels) {
    let mut window = Headless::new(size, panels);
    for _ in 0..60 {
        window.frame(Vec::new());
    }
    let comparison = window.app.state().comparison();
    assert!(comparison.is_some_and(|comparison| comparison.labels.len() == 6));
    let centre = vec2(size[0] * 0.45, size[1] * 0.4);
    window.frames("idle hover", |n| {
        let turn = n as f32 * 0.21;
        let around = vec2(turn.cos(), turn.sin()) * 120.0;
        vec![Event::PointerMoved((centre + around).to_pos2())]
    });
    drag(&mut window, "dragging opacity", "Opacity");
    drag(&mut window, "dragging k", "k");
    // The engine answers at once here: what is timed is taking in and painting new maps.
    window.frames("switching photos", |n| match n % 8 {
        0 => press(egui::Key::PageDown),
        4 => press(egui::Key::PageUp),
        _ => Vec::new(),
    });
    // All labels go and come back: six rows of panels are made anew.
    window.app.give(Command::ClearLabels);
    window.frame(Vec::new());
    window.frames("switching labels", |n| match n % 8 {
        0 => chord(Modifiers::COMMAND, egui::Key::Z),
        4 => chord(Modifiers::COMMAND | Modifiers::SHIFT, egui::Key::Z),
        _ => Vec::new(),
    });
    inspect(&mut window);
}

/// The chosen region goes round while the inspector shows everything about it.
fn inspect(window: &mut Headless) {
    window.app.give(Command::RegionRight);
    window.frame(Vec::new());
    let keys = [
        egui::Key::ArrowRight,
        egui::Key::ArrowDown,
        egui::Key::ArrowLeft,
        egui::Key::ArrowUp,
    ];
    window.frames("moving the region", |n| match n % 4 {
        0 => chord(Modifiers::SHIFT, keys[n / 4 % 4]),
        _ => Vec::new(),
    });
}

fn press(key: egui::Key) -> Vec<Event> {
    chord(Modifiers::NONE, key)
}

fn chord(modifiers: Modifiers, key: egui::Key) -> Vec<Event> {
    let event = |pressed| Event::Key {
        key,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers,
    };
    vec![event(true), event(false)]
}

fn drag(window: &mut Headless, name: &str, slider: &str) {
    let Some(place) = window.place_of(Role::Slider, slider) else {
        println!("  {name}: no slider {slider}");
        return;
    };
    let at = |part: f32| pos2(place.left() + part * 60.0, place.center().y);
    window.frame(vec![Event::PointerMoved(at(0.5))]);
    window.frame(vec![button(at(0.5), true)]);
    window.frames(name, |n| {
        let part = 0.5 + 0.45 * (n as f32 * 0.17).sin();
        vec![Event::PointerMoved(at(part))]
    });
    window.frame(vec![button(at(0.5), false)]);
}
