//! The photos on offer and the chosen one.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::engine::PhotoSource;

/// The photos on offer and the chosen one.
#[derive(Clone, Debug, Default)]
pub struct PhotoList {
    /// Opened files first, then the samples.
    pub entries: Vec<PhotoSource>,
    /// Index of the chosen one.
    pub selected: usize,
    /// Why a photo could not be read, by photo.
    pub unreadable: HashMap<PhotoSource, String>,
}

impl PhotoList {
    /// Files before samples; the first is chosen.
    pub fn new(files: Vec<PathBuf>, samples: &[&'static str]) -> Self {
        let files = files.into_iter().map(PhotoSource::File);
        let samples = samples.iter().map(|&name| PhotoSource::Sample(name));
        Self {
            entries: files.chain(samples).collect(),
            ..Self::default()
        }
    }

    /// The chosen photo.
    pub fn chosen(&self) -> Option<&PhotoSource> {
        self.entries.get(self.selected)
    }

    /// Puts files before the samples, each once, and chooses the first of them.
    pub fn open(&mut self, files: Vec<PathBuf>) {
        let Some(first) = files.first().cloned().map(PhotoSource::File) else {
            return;
        };
        let samples = self
            .entries
            .iter()
            .position(|entry| entry.path().is_none())
            .unwrap_or(self.entries.len());
        let mut known: HashSet<PhotoSource> = self.entries.iter().cloned().collect();
        let new: Vec<PhotoSource> = files
            .into_iter()
            .map(PhotoSource::File)
            .filter(|entry| known.insert(entry.clone()))
            .collect();
        self.entries.splice(samples..samples, new);
        // Opening a file again is also how a repaired one is tried anew.
        self.unreadable.remove(&first);
        self.selected = self
            .entries
            .iter()
            .position(|entry| *entry == first)
            .unwrap_or(0);
    }

    /// Chooses the photo `steps` further, stopping at both ends.
    pub fn step(&mut self, steps: isize) {
        let last = self.entries.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(steps).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opened_files_stand_before_the_samples_once() {
        let mut photos = PhotoList::new(Vec::new(), &["meadow", "harbour"]);
        photos.step(1);
        photos.open(vec![PathBuf::from("a.png"), PathBuf::from("b.png")]);
        assert_eq!(photos.selected, 0);
        photos.open(["b.png", "c.png", "c.png"].map(PathBuf::from).to_vec());
        let names: Vec<String> = photos.entries.iter().map(PhotoSource::name).collect();
        assert_eq!(names, ["a.png", "b.png", "c.png", "meadow", "harbour"]);
        assert_eq!(photos.selected, 1, "the first of those just opened");
        photos.open(Vec::new());
        assert_eq!(photos.selected, 1);
    }

    #[test]
    fn stepping_stops_at_both_ends() {
        let mut photos = PhotoList::new(Vec::new(), &["meadow", "harbour"]);
        photos.step(-1);
        assert_eq!(photos.selected, 0);
        photos.step(5);
        assert_eq!(photos.selected, 1);
        assert_eq!(
            photos.chosen().map(PhotoSource::name).as_deref(),
            Some("harbour")
        );
    }
}
