//! A file on a server, and fetching it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::server::{Facts, Server, io_reason};
use super::{Checksum, FetchError, address};
use crate::files::{
    FileError, PartFile, check_target, free_bytes, open_regular, part_length, read_error,
    remove_other_parts,
};

/// Bytes that are moved at a time.
const BLOCK: usize = 1 << 18;
/// Time between two looks whether to stop.
const PAUSE: Duration = Duration::from_millis(100);
/// Digits of a part's tag.
const TAG: usize = 16;

/// A file that a server has, looked at but not fetched.
#[derive(Debug)]
pub struct Offer {
    address: String,
    size: u64,
    facts: Facts,
    expected: Option<Checksum>,
}

/// What a download does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes from before belong to another version of the file and were dropped.
    Outdated,
    /// The server cannot leave out the bytes that are there already.
    StartingOver,
    /// So many bytes are there.
    Received(u64),
    /// So many of them are in the SHA-256.
    Checked(u64),
}

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub checksum: Checksum,
    /// Whether it was known beforehand what the SHA-256 should be.
    pub checked: bool,
}

impl Offer {
    /// Asks the server at `address` what it has. The file must have the SHA-256 `wanted`; without
    /// that the one that the server names, or whose first digits are in the file's name.
    ///
    /// # Errors
    /// No network, no such file, a server that does not say how large the file is or that names
    /// another SHA-256.
    pub fn look(address: &str, wanted: Option<Checksum>) -> Result<Self, FetchError> {
        let facts = Server::new().facts(address)?;
        let not_the_file = |what| FetchError::NotTheFile {
            address: address.to_owned(),
            what,
        };
        let size = facts
            .size
            .ok_or_else(|| not_the_file("no word on its size"))?;
        if size == 0 {
            return Err(not_the_file("an empty file"));
        }
        if let (Some(wanted), Some(found)) = (&wanted, &facts.checksum)
            && !wanted.agrees(found)
        {
            return Err(FetchError::OtherFile {
                address: address.to_owned(),
                found: found.clone(),
                expected: wanted.clone(),
            });
        }
        let expected = wanted
            .or_else(|| facts.checksum.clone())
            .or_else(|| Checksum::in_name(address::file_name(address)));
        Ok(Self {
            address: address.to_owned(),
            size,
            facts,
            expected,
        })
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether `target` is this file already.
    ///
    /// # Errors
    /// Another file, a file that cannot be read.
    pub fn is_there(&self, target: &Path) -> Result<bool, FetchError> {
        let (mut file, facts) = match open_regular(target) {
            Ok(opened) => opened,
            Err(FileError::Missing(_) | FileError::DanglingLink(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut same = facts.len() == self.size;
        if let Some(expected) = &self.expected
            && same
        {
            let sum = checksum(&mut file, |_| ControlFlow::Continue(()))
                .map_err(|error| read_error(target, error))?;
            same = sum.is_some_and(|sum| expected.agrees(&sum));
        }
        match same {
            true => Ok(true),
            false => Err(FetchError::Exists(target.to_owned())),
        }
    }

    /// Bytes of `target` that are there from a download that was broken off.
    ///
    /// # Errors
    /// A disk without room for the others.
    pub fn kept(&self, target: &Path) -> Result<u64, FetchError> {
        let kept = match part_length(target, &self.tag()) {
            kept if kept <= self.size && self.can_go_on() => kept,
            _ => 0,
        };
        let needed = self.size - kept;
        // The folder itself may not be there yet.
        let disk = target.ancestors().skip(1).find_map(|folder| {
            let folder = match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            };
            Some((folder, free_bytes(folder)?))
        });
        match disk {
            Some((folder, free)) if free < needed => Err(FetchError::NoRoom {
                folder: folder.to_owned(),
                needed,
                free,
            }),
            _ => Ok(kept),
        }
    }

    /// Fetches what is missing of the file into a part beside `target`, checks the SHA-256 and
    /// gives the part the target's name. `each` hears of every step; `stop` ends it from outside.
    ///
    /// # Errors
    /// A broken connection, a full disk, a request to stop: the part stays for the next time. A
    /// wrong SHA-256: the part is removed. There is never a `target` that is not whole.
    pub fn download(
        &self,
        target: &Path,
        stop: &AtomicBool,
        mut each: impl FnMut(Step),
    ) -> Result<Fetched, FetchError> {
        check_target(target)?;
        let tag = self.tag();
        let mut part = PartFile::open(target, &tag)?;
        if remove_other_parts(target, &tag) > 0 {
            each(Step::Outdated);
        }
        if part.length() > self.size || !self.can_go_on() {
            part.restart()?;
        }
        let whole = match part.length() < self.size {
            true => self.receive_until(&mut part, stop, &mut each),
            false => Ok(()),
        };
        let summed = whole.and_then(|()| self.sum(&mut part, stop, &mut each));
        match summed {
            Ok(found) if self.expected.as_ref().is_none_or(|sum| sum.agrees(&found)) => {
                part.finish()?;
                Ok(Fetched {
                    checksum: found,
                    checked: self.expected.is_some(),
                })
            }
            Ok(found) => {
                part.discard()?;
                Err(FetchError::Damaged {
                    address: self.address.clone(),
                    expected: self.expected.clone().unwrap_or_else(|| found.clone()),
                    found,
                })
            }
            Err(error) => {
                if part.length() == 0 || !self.can_go_on() {
                    part.discard()?;
                }
                Err(error)
            }
        }
    }

    /// Receives what is missing while another thread waits for `stop`, since a read may last long.
    fn receive_until(
        &self,
        part: &mut PartFile,
        stop: &AtomicBool,
        each: &mut impl FnMut(Step),
    ) -> Result<(), FetchError> {
        let server = Server::new();
        let received = thread::scope(|scope| {
            let (working, ended) = mpsc::channel::<()>();
            let server = &server;
            scope.spawn(move || {
                while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    if stop.load(Ordering::Relaxed) {
                        return server.hang_up();
                    }
                }
            });
            let received = self.receive(server, part, stop, each);
            drop(working);
            received
        });
        match received {
            Err(FetchError::Unreachable { .. } | FetchError::Broken { .. })
                if stop.load(Ordering::Relaxed) =>
            {
                Err(self.stopped(part))
            }
            other => other,
        }
    }

    fn receive(
        &self,
        server: &Server,
        part: &mut PartFile,
        stop: &AtomicBool,
        each: &mut impl FnMut(Step),
    ) -> Result<(), FetchError> {
        let answer = server.rest(&self.address, part.length())?;
        if !self.is_same(&answer.facts) {
            return Err(FetchError::Changed(self.address.clone()));
        }
        match answer.start {
            start if start == part.length() => {}
            0 => {
                part.restart()?;
                each(Step::StartingOver);
            }
            _ => {
                return Err(FetchError::NotTheFile {
                    address: self.address.clone(),
                    what: "another part than was asked for",
                });
            }
        }
        let mut reader = answer.body.into_reader();
        let mut block = vec![0; BLOCK];
        while part.length() < self.size {
            if stop.load(Ordering::Relaxed) {
                return Err(self.stopped(part));
            }
            let room = usize::try_from(self.size - part.length()).unwrap_or(BLOCK);
            let read = match reader.read(&mut block[..room.min(BLOCK)]) {
                Ok(0) => Err("the server hung up".to_owned()),
                Ok(read) => Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(io_reason(&error)),
            };
            let read = read.map_err(|reason| FetchError::Broken {
                address: self.address.clone(),
                reason,
                done: part.length(),
                total: self.size,
                kept: self.can_go_on(),
            })?;
            part.append(&block[..read])?;
            each(Step::Received(part.length()));
        }
        Ok(())
    }

    fn sum(
        &self,
        part: &mut PartFile,
        stop: &AtomicBool,
        each: &mut impl FnMut(Step),
    ) -> Result<Checksum, FetchError> {
        let path = part.path().to_owned();
        let summed = checksum(part.from_start()?, |done| {
            each(Step::Checked(done));
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        summed
            .map_err(|error| read_error(&path, error))?
            .ok_or_else(|| self.stopped(part))
    }

    fn stopped(&self, part: &PartFile) -> FetchError {
        FetchError::Stopped {
            done: part.length(),
            total: self.size,
            kept: self.can_go_on(),
        }
    }

    /// Whether a later answer is about the same content as the first one.
    fn is_same(&self, facts: &Facts) -> bool {
        let size = facts.size.is_none_or(|size| size == self.size);
        let content = match (&self.facts.checksum, &facts.checksum) {
            (Some(first), Some(later)) => first == later,
            _ => self.whole_checksum().is_some() || self.facts.version == facts.version,
        };
        size && content
    }

    /// Whether bytes of another day can be told to be of the same content.
    fn can_go_on(&self) -> bool {
        self.whole_checksum().is_some() || self.facts.version.is_some()
    }

    fn whole_checksum(&self) -> Option<&Checksum> {
        self.expected.as_ref().filter(|sum| sum.is_whole())
    }

    /// Names the content, for its part's name.
    fn tag(&self) -> String {
        let content = match (self.whole_checksum(), &self.facts.version) {
            (Some(sum), _) => sum.to_string(),
            (None, Some(version)) => format!("{} {version}", self.size),
            (None, None) => String::new(),
        };
        let mut tag = Checksum::of(&Sha256::digest(content)).to_string();
        tag.truncate(TAG);
        tag
    }
}

/// The SHA-256 of everything that `file` still has; `None` when `each`, which hears how many bytes
/// are in it, breaks it off.
fn checksum(
    file: &mut File,
    mut each: impl FnMut(u64) -> ControlFlow<()>,
) -> io::Result<Option<Checksum>> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut done = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(Some(Checksum::of(&hash.finalize()))),
            Ok(read) => {
                hash.update(&block[..read]);
                done += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if each(done).is_break() {
            return Ok(None);
        }
    }
}
