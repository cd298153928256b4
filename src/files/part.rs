//! A file that arrives over several runs of the program: its part keeps a name of its own beside the
//! target until everything is there.

use super::FileError;
use super::read::{kind_name, read_error};
use super::write::{check_target, folder_of, sync_folder, write_error};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a part's name ends with.
const ENDING: &str = ".part";

/// The first bytes of a file, open to get more of them.
///
/// A part belongs to a target and to one content, which a `tag` names (letters and digits): bytes of
/// another content have another name, so that they are never mixed. It stays when it is dropped.
#[derive(Debug)]
pub struct PartFile {
    target: PathBuf,
    path: PathBuf,
    file: File,
    length: u64,
}

impl PartFile {
    /// Opens the part of `target`, which need not be there yet. Only one process can have it open.
    ///
    /// # Errors
    /// A folder that is missing or protected, a part that is in use or no regular file.
    pub fn open(target: &Path, tag: &str) -> Result<Self, FileError> {
        check_target(target)?;
        let path = part_path(target, tag);
        if let Ok(facts) = fs::symlink_metadata(&path)
            && !facts.is_file()
        {
            let kind = kind_name(facts.file_type());
            return Err(FileError::NotRegular { path, kind });
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.open(&path).and_then(|mut file| {
            let length = file.seek(SeekFrom::End(0))?;
            Ok((file, length))
        });
        let (file, length) = opened.map_err(|error| write_error(&path, error))?;
        // A file system that knows no locks has to do without.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(FileError::InUse(path));
        }
        Ok(Self {
            target: target.to_owned(),
            path,
            file,
            length,
        })
    }

    /// Bytes that are there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The file that holds them.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `bytes` behind the others.
    ///
    /// # Errors
    /// A full disk, or what else the system says against it; the part stays.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file
            .write_all(bytes)
            .map_err(|error| write_error(&self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Drops all bytes.
    ///
    /// # Errors
    /// What the system says against it.
    pub fn restart(&mut self) -> Result<(), FileError> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|error| write_error(&self.path, error))?;
        self.length = 0;
        Ok(())
    }

    /// The file from its first byte on, to look at what was written; what is appended afterwards
    /// goes wherever the reader stopped, so finish or restart it then.
    ///
    /// # Errors
    /// What the system says against it.
    pub fn from_start(&mut self) -> Result<&mut File, FileError> {
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(|error| read_error(&self.path, error))?;
        Ok(&mut self.file)
    }

    /// Puts everything onto the disk and gives it the target's name.
    ///
    /// # Errors
    /// What the system says against it; the part stays.
    pub fn finish(self) -> Result<(), FileError> {
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &self.target))
            .map_err(|error| write_error(&self.target, error))?;
        sync_folder(folder_of(&self.path));
        Ok(())
    }

    /// Removes the part.
    ///
    /// # Errors
    /// What the system says against it.
    pub fn discard(self) -> Result<(), FileError> {
        fs::remove_file(&self.path).map_err(|error| write_error(&self.path, error))
    }
}

/// Bytes of `target`'s content `tag` that are there from before.
pub fn part_length(target: &Path, tag: &str) -> u64 {
    match fs::symlink_metadata(part_path(target, tag)) {
        Ok(facts) if facts.is_file() => facts.len(),
        _ => 0,
    }
}

/// Removes the parts of `target` that belong to other contents than `tag`, and says how many there
/// were. Those that are in use stay.
pub fn remove_other_parts(target: &Path, tag: &str) -> usize {
    let Some(name) = target.file_name().and_then(OsStr::to_str) else {
        return 0;
    };
    let Ok(entries) = fs::read_dir(folder_of(target)) else {
        return 0;
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        let found = entry.file_name();
        let other = found
            .to_str()
            .and_then(|found| {
                found
                    .strip_prefix(name)?
                    .strip_prefix('.')?
                    .strip_suffix(ENDING)
            })
            .filter(|other| other.len() == tag.len() && *other != tag)
            .filter(|other| other.chars().all(|c| c.is_ascii_alphanumeric()));
        if other.is_some() && is_free(&entry.path()) && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    removed
}

fn is_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| !matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn part_path(target: &Path, tag: &str) -> PathBuf {
    let mut name = target
        .file_name()
        .map_or_else(OsString::new, OsString::from);
    name.push(format!(".{tag}{ENDING}"));
    target.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_part_stays_and_grows_until_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("weights");
        let mut part = PartFile::open(&target, "aa").unwrap();
        part.append(b"first ").unwrap();
        drop(part);
        assert!(!target.exists());
        assert_eq!(part_length(&target, "aa"), 6);
        let mut part = PartFile::open(&target, "aa").unwrap();
        assert_eq!(part.length(), 6);
        part.append(b"second").unwrap();
        let mut text = String::new();
        part.from_start()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "first second");
        part.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first second");
        assert_eq!(part_length(&target, "aa"), 0);
    }

    #[test]
    fn contents_are_not_mixed_and_old_ones_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("weights");
        PartFile::open(&target, "aa")
            .unwrap()
            .append(b"old")
            .unwrap();
        let mut part = PartFile::open(&target, "bb").unwrap();
        assert_eq!(part.length(), 0);
        part.append(b"new").unwrap();
        for other in [
            "weights.cc.txt",
            "weights.part",
            "weights.a-.part",
            "heads.aa.part",
        ] {
            fs::write(folder.path().join(other), b"not ours").unwrap();
        }
        assert_eq!(remove_other_parts(&target, "bb"), 1);
        assert_eq!(part_length(&target, "aa"), 0);
        assert_eq!(part_length(&target, "bb"), 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        part.discard().unwrap();
        assert_eq!(part_length(&target, "bb"), 0);
    }

    #[test]
    fn restarting_drops_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("weights");
        let mut part = PartFile::open(&target, "aa").unwrap();
        part.append(b"wrong and long").unwrap();
        part.restart().unwrap();
        part.append(b"right").unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"right");
    }

    #[test]
    fn only_one_at_a_time_writes_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("weights");
        let part = PartFile::open(&target, "aa").unwrap();
        let error = PartFile::open(&target, "aa").unwrap_err();
        assert!(matches!(error, FileError::InUse(_)), "{error}");
        assert_eq!(remove_other_parts(&target, "bb"), 0);
        drop(part);
        assert!(PartFile::open(&target, "aa").is_ok());
    }

    #[test]
    fn missing_folders_and_links_in_the_way_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = PartFile::open(&folder.path().join("no/weights"), "aa").unwrap_err();
        assert!(matches!(error, FileError::NoFolder { .. }), "{error}");
        fs::create_dir(folder.path().join("weights.aa.part")).unwrap();
        let error = PartFile::open(&folder.path().join("weights"), "aa").unwrap_err();
        assert!(matches!(error, FileError::NotRegular { .. }), "{error}");
    }
}
