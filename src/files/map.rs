//! Reading numbers in place from a large file.

use bytemuck::Pod;
use half::f16;
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

/// The first bytes of a file that this program wrote and only ever appends to, mapped into memory.
///
/// When a mapped file becomes shorter, whoever reads its lost end is killed by the system, and no
/// check before the reading can rule it out. So this is only for files that nobody else has a reason
/// to touch, the feature caches of training; a bundle's file, which people copy over another while
/// the program runs, is read into [`FileBytes`]. `clippy.toml` holds other callers off. Numbers are
/// in the byte order of this computer.
#[derive(Debug)]
pub struct OwnFileMap {
    /// `None` for no bytes, which cannot be mapped.
    map: Option<Mmap>,
}

impl OwnFileMap {
    /// A map of nothing.
    pub fn none() -> Self {
        Self { map: None }
    }

    /// Maps the first `length` bytes of `file`, or all of it where it is shorter.
    ///
    /// The caller vouches that this program wrote the file and that no copy of it, this one included,
    /// ever changes or cuts off what lies before `length`.
    ///
    /// # Errors
    /// What the system says against it.
    pub fn new(file: &File, length: usize) -> io::Result<Self> {
        let length = length.min(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(Self::none());
        }
        let mut options = memmap2::MmapOptions::new();
        // SAFETY: the bytes behind the slice stay, as the caller vouches.
        let map = unsafe { options.len(length).map(file)? };
        Ok(Self { map: Some(map) })
    }

    /// All bytes that are mapped.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Bytes of a range as half-precision numbers; `None` where the range is not mapped or does not
    /// lie on boundaries of such numbers.
    pub fn halves(&self, range: Range<usize>) -> Option<&[f16]> {
        numbers(self.bytes(), range)
    }

    /// Bytes of a range as numbers of single precision, under the same conditions.
    pub fn floats(&self, range: Range<usize>) -> Option<&[f32]> {
        numbers(self.bytes(), range)
    }
}

/// The bytes of a file, read whole: whatever happens to the file afterwards, they stay.
#[derive(Debug)]
pub struct FileBytes {
    /// In whole words, so that they start on a boundary of every number.
    words: Vec<u64>,
    length: usize,
}

impl FileBytes {
    /// Reads `length` bytes of `file`, which starts at its beginning.
    ///
    /// # Errors
    /// What the system says against it, a file that is shorter, too little memory.
    pub fn read(mut file: &File, length: usize) -> io::Result<Self> {
        let mut words = Vec::new();
        let count = length.div_ceil(size_of::<u64>());
        words
            .try_reserve_exact(count)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        words.resize(count, 0);
        file.read_exact(&mut bytemuck::cast_slice_mut(&mut words)[..length])?;
        Ok(Self { words, length })
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }

    /// As [`OwnFileMap::halves`].
    pub fn halves(&self, range: Range<usize>) -> Option<&[f16]> {
        numbers(self.bytes(), range)
    }

    /// As [`OwnFileMap::floats`].
    pub fn floats(&self, range: Range<usize>) -> Option<&[f32]> {
        numbers(self.bytes(), range)
    }
}

fn numbers<T: Pod>(bytes: &[u8], range: Range<usize>) -> Option<&[T]> {
    bytemuck::try_cast_slice(bytes.get(range)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> File {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        std::fs::write(&path, bytes).unwrap();
        File::options().read(true).write(true).open(path).unwrap()
    }

    fn mapped(bytes: &[u8], length: usize) -> OwnFileMap {
        OwnFileMap::new(&written(bytes), length).unwrap()
    }

    #[test]
    fn numbers_come_back() {
        let mut bytes = Vec::new();
        bytes.extend(f16::from_f32(1.5).to_ne_bytes());
        bytes.extend(f16::from_f32(-2.0).to_ne_bytes());
        bytes.extend(0.1f32.to_ne_bytes());
        let map = mapped(&bytes, 100);
        let read = FileBytes::read(&written(&bytes), bytes.len()).unwrap();
        let halves = [f16::from_f32(1.5), f16::from_f32(-2.0)];
        assert_eq!(map.halves(0..4), Some(&halves[..]));
        assert_eq!(map.floats(4..8), Some(&[0.1f32][..]));
        assert_eq!(map.floats(8..8), Some(&[][..]));
        assert_eq!(read.halves(0..4), Some(&halves[..]));
        assert_eq!(read.floats(4..8), Some(&[0.1f32][..]));
        assert_eq!(read.bytes(), bytes);
    }

    #[test]
    fn what_is_not_there_or_not_on_a_boundary_is_none() {
        let map = mapped(&[0; 10], 8);
        assert_eq!(map.bytes().len(), 8);
        assert_eq!(map.floats(4..12), None);
        assert_eq!(map.floats(2..6), None);
        assert_eq!(map.halves(1..3), None);
        assert_eq!(map.halves(0..3), None);
        let read = FileBytes::read(&written(&[0; 10]), 10).unwrap();
        assert_eq!(read.bytes().len(), 10);
        assert_eq!(read.halves(8..12), None);
        assert_eq!(read.floats(2..6), None);
    }

    #[test]
    fn nothing_can_be_mapped_too() {
        assert!(mapped(&[], 8).bytes().is_empty());
        assert!(mapped(&[1], 0).bytes().is_empty());
    }

    #[test]
    fn what_was_read_outlives_a_file_that_is_cut_off() {
        let file = written(&[7; 10_000]);
        let read = FileBytes::read(&file, 10_000).unwrap();
        file.set_len(0).unwrap();
        assert_eq!(read.bytes(), [7; 10_000]);
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let error = FileBytes::read(&written(&[0; 9]), 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
