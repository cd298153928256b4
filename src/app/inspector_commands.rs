//! The commands on the inspector.

use egui::{Key, Modifiers};

use super::commands::{Command, PLAIN, Row, key, row};
use super::effects::Effect;
use super::inside;
use super::state::AppState;

/// Their rows in the menu.
pub fn rows() -> Vec<Row> {
    use Command as C;
    let moving = |command, name: &str, arrow| row(command, name, key(Modifiers::SHIFT, arrow));
    vec![
        row(C::ToggleInspector, "Look inside", key(PLAIN, Key::F4)),
        Row::Line,
        moving(C::RegionUp, "Region above", Key::ArrowUp),
        moving(C::RegionDown, "Region below", Key::ArrowDown),
        moving(C::RegionLeft, "Region to the left", Key::ArrowLeft),
        moving(C::RegionRight, "Region to the right", Key::ArrowRight),
        Row::Line,
        row(
            C::PinRegion,
            "Pin the chosen region",
            key(Modifiers::ALT, Key::P),
        ),
        row(
            C::CopyRegions,
            "Copy regions as a table (TSV)",
            key(Modifiers::ALT, Key::T),
        ),
    ]
}

/// Whether a command on the inspector can be given now; `None` for every other command.
pub fn available(command: Command, state: &AppState) -> Option<Result<(), &'static str>> {
    let when = |condition: bool, reason| if condition { Ok(()) } else { Err(reason) };
    let maps = state.is_current();
    Some(match command {
        Command::RegionUp | Command::RegionDown | Command::RegionLeft | Command::RegionRight => {
            when(maps, "There is no map of this photo yet")
        }
        Command::PinRegion => when(state.inspector.region.is_some(), "Click a region first"),
        Command::CopyRegions => when(
            maps && (state.inspector.region.is_some() || !state.inspector.pins.is_empty()),
            "Click a region first",
        ),
        _ => return None,
    })
}

/// Carries out a command on the inspector.
pub fn carry_out(command: Command, state: &mut AppState) -> Option<Effect> {
    match command {
        Command::ToggleInspector => state.inspector.open = !state.inspector.open,
        Command::RegionUp => state.step_region(-1, 0),
        Command::RegionDown => state.step_region(1, 0),
        Command::RegionLeft => state.step_region(0, -1),
        Command::RegionRight => state.step_region(0, 1),
        Command::PinRegion => state.toggle_pin_of_region(),
        Command::CopyRegions => {
            let table = inside::pins_table(state)?;
            let lines = table.lines().count().saturating_sub(1);
            state.notice(format!("Copied {lines} lines of regions"));
            return Some(Effect::CopyText(table));
        }
        _ => {}
    }
    None
}
