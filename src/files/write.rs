//! Writing a file so that a reader sees either the old one or the new one, never half of either.

use super::FileError;
use super::read::kind_name;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `path` through a temporary file beside it that takes its name once everything is on the
/// disk. When anything fails (or `fill` panics) the old file stays as it was and the temporary one
/// is removed.
///
/// A link is followed: what it points to is replaced. An existing file's permissions are kept.
///
/// # Errors
/// A missing folder, no permission, a full disk, a target that is no regular file, or whatever
/// `fill` returns, as a [`FileError`].
pub fn write_atomically<F>(path: &Path, fill: F) -> Result<(), FileError>
where
    F: FnOnce(&mut BufWriter<File>) -> io::Result<()>,
{
    let target = resolve(path)?;
    let folder = existing_folder(path, &target)?;
    write_beside_and_rename(&target, folder, fill).map_err(|error| write_error(path, error))
}

/// Finds out before long work what would certainly keep [`write_atomically`] from writing `path`:
/// a missing folder, a protected file, something that is no file.
///
/// # Errors
/// As [`write_atomically`].
pub fn check_target(path: &Path) -> Result<(), FileError> {
    existing_folder(path, &resolve(path)?).map(|_| ())
}

/// The folder that `target`, which `path` means, lies in.
fn existing_folder<'a>(path: &Path, target: &'a Path) -> Result<&'a Path, FileError> {
    let folder = folder_of(target);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(FileError::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        }),
    }
}

/// The folder that `path` lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_beside_and_rename<F>(target: &Path, folder: &Path, fill: F) -> io::Result<()>
where
    F: FnOnce(&mut BufWriter<File>) -> io::Result<()>,
{
    let (file, temporary) = create_temporary(folder)?;
    if let Ok(existing) = fs::metadata(target) {
        file.set_permissions(existing.permissions())?;
    }
    let mut writer = BufWriter::new(file);
    fill(&mut writer)?;
    let file = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    temporary.rename(target)?;
    sync_folder(folder);
    Ok(())
}

/// Makes a new name safe from a power cut: it is only once its folder is on the disk too. Where a
/// file system cannot do that the file itself is still whole.
pub(super) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// The file that `path` really means: the end of a chain of links, and nothing but a regular file
/// or a free name.
fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(FileError::NotRegular {
            path: path.to_owned(),
            kind: kind_name(metadata.file_type()),
        }),
        // Renaming would pass over the protection that someone put on this file.
        Ok(metadata) if metadata.permissions().readonly() => {
            Err(FileError::Unwritable(path.to_owned()))
        }
        Ok(_) => fs::canonicalize(path).map_err(|error| write_error(path, error)),
        // A dangling link is replaced by the file itself.
        Err(_) => Ok(path.to_owned()),
    }
}

/// A file that is removed again unless it is renamed.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a new hidden file in `folder`. Its name does not hold the target's, which may already
/// be as long as the file system allows.
fn create_temporary(folder: &Path) -> io::Result<(File, Temporary)> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".biam-lens-{}-{serial}.tmp", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                let temporary = Temporary {
                    path,
                    renamed: false,
                };
                return Ok((file, temporary));
            }
            // Left behind by a killed process that had this number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// What the system's refusal to write `path` means.
pub(crate) fn write_error(path: &Path, source: io::Error) -> FileError {
    let owned = path.to_owned();
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileError::Unwritable(owned),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileError::DiskFull(owned),
        _ => FileError::Write {
            path: owned,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_old_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.svg");
        fs::write(&path, b"old").unwrap();
        write_atomically(&path, |writer| writer.write_all(b"new and longer")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and longer");
        assert_eq!(names(folder.path()), ["figure.svg"]);
    }

    #[test]
    fn a_failure_keeps_the_old_file_and_removes_the_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.svg");
        fs::write(&path, b"old").unwrap();
        let error = write_atomically(&path, |writer| {
            writer.write_all(b"half of")?;
            writer.flush()?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(matches!(error, FileError::DiskFull(_)));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["figure.svg"]);
    }

    #[test]
    fn a_panic_removes_the_temporary_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.svg");
        let outcome =
            std::panic::catch_unwind(|| write_atomically(&path, |_| panic!("writer gave up")));
        assert!(outcome.is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn missing_folder_and_folder_as_target_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no/such/figure.png");
        let error = write_atomically(&path, |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::NoFolder { .. }));
        let error = write_atomically(folder.path(), |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::NotRegular { .. }));
    }

    #[test]
    fn a_protected_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figure.png");
        fs::write(&path, b"old").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let error = write_atomically(&path, |writer| writer.write_all(b"new")).unwrap_err();
        assert!(matches!(error, FileError::Unwritable(_)));
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn the_longest_name_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n".repeat(255));
        write_atomically(&path, |writer| writer.write_all(b"x")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_permissions_stay_and_devices_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        fs::write(&target, b"old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomically(&link, |writer| writer.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        let mode = fs::metadata(&target).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let error = write_atomically(Path::new("/dev/null"), |_| Ok(())).unwrap_err();
        assert!(matches!(error, FileError::NotRegular { .. }));
    }
}
