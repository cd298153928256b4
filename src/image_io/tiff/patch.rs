//! A copy of a TIFF whose first directory says something else of the same data.
//!
//! The `tiff` crate refuses many kinds of colours before it unpacks a sample. As grey numbers, or as
//! bytes, it unpacks them all.

use super::Fault;

/// A number that no reader knows.
const UNKNOWN: u16 = 65_111;

pub(super) struct Patch {
    pub bytes: Vec<u8>,
    big_endian: bool,
    is_big: bool,
    /// Where the directory's entries begin, and how many there are.
    entries: usize,
    count: usize,
}

impl Patch {
    pub fn new(file: &[u8]) -> Result<Self, Fault> {
        let mut patch = Self {
            bytes: file.to_vec(),
            big_endian: file.starts_with(b"MM"),
            is_big: super::is_big(file),
            entries: 0,
            count: 0,
        };
        let (place, width, of_count) = if patch.is_big { (8, 8, 8) } else { (4, 4, 2) };
        let found = patch.number(place, width).and_then(|start| {
            let count = patch.number(start, of_count)?;
            Some((start.checked_add(of_count)?, count))
        });
        let missing = || Fault::Damaged("its directory is missing".to_owned());
        (patch.entries, patch.count) = found.ok_or_else(missing)?;
        Ok(patch)
    }

    fn number(&self, place: usize, width: usize) -> Option<usize> {
        let bytes = self.bytes.get(place..place.checked_add(width)?)?;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        let number = match self.big_endian {
            true => bytes.iter().fold(0, join),
            false => bytes.iter().rev().fold(0, join),
        };
        usize::try_from(number).ok()
    }

    fn write(&mut self, place: usize, width: usize, number: u32) {
        let mut bytes = [0; 8];
        bytes[4..].copy_from_slice(&number.to_be_bytes());
        if let Some(target) = self.bytes.get_mut(place..place + width) {
            target.copy_from_slice(&bytes[8 - width..]);
            if !self.big_endian {
                target.reverse();
            }
        }
    }

    fn places(&self, tag: u16) -> Vec<usize> {
        let size = if self.is_big { 20 } else { 12 };
        let most = (self.bytes.len() - self.entries.min(self.bytes.len())) / size;
        let places = (0..self.count.min(most)).map(|index| self.entries + index * size);
        places
            .filter(|place| self.number(*place, 2) == Some(usize::from(tag)))
            .collect()
    }

    /// Gives a tag that is there one whole number.
    pub fn set(&mut self, tag: u16, value: usize) -> Result<(), Fault> {
        let value = u32::try_from(value).map_err(|_| Fault::TooMuchMemory)?;
        let width = if self.is_big { 8 } else { 4 };
        for place in self.places(tag) {
            // A whole number of 32 bits, one of it.
            self.write(place + 2, 2, 4);
            self.write(place + 4, width, 1);
            self.write(place + 4 + width, width, 0);
            self.write(place + 4 + width, 4, value);
        }
        Ok(())
    }

    /// Takes a tag away.
    pub fn hide(&mut self, tag: u16) {
        for place in self.places(tag) {
            self.write(place, 2, UNKNOWN.into());
        }
    }

    /// Turns the bits of every byte of these parts around.
    pub fn reverse_bits(&mut self, parts: &[(u64, u64)]) -> Result<(), Fault> {
        let total = parts
            .iter()
            .map(|(_, length)| *length)
            .fold(0, u64::saturating_add);
        if total > self.bytes.len() as u64 {
            return Err(Fault::Incomplete(None));
        }
        for (start, length) in parts {
            let [start, end] = [*start, start.saturating_add(*length)].map(|place| {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                place.min(self.bytes.len())
            });
            let bytes = self.bytes[start..end].iter_mut();
            bytes.for_each(|byte| *byte = byte.reverse_bits());
        }
        Ok(())
    }
}
