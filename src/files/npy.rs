//! NumPy's `.npy` format, version 1.0: a short text header that names type and shape, then the
//! numbers in C order (NumPy enhancement proposal 1).

use super::{FileError, write_atomically};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The length of everything before the numbers is a multiple of this, so that they lie aligned in
/// a mapped file.
const ALIGNMENT: usize = 64;
/// Magic string, two bytes of version, two bytes of header length.
const PREFIX: usize = 10;

/// Writes `data`, of `shape` in C order, as little-endian float32.
///
/// # Errors
/// `InvalidInput` where `shape` and `data` disagree or `shape` is too long for the format's
/// header; otherwise whatever the writer returns.
pub fn write_npy_f32(writer: &mut impl Write, shape: &[usize], data: &[f32]) -> io::Result<()> {
    let elements = shape
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(side));
    if elements != Some(data.len()) {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("{} numbers do not fill the shape {shape:?}", data.len()),
        ));
    }
    let header = header(shape);
    let length = u16::try_from(header.len())
        .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "a shape of too many dimensions"))?;
    writer.write_all(b"\x93NUMPY\x01\x00")?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(header.as_bytes())?;
    let mut bytes = Vec::with_capacity(4 * data.len().min(BLOCK));
    for block in data.chunks(BLOCK) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|number| number.to_le_bytes()));
        writer.write_all(&bytes)?;
    }
    Ok(())
}

/// Numbers converted at a time.
const BLOCK: usize = 16_384;

/// Writes `path` as a whole or not at all (see [`write_atomically`]) with the bytes of
/// [`write_npy_f32`].
///
/// # Errors
/// As [`write_atomically`]; a shape that `data` does not fill leaves no file.
pub fn save_npy_f32(path: &Path, shape: &[usize], data: &[f32]) -> Result<(), FileError> {
    write_atomically(path, |writer| write_npy_f32(writer, shape, data))
}

/// The header's text: a Python dictionary, padded with spaces, ending in a line feed.
fn header(shape: &[usize]) -> String {
    let sides: Vec<_> = shape.iter().map(usize::to_string).collect();
    // Python writes a tuple of one with a comma behind it.
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{comma}), }}",
        sides.join(", ")
    );
    let unpadded = PREFIX + header.len() + 1;
    let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 1.x and 2.x write for `numpy.array([[1.5, -2.0]], dtype="<f4")`.
    fn expected_1x2() -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }");
        bytes.resize(127, b' ');
        bytes.push(b'\n');
        bytes.extend([0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0x00, 0xc0]);
        bytes
    }

    #[test]
    fn bytes_are_numpys_own() {
        let mut bytes = Vec::new();
        write_npy_f32(&mut bytes, &[1, 2], &[1.5, -2.0]).unwrap();
        assert_eq!(bytes, expected_1x2());
    }

    #[test]
    fn tuples_of_none_and_one_are_pythons() {
        assert!(header(&[]).contains("'shape': (), }"));
        assert!(header(&[7]).contains("'shape': (7,), }"));
        assert!(header(&[2, 3, 14]).contains("'shape': (2, 3, 14), }"));
    }

    #[test]
    fn numbers_start_aligned_for_any_shape() {
        for dimensions in 0..60 {
            let shape = vec![10_007; dimensions];
            assert_eq!((PREFIX + header(&shape).len()) % ALIGNMENT, 0);
        }
    }

    #[test]
    fn more_numbers_than_one_block_arrive_in_order() {
        let data: Vec<f32> = (0..BLOCK + 3).map(|i| i as f32).collect();
        let mut bytes = Vec::new();
        write_npy_f32(&mut bytes, &[data.len()], &data).unwrap();
        let tail = &bytes[bytes.len() - 4 * data.len()..];
        let read: Vec<f32> = tail
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(read, data);
    }

    #[test]
    fn a_shape_that_does_not_fit_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maps.npy");
        assert!(save_npy_f32(&path, &[2, 2], &[0.0; 3]).is_err());
        assert!(save_npy_f32(&path, &[usize::MAX, 2], &[0.0; 3]).is_err());
        assert!(!path.exists());
        save_npy_f32(&path, &[3], &[0.0; 3]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 128 + 12);
    }
}
