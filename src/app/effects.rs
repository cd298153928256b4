//! What the commands do: whether one can be given now, and how it changes the state.

use super::commands::Command;
use super::label_commands;
use super::state::{AppState, Focus};
use super::view::Layout;
use crate::engine::Request;

/// What a command needs from outside the state.
#[derive(Clone, Debug)]
pub enum Effect {
    OpenPhotosDialog,
    OpenFolderDialog,
    CopyPicture,
    Ask(Request),
    /// Look up a photo or folder.
    Open(std::path::PathBuf),
    /// Read the clipboard.
    Paste,
    Quit,
}

/// Whether a command can be given now; the reason when it cannot.
pub fn available(command: Command, state: &AppState) -> Result<(), &'static str> {
    let when = |condition: bool, reason| if condition { Ok(()) } else { Err(reason) };
    if let Some(answer) = label_commands::available(command, state) {
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
            when(state.comparison().is_some(), "There is no map yet")
        }
        Command::TrainedK => when(
            state.trained_k() != Some(state.pooled_k()),
            "The trained k is in use",
        ),
        Command::Cancel => when(state.answers.owed(), "Nothing is being computed"),
        Command::LargerPanels => when(state.panel_size < 1.0, "The panels fill the window"),
        Command::SmallerPanels => when(state.panel_size > 0.25, "The panels are very small"),
        Command::Layout(layout) => state.why_no_layout(layout).map_or(Ok(()), Err),
        Command::NextLabel
        | Command::PreviousLabel
        | Command::NextVariant
        | Command::PreviousVariant => {
            when(state.layout() != Layout::Grid, "The grid shows all of them")
        }
        Command::SwapVariants => when(state.compares_two(), "No two variants are compared"),
        Command::DividerLeft | Command::DividerRight => when(
            state.layout() == Layout::Slider,
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

/// Carries out a command on the state; what it needs beyond that is returned.
pub fn carry_out(command: Command, state: &mut AppState) -> Option<Effect> {
    if available(command, state).is_err() {
        return None;
    }
    match command {
        Command::OpenPhotos => return Some(Effect::OpenPhotosDialog),
        Command::OpenFolder => return Some(Effect::OpenFolderDialog),
        Command::CopyPicture => return Some(Effect::CopyPicture),
        Command::Quit => return Some(Effect::Quit),
        Command::Cancel => {
            state.stop_waiting();
            return Some(Effect::Ask(Request::Cancel));
        }
        Command::Device(device) => {
            state.device = device;
            state.usual_device = None;
            state.wait_again();
            return Some(Effect::Ask(Request::Device(device)));
        }
        Command::TypePath => state.open.focus = Some(Focus::Path),
        Command::TypeLabels => state.open.focus = Some(Focus::Labels),
        Command::SearchLabels => state.open.focus = Some(Focus::Search),
        Command::PreviousPhoto => state.photos.step(-1),
        Command::NextPhoto => state.photos.step(1),
        Command::SavePicture => state.open.save = true,
        Command::ComputeAgain => state.ask_again(),
        Command::DismissMessages => state.messages.clear(),
        Command::Palette => state.toggle_palette(),
        Command::Help => state.open.help = !state.open.help,
        Command::ToggleAbout => state.show_about = !state.show_about,
        _ if label_commands::carry_out(command, state) => {}
        _ => change_view(command, state),
    }
    label_commands::effect(command, state)
}

fn change_view(command: Command, state: &mut AppState) {
    let style = &mut state.display.style;
    match command {
        Command::ToggleInput => state.show_input = !state.show_input,
        Command::ToggleVariant(variant) => state.toggle_variant(variant),
        Command::Scale(mode) => state.display.scale = mode,
        Command::Colours(map) => style.colour_map = map,
        Command::Smoothing(mode) => style.interpolation = mode,
        Command::MoreOpaque => style.opacity = (style.opacity + 0.1).min(1.0),
        Command::LessOpaque => style.opacity = (style.opacity - 0.1).max(0.0),
        Command::ToggleContours => style.contours = !style.contours,
        Command::ToggleMarks => style.marks = !style.marks,
        Command::TrainedK => state.k = None,
        Command::Theme(theme) => state.theme = theme,
        Command::LargerPanels => state.panel_size = (state.panel_size + 0.125).min(1.0),
        Command::SmallerPanels => state.panel_size = (state.panel_size - 0.125).max(0.25),
        Command::LargerText => state.zoom = (state.zoom + 0.1).min(2.0),
        Command::SmallerText => state.zoom = (state.zoom - 0.1).max(0.6),
        Command::NormalText => state.zoom = 1.0,
        _ => change_layout(command, state),
    }
}

fn change_layout(command: Command, state: &mut AppState) {
    const DIVIDER_STEP: f32 = 0.05;
    const ZOOM_STEP: f32 = 1.25;
    let middle = egui::vec2(0.5, 0.5);
    let view = &mut state.view;
    match command {
        Command::Layout(layout) => view.layout = layout,
        Command::LabelsAs(labels_as) => view.labels_as = labels_as,
        Command::NextLabel => state.step_label(1),
        Command::PreviousLabel => state.step_label(-1),
        Command::NextVariant => state.step_variant(1),
        Command::PreviousVariant => state.step_variant(-1),
        Command::SwapVariants => state.swap_variants(),
        Command::DividerLeft => view.divider = (view.divider - DIVIDER_STEP).max(0.0),
        Command::DividerRight => view.divider = (view.divider + DIVIDER_STEP).min(1.0),
        Command::ZoomIn => view.zoom_at(ZOOM_STEP, middle),
        Command::ZoomOut => view.zoom_at(1.0 / ZOOM_STEP, middle),
        Command::ResetZoom => view.reset_zoom(),
        Command::ShowAll => state.show_all(),
        _ => {}
    }
}
