//! Everything the window knows, as plain data: what was chosen, what was asked, what was answered.
//!
//! No painting happens here, so every behaviour of the window can be tested without one.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::commands::Command;
use super::display::Display;
use super::inspector::Inspector;
use super::label_set::LabelSet;
pub use super::messages::{About, Message, MessageKind};
use super::photo_list::PhotoList;
use super::pooling::Pooled;
use super::replies::EngineReplies;
use super::view::View;
use crate::engine::DeviceChoice;
use crate::model::VariantId;

/// How many opened photos and folders are remembered.
const MOST_RECENT: usize = 10;

/// Which labels the ranking lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankingFilter {
    /// Seen and unseen labels together.
    #[default]
    Gzsl,
    /// Labels without a training example only.
    Zsl,
    /// Only the labels under comparison.
    Typed,
}

impl RankingFilter {
    /// All filters in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Gzsl, Self::Zsl, Self::Typed];

    /// The name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Gzsl => "GZSL",
            Self::Zsl => "ZSL",
            Self::Typed => "Typed",
        }
    }

    /// What it lists, in a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Gzsl => "GZSL (generalised zero-shot): seen and unseen labels together",
            Self::Zsl => "ZSL (zero-shot): only labels without a training photo",
            Self::Typed => "Only the labels under comparison",
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the desktop says.
    #[default]
    System,
    Light,
    Dark,
}

/// Sizes of the window and its panels in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowLayout {
    /// Width and height of the window, at text of normal size.
    pub window: [f32; 2],
    pub maximised: bool,
    /// Width of the panel of photos.
    pub photos: f32,
    /// Width of the panel of labels.
    pub labels: f32,
    /// Height of the ranking.
    pub ranking: f32,
    /// Which of [`SidePanel::ALL`] are shown.
    pub shown: [bool; 4],
}

/// What stands around the maps and can be put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidePanel {
    Display,
    Photos,
    Labels,
    Ranking,
}

impl SidePanel {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 4] = [Self::Display, Self::Photos, Self::Labels, Self::Ranking];

    /// The name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Display => "display settings",
            Self::Photos => "photos",
            Self::Labels => "labels",
            Self::Ranking => "ranking",
        }
    }
}

impl Default for WindowLayout {
    fn default() -> Self {
        Self {
            window: [1280.0, 800.0],
            maximised: false,
            photos: 208.0,
            labels: 280.0,
            ranking: 318.0,
            shown: [true; 4],
        }
    }
}

/// Size of a saved or copied picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PictureSize {
    pub width_mm: f32,
    pub dpi: f32,
}

impl Default for PictureSize {
    fn default() -> Self {
        Self {
            width_mm: 180.0,
            dpi: 300.0,
        }
    }
}

impl PictureSize {
    /// The width in pixels.
    pub fn pixels(self) -> u32 {
        (self.width_mm / 25.4 * self.dpi).round().max(1.0) as u32
    }
}

/// A line that goes away by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub text: String,
    /// When it goes, in the context's seconds; set when it is first shown.
    pub until: Option<f64>,
}

/// Texts in fields that are being typed.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    pub path: String,
    pub labels: String,
    pub search: String,
    pub palette: String,
    /// The highlighted row of the palette.
    pub palette_row: usize,
    pub save_path: String,
    /// What stands between the typed path and the file.
    pub save_note: Option<SaveNote>,
    pub set_name: String,
    /// The label whose chip is a field now.
    pub renaming: Option<Renaming>,
}

/// What stands between the path of a picture and its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveNote {
    Problem(String),
    /// There is such a file; whether to replace it is asked.
    Exists(PathBuf),
}

/// A label that is being renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub label: String,
    pub text: String,
    /// Its field has had the keyboard, so that losing it ends the renaming.
    pub begun: bool,
}

impl Renaming {
    /// Begins with the label as it is.
    pub fn of(label: String) -> Self {
        let text = label.clone();
        Self {
            label,
            text,
            begun: false,
        }
    }
}

impl Fields {
    /// Whether any field holds text.
    pub fn any_text(&self) -> bool {
        [
            &self.path,
            &self.labels,
            &self.search,
            &self.palette,
            &self.save_path,
            &self.set_name,
        ]
        .iter()
        .any(|text| !text.is_empty())
            || self.renaming.is_some()
    }
}

/// Which windows lie over the main one, and which field wants the keyboard.
#[derive(Clone, Debug, Default)]
pub struct Open {
    pub palette: bool,
    pub help: bool,
    pub save: bool,
    pub label_sets: bool,
    pub focus: Option<Focus>,
}

impl Open {
    /// Whether a window lies over the main one, which Escape closes first.
    pub fn any_dialog(&self) -> bool {
        self.palette || self.help || self.save || self.label_sets
    }

    /// Opens the window of label sets with the keyboard in it, or closes it.
    pub fn show_label_sets(&mut self, open: bool) {
        self.label_sets = open;
        self.focus = open.then_some(Focus::SetName);
    }

    /// Opens the help with the keyboard in it, or closes it.
    pub fn show_help(&mut self, open: bool) {
        self.help = open;
        self.focus = open.then_some(Focus::Help);
    }
}

/// A field to put the keyboard into at the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Path,
    Labels,
    Search,
    SetName,
    SavePath,
    Help,
}

/// The region under the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoveredRegion {
    /// Row and column in the grid, from 0.
    pub row: usize,
    pub column: usize,
    /// Index of the label whose panel the pointer is in.
    pub label: usize,
    /// The variant of that panel; `None` over the input photo.
    pub variant: Option<VariantId>,
}

/// The whole state of the window.
#[derive(Debug)]
pub struct AppState {
    pub photos: PhotoList,
    pub labels: LabelSet,
    /// The chip that was clicked last, which commands on one label are about.
    pub marked_label: Option<String>,
    /// Photos and folders as they were opened, the last one first.
    pub recent: Vec<PathBuf>,
    /// Whether the facts of the chosen photo are shown.
    pub show_about: bool,
    /// Whether the photo itself stands as the first column.
    pub show_input: bool,
    /// Variants that were switched off.
    pub hidden: Vec<VariantId>,
    pub view: View,
    pub inspector: Inspector,
    pub display: Display,
    pub ranking_filter: RankingFilter,
    /// Whether the ranking lists all labels or only the first.
    pub rank_all: bool,
    /// How many regions a score is the mean of; `None` as trained.
    pub k: Option<usize>,
    /// The ranking's scores with that k.
    pub pooled: Option<Pooled>,
    /// The variant whose scores order the ranking.
    pub ranked_by: VariantId,
    pub theme: Theme,
    /// Size of everything on screen, 1 is normal.
    pub zoom: f32,
    /// Width of a panel as a part of what would fill the window.
    pub panel_size: f32,
    pub device: DeviceChoice,
    /// The device to remember while another one was asked for this once.
    pub usual_device: Option<DeviceChoice>,
    pub fields: Fields,
    pub open: Open,
    pub messages: Vec<Message>,
    pub notice: Option<Notice>,
    pub picture: PictureSize,
    pub layout: WindowLayout,
    /// The maps alone are shown, on the whole screen.
    pub full_screen: bool,
    /// The window has room for one side panel beside the maps.
    pub narrow: bool,
    /// The folder of the last picture that was saved.
    pub saved_in: Option<PathBuf>,
    pub replies: EngineReplies,
    pub hovered: Option<HoveredRegion>,
    /// The photos the window was started with are still being looked up; nothing is asked before.
    pub opening: bool,
    /// Commands given in this frame, carried out before the next.
    pub commands: VecDeque<Command>,
}

impl AppState {
    /// The window's first state: `photos` before `samples`, the first of them chosen.
    pub fn new(photos: Vec<PathBuf>, samples: &[&'static str], labels: &[String]) -> Self {
        Self {
            photos: PhotoList::new(photos, samples),
            labels: LabelSet::new(labels),
            marked_label: None,
            recent: Vec::new(),
            show_about: false,
            show_input: false,
            hidden: Vec::new(),
            view: View::default(),
            inspector: Inspector::default(),
            display: Display::default(),
            ranking_filter: RankingFilter::default(),
            rank_all: false,
            k: None,
            pooled: None,
            ranked_by: VariantId::BIAM,
            theme: Theme::default(),
            zoom: 1.0,
            panel_size: 1.0,
            device: DeviceChoice::Auto,
            usual_device: None,
            fields: Fields::default(),
            open: Open::default(),
            messages: Vec::new(),
            notice: None,
            picture: PictureSize::default(),
            layout: WindowLayout::default(),
            full_screen: false,
            narrow: false,
            saved_in: None,
            replies: EngineReplies::awaiting_the_bundle(),
            hovered: None,
            opening: false,
            commands: VecDeque::new(),
        }
    }

    /// Gives a command; it is carried out before the next frame.
    pub fn give(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// Notes what was opened, for the menu of recent photos.
    pub fn note_recent(&mut self, opened: &[PathBuf]) {
        for path in opened.iter().rev() {
            // The program may be started in another folder next time.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            self.recent.retain(|known| *known != path);
            self.recent.insert(0, path);
        }
        self.recent.truncate(MOST_RECENT);
    }

    /// The place of the label that commands on one label are about.
    pub fn label_in_hand(&self) -> Option<usize> {
        self.labels.position(self.marked_label.as_deref()?)
    }

    /// That label's text.
    pub fn name_in_hand(&self) -> Option<&str> {
        let at = self.label_in_hand()?;
        self.labels.labels().get(at).map(String::as_str)
    }

    /// Whether that label is pinned.
    pub fn pinned_in_hand(&self) -> bool {
        let label = self.name_in_hand();
        label.is_some_and(|label| self.labels.is_pinned(label))
    }

    /// Opens the palette empty, or closes it.
    pub fn toggle_palette(&mut self) {
        self.open.palette = !self.open.palette;
        self.fields.palette.clear();
        self.fields.palette_row = 0;
    }

    /// The variants that the bundle has.
    pub fn variants(&self) -> Vec<VariantId> {
        match &self.replies.bundle {
            Some(bundle) => bundle.variants.clone(),
            None => VariantId::PAPER.to_vec(),
        }
    }

    /// The variants on screen, in the paper's order.
    pub fn shown_variants(&self) -> Vec<VariantId> {
        let mut variants = self.variants();
        variants.retain(|variant| !self.hidden.contains(variant));
        variants
    }

    /// Shows a hidden variant, hides a shown one; the last column stays.
    pub fn toggle_variant(&mut self, variant: VariantId) {
        if let Some(position) = self.hidden.iter().position(|&hidden| hidden == variant) {
            self.hidden.remove(position);
        } else if self.shown_variants().len() > 1 || self.show_input {
            self.hidden.push(variant);
        }
    }

    /// Says something for a few seconds.
    pub fn notice(&mut self, text: String) {
        self.notice = Some(Notice { text, until: None });
    }

    /// Whether a panel is on screen: the labels cover the photos where there is room for one.
    pub fn shows(&self, panel: SidePanel) -> bool {
        let covered = panel == SidePanel::Photos && self.narrow && self.shows(SidePanel::Labels);
        self.layout.shown[panel as usize] && !covered
    }

    /// Shows a hidden panel, hides a shown one.
    pub fn toggle_panel(&mut self, panel: SidePanel) {
        let show = !self.shows(panel);
        self.layout.shown[panel as usize] = show;
        if show && self.narrow && panel == SidePanel::Photos {
            self.layout.shown[SidePanel::Labels as usize] = false;
        }
    }

    /// Puts the keyboard into a field, whose panel is shown for it.
    pub fn put_keyboard_into(&mut self, field: Focus) {
        let panel = match field {
            Focus::Path => SidePanel::Photos,
            _ => SidePanel::Labels,
        };
        if !self.shows(panel) {
            self.toggle_panel(panel);
        }
        if panel == SidePanel::Labels {
            self.inspector.open = false;
        }
        self.open.focus = Some(field);
    }

    /// Moves the label in hand `steps` to the right.
    pub fn move_label(&mut self, steps: isize) {
        if let Some(at) = self.label_in_hand()
            && let Some(label) = self.labels.labels().get(at).cloned()
        {
            self.labels.place(&label, at.saturating_add_signed(steps));
        }
    }

    /// Opens the window that saves a picture: of all that is shown, or of one panel.
    pub fn begin_save(&mut self, only: Option<(String, VariantId)>) {
        self.view.save_only = only;
        self.open.save = true;
        self.open.focus = Some(Focus::SavePath);
    }
}
