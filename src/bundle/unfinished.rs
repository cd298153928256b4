//! A folder that appears whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::FileError;

/// A new folder beside the one that is to be made; it goes again unless it is
/// [`UnfinishedFolder::finish`]ed.
pub struct UnfinishedFolder {
    folder: PathBuf,
    out: PathBuf,
    finished: bool,
}

impl UnfinishedFolder {
    /// Makes it.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn beside(out: &Path) -> Result<Self, FileError> {
        let folder = made_beside(out).map_err(|source| failed(out, source))?;
        let out = out.to_owned();
        Ok(Self {
            folder,
            out,
            finished: false,
        })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// A name that has been taken meanwhile.
    pub fn finish(mut self) -> Result<(), FileError> {
        fs::rename(&self.folder, &self.out).map_err(|source| failed(&self.out, source))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        if !self.finished {
            // What came before is the error that matters.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn failed(out: &Path, source: io::Error) -> FileError {
    FileError::Write {
        path: out.to_owned(),
        source,
    }
}

/// A new folder beside `out` that nobody else has.
fn made_beside(out: &Path) -> io::Result<PathBuf> {
    let parent = out.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        fs::create_dir_all(parent)?;
    }
    for attempt in 0_u32.. {
        let beside = parent.join(format!(
            ".biam-lens-{}-{attempt}.unfinished",
            std::process::id()
        ));
        match fs::create_dir(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| beside),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
