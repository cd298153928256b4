//! The keys of the commands: which were pressed, and how they are written.

use egui::{Key, KeyboardShortcut};

use super::commands::{Command, entries};
use super::state::AppState;

/// The commands whose keys were pressed since the last frame, with those keys taken away.
pub fn pressed(ctx: &egui::Context, state: &AppState) -> Vec<Command> {
    let typing = ctx.text_edit_focused();
    let text_in_fields = state.fields.any_text();
    let mut with_keys: Vec<(KeyboardShortcut, Command)> = entries()
        .iter()
        .filter_map(|entry| Some((entry.shortcut?, entry.command)))
        // While a field holds text, undo belongs to that text.
        .filter(|(_, command)| {
            !(typing && text_in_fields && matches!(command, Command::Undo | Command::Redo))
        })
        .filter(|(shortcut, _)| !typing || !belongs_to_text(shortcut))
        .collect();
    // egui matches Ctrl+O also when Ctrl+Shift+O was pressed: ask for the longer ones first.
    with_keys.sort_by_key(|(shortcut, _)| !shortcut.modifiers.shift);
    ctx.input_mut(|input| {
        with_keys.retain(|(shortcut, _)| input.consume_shortcut(shortcut));
        // Some systems send the character of Alt+3, too, which no field should get.
        if with_keys.iter().any(|(shortcut, _)| shortcut.modifiers.alt) {
            let is_text = |event: &egui::Event| matches!(event, egui::Event::Text(_));
            input.events.retain(|event| !is_text(event));
        }
    });
    with_keys.into_iter().map(|(_, command)| command).collect()
}

/// A shortcut as people write it: `Ctrl+]` rather than `Ctrl+CloseBracket`.
pub fn keys_text(ctx: &egui::Context, shortcut: &KeyboardShortcut) -> String {
    let key = shortcut.logical_key;
    let written = match key {
        Key::OpenBracket => "[",
        Key::CloseBracket => "]",
        Key::Comma => ",",
        Key::Period => ".",
        Key::Plus => "+",
        Key::Minus => "-",
        Key::PageUp => "Page Up",
        Key::PageDown => "Page Down",
        other => other.name(),
    };
    let text = ctx.format_shortcut(shortcut);
    let modifiers = text.strip_suffix(key.name()).unwrap_or(&text);
    format!("{modifiers}{written}")
}

/// Whether a field does something of its own on these keys.
fn belongs_to_text(shortcut: &KeyboardShortcut) -> bool {
    use Key::{ArrowDown, ArrowLeft, ArrowRight, ArrowUp, Delete, V};
    let key = shortcut.logical_key;
    [ArrowUp, ArrowDown, ArrowLeft, ArrowRight, Delete, V].contains(&key)
}
