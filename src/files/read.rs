//! Reading a file that may be anything: a pipe, a device, a folder, far too large, gone.

use super::FileError;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads the whole of a regular file (links are followed) of at most `limit_bytes` bytes.
///
/// Pipes, devices, sockets and folders are refused without being opened, since opening or reading
/// one may wait for ever.
///
/// # Errors
/// A missing, dangling, unreadable, empty, too large or not regular file, each its own
/// [`FileError`].
pub fn read_bounded(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let (file, opened) = open_regular(path)?;
    let too_large = || FileError::TooLarge {
        path: path.to_owned(),
        limit_bytes,
    };
    if opened.len() > limit_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0) + 1);
    // A file that grows while it is read must not pass the limit either.
    file.take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    if bytes.is_empty() {
        return Err(FileError::Empty(path.to_owned()));
    }
    if bytes.len() as u64 > limit_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Opens a regular file of any size (links are followed), to read it piece by piece.
///
/// # Errors
/// As [`read_bounded`], but for size and emptiness.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), FileError> {
    let before = fs::metadata(path).map_err(|error| read_error(path, error))?;
    refuse_unless_regular(path, &before)?;
    let file = open_without_waiting(path).map_err(|error| read_error(path, error))?;
    // The name may have come to mean something else since it was looked at, so what counts is
    // what was opened.
    let opened = file.metadata().map_err(|error| read_error(path, error))?;
    refuse_unless_regular(path, &opened)?;
    Ok((file, opened))
}

/// Opens for reading in a way that never waits for a writer, should the path have become a pipe
/// after it was checked.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOCTTY,
    );
    options.open(path)
}

fn refuse_unless_regular(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(FileError::NotRegular {
        path: path.to_owned(),
        kind: kind_name(metadata.file_type()),
    })
}

/// What a thing that is not a regular file is called.
pub(super) fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "something special"
}

/// What the system's refusal to read `path` means.
pub(crate) fn read_error(path: &Path, source: io::Error) -> FileError {
    let owned = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound if fs::symlink_metadata(path).is_ok() => FileError::DanglingLink(owned),
        ErrorKind::NotFound | ErrorKind::NotADirectory => FileError::Missing(owned),
        ErrorKind::PermissionDenied => FileError::Unreadable(owned),
        ErrorKind::InvalidFilename => FileError::NameTooLong(owned),
        _ if is_link_loop(&source) => FileError::LinkLoop(owned),
        _ => FileError::Read {
            path: owned,
            source,
        },
    }
}

/// Whether links lead back to themselves, or to too many others.
fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::ELOOP);
    #[cfg(not(unix))]
    {
        let _ = error;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        fs::write(&path, b"abcd").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap(), b"abcd");
        let error = read_bounded(&path, 3).unwrap_err();
        assert!(matches!(error, FileError::TooLarge { limit_bytes: 3, .. }));
    }

    #[test]
    fn empty_missing_and_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        fs::write(&empty, b"").unwrap();
        assert!(matches!(read_bounded(&empty, 9), Err(FileError::Empty(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(
            read_bounded(&missing, 9),
            Err(FileError::Missing(_))
        ));
        let below_a_file = empty.join("photo.jpg");
        assert!(matches!(
            read_bounded(&below_a_file, 9),
            Err(FileError::Missing(_))
        ));
        assert!(matches!(
            read_bounded(folder.path(), 9),
            Err(FileError::NotRegular {
                kind: "a folder",
                ..
            })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_dangling_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(
            read_bounded(&link, 9),
            Err(FileError::DanglingLink(_))
        ));
        fs::write(&target, b"x").unwrap();
        assert_eq!(read_bounded(&link, 9).unwrap(), b"x");
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_and_endless_names_are_told() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink(at("itself"), at("itself")).unwrap();
        symlink(at("there"), at("back")).unwrap();
        symlink(at("back"), at("there")).unwrap();
        for name in ["itself", "there", "back", "itself/photo.jpg"] {
            let error = read_bounded(&at(name), 9).unwrap_err();
            assert!(matches!(error, FileError::LinkLoop(_)), "{error}");
        }
        let error = read_bounded(&at(&"n".repeat(300)), 9).unwrap_err();
        assert!(matches!(error, FileError::NameTooLong(_)), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn sockets_and_devices_are_refused_unopened() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(
            read_bounded(&socket, 9),
            Err(FileError::NotRegular {
                kind: "a socket",
                ..
            })
        ));
        assert!(matches!(
            read_bounded(Path::new("/dev/zero"), 9),
            Err(FileError::NotRegular {
                kind: "a device",
                ..
            })
        ));
    }
}
