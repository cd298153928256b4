//! The command palette, which reads the list of commands.

use egui::{Key, Modifiers, TextEdit, Ui, vec2};

use super::commands::{self, Entry};
use super::keys;
use super::label_commands::all_entries;
use super::state::AppState;

const WIDTH: f32 = 420.0;

/// The palette, when it is open: type a part of a name, Enter gives the command.
pub fn show(ctx: &egui::Context, state: &mut AppState) {
    if !state.open.palette {
        return;
    }
    let modal = egui::Modal::new(egui::Id::unique("palette"));
    let response = modal.show(ctx, |ui| {
        ui.set_width(WIDTH);
        contents(ui, state);
    });
    if response.should_close() && state.open.palette {
        state.toggle_palette();
    }
}

fn contents(ui: &mut Ui, state: &mut AppState) {
    let moved = ui.input_mut(|input| {
        let down = input.count_and_consume_key(Modifiers::NONE, Key::ArrowDown) as isize;
        let up = input.count_and_consume_key(Modifiers::NONE, Key::ArrowUp) as isize;
        down - up
    });
    let before = state.fields.palette.clone();
    let field = TextEdit::singleline(&mut state.fields.palette)
        .hint_text("Find a command")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    ui.ctx()
        .accesskit_node_builder(response.id, |node| node.set_label("Find a command"));
    response.request_focus();
    if state.fields.palette != before {
        state.fields.palette_row = 0;
    }
    let entries = all_entries(state);
    let found = find(&state.fields.palette, &entries);
    let last = found.len().saturating_sub(1);
    let row = state.fields.palette_row;
    state.fields.palette_row = row.saturating_add_signed(moved).min(last);
    if found.is_empty() {
        ui.weak("No command has these letters");
    }
    let mut chosen = ui
        .input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter))
        .then(|| found.get(state.fields.palette_row).copied())
        .flatten();
    egui::ScrollArea::vertical()
        .max_height(320.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            for (index, entry) in found.iter().enumerate() {
                let marked = index == state.fields.palette_row;
                let response = palette_row(ui, state, entry, marked);
                if marked && moved != 0 {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    chosen = Some(entry);
                }
            }
        });
    if let Some(entry) = chosen
        && commands::available(entry.command, state).is_ok()
    {
        state.toggle_palette();
        state.give(entry.command);
    }
}

fn palette_row(ui: &mut Ui, state: &AppState, entry: &Entry, marked: bool) -> egui::Response {
    let available = commands::available(entry.command, state);
    let mut button = egui::Button::selectable(marked, entry.name.as_str())
        .min_size(vec2(ui.available_width(), 22.0));
    if let Some(shortcut) = &entry.shortcut {
        button = button.shortcut_text(keys::keys_text(ui.ctx(), shortcut));
    }
    let response = ui.add_enabled(available.is_ok(), button);
    match available {
        Ok(()) => response,
        Err(reason) => response.on_disabled_hover_text(reason),
    }
}

/// The commands whose names hold the typed letters in this order: names with the text in one
/// piece first, then in the order of the menus.
fn find<'a>(typed: &str, entries: &'a [Entry]) -> Vec<&'a Entry> {
    let wanted = typed.trim().to_lowercase();
    let mut found: Vec<(u8, &Entry)> = entries
        .iter()
        .filter_map(|entry| Some((match_quality(&entry.name.to_lowercase(), &wanted)?, entry)))
        .collect();
    found.sort_by_key(|&(quality, _)| quality);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// 0 at the start of a word, 1 elsewhere in one piece, 2 scattered; `None` without a match.
fn match_quality(name: &str, wanted: &str) -> Option<u8> {
    if name.starts_with(wanted) || name.contains(&format!(" {wanted}")) {
        return Some(0);
    }
    if name.contains(wanted) {
        return Some(1);
    }
    let mut letters = name.chars();
    wanted
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .all(|letter| letters.any(|other| other == letter))
        .then_some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_find_commands_best_match_first() {
        let names = |typed| -> Vec<&str> {
            let found = find(typed, commands::entries());
            found.into_iter().map(|e| e.name.as_str()).collect()
        };
        assert_eq!(names("").len(), commands::entries().len());
        assert_eq!(names("undo")[0], "Undo label change");
        assert_eq!(names("photo")[0], "Open photos…");
        assert!(names("opfol").contains(&"Open folder…"));
        assert!(names("qqq").is_empty());
    }
}
