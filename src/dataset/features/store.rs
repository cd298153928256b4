//! Records of one size in one file that only grows, and the index that says whose they are.
//!
//! A record is written and on the disk before its entry in the index is, so that whatever the index
//! names is whole. What a killed process or a full disk left behind the last such record is cut off
//! by the next writer. `cache.toml` says what the records are; it is written first.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CacheError;
use super::layout::RecordLayout;
use crate::files::{
    FileError, OwnFileMap, one_line, open_regular, read_bounded, read_error, write_atomically,
    write_error,
};

/// SHA-256 of a photo's file.
pub(super) type Hash = [u8; 32];

const FACTS: &str = "cache.toml";
const DATA: &str = "features.bin";
const INDEX: &str = "index.bin";
/// The format this program writes and reads.
const FORMAT: u32 = 1;
/// Largest `cache.toml`.
const FACTS_LIMIT: u64 = 1 << 16;
/// Largest index: fifty million photos.
const INDEX_LIMIT: u64 = 2 << 30;
/// Bytes of an index entry: the photo's hash and its [`check`].
const ENTRY: usize = size_of::<Hash>() + CHECK;
const CHECK: usize = 8;

/// What `cache.toml` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Facts {
    pub format: u32,
    /// What the features come from.
    pub identity: String,
    /// `little` or `big`: numbers are in the byte order of the computer that wrote them.
    pub byte_order: String,
    pub record: RecordLayout,
}

impl Facts {
    pub fn new(identity: String, record: RecordLayout) -> Self {
        Self {
            format: FORMAT,
            identity,
            byte_order: match cfg!(target_endian = "big") {
                true => "big".to_owned(),
                false => "little".to_owned(),
            },
            record,
        }
    }
}

/// The records of a folder, as far as they were written when it was opened.
pub(super) struct Store {
    pub folder: PathBuf,
    pub facts: Facts,
    map: OwnFileMap,
    /// Place of the record of every photo.
    places: HashMap<Hash, usize>,
    count: usize,
}

impl Store {
    /// What the folder's `cache.toml` says; `None` where there is none.
    pub fn facts(folder: &Path) -> Result<Option<Facts>, CacheError> {
        let path = folder.join(FACTS);
        let bytes = match read_bounded(&path, FACTS_LIMIT) {
            Err(FileError::Missing(_)) => return Ok(None),
            read => read?,
        };
        let foreign = |reason: &dyn ToString| CacheError::Foreign {
            path: path.clone(),
            reason: one_line(&reason.to_string().trim()),
        };
        let text = str::from_utf8(&bytes).map_err(|error| foreign(&error))?;
        let facts: Facts = toml::from_str(text).map_err(|error| foreign(&error.message()))?;
        if facts != Facts::new(facts.identity.clone(), facts.record) {
            return Err(foreign(&"it is of another format or another computer"));
        }
        let RecordLayout { rows, columns, .. } = facts.record;
        let sizes = [
            facts.record.raw,
            facts.record.projected,
            facts.record.global,
        ];
        if rows.max(columns) > 1 << 10 || sizes.iter().any(|&size| size > 1 << 20) {
            return Err(foreign(&"its records are larger than any backbone's"));
        }
        Ok(Some(facts))
    }

    /// Makes an empty store.
    pub fn create(folder: &Path, facts: &Facts) -> Result<(), CacheError> {
        fs::create_dir_all(folder).map_err(|error| write_error(folder, error))?;
        let path = folder.join(FACTS);
        let text = toml::to_string(facts).map_err(|error| CacheError::Foreign {
            path: path.clone(),
            reason: one_line(&error),
        })?;
        Ok(write_atomically(&path, |writer| {
            writer.write_all(text.as_bytes())
        })?)
    }

    /// Opens a folder's whole records; anything behind them is left alone.
    pub fn open(folder: &Path, facts: Facts) -> Result<Self, CacheError> {
        let hashes = read_index(&folder.join(INDEX), &facts.identity)?;
        let (map, count) = map_records(&folder.join(DATA), &facts.record, hashes.len())?;
        let places = (0..count).map(|place| (hashes[place], place)).collect();
        Ok(Self {
            folder: folder.to_owned(),
            facts,
            map,
            places,
            count,
        })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn map(&self) -> &OwnFileMap {
        &self.map
    }

    pub fn place(&self, hash: &Hash) -> Option<usize> {
        self.places.get(hash).copied()
    }

    /// A writer that goes on behind the last whole record and cuts off what is behind it. The caller
    /// holds the cache's lock and has opened the store since.
    pub fn writer(&self) -> Result<Writer<File>, CacheError> {
        let open = |name: &str, length: usize| {
            let path = self.folder.join(name);
            let file = open_at(&path, length as u64).map_err(|error| write_error(&path, error))?;
            Ok::<_, CacheError>((path, file))
        };
        let (data_path, data) = open(DATA, self.count * self.facts.record.bytes())?;
        let (index_path, index) = open(INDEX, self.count * ENTRY)?;
        Ok(Writer {
            identity: self.facts.identity.clone(),
            data_path,
            data,
            index_path,
            index,
            next: self.count,
        })
    }
}

/// Opens a file for writing at `length`, where it is made to end.
fn open_at(path: &Path, length: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    if file.metadata()?.len() != length {
        file.set_len(length)?;
    }
    file.seek(SeekFrom::Start(length))?;
    Ok(file)
}

/// The hashes of an index up to the first entry that is torn.
fn read_index(path: &Path, identity: &str) -> Result<Vec<Hash>, CacheError> {
    let bytes = match read_bounded(path, INDEX_LIMIT) {
        Err(FileError::Missing(_) | FileError::Empty(_)) => Vec::new(),
        read => read?,
    };
    let entries = bytes.chunks_exact(ENTRY).enumerate();
    Ok(entries
        .map_while(|(place, entry)| {
            let (hash, found) = entry.split_first_chunk::<32>()?;
            (check(identity, place, hash) == found).then_some(*hash)
        })
        .collect())
}

/// Maps the whole records of a data file, at most `count` of them.
fn map_records(
    path: &Path,
    record: &RecordLayout,
    count: usize,
) -> Result<(OwnFileMap, usize), CacheError> {
    let (file, metadata) = match open_regular(path) {
        Ok(opened) => opened,
        Err(FileError::Missing(_)) => {
            let none = OwnFileMap::none();
            return Ok((none, 0));
        }
        Err(error) => return Err(error.into()),
    };
    let whole = metadata.len() / record.bytes() as u64;
    let count = usize::try_from(whole).unwrap_or(usize::MAX).min(count);
    #[allow(
        clippy::disallowed_methods,
        reason = "written by this program, only appended to"
    )]
    let map =
        OwnFileMap::new(&file, count * record.bytes()).map_err(|error| read_error(path, error))?;
    Ok((map, count))
}

/// What tells an entry that was written from one that was torn: it depends on all of it, on its
/// place and on the store.
fn check(identity: &str, place: usize, hash: &Hash) -> [u8; CHECK] {
    let digest = Sha256::new()
        .chain_update(identity)
        .chain_update((place as u64).to_le_bytes())
        .chain_update(hash)
        .finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

#[cfg(test)]
impl Writer<File> {
    /// The same place in other files.
    pub fn over<F>(self, data: F, index: F) -> Writer<F> {
        Writer {
            identity: self.identity,
            data_path: self.data_path,
            data,
            index_path: self.index_path,
            index,
            next: self.next,
        }
    }
}

/// A file that can be brought onto the disk.
pub(super) trait Durable: Write {
    fn sync(&mut self) -> io::Result<()>;
}

impl Durable for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends records.
pub(super) struct Writer<F> {
    identity: String,
    data_path: PathBuf,
    data: F,
    index_path: PathBuf,
    index: F,
    next: usize,
}

impl<F: Durable> Writer<F> {
    /// Appends records; when this returns they will outlive this process, and a power cut too but
    /// for the last few.
    ///
    /// # Errors
    /// A full disk above all. What was appended before stays whole; this writer must then not be
    /// used again.
    pub fn append(&mut self, records: &[(Hash, Vec<u8>)]) -> Result<(), FileError> {
        let failed = |error| write_error(&self.data_path, error);
        for (_, record) in records {
            self.data.write_all(record).map_err(failed)?;
        }
        self.data.sync().map_err(failed)?;
        let mut entries = Vec::with_capacity(records.len() * ENTRY);
        for (hash, _) in records {
            entries.extend_from_slice(hash);
            entries.extend_from_slice(&check(&self.identity, self.next, hash));
            self.next += 1;
        }
        self.index
            .write_all(&entries)
            .map_err(|error| write_error(&self.index_path, error))
    }

    /// Brings the index onto the disk.
    pub fn finish(mut self) -> Result<(), FileError> {
        let synced = self.index.sync();
        synced.map_err(|error| write_error(&self.index_path, error))
    }
}
