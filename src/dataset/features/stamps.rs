//! Which photo a path meant when it was last read, so that unchanged files need not be read again.
//!
//! `photos.tsv` has a line for each photo: hash, length, time of change and time of status change in
//! nanoseconds, number of the file, path. It only grows; the last line of a path counts. It saves time
//! and nothing else: whatever is wrong with it, photos are read again.
//!
//! What is trusted: on Unix the time of status change and the file's number (inode), which no program
//! can set, so that a photo that was replaced or changed is noticed even where its length and its time
//! of change were kept (`cp -p`, `rsync -t`, `touch -r`). Elsewhere length and time of change alone: a
//! photo replaced by one of the same length and time passes for the old one there.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::store::Hash;
use crate::files::{FileError, read_bounded, write_error};

pub(super) const STAMPS: &str = "photos.tsv";
/// Largest list that is read: some twenty million photos.
const LIMIT: u64 = 4 << 30;
/// A file that was changed so short a time ago may change again without its time of change showing
/// it.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells whether a file is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    changed: u128,
    /// When anything of the file was changed last, its name and times included.
    touched: u128,
    /// Which file of the file system it is.
    file: u64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let changed = changed.as_nanos();
        #[cfg(unix)]
        let (touched, file) = {
            use std::os::unix::fs::MetadataExt;
            let seconds = u128::try_from(metadata.ctime()).ok()?;
            let nanoseconds = u128::try_from(metadata.ctime_nsec()).ok()?;
            (seconds * 1_000_000_000 + nanoseconds, metadata.ino())
        };
        #[cfg(not(unix))]
        let (touched, file) = (changed, 0);
        Some(Self {
            length: metadata.len(),
            changed,
            touched,
            file,
        })
    }

    /// Whether the file was left alone for a while.
    fn is_settled(&self) -> bool {
        let last = self.changed.max(self.touched);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.is_ok_and(|now| now.as_nanos() > last.saturating_add(SETTLED.as_nanos()))
    }
}

/// The hashes of files that were read before.
#[derive(Default)]
pub(super) struct Stamps {
    known: HashMap<PathBuf, (Stamp, Hash)>,
}

impl Stamps {
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            known: whole_text(path)?.lines().filter_map(parse).collect(),
        })
    }

    /// The hash of the file at an absolute path, where it has not changed since it was read.
    pub fn hash(&self, path: &Path, stamp: Stamp) -> Option<Hash> {
        let (known, hash) = self.known.get(path)?;
        (*known == stamp).then_some(*hash)
    }
}

/// The whole lines of a list that may not be there yet.
pub(super) fn whole_text(path: &Path) -> Result<String, FileError> {
    let mut bytes = match read_bounded(path, LIMIT) {
        Err(FileError::Missing(_) | FileError::Empty(_)) => Vec::new(),
        read => read?,
    };
    bytes.truncate(whole_lines(&bytes));
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The length of `bytes` up to the last line that is whole.
fn whole_lines(bytes: &[u8]) -> usize {
    let end = bytes.iter().rposition(|&byte| byte == b'\n');
    end.map_or(0, |end| end + 1)
}

fn parse(line: &str) -> Option<(PathBuf, (Stamp, Hash))> {
    let mut columns = line.splitn(6, '\t');
    let hash = parse_hash(columns.next()?)?;
    let length = columns.next()?.parse().ok()?;
    let changed = columns.next()?.parse().ok()?;
    let touched = columns.next()?.parse().ok()?;
    let file = columns.next()?.parse().ok()?;
    let path = PathBuf::from(columns.next()?);
    let stamp = Stamp {
        length,
        changed,
        touched,
        file,
    };
    Some((path, (stamp, hash)))
}

pub(super) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() {
        return None;
    }
    for (byte, place) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(hash)
}

pub(super) fn hexadecimal(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens a list to go on behind its last whole line.
pub(super) fn behind_whole_lines(path: &Path) -> Result<File, FileError> {
    let whole = match read_bounded(path, LIMIT) {
        Err(FileError::Missing(_) | FileError::Empty(_)) => 0,
        read => whole_lines(&read?),
    };
    let mut options = OpenOptions::new();
    let open = options.write(true).create(true).truncate(false).open(path);
    let file = open.and_then(|mut file| {
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::Start(whole as u64))?;
        Ok(file)
    });
    file.map_err(|error| write_error(path, error))
}

/// Appends to `photos.tsv`.
pub(super) struct StampWriter {
    path: PathBuf,
    file: File,
}

impl StampWriter {
    /// Goes on behind the last whole line.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self {
            path: path.to_owned(),
            file: behind_whole_lines(path)?,
        })
    }

    /// Writes down what absolute paths mean. Those that cannot be a line of text, and files changed
    /// a moment ago, are left out.
    pub fn append(&mut self, photos: &[(PathBuf, Stamp, Hash)]) -> Result<(), FileError> {
        let mut text = String::new();
        for (path, stamp, hash) in photos {
            let Some(name) = path.to_str().filter(|name| !name.contains(['\n', '\r'])) else {
                continue;
            };
            if stamp.is_settled() {
                let hash = hexadecimal(hash);
                let Stamp {
                    length,
                    changed,
                    touched,
                    file,
                } = stamp;
                text += &format!("{hash}\t{length}\t{changed}\t{touched}\t{file}\t{name}\n");
            }
        }
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| write_error(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(length: u64) -> Stamp {
        Stamp {
            length,
            changed: 5,
            touched: 6,
            file: 7,
        }
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STAMPS);
        let (a, b) = (PathBuf::from("/a"), PathBuf::from("/a b\tc"));
        let mut writer = StampWriter::open(&path).unwrap();
        writer.append(&[(a.clone(), stamp(1), [7; 32])]).unwrap();
        let first = std::fs::read(&path).unwrap().len();
        writer.append(&[(b.clone(), stamp(2), [9; 32])]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let stamps = Stamps::read(&path).unwrap();
            let expected = (end >= first).then_some([7; 32]);
            assert_eq!(stamps.hash(&a, stamp(1)), expected, "{end}");
            let mut writer = StampWriter::open(&path).unwrap();
            writer.append(&[(b.clone(), stamp(3), [8; 32])]).unwrap();
            let stamps = Stamps::read(&path).unwrap();
            assert_eq!(stamps.hash(&a, stamp(1)), expected);
            assert_eq!(stamps.hash(&b, stamp(3)), Some([8; 32]));
            assert_eq!(stamps.hash(&b, stamp(2)), None);
        }
    }

    #[test]
    fn what_cannot_be_kept_safely_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STAMPS);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_nanos();
        let changed = Stamp {
            changed: now,
            ..stamp(1)
        };
        let touched = Stamp {
            touched: now,
            ..stamp(1)
        };
        let mut writer = StampWriter::open(&path).unwrap();
        let odd = PathBuf::from("/a\nb");
        let photos = [
            ("/changed".into(), changed, [1; 32]),
            ("/touched".into(), touched, [1; 32]),
            (odd, stamp(1), [1; 32]),
        ];
        writer.append(&photos).unwrap();
        assert!(std::fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn nonsense_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STAMPS);
        let hash = "07".repeat(32);
        // The second line is of a program that did not keep the time of status change.
        let lines = [
            "nonsense\n".to_owned(),
            format!("{hash}\t1\t5\t/c\n"),
            "\u{fffd}é\t1\t2\t/b\n".to_owned(),
            format!("{hash}\t1\t5\t6\t7\t/a\n"),
        ];
        std::fs::write(&path, lines.concat()).unwrap();
        let stamps = Stamps::read(&path).unwrap();
        assert_eq!(stamps.hash(Path::new("/a"), stamp(1)), Some([7; 32]));
        assert_eq!(stamps.known.len(), 1);
    }
}
