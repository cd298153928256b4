//! Reading ranges of a file whose length is known, and what can be wrong on the way.

use std::io::{self, Read, Seek, SeekFrom};

/// What is wrong with a file, before its name is added.
#[derive(Debug)]
pub(super) enum Problem {
    Io(io::Error),
    Content(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::Content(reason)
    }
}

/// A file, or bytes in memory.
#[derive(Debug)]
pub(super) struct Source<R> {
    reader: R,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(super) fn new(mut reader: R) -> Result<Self, Problem> {
        let length = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader, length })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Calls `each` with the `length` bytes from `at` on, in blocks of at most `block`.
    pub(super) fn blocks(
        &mut self,
        at: u64,
        length: u64,
        block: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Problem> {
        self.check(at, length)?;
        self.reader.seek(SeekFrom::Start(at))?;
        let mut left = length;
        let mut buffer = vec![0; block.min(usize::try_from(length).unwrap_or(block))];
        while left > 0 {
            let step = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            self.reader.read_exact(&mut buffer[..step])?;
            each(&buffer[..step]);
            left -= step as u64;
        }
        Ok(())
    }

    /// The `length` bytes from `at` on. Nothing is allocated for what is not in the file.
    pub(super) fn bytes(&mut self, at: u64, length: u64) -> Result<Vec<u8>, Problem> {
        self.check(at, length)?;
        let length = usize::try_from(length).map_err(|_| early_end())?;
        let mut bytes = vec![0; length];
        self.reader.seek(SeekFrom::Start(at))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn check(&self, at: u64, length: u64) -> Result<(), String> {
        match at.checked_add(length).is_some_and(|end| end <= self.length) {
            true => Ok(()),
            false => Err(early_end()),
        }
    }
}

pub(super) fn early_end() -> String {
    "the file ends early: fetch it again".to_owned()
}
