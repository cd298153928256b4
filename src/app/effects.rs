//! What the commands do: whether one can be given now, and how it changes the state.

use super::commands::Command;
use super::inspector_commands;
use super::label_commands;
use super::state::{AppState, Focus, Renaming};
use super::view::PanelLayout;
use crate::engine::Request;

/// How far one press of a key moves the divider, and how much one magnifies.
const DIVIDER_STEP: f32 = 0.05;
const ZOOM_STEP: f32 = 1.25;
const MIDDLE: egui::Vec2 = egui::vec2(0.5, 0.5);

/// What a command needs from outside the state.
#[derive(Clone, Debug)]
pub enum Effect {
    OpenPhotosDialog,
    OpenFolderDialog,
    CopyPicture,
    CopyText(String),
    Ask(Request),
    /// Look up a photo or folder.
    Open(std::path::PathBuf),
    /// Read the clipboard.
    Paste,
    Quit,
    /// The window fills the screen, or no longer.
    FullScreen(bool),
}

/// Whether a command can be given now; the reason when it cannot.
pub fn available(command: Command, state: &AppState) -> Result<(), &'static str> {
    let when = |condition: bool, reason| if condition { Ok(()) } else { Err(reason) };
    if let Some(answer) = label_commands::available(command, state) {
        return answer;
    }
    if let Some(answer) = inspector_commands::available(command, state) {
        return answer;
    }
    match command {
        Command::ForgetRecent => when(!state.recent.is_empty(), "No photo was opened"),
        Command::PreviousPhoto => when(state.photos.selected > 0, "This is the first photo"),
        Command::NextPhoto => when(
            state.photos.selected + 1 < state.photos.entries.len(),
            "This is the last photo",
        ),
        Command::SavePicture | Command::CopyPicture => {
            when(state.is_current(), "There is no map of this photo yet")
        }
        Command::TrainedK => when(
            state.trained_k() != Some(state.pooled_k()),
            "The trained k is in use",
        ),
        Command::Cancel => when(state.replies.awaits_reply(), "Nothing is being computed"),
        Command::LargerPanels => when(state.panel_size < 1.0, "The panels fill the window"),
        Command::SmallerPanels => when(state.panel_size > 0.25, "The panels are very small"),
        Command::Layout(layout) => state.why_no_layout(layout).map_or(Ok(()), Err),
        Command::NextLabel
        | Command::PreviousLabel
        | Command::NextVariant
        | Command::PreviousVariant => when(
            state.layout() != PanelLayout::Grid,
            "The grid shows all of them",
        ),
        Command::SwapVariants => when(state.compares_two(), "No two variants are compared"),
        Command::DividerLeft | Command::DividerRight => when(
            state.layout() == PanelLayout::Slider,
            "Only the A/B slider has a divider",
        ),
        Command::ZoomOut | Command::ResetZoom => {
            when(state.view.zoom > 1.0, "The whole photo is in view")
        }
        Command::ShowAll => when(state.hidden_count() > 0, "Nothing is hidden"),
        Command::DismissMessages => when(!state.messages.is_empty(), "There is no message"),
        Command::ToggleVariant(variant) => when(
            state.variants().contains(&variant),
            "The bundle has no such network",
        ),
        Command::Scale(mode) if mode.needs_ordinary_regions() => {
            state.no_ordinary_regions().map_or(Ok(()), Err)
        }
        _ => Ok(()),
    }
}

/// Whether a command stands for something that is now so, for a mark in its menu.
pub fn is_on(command: Command, state: &AppState) -> bool {
    match command {
        Command::ToggleAbout => state.show_about,
        Command::LabelSets => state.open.label_sets,
        Command::PinLabel => state.pinned_in_hand(),
        Command::ToggleInput => state.show_input,
        Command::ToggleVariant(variant) => state.shown_variants().contains(&variant),
        Command::TogglePanel(panel) => state.shows(panel),
        Command::FullScreen => state.full_screen,
        Command::ToggleInspector => state.inspector.open,
        Command::Layout(layout) => state.layout() == layout,
        Command::LabelsAs(labels_as) => state.view.labels_as == labels_as,
        Command::Scale(mode) => state.display.scale == mode,
        Command::Colours(map) => state.display.style.colour_map == map,
        Command::Smoothing(mode) => state.display.style.interpolation == mode,
        Command::ToggleContours => state.display.style.contours,
        Command::ToggleMarks => state.display.style.marks,
        Command::Theme(theme) => state.theme == theme,
        Command::Device(device) => state.device == device,
        _ => false,
    }
}

/// Carries out a command on the state; what it needs beyond that is returned. A command without
/// an arm here does not compile.
pub fn carry_out(command: Command, state: &mut AppState) -> Option<Effect> {
    use Command as C;
    if available(command, state).is_err() {
        return None;
    }
    let label = state.name_in_hand().unwrap_or_default().to_owned();
    let (view, style) = (&mut state.view, &mut state.display.style);
    match command {
        C::OpenPhotos => return Some(Effect::OpenPhotosDialog),
        C::OpenFolder => return Some(Effect::OpenFolderDialog),
        C::OpenRecent(index) => return state.recent.get(index).cloned().map(Effect::Open),
        C::PastePhoto => return Some(Effect::Paste),
        C::CopyPicture => return Some(Effect::CopyPicture),
        C::Quit => return Some(Effect::Quit),
        C::Cancel => {
            state.stop_waiting();
            return Some(Effect::Ask(Request::Cancel));
        }
        C::Device(device) => {
            state.device = device;
            state.usual_device = None;
            state.wait_again();
            return Some(Effect::Ask(Request::Device(device)));
        }
        C::TypePath => state.put_keyboard_into(Focus::Path),
        C::ForgetRecent => state.recent.clear(),
        C::ToggleAbout => state.show_about = !state.show_about,
        C::PreviousPhoto => state.photos.step(-1),
        C::NextPhoto => state.photos.step(1),
        C::SavePicture => state.begin_save(None),
        C::Undo => _ = state.labels.undo(),
        C::Redo => _ = state.labels.redo(),
        C::TypeLabels => state.put_keyboard_into(Focus::Labels),
        C::SearchLabels => state.put_keyboard_into(Focus::Search),
        C::ClearLabels => state.labels.clear(),
        C::RenameLabel => state.fields.renaming = Some(Renaming::of(label)),
        C::PinLabel => _ = state.labels.toggle_pin(&label),
        C::RemoveLabel => _ = state.labels.remove(&label),
        C::MoveLabelLeft => state.move_label(-1),
        C::MoveLabelRight => state.move_label(1),
        C::LabelsOfPhoto => {
            let listed = state.true_labels().map(<[String]>::to_vec);
            let listed = listed.unwrap_or_default();
            state.labels.add_all(listed.iter().map(String::as_str));
        }
        C::SaveLabelSet => state.open.show_label_sets(true),
        C::LabelSets => state.open.show_label_sets(!state.open.label_sets),
        C::LoadLabelSet(set) => _ = state.labels.load_set(set),
        C::DeleteLabelSet(set) => _ = state.labels.delete_set(set),
        C::ToggleInput => state.show_input = !state.show_input,
        C::ToggleVariant(variant) => state.toggle_variant(variant),
        C::TogglePanel(panel) => state.toggle_panel(panel),
        C::FullScreen => {
            state.full_screen = !state.full_screen;
            return Some(Effect::FullScreen(state.full_screen));
        }
        C::Scale(mode) => state.choose_scale(mode),
        C::Colours(map) => style.colour_map = map,
        C::Smoothing(mode) => style.interpolation = mode,
        C::MoreOpaque => style.opacity = (style.opacity + 0.1).min(1.0),
        C::LessOpaque => style.opacity = (style.opacity - 0.1).max(0.0),
        C::ToggleContours => style.contours = !style.contours,
        C::ToggleMarks => style.marks = !style.marks,
        C::TrainedK => state.k = None,
        C::Theme(theme) => state.theme = theme,
        C::LargerPanels => state.panel_size = (state.panel_size + 0.125).min(1.0),
        C::SmallerPanels => state.panel_size = (state.panel_size - 0.125).max(0.25),
        C::Layout(layout) => view.layout = layout,
        C::LabelsAs(labels_as) => view.labels_as = labels_as,
        C::NextLabel => state.step_label(1),
        C::PreviousLabel => state.step_label(-1),
        C::NextVariant => state.step_variant(1),
        C::PreviousVariant => state.step_variant(-1),
        C::SwapVariants => state.swap_variants(),
        C::DividerLeft => view.divider = (view.divider - DIVIDER_STEP).max(0.0),
        C::DividerRight => view.divider = (view.divider + DIVIDER_STEP).min(1.0),
        C::ZoomIn => view.zoom_at(ZOOM_STEP, MIDDLE),
        C::ZoomOut => view.zoom_at(1.0 / ZOOM_STEP, MIDDLE),
        C::ResetZoom => view.reset_zoom(),
        C::ShowAll => state.show_all(),
        C::LargerText => state.zoom = (state.zoom + 0.1).min(2.0),
        C::SmallerText => state.zoom = (state.zoom - 0.1).max(0.6),
        C::NormalText => state.zoom = 1.0,
        C::ComputeAgain => state.ask_again(),
        C::ToggleInspector
        | C::RegionUp
        | C::RegionDown
        | C::RegionLeft
        | C::RegionRight
        | C::PinRegion
        | C::CopyRegions => return inspector_commands::carry_out(command, state),
        C::DismissMessages => state.messages.clear(),
        C::Palette => state.toggle_palette(),
        C::Help => state.open.show_help(!state.open.help),
    }
    None
}
