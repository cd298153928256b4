//! The menu bar, made of the list of commands.

use egui::Ui;

use super::commands::{self, Command, Entry, Menu};
use super::keys;
use super::label_commands::changing_entries;
use super::state::AppState;

/// The whole menu bar.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    egui::MenuBar::new().ui(ui, |ui| {
        for menu in Menu::ALL {
            ui.menu_button(menu.title(), |ui| {
                ui.set_min_width(230.0);
                // Long menus scroll rather than run out of a small window.
                let most = ui.ctx().content_rect().height() - 60.0;
                let scroll = egui::ScrollArea::vertical().max_height(most);
                scroll.min_scrolled_height(most).show(ui, |ui| {
                    for entry in commands::entries().iter().filter(|e| e.menu == menu) {
                        if entry.starts_group {
                            ui.separator();
                        }
                        changing_menu(ui, state, entry);
                        item(ui, state, entry);
                    }
                });
            });
        }
    });
}

/// The menu of what was opened or saved before, above the command that manages it.
fn changing_menu(ui: &mut Ui, state: &mut AppState, above: &Entry) {
    let title = match above.command {
        Command::ForgetRecent => "Open recent",
        Command::LabelSets => "Load label set",
        _ => return,
    };
    let changing = changing_entries(state);
    let own: Vec<&Entry> = changing.iter().filter(|e| e.menu == above.menu).collect();
    ui.add_enabled_ui(!own.is_empty(), |ui| {
        ui.menu_button(title, |ui| {
            for entry in own {
                item(ui, state, entry);
            }
        });
    });
}

/// One command as a menu shows it.
pub(super) fn item(ui: &mut Ui, state: &mut AppState, entry: &Entry) {
    let available = commands::available(entry.command, state);
    let is_on = commands::is_on(entry.command, state);
    let mut button = egui::Button::selectable(is_on, entry.name.as_str());
    if let Some(shortcut) = &entry.shortcut {
        button = button.shortcut_text(keys::keys_text(ui.ctx(), shortcut));
    }
    let response = ui.add_enabled(available.is_ok(), button);
    if response.clicked() {
        state.give(entry.command);
        ui.close();
    }
    if let Err(reason) = available {
        response.on_disabled_hover_text(reason);
    }
}
