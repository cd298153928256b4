//! The commands on labels, and those whose names change while the program runs: recent photos,
//! named label sets, views that only some bundles have.

use super::commands::{Command, Entry, Menu};
use super::state::AppState;
use crate::model::VariantId;

/// All actions as they are now: the fixed ones, then those that change.
pub fn all_entries(state: &AppState) -> Vec<Entry> {
    let mut entries = super::commands::entries().to_vec();
    entries.extend(changing_entries(state));
    entries
}

/// One action for each recent photo or folder, each label set and each view of a full network.
pub fn changing_entries(state: &AppState) -> Vec<Entry> {
    let entry = |command, name, menu| Entry {
        command,
        name,
        menu,
        starts_group: false,
        shortcut: None,
    };
    let recent = state.recent.iter().enumerate().map(|(index, path)| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = format!("Open recent: {}", name.to_string_lossy());
        entry(Command::OpenRecent(index), name, Menu::File)
    });
    let sets = state.labels.sets().iter().enumerate().map(|(index, set)| {
        let name = format!("Load label set: {}", set.name);
        entry(Command::LoadLabelSet(index), name, Menu::Labels)
    });
    let views = state.variants().into_iter().filter_map(|variant| {
        // The usual ones have a row of their own, and a shortcut.
        let is_usual = VariantId::WITH_BASELINES.contains(&variant);
        let name = format!("Show {}", variant.title());
        (!is_usual).then(|| entry(Command::ToggleVariant(variant), name, Menu::View))
    });
    recent.chain(sets).chain(views).collect()
}

/// Whether a command on labels can be given now; `None` for every other command.
pub fn available(command: Command, state: &AppState) -> Option<Result<(), &'static str>> {
    let when = |condition: bool, reason| if condition { Ok(()) } else { Err(reason) };
    let at = state.label_in_hand();
    let last = state.labels.labels().len().saturating_sub(1);
    let none = "Click a label first";
    Some(match command {
        Command::Undo => when(state.labels.can_undo(), "No label change to take back"),
        Command::Redo => when(state.labels.can_redo(), "No label change to make again"),
        Command::ClearLabels if state.labels.labels().is_empty() => Err("There is no label"),
        Command::ClearLabels => when(state.labels.can_clear(), "All labels are pinned"),
        Command::RenameLabel | Command::PinLabel | Command::RemoveLabel => when(at.is_some(), none),
        Command::MoveLabelLeft => match at {
            Some(at) => when(at > 0, "It is the first label"),
            None => Err(none),
        },
        Command::MoveLabelRight => match at {
            Some(at) => when(at < last, "It is the last label"),
            None => Err(none),
        },
        Command::LabelsOfPhoto => match state.true_labels() {
            None => Err("No list beside this photo (.tsv) names its labels"),
            Some(labels) => when(
                !labels.iter().all(|label| state.labels.contains(label)),
                "They are all there",
            ),
        },
        Command::SaveLabelSet => when(!state.labels.labels().is_empty(), "There is no label"),
        Command::LoadLabelSet(set) | Command::DeleteLabelSet(set) => {
            when(set < state.labels.sets().len(), "There is no such set")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::BundleFacts;

    #[test]
    fn views_have_actions_where_the_bundle_has_them() {
        let mut state = AppState::new(Vec::new(), &["a"], &[]);
        assert!(changing_entries(&state).is_empty());
        let [view, ..] = VariantId::VIEWS;
        state.replies.bundle = Some(std::sync::Arc::new(BundleFacts {
            name: "imported".to_owned(),
            folder: std::path::PathBuf::from("weights/imported"),
            variants: vec![view, VariantId::BIAM],
            labels: Vec::new().into(),
            trained_k: 6,
            has_ordinary_regions: false,
            device: "CPU".to_owned(),
            device_note: None,
        }));
        let entries = changing_entries(&state);
        let [entry] = &entries[..] else {
            panic!("{} entries", entries.len())
        };
        assert_eq!(entry.name, "Show BiAM, SCB silenced (mean)");
        assert_eq!(entry.command, Command::ToggleVariant(view));
        assert!(crate::app::commands::available(entry.command, &state).is_ok());
    }
}
