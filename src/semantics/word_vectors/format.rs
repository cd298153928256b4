//! This program's own file of word vectors: a header, then the rows in half precision, their
//! lengths, their checksums, where each word's text starts, the rows in the order of their words,
//! the texts. Numbers are in the byte order of the computer.

use std::cmp::Ordering;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use half::f16;

use crate::files::FileBytes;

pub(super) const MAGIC: [u8; 8] = *b"BIAMWORD";
const VERSION: u32 = 1;
/// Reads differently on a computer of another byte order.
const ORDER: u32 = 0x0102_0304;
/// Everything before the rows, which so lie on a boundary of every number.
pub(super) const HEADER: usize = 64;

/// What a file has, and with that where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileLayout {
    pub dimension: usize,
    pub words: usize,
    pub text_bytes: usize,
}

/// The words of a file that is being written.
#[derive(Default)]
pub(super) struct Words {
    pub text: String,
    /// Where each word starts; it ends where the next one does.
    pub starts: Vec<u32>,
    /// Lengths of the rows as they are stored.
    pub norms: Vec<f32>,
    /// Their checksums.
    pub sums: Vec<u32>,
}

impl Words {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn word(&self, row: usize) -> &str {
        let start = self.starts.get(row).map_or(0, |&start| start as usize);
        let end = self
            .starts
            .get(row + 1)
            .map_or(self.text.len(), |&end| end as usize);
        &self.text[start..end]
    }

    /// Writes all that comes after the rows, then the header.
    pub(super) fn finish(
        &self,
        writer: &mut (impl Write + Seek),
        dimension: usize,
    ) -> io::Result<()> {
        let layout = FileLayout {
            dimension,
            words: self.len(),
            text_bytes: self.text.len(),
        };
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let at = layout.places().ok_or_else(too_large)?;
        let padding = at.norms - (HEADER + 2 * layout.words * dimension);
        writer.write_all(&[0; 4][..padding])?;
        for norm in &self.norms {
            writer.write_all(&norm.to_ne_bytes())?;
        }
        for sum in &self.sums {
            writer.write_all(&sum.to_ne_bytes())?;
        }
        for start in &self.starts {
            writer.write_all(&start.to_ne_bytes())?;
        }
        writer.write_all(&(self.text.len() as u32).to_ne_bytes())?;
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by_key(|&row| self.word(row as usize));
        for row in order {
            writer.write_all(&row.to_ne_bytes())?;
        }
        writer.write_all(self.text.as_bytes())?;
        writer.seek(SeekFrom::Start(0))?;
        writer.write_all(&layout.header())
    }
}

/// Where the parts of a file start.
struct Places {
    norms: usize,
    sums: usize,
    starts: usize,
    order: usize,
    text: usize,
    end: usize,
}

impl FileLayout {
    fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_ne_bytes());
        header[12..16].copy_from_slice(&ORDER.to_ne_bytes());
        for (i, number) in [self.dimension, self.words, self.text_bytes]
            .into_iter()
            .enumerate()
        {
            header[16 + 8 * i..24 + 8 * i].copy_from_slice(&(number as u64).to_ne_bytes());
        }
        header
    }

    /// Reads the header at the start of `bytes` and checks that it fits a file of `length` bytes.
    pub(super) fn read(bytes: &[u8], length: usize) -> Result<Self, &'static str> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or("it ends early")?;
        let half = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        let number = |at: usize| {
            let bytes = header[at..].first_chunk().copied().unwrap_or_default();
            usize::try_from(u64::from_ne_bytes(bytes)).map_err(|_| "it is too large")
        };
        if !header.starts_with(&MAGIC) {
            return Err("its first bytes are others");
        }
        if u32::from_ne_bytes(half(12)) != ORDER {
            return Err("it is from a computer of another byte order");
        }
        if u32::from_ne_bytes(half(8)) != VERSION {
            return Err("it is of another version");
        }
        let layout = Self {
            dimension: number(16)?,
            words: number(24)?,
            text_bytes: number(32)?,
        };
        match layout.places() {
            Some(places) if layout.dimension > 0 && places.end == length => Ok(layout),
            _ => Err("its length is not the one it says"),
        }
    }

    fn places(&self) -> Option<Places> {
        let rows = self.words.checked_mul(self.dimension)?.checked_mul(2)?;
        let four = self.words.checked_mul(4)?;
        let norms = HEADER.checked_add(rows)?.checked_next_multiple_of(4)?;
        let sums = norms.checked_add(four)?;
        let starts = sums.checked_add(four)?;
        let order = starts.checked_add(four)?.checked_add(4)?;
        let text = order.checked_add(four)?;
        let end = text.checked_add(self.text_bytes)?;
        Some(Places {
            norms,
            sums,
            starts,
            order,
            text,
            end,
        })
    }

    /// Everything before the vectors, and everything after them.
    pub(super) fn index<'b>(&self, bytes: &'b [u8]) -> [&'b [u8]; 2] {
        let after = self.places().and_then(|places| bytes.get(places.norms..));
        let before = bytes.get(..HEADER);
        [before.unwrap_or_default(), after.unwrap_or_default()]
    }

    /// Vectors of a range of rows, one after the other.
    pub(super) fn rows<'m>(&self, file: &'m FileBytes, rows: Range<usize>) -> Option<&'m [f16]> {
        if rows.end > self.words || rows.start > rows.end {
            return None;
        }
        let at = |row: usize| HEADER + 2 * row * self.dimension;
        file.halves(at(rows.start)..at(rows.end))
    }

    /// The rows' lengths.
    pub(super) fn norms<'m>(&self, file: &'m FileBytes) -> Option<&'m [f32]> {
        let places = self.places()?;
        file.floats(places.norms..places.sums)
    }

    /// Whether a row is as it was written.
    pub(super) fn is_unchanged(&self, bytes: &[u8], row: usize, vector: &[f16]) -> bool {
        let sum = self.places().and_then(|places| {
            let at = places.sums.checked_add(row.checked_mul(4)?)?;
            number(bytes, at)
        });
        row < self.words && sum == Some(checksum(vector) as usize)
    }

    /// The text of a row's word.
    pub(super) fn word<'b>(&self, bytes: &'b [u8], row: usize) -> Option<&'b [u8]> {
        if row >= self.words {
            return None;
        }
        let places = self.places()?;
        let start = number(bytes, places.starts + 4 * row)?;
        let end = number(bytes, places.starts + 4 * (row + 1))?;
        bytes.get(places.text..)?.get(start..end)
    }

    /// The row of a word.
    pub(super) fn find(&self, bytes: &[u8], word: &[u8]) -> Option<usize> {
        let order = self.places()?.order;
        let (mut low, mut high) = (0, self.words);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = number(bytes, order + 4 * middle)?;
            match self.word(bytes, row)?.cmp(word) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(row),
                Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Fowler, Noll and Vo's hash (FNV-1a) of a row, number by number: one number that changes always
/// changes it.
pub(super) fn checksum(vector: &[f16]) -> u32 {
    let mix =
        |sum: u32, number: &f16| (sum ^ u32::from(number.to_bits())).wrapping_mul(0x0100_0193);
    vector.iter().fold(0x811c_9dc5, mix)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes) as usize)
}
