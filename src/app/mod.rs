//! The window: shows the engine's replies and sends it requests; holds no tensor.
//!
//! [`state`] is everything the window knows, as plain data; [`commands`] lists every action once;
//! each panel has a file of its own that paints the state and changes it.

mod arrangement;
mod chips;
pub mod commands;
mod comparison;
mod comparison_bar;
pub mod display;
pub mod effects;
mod files;
mod grid;
mod help;
mod incoming;
mod inside;
pub mod inspector;
mod inspector_commands;
mod keys;
pub mod label_commands;
pub mod label_set;
mod label_sets;
mod labels;
pub mod layer;
mod menu;
mod messages;
mod missing_letters;
mod notice;
pub mod occlusion;
mod painter;
mod pair;
mod palette;
mod panel;
mod panel_captions;
mod panel_lines;
mod panel_menu;
mod pasted;
mod photo_facts;
pub mod photo_list;
mod photo_part;
mod photos;
mod pooling;
mod presentation;
mod ranking;
mod read_out;
mod region_labels;
pub mod replies;
mod save;
mod scale_choice;
pub mod scene;
pub mod settings;
mod settings_file;
mod single;
pub mod state;
mod status;
mod suggestions;
mod textures;
mod theme;
mod thumbnails;
mod typing;
mod variants;
pub mod view;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use commands::{Command, Effect};
use files::Finder;
use state::{AppState, SidePanel};

use crate::engine::{DeviceChoice, Reply, Request, Worker};

/// Windows below this width, in points, have one side panel at a time.
const NARROW: f32 = 760.0;

/// Called by the engine when a reply is ready, from its own thread.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What the window starts with.
pub struct WindowOptions {
    /// Starts the engine; it calls the given function after each reply.
    pub worker_factory: Box<dyn FnOnce(Wake) -> Worker>,
    /// Photos and folders to open; the first photo is shown.
    pub photos: Vec<PathBuf>,
    /// Names of the samples inside the program.
    pub samples: Vec<&'static str>,
    /// Labels to begin with.
    pub labels: Vec<String>,
    /// The device that was asked for; [`DeviceChoice::Auto`] leaves it to the settings.
    pub device: DeviceChoice,
    /// The file that settings are kept in, if they are to be kept.
    pub settings: Option<PathBuf>,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(
        "no window can be opened ({0}): start it on a desktop, or use `biam-lens predict` or `biam-lens render`, which need none"
    )]
    NoDisplay(String),
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// Where there is no display, or none that can be drawn on.
pub fn run(options: WindowOptions) -> Result<(), AppError> {
    // The window library's text begins with places in its own source: only the end is for people.
    let no_display = |error: eframe::Error| {
        let text = error.to_string();
        let reason = text.lines().next().unwrap_or_default();
        let reason = reason.rsplit(": ").next().unwrap_or(reason);
        AppError::NoDisplay(reason.trim_end_matches('.').to_owned())
    };
    let mut state = AppState::new(Vec::new(), &options.samples, &options.labels);
    let settings_store = options
        .settings
        .and_then(|path| settings::SettingsStore::start(path, &mut state));
    if options.device != DeviceChoice::Auto {
        state.usual_device = Some(state.device);
        state.device = options.device;
    }
    let viewport = egui::ViewportBuilder::default()
        .with_title("BiAM Lens")
        .with_app_id("biam-lens")
        .with_inner_size(state.layout.window)
        .with_maximized(state.layout.maximised)
        .with_min_inner_size(settings::SMALLEST_WINDOW);
    let native = eframe::NativeOptions {
        viewport,
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        let ctx = creation.egui_ctx.clone();
        theme::set_up(&ctx);
        let wake_ctx = ctx.clone();
        let worker = (options.worker_factory)(Box::new(move || wake_ctx.request_repaint()));
        if state.device != options.device {
            let device = state.device;
            state.give(Command::Device(device));
        }
        let mut app = LensApp::new(&ctx, state, worker);
        app.settings_store = settings_store;
        app.open_first(options.photos);
        Ok(Box::new(app))
    });
    eframe::run_native("BiAM Lens", native, create).map_err(no_display)
}

/// The window's contents: its state, its end of the engine, and pictures made for painting.
pub struct LensApp {
    state: AppState,
    worker: Worker,
    finder: Finder,
    textures: textures::Textures,
    /// Pictures of the small panels beside a large one.
    small_textures: textures::Textures,
    /// Pictures of the inspector.
    inside_textures: textures::Textures,
    thumbnails: thumbnails::Thumbnails,
    pooling: pooling::Pooling,
    listing: ranking::Listing,
    settings_store: Option<settings::SettingsStore>,
    missing_letters: missing_letters::MissingLetters,
    typing: typing::Typing,
    watch: watch::Watch,
}

impl LensApp {
    /// Contents for the window of `ctx`; nothing is asked of the engine before the first frame.
    pub fn new(ctx: &egui::Context, state: AppState, worker: Worker) -> Self {
        let textures = textures::Textures::default();
        Self {
            state,
            worker,
            finder: Finder::new(ctx.clone()),
            small_textures: textures.beside(),
            inside_textures: textures.beside(),
            textures,
            thumbnails: thumbnails::Thumbnails::default(),
            pooling: pooling::Pooling::default(),
            listing: ranking::Listing::default(),
            settings_store: None,
            missing_letters: missing_letters::MissingLetters::default(),
            typing: typing::Typing::default(),
            watch: watch::Watch::default(),
        }
    }

    /// Takes the settings from a file and keeps them there.
    pub fn keep_settings(&mut self, path: PathBuf) {
        self.settings_store = settings::SettingsStore::start(path, &mut self.state);
    }

    /// Writes what is still to be written; the window closes.
    ///
    /// # Errors
    /// In one line, where the settings cannot be written.
    pub fn close(&mut self) -> Result<(), String> {
        match &mut self.settings_store {
            Some(settings_store) => settings_store.close(&self.state),
            None => Ok(()),
        }
    }

    /// Sets fonts, colours and spacing of a context; [`run`] does this itself.
    pub fn set_up(ctx: &egui::Context) {
        theme::set_up(ctx);
    }

    /// Opens photos and folders instead of the first sample.
    pub fn open_first(&mut self, paths: Vec<PathBuf>) {
        if !paths.is_empty() {
            self.state.opening = true;
            self.finder.open(paths);
        }
    }

    /// What the window knows.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Gives a command, as a menu or a key would.
    pub fn give(&mut self, command: Command) {
        self.state.give(command);
    }

    /// How long a frame waits for its pictures, in place of the few milliseconds that keep a
    /// window fluid: for those that look at single frames.
    pub fn wait_for_pictures(&mut self, patience: Duration) {
        self.textures.patience = patience;
        self.small_textures.patience = patience;
        self.inside_textures.patience = patience;
    }

    /// How many panel pictures were made so far; none are while nothing about them changes.
    pub fn pictures_made(&self) -> usize {
        self.textures.made + self.small_textures.made + self.inside_textures.made
    }

    /// Takes in what has come, paints one frame, sends what is to be asked.
    pub fn ui(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        theme::apply(&ctx, self.state.theme, presentation::zoom(&self.state));
        self.typing.one_field_a_frame(&ctx);
        self.take_replies(&ctx);
        self.take_found(&ctx);
        self.watch.keep_up(&ctx, &self.state, &self.finder);
        self.take_input(&ctx);
        self.carry_out_commands(&ctx);
        self.state.drop_passed_messages();
        self.send();
        self.pooling.keep_up(&ctx, &mut self.state);
        self.missing_letters.keep_up(&ctx, &mut self.state);
        self.paint(ui);
        self.send();
        self.measure_window(&ctx);
        if let Some(settings_store) = &mut self.settings_store {
            settings_store.keep_up(&ctx, &mut self.state);
        }
        if !self.state.commands.is_empty() {
            ctx.request_repaint();
        }
    }

    fn take_replies(&mut self, ctx: &egui::Context) {
        let replies: Vec<Reply> = self.worker.replies().collect();
        for reply in replies {
            match reply {
                Reply::Thumbnail { photo, picture } => {
                    self.thumbnails.receive(ctx, photo, &picture);
                }
                other => self.state.receive(other),
            }
        }
    }

    /// Remembers the window's size, as it is when it does not fill the screen.
    fn measure_window(&mut self, ctx: &egui::Context) {
        let layout = &mut self.state.layout;
        // Nothing of the context may be asked for while its input is borrowed.
        let viewport = ctx.input(|input| input.viewport().clone());
        layout.maximised = viewport.maximized.unwrap_or(false);
        let full = layout.maximised || viewport.fullscreen.unwrap_or(false);
        if let Some(inner) = viewport.inner_rect.filter(|_| !full) {
            let size = inner.size() * ctx.zoom_factor();
            layout.window = [size.x.round(), size.y.round()];
        }
    }

    fn carry_out_commands(&mut self, ctx: &egui::Context) {
        while let Some(command) = self.state.commands.pop_front() {
            match commands::carry_out(command, &mut self.state) {
                Some(Effect::OpenPhotosDialog) => self.finder.choose_photos(),
                Some(Effect::OpenFolderDialog) => self.finder.choose_folder(),
                Some(Effect::Open(path)) => self.finder.open(vec![path]),
                Some(Effect::Paste) => {
                    ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste);
                }
                Some(Effect::CopyPicture) => save::copy(&self.state, &self.finder),
                Some(Effect::CopyText(text)) => ctx.copy_text(text),
                Some(Effect::Ask(request)) => self.ask(request),
                Some(Effect::FullScreen(on)) => {
                    ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(on));
                }
                Some(Effect::Quit) => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
                None => {}
            }
        }
    }

    fn send(&mut self) {
        if let Some(request) = self.state.next_request() {
            self.ask(request);
        }
        while let Some(request) = self.state.next_inspection() {
            self.ask(request);
        }
    }

    fn ask(&mut self, request: Request) {
        if !self.worker.ask(request) {
            self.state.engine_ended();
        }
    }

    fn paint(&mut self, ui: &mut egui::Ui) {
        let Self {
            state,
            worker,
            finder,
            textures,
            small_textures,
            inside_textures,
            thumbnails,
            listing,
            ..
        } = self;
        let alone = state.full_screen;
        let room = ui.available_width();
        if !alone {
            egui::Panel::top("menu").show(ui, |ui| menu::show(ui, state));
            egui::Panel::bottom("status").show(ui, |ui| status::show(ui, state));
        }
        // In a narrow window there is room for one side panel beside the maps.
        state.narrow = room < NARROW;
        if state.shows(SidePanel::Photos) && !alone {
            let most = (0.27 * room).clamp(settings::NARROWEST_PHOTOS, 360.0);
            let left = egui::Panel::left("photos")
                .default_size(state.layout.photos)
                .size_range(settings::NARROWEST_PHOTOS..=most)
                .show(ui, |ui| photos::show(ui, state, thumbnails, worker, finder));
            state.layout.photos = left.response.rect.width();
        }
        if state.inspector.open && !alone {
            let most = (0.45 * room).max(inside::NARROWEST);
            egui::Panel::right("inside")
                .default_size(inside::WIDTH.min(most))
                .size_range(inside::NARROWEST..=most)
                .show(ui, |ui| inside::show(ui, state, inside_textures));
        } else if state.shows(SidePanel::Labels) && !alone {
            let most = (0.4 * room).clamp(settings::NARROWEST_LABELS, 460.0);
            let right = egui::Panel::right("labels and ranking")
                .default_size(state.layout.labels)
                .size_range(settings::NARROWEST_LABELS..=most)
                .show(ui, |ui| arrangement::right_panel(ui, state, listing));
            state.layout.labels = right.response.rect.width();
        }
        egui::CentralPanel::default().show(ui, |ui| {
            arrangement::centre(ui, state, textures, small_textures)
        });
        palette::show(ui.ctx(), state);
        save::show(ui.ctx(), state, finder);
        label_sets::show(ui.ctx(), state);
        help::show(ui.ctx(), state);
        notice::show(ui.ctx(), state);
        presentation::pointer(ui.ctx(), state);
        incoming::drop_hint(ui.ctx());
    }
}

impl eframe::App for LensApp {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        Self::ui(self, ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        #[allow(clippy::print_stderr, reason = "the window is gone")]
        if let Err(problem) = self.close() {
            eprintln!("{problem}");
        }
    }
}
