//! The labels that a list beside a photo gives it.

use std::fs;
use std::path::{Path, PathBuf};

use super::TrueLabels;
use crate::files::read_bounded;

/// Largest list that is read while a photo opens, in bytes.
const LIST_LIMIT: u64 = 16 << 20;
/// Most lists of a folder that are looked into.
const MOST_LISTS: usize = 16;

/// Looks for `photo` in the lists (`*.tsv`: file name, tab, labels parted by commas) of its folder
/// and of the folder above. Whatever cannot be read is passed over: a photo needs no list.
pub fn true_labels(photo: &Path) -> Option<TrueLabels> {
    let name = photo.file_name()?.to_str()?;
    let folder = photo.parent()?;
    let above = folder.join("..");
    [folder, above.as_path()].into_iter().find_map(|folder| {
        lists(folder).into_iter().find_map(|list| {
            let text = String::from_utf8(read_bounded(&list, LIST_LIMIT).ok()?).ok()?;
            let labels = labels_of(&text, name)?;
            Some(TrueLabels { labels, list })
        })
    })
}

/// The lists of a folder, in the order of their names.
fn lists(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut lists: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "tsv"))
        .take(MOST_LISTS)
        .collect();
    lists.sort();
    lists
}

/// The labels in the line of `name`, if the list has one of two columns.
fn labels_of(list: &str, name: &str) -> Option<Vec<String>> {
    list.lines().find_map(|line| {
        let (file, labels) = line.split_once('\t')?;
        if file != name || labels.contains('\t') {
            return None;
        }
        let labels = labels.split(',').map(str::trim);
        Some(
            labels
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_the_folder_or_above_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let images = folder.path().join("images");
        fs::create_dir(&images).expect("a folder");
        fs::write(
            folder.path().join("val.tsv"),
            "a.jpg\tdog, traffic light\nb.jpg\t\n",
        )
        .expect("a list");
        let found = true_labels(&images.join("a.jpg")).expect("listed");
        assert_eq!(found.labels, ["dog", "traffic light"]);
        assert_eq!(
            true_labels(&images.join("b.jpg")).expect("listed").labels,
            [""; 0]
        );
        assert_eq!(true_labels(&images.join("c.jpg")), None);
    }

    #[test]
    fn lists_of_other_columns_are_not_label_lists() {
        assert_eq!(labels_of("a.jpg\tdog\t0.1\t0.2", "a.jpg"), None);
        assert_eq!(labels_of("nonsense", "a.jpg"), None);
    }
}
