//! Small data sets for the readers' tests.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Dataset, DatasetError, Part, open};

/// A folder that goes when the test ends.
pub(super) struct Fixture(TempDir);

impl Fixture {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file with whatever folders it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Photos whose content does not matter to readers.
    pub fn photos(&self, names: &[&str]) {
        for name in names {
            self.write(name, "a photo");
        }
    }

    pub fn open(&self, part: &str) -> Result<Dataset, DatasetError> {
        open(self.path(), None, Part::Named(part))
    }

    /// The message of what must fail, without the folder's name.
    pub fn refused(&self, part: &str) -> String {
        let error = self.open(part).map(|_| ()).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        let folder = format!("{}/", self.path().display());
        error.replace(&folder, "")
    }
}

/// Names and label rows of all photos.
pub(super) fn rows(set: &Dataset) -> Vec<(String, Vec<i8>)> {
    let row = |photo: &super::DatasetPhoto| {
        let mut row = vec![9; set.labels.len()];
        photo.labels.fill(&mut row);
        (
            photo
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned(),
            row,
        )
    };
    set.photos.iter().map(row).collect()
}

/// A row as [`rows`] gives it.
pub(super) fn row(name: &str, labels: &[i8]) -> (String, Vec<i8>) {
    (name.to_owned(), labels.to_vec())
}
