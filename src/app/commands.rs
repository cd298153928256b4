//! Every action of the window once: its name, its menu and its shortcut; [`super::effects`] does it.
//!
//! The menu bar, the keyboard, the palette and the help window all read [`entries`].

use std::sync::LazyLock;

use egui::{Key, KeyboardShortcut, Modifiers};

pub use super::effects::{Effect, available, carry_out, is_on};
use super::inspector_commands;
use super::state::{SidePanel, Theme};
use super::view::{LabelsAs, PanelLayout};
use crate::engine::DeviceChoice;
use crate::figure::colour_map::ColourMap;
use crate::figure::interpolation::Interpolation;
use crate::figure::scale::ScaleMode;
use crate::model::VariantId;

/// Something the user can have done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    OpenPhotos,
    OpenFolder,
    TypePath,
    PastePhoto,
    /// One of [`super::state::AppState::recent`].
    OpenRecent(usize),
    ForgetRecent,
    ToggleAbout,
    PreviousPhoto,
    NextPhoto,
    SavePicture,
    CopyPicture,
    Quit,
    Undo,
    Redo,
    TypeLabels,
    SearchLabels,
    ClearLabels,
    RenameLabel,
    PinLabel,
    MoveLabelLeft,
    MoveLabelRight,
    RemoveLabel,
    LabelsOfPhoto,
    SaveLabelSet,
    LabelSets,
    /// One of the named sets.
    LoadLabelSet(usize),
    DeleteLabelSet(usize),
    ToggleInput,
    ToggleVariant(VariantId),
    /// Shows or hides what stands around the maps.
    TogglePanel(SidePanel),
    /// The maps alone on the whole screen, or everything again.
    FullScreen,
    Scale(ScaleMode),
    Colours(ColourMap),
    Smoothing(Interpolation),
    MoreOpaque,
    LessOpaque,
    ToggleContours,
    ToggleMarks,
    TrainedK,
    Theme(Theme),
    LargerPanels,
    SmallerPanels,
    Layout(PanelLayout),
    LabelsAs(LabelsAs),
    NextLabel,
    PreviousLabel,
    NextVariant,
    PreviousVariant,
    SwapVariants,
    DividerLeft,
    DividerRight,
    ZoomIn,
    ZoomOut,
    ResetZoom,
    ShowAll,
    LargerText,
    SmallerText,
    NormalText,
    ComputeAgain,
    Cancel,
    Device(DeviceChoice),
    /// The inspector takes the place of the labels, or gives it back.
    ToggleInspector,
    RegionUp,
    RegionDown,
    RegionLeft,
    RegionRight,
    PinRegion,
    CopyRegions,
    DismissMessages,
    Palette,
    Help,
}

/// The menus of the menu bar, left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    File,
    Labels,
    View,
    Display,
    Inside,
    Compute,
    Help,
}

impl Menu {
    /// All menus, left to right.
    pub const ALL: [Self; 7] = [
        Self::File,
        Self::Labels,
        Self::View,
        Self::Display,
        Self::Inside,
        Self::Compute,
        Self::Help,
    ];

    /// The name on the menu bar.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Labels => "Labels",
            Self::View => "View",
            Self::Display => "Display",
            Self::Inside => "Inside",
            Self::Compute => "Compute",
            Self::Help => "Help",
        }
    }
}

/// One action as menus, keyboard, palette and help see it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub command: Command,
    pub name: String,
    pub menu: Menu,
    /// A line is drawn above it in its menu.
    pub starts_group: bool,
    pub shortcut: Option<KeyboardShortcut>,
}

/// All actions, in menu order.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(list);
    &ENTRIES
}

/// The entry of one command.
pub fn entry(command: Command) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.command == command)
}

fn list() -> Vec<Entry> {
    let mut list = file_menu();
    list.extend(label_menu());
    list.extend(view_menu());
    list.extend(display_menu());
    list.extend(menu(Menu::Inside, inspector_commands::rows()));
    list.extend(compute_menu());
    list.extend(help_menu());
    list
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
pub(super) const PLAIN: Modifiers = Modifiers::NONE;

pub(super) fn key(modifiers: Modifiers, key: Key) -> Keys {
    Some(KeyboardShortcut::new(modifiers, key))
}

/// Entries of one menu from rows of command, name and shortcut; `---` is a row of its own.
fn menu(menu: Menu, rows: Vec<Row>) -> Vec<Entry> {
    let mut starts_group = false;
    let mut entries = Vec::new();
    for row in rows {
        match row {
            Row::Line => starts_group = true,
            Row::Action(command, name, shortcut) => entries.push(Entry {
                command,
                name,
                menu,
                starts_group: std::mem::take(&mut starts_group),
                shortcut,
            }),
        }
    }
    entries
}

type Keys = Option<KeyboardShortcut>;

pub(super) enum Row {
    Action(Command, String, Keys),
    Line,
}

pub(super) fn row(command: Command, name: impl Into<String>, keys: Keys) -> Row {
    Row::Action(command, name.into(), keys)
}

fn file_menu() -> Vec<Entry> {
    use Command as C;
    menu(
        Menu::File,
        vec![
            row(C::OpenPhotos, "Open photos…", key(CTRL, Key::O)),
            row(C::OpenFolder, "Open folder…", key(CTRL_SHIFT, Key::O)),
            row(C::TypePath, "Type a path", key(CTRL, Key::G)),
            row(C::PastePhoto, "Paste photo or path", key(CTRL, Key::V)),
            row(C::ForgetRecent, "Forget recent photos", None),
            Row::Line,
            row(C::PreviousPhoto, "Previous photo", key(PLAIN, Key::PageUp)),
            row(C::NextPhoto, "Next photo", key(PLAIN, Key::PageDown)),
            row(C::ToggleAbout, "About this photo", key(CTRL, Key::D)),
            Row::Line,
            row(C::SavePicture, "Save picture…", key(CTRL, Key::S)),
            row(C::CopyPicture, "Copy picture", key(CTRL_SHIFT, Key::C)),
            Row::Line,
            row(C::Quit, "Quit", key(CTRL, Key::Q)),
        ],
    )
}

fn label_menu() -> Vec<Entry> {
    use Command as C;
    menu(
        Menu::Labels,
        vec![
            row(C::Undo, "Undo label change", key(CTRL, Key::Z)),
            row(C::Redo, "Redo label change", key(CTRL_SHIFT, Key::Z)),
            Row::Line,
            row(C::TypeLabels, "Type labels", key(CTRL, Key::L)),
            row(
                C::SearchLabels,
                "Search the bundle's labels",
                key(CTRL, Key::F),
            ),
            Row::Line,
            row(C::LabelsOfPhoto, "Labels of this photo", key(CTRL, Key::T)),
            row(C::SaveLabelSet, "Save labels as a set…", None),
            row(C::LabelSets, "Label sets", key(CTRL_SHIFT, Key::L)),
            Row::Line,
            row(C::RenameLabel, "Rename label", key(PLAIN, Key::F2)),
            row(C::PinLabel, "Pin label", key(CTRL_SHIFT, Key::P)),
            row(
                C::MoveLabelLeft,
                "Move label left",
                key(CTRL_SHIFT, Key::ArrowLeft),
            ),
            row(
                C::MoveLabelRight,
                "Move label right",
                key(CTRL_SHIFT, Key::ArrowRight),
            ),
            row(C::RemoveLabel, "Remove label", key(PLAIN, Key::Delete)),
            Row::Line,
            row(C::ClearLabels, "Remove all labels but the pinned", None),
        ],
    )
}

fn view_menu() -> Vec<Entry> {
    use Command as C;
    let digits = [
        Key::Num1,
        Key::Num2,
        Key::Num3,
        Key::Num4,
        Key::Num5,
        Key::Num6,
    ];
    let mut rows = vec![row(
        C::ToggleInput,
        "Show the input photo",
        key(CTRL, Key::I),
    )];
    for (variant, digit) in std::iter::zip(VariantId::WITH_BASELINES, digits) {
        let name = format!("Show {}", variant.title());
        rows.push(row(C::ToggleVariant(variant), name, key(CTRL, digit)));
    }
    rows.extend([
        Row::Line,
        row(
            C::LargerPanels,
            "Larger panels",
            key(CTRL, Key::CloseBracket),
        ),
        row(
            C::SmallerPanels,
            "Smaller panels",
            key(CTRL, Key::OpenBracket),
        ),
        Row::Line,
    ]);
    rows.extend(layout_rows());
    rows.push(Row::Line);
    let keys = [Key::F6, Key::F7, Key::F8, Key::F9];
    for (panel, panel_key) in std::iter::zip(SidePanel::ALL, keys) {
        let name = format!("Panel: {}", panel.title());
        rows.push(row(C::TogglePanel(panel), name, key(PLAIN, panel_key)));
    }
    rows.extend([
        row(
            C::FullScreen,
            "Maps on the whole screen",
            key(PLAIN, Key::F11),
        ),
        Row::Line,
        row(C::Theme(Theme::Light), "Light theme", None),
        row(C::Theme(Theme::Dark), "Dark theme", None),
        row(C::Theme(Theme::System), "Theme of the desktop", None),
        Row::Line,
        row(C::LargerText, "Larger text", key(CTRL, Key::Plus)),
        row(C::SmallerText, "Smaller text", key(CTRL, Key::Minus)),
        row(C::NormalText, "Normal text", key(CTRL, Key::Num0)),
    ]);
    menu(Menu::View, rows)
}

/// How panels are laid out and what of the photo they show.
fn layout_rows() -> Vec<Row> {
    use Command as C;
    const ALT: Modifiers = Modifiers::ALT;
    let digits = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];
    let mut rows = vec![row(
        C::ShowAll,
        "Show all variants and labels",
        key(ALT, Key::H),
    )];
    rows.push(Row::Line);
    for (layout, digit) in std::iter::zip(PanelLayout::ALL, digits) {
        let name = format!("Layout: {}", layout.title());
        rows.push(row(C::Layout(layout), name, key(ALT, digit)));
    }
    rows.push(Row::Line);
    let letters = [Key::A, Key::R, Key::C];
    for (labels_as, letter) in std::iter::zip(LabelsAs::ALL, letters) {
        let name = format!("Labels {}", labels_as.title());
        rows.push(row(C::LabelsAs(labels_as), name, key(ALT, letter)));
    }
    rows.extend([
        Row::Line,
        row(C::PreviousLabel, "Previous label", key(ALT, Key::ArrowUp)),
        row(C::NextLabel, "Next label", key(ALT, Key::ArrowDown)),
        row(
            C::PreviousVariant,
            "Previous variant",
            key(ALT, Key::ArrowLeft),
        ),
        row(C::NextVariant, "Next variant", key(ALT, Key::ArrowRight)),
        row(C::SwapVariants, "Swap A and B", key(ALT, Key::X)),
        row(C::DividerLeft, "Divider to the left", key(ALT, Key::Comma)),
        row(
            C::DividerRight,
            "Divider to the right",
            key(ALT, Key::Period),
        ),
        Row::Line,
        row(C::ZoomIn, "Zoom into the photo", key(ALT, Key::Plus)),
        row(C::ZoomOut, "Zoom out of the photo", key(ALT, Key::Minus)),
        row(C::ResetZoom, "Reset zoom", key(ALT, Key::Num0)),
    ]);
    rows
}

fn display_menu() -> Vec<Entry> {
    use Command as C;
    let mut rows = Vec::new();
    for mode in ScaleMode::ALL {
        rows.push(row(
            C::Scale(mode),
            format!("Scale: {}", mode.title()),
            None,
        ));
    }
    rows.push(Row::Line);
    for map in ColourMap::ALL {
        rows.push(row(
            C::Colours(map),
            format!("Colours: {}", map.name()),
            None,
        ));
    }
    rows.push(Row::Line);
    for mode in Interpolation::ALL {
        rows.push(row(
            C::Smoothing(mode),
            format!("Smoothing: {}", mode.name()),
            None,
        ));
    }
    rows.extend([
        Row::Line,
        row(C::MoreOpaque, "Stronger overlay", key(CTRL, Key::ArrowUp)),
        row(C::LessOpaque, "Fainter overlay", key(CTRL, Key::ArrowDown)),
        row(C::ToggleContours, "Contour lines", key(CTRL, Key::K)),
        row(C::ToggleMarks, "Mark the pooled regions", key(CTRL, Key::R)),
        row(C::TrainedK, "Pool as trained", None),
    ]);
    menu(Menu::Display, rows)
}

fn compute_menu() -> Vec<Entry> {
    use Command as C;
    menu(
        Menu::Compute,
        vec![
            row(C::ComputeAgain, "Compute again", key(PLAIN, Key::F5)),
            row(C::Cancel, "Cancel", key(CTRL, Key::Period)),
            Row::Line,
            row(C::Device(DeviceChoice::Auto), "Device: automatic", None),
            row(C::Device(DeviceChoice::Cpu), "Device: CPU", None),
            row(C::Device(DeviceChoice::Cuda(0)), "Device: CUDA GPU", None),
        ],
    )
}

fn help_menu() -> Vec<Entry> {
    use Command as C;
    menu(
        Menu::Help,
        vec![
            row(C::Palette, "Find a command", key(CTRL, Key::P)),
            row(C::Help, "Words, commands and keys", key(PLAIN, Key::F1)),
            row(C::DismissMessages, "Dismiss messages", key(CTRL, Key::M)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::state::AppState;

    #[test]
    fn every_command_has_one_name_and_one_key() {
        let mut names = std::collections::HashSet::new();
        let mut keys: Vec<KeyboardShortcut> = Vec::new();
        for entry in entries() {
            assert!(names.insert(entry.name.clone()), "{} twice", entry.name);
            if let Some(shortcut) = entry.shortcut {
                assert!(!keys.contains(&shortcut), "{shortcut:?} twice");
                keys.push(shortcut);
            }
        }
        for menu in Menu::ALL {
            assert!(entries().iter().any(|entry| entry.menu == menu));
        }
    }

    #[test]
    fn a_command_that_cannot_be_given_changes_nothing() {
        let mut state = AppState::new(Vec::new(), &["a", "b"], &[]);
        assert!(available(Command::PreviousPhoto, &state).is_err());
        carry_out(Command::PreviousPhoto, &mut state);
        assert_eq!(state.photos.selected, 0);
        carry_out(Command::NextPhoto, &mut state);
        assert_eq!(state.photos.selected, 1);
        assert!(available(Command::NextPhoto, &state).is_err());
    }

    #[test]
    fn the_last_column_cannot_be_hidden() {
        let mut state = AppState::new(Vec::new(), &["a"], &[]);
        for variant in VariantId::PAPER {
            carry_out(Command::ToggleVariant(variant), &mut state);
        }
        assert_eq!(state.shown_variants(), [VariantId::BIAM]);
    }

    #[test]
    fn a_fifth_network_is_there_where_the_bundle_has_it() {
        let mut state = AppState::new(Vec::new(), &["a"], &[]);
        let command = Command::ToggleVariant(VariantId::RIDGE);
        assert!(available(command, &state).is_err());
        state.replies.bundle = Some(std::sync::Arc::new(crate::engine::BundleFacts {
            name: "five".to_owned(),
            folder: std::path::PathBuf::from("weights/five"),
            variants: VariantId::WITH_BASELINES[..5].to_vec(),
            labels: Vec::new().into(),
            trained_k: 10,
            has_ordinary_regions: true,
            device: "CPU".to_owned(),
            device_note: None,
        }));
        assert!(available(command, &state).is_ok());
        assert_eq!(state.shown_variants(), VariantId::WITH_BASELINES[..5]);
        carry_out(command, &mut state);
        assert_eq!(state.shown_variants(), VariantId::PAPER);
    }
}
