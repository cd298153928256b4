//! The format of `torch.save` since PyTorch 1.6: a zip archive, all its files stored as they are,
//! with `NAME/data.pkl` and the numbers of each storage as `NAME/data/KEY`.
//!
//! Of the zip format this needs the directory at the end alone (PKWARE's APPNOTE 4.3); a file that is
//! compressed, encrypted or shares bytes with another is refused.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::source::{Problem, Source};
use super::storage::Reference;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
/// The last record without its comment, which may have 65,535 bytes.
const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
/// Largest directory: some 100,000 files.
const DIRECTORY_LIMIT: u64 = 16 << 20;
/// Largest `data.pkl`.
const PICKLE_LIMIT: u64 = 64 << 20;

/// Whether a file that starts so is a zip archive.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(&LOCAL)
}

/// A file in the archive.
#[derive(Clone, Copy, Debug)]
struct Member {
    at: u64,
    bytes: u64,
}

/// Where the files of an archive lie.
#[derive(Debug)]
pub(super) struct Archive {
    members: BTreeMap<String, Member>,
    /// What comes before `data.pkl`.
    folder: String,
}

impl Archive {
    pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> Result<Self, Problem> {
        let (start, length) = directory(source)?;
        if length > DIRECTORY_LIMIT {
            return Err(
                "its directory is too long for a file of weights: fetch it again"
                    .to_owned()
                    .into(),
            );
        }
        let directory = source.bytes(start, length)?;
        let mut rest = directory.as_slice();
        let mut members = BTreeMap::new();
        let mut taken = Vec::new();
        while !rest.is_empty() {
            let (entry, after) = Entry::read(rest).ok_or_else(damaged)?;
            rest = after;
            let member = entry.member(source)?;
            taken.push((entry.at, member.at + member.bytes));
            if members.insert(entry.name.to_owned(), member).is_some() {
                return Err(
                    format!("the archive has “{}” twice: fetch it again", entry.name).into(),
                );
            }
        }
        refuse_shared_bytes(taken, start)?;
        let folder = folder(&members)?;
        Ok(Self { members, folder })
    }

    /// The bytes of `data.pkl`.
    pub(super) fn pickle<R: Read + Seek>(
        &self,
        source: &mut Source<R>,
    ) -> Result<Vec<u8>, Problem> {
        self.refuse_other_byte_order(source)?;
        let member = self.member("data.pkl")?;
        if member.bytes > PICKLE_LIMIT {
            return Err("its data.pkl is too large: save the state_dict alone"
                .to_owned()
                .into());
        }
        source.bytes(member.at, member.bytes)
    }

    /// Where the numbers of each storage start.
    pub(super) fn starts(
        &self,
        references: &BTreeMap<&str, Reference<'_>>,
    ) -> Result<BTreeMap<String, u64>, String> {
        let mut starts = BTreeMap::new();
        for (key, reference) in references {
            let member = self.member(&format!("data/{key}"))?;
            if member.bytes != reference.bytes()? {
                return Err(format!(
                    "storage {key} does not have the {} numbers that a tensor says: fetch it again",
                    reference.elements
                ));
            }
            starts.insert((*key).to_owned(), member.at);
        }
        Ok(starts)
    }

    fn member(&self, name: &str) -> Result<Member, String> {
        let full = format!("{}{name}", self.folder);
        let member = self.members.get(&full).copied();
        member.ok_or_else(|| format!("the archive has no “{full}”: fetch it again"))
    }

    fn refuse_other_byte_order<R: Read + Seek>(
        &self,
        source: &mut Source<R>,
    ) -> Result<(), Problem> {
        // Archives before PyTorch 2.1 do not say it.
        let Ok(member) = self.member("byteorder") else {
            return Ok(());
        };
        match source.bytes(member.at, member.bytes.min(16))?.as_slice() {
            b"little" => Ok(()),
            _ => Err(
                "written on a computer of another byte order: save it again on this one"
                    .to_owned()
                    .into(),
            ),
        }
    }
}

/// Where the archive's directory starts and its length.
fn directory<R: Read + Seek>(source: &mut Source<R>) -> Result<(u64, u64), Problem> {
    let tail_bytes = source.length().min((END_BYTES + 0xffff) as u64);
    let tail_at = source.length() - tail_bytes;
    let tail = source.bytes(tail_at, tail_bytes)?;
    let last = tail.len().saturating_sub(END_BYTES);
    // The record ends with a comment of the length it says.
    let end = (0..=last).rev().find(|&at| {
        let comment = short(&tail, at + 20).map(usize::from);
        tail[at..].starts_with(&END) && comment == Some(tail.len() - at - END_BYTES)
    });
    let end = end.ok_or_else(|| "the archive ends early: fetch it again".to_owned())?;
    let length = long(&tail, end + 12).ok_or_else(damaged)?;
    let start = long(&tail, end + 16).ok_or_else(damaged)?;
    if length != u32::MAX && start != u32::MAX {
        return Ok((u64::from(start), u64::from(length)));
    }
    let locator = end
        .checked_sub(LOCATOR_BYTES)
        .and_then(|at| tail.get(at..end))
        .filter(|locator| locator.starts_with(&LOCATOR_64))
        .ok_or_else(damaged)?;
    let record_at = very_long(locator, 8).ok_or_else(damaged)?;
    let record = source.bytes(record_at, 56)?;
    let (Some(length), Some(start), true) = (
        very_long(&record, 40),
        very_long(&record, 48),
        record.starts_with(&END_64),
    ) else {
        return Err(damaged().into());
    };
    Ok((start, length))
}

/// What the directory says of a file.
struct Entry<'a> {
    name: &'a str,
    /// Where its own header starts.
    at: u64,
    bytes: u64,
}

impl<'a> Entry<'a> {
    /// The first entry of the directory's rest, and what comes after it; `None` for what is none, or
    /// is compressed or encrypted.
    fn read(rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let encrypted = short(rest, 8)? & 1 != 0;
        let compressed = short(rest, 10)? != 0;
        let [name, extra, comment] =
            [short(rest, 28)?, short(rest, 30)?, short(rest, 32)?].map(usize::from);
        if !rest.starts_with(&CENTRAL) || encrypted || compressed {
            return None;
        }
        let name_end = 46 + name;
        let extra_end = name_end + extra;
        let name = str::from_utf8(rest.get(46..name_end)?).ok()?;
        let mut wide = wide_numbers(rest.get(name_end..extra_end)?);
        let mut number = |at| match long(rest, at)? {
            u32::MAX => wide.next(),
            number => Some(u64::from(number)),
        };
        // The order in which the wide ones come.
        let bytes = number(24)?;
        let stored = number(20)?;
        let at = number(42)?;
        let after = rest.get(extra_end + comment..)?;
        (bytes == stored).then_some((Self { name, at, bytes }, after))
    }

    /// Where the file's bytes are, behind its own header.
    fn member<R: Read + Seek>(&self, source: &mut Source<R>) -> Result<Member, Problem> {
        let header = source.bytes(self.at, 30)?;
        let (Some(name), Some(extra), true) = (
            short(&header, 26),
            short(&header, 28),
            header.starts_with(&LOCAL),
        ) else {
            return Err(damaged().into());
        };
        let at = self.at + 30 + u64::from(name) + u64::from(extra);
        match at
            .checked_add(self.bytes)
            .is_some_and(|end| end <= source.length())
        {
            true => Ok(Member {
                at,
                bytes: self.bytes,
            }),
            false => Err(damaged().into()),
        }
    }
}

/// The numbers of 64 bits in an entry's extra fields (APPNOTE 4.5.3).
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut found: &[u8] = &[];
    while let (Some(id), Some(length)) = (short(extra, 0), short(extra, 2)) {
        let end = 4 + usize::from(length);
        let Some(field) = extra.get(4..end) else {
            break;
        };
        if id == 1 {
            found = field;
            break;
        }
        extra = &extra[end..];
    }
    found
        .as_chunks()
        .0
        .iter()
        .map(|&number| u64::from_le_bytes(number))
}

/// Refuses files that share bytes with each other or with the directory at `directory`.
fn refuse_shared_bytes(mut taken: Vec<(u64, u64)>, directory: u64) -> Result<(), String> {
    taken.push((directory, directory));
    taken.sort_unstable();
    match taken.is_sorted_by(|before, after| before.1 <= after.0) {
        true => Ok(()),
        false => Err("files in the archive share bytes: fetch it again".to_owned()),
    }
}

/// The folder of the one `data.pkl`.
fn folder(members: &BTreeMap<String, Member>) -> Result<String, String> {
    let mut folders = members.keys().filter_map(|name| {
        let folder = name.strip_suffix("data.pkl")?;
        (folder.is_empty() || folder.ends_with('/')).then_some(folder)
    });
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder.to_owned()),
        _ => Err("a zip archive, but not one of torch.save (it needs one data.pkl)".to_owned()),
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&bytes| u16::from_le_bytes(bytes))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&bytes| u32::from_le_bytes(bytes))
}

fn very_long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|&bytes| u64::from_le_bytes(bytes))
}

fn damaged() -> String {
    "the archive is damaged, compressed or encrypted: save it again with torch.save".to_owned()
}
