//! Reading a large file that this program wrote, through memory.

use half::f16;
use half::slice::HalfBitsSliceExt;
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Range;

/// The first bytes of a file that this program wrote and only ever appends to.
///
/// Never for a file from somewhere else: when a mapped file becomes shorter, whoever reads its lost
/// end is killed by the system. Numbers are in the byte order of this computer.
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
    /// # Errors
    /// What the system says against it.
    pub fn new(file: &File, length: usize) -> io::Result<Self> {
        let length = length.min(usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(Self::none());
        }
        let mut options = memmap2::MmapOptions::new();
        // SAFETY: the caller maps files that this program alone writes; it appends to them and
        // never changes or cuts off what lies before `length`, so the bytes behind the slice stay.
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
        let bytes = self.bytes().get(range)?;
        // SAFETY: every pattern of two bytes is a u16; align_to keeps to the boundaries.
        let (before, bits, after) = unsafe { bytes.align_to::<u16>() };
        (before.is_empty() && after.is_empty()).then(|| bits.reinterpret_cast())
    }

    /// Bytes of a range as numbers of single precision, under the same conditions.
    pub fn floats(&self, range: Range<usize>) -> Option<&[f32]> {
        let bytes = self.bytes().get(range)?;
        // SAFETY: every pattern of four bytes is an f32; align_to keeps to the boundaries.
        let (before, floats, after) = unsafe { bytes.align_to::<f32>() };
        (before.is_empty() && after.is_empty()).then_some(floats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(bytes: &[u8], length: usize) -> OwnFileMap {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        std::fs::write(&path, bytes).unwrap();
        OwnFileMap::new(&File::open(&path).unwrap(), length).unwrap()
    }

    #[test]
    fn numbers_come_back() {
        let mut bytes = Vec::new();
        bytes.extend(f16::from_f32(1.5).to_ne_bytes());
        bytes.extend(f16::from_f32(-2.0).to_ne_bytes());
        bytes.extend(0.1f32.to_ne_bytes());
        let map = mapped(&bytes, 100);
        let halves = [f16::from_f32(1.5), f16::from_f32(-2.0)];
        assert_eq!(map.halves(0..4), Some(&halves[..]));
        assert_eq!(map.floats(4..8), Some(&[0.1f32][..]));
        assert_eq!(map.floats(8..8), Some(&[][..]));
    }

    #[test]
    fn what_is_not_mapped_or_not_on_a_boundary_is_none() {
        let map = mapped(&[0; 10], 8);
        assert_eq!(map.bytes().len(), 8);
        assert_eq!(map.floats(4..12), None);
        assert_eq!(map.floats(2..6), None);
        assert_eq!(map.halves(1..3), None);
        assert_eq!(map.halves(0..3), None);
    }

    #[test]
    fn nothing_can_be_mapped_too() {
        assert!(mapped(&[], 8).bytes().is_empty());
        assert!(mapped(&[1], 0).bytes().is_empty());
    }
}
