//! Reading NumPy's `.npy` format, versions 1 to 3 (see [`super::npy`]).

use super::numbers::{ByteOrder, FloatFormat, from_fortran_order};

/// Longest header: a shape of many sides.
const HEADER_LIMIT: usize = 1 << 16;

/// Shape and numbers, in C order and single precision, of a whole `.npy` file of real numbers (float16,
/// float32 or float64).
///
/// # Errors
/// In one line: an early end, a header that is none, other types, more bytes than the shape has.
pub fn read_npy(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>), String> {
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or("not an .npy file: save it with numpy.save")?;
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err("an .npy file of an unknown version: save it with numpy.save".to_owned()),
    };
    let damaged = || "the .npy file is damaged: save it again".to_owned();
    if length > HEADER_LIMIT {
        return Err(damaged());
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let header = str::from_utf8(header).map_err(|_| damaged())?;
    let (format, order) = format(quoted(header, "descr").ok_or_else(damaged)?)?;
    let fortran = match after(header, "fortran_order").ok_or_else(damaged)? {
        value if value.starts_with("True") => true,
        value if value.starts_with("False") => false,
        _ => return Err(damaged()),
    };
    let shape = shape(header).ok_or_else(damaged)?;
    let elements = shape
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(side));
    let expected = elements.and_then(|elements| elements.checked_mul(format.bytes()));
    if expected != Some(data.len()) {
        return Err(format!(
            "the .npy file has {} bytes of numbers, which do not fill its shape {shape:?}: save it again",
            data.len()
        ));
    }
    let mut numbers = Vec::with_capacity(data.len() / format.bytes());
    format.decode(data, order, &mut numbers);
    if fortran {
        numbers = from_fortran_order(&shape, &numbers);
    }
    Ok((shape, numbers))
}

/// What the header's dictionary has after a key.
fn after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}'"))?;
    rest.trim_start().strip_prefix(':').map(str::trim_start)
}

fn quoted<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (value, _) = after(header, key)?.strip_prefix('\'')?.split_once('\'')?;
    Some(value)
}

fn format(descr: &str) -> Result<(FloatFormat, ByteOrder), String> {
    let order = match descr.as_bytes().first() {
        Some(b'>') => ByteOrder::HighestFirst,
        _ => ByteOrder::LowestFirst,
    };
    let format = match descr.trim_start_matches(['<', '>', '=']) {
        "f2" => FloatFormat::Half,
        "f4" => FloatFormat::Single,
        "f8" => FloatFormat::Double,
        _ => {
            return Err(format!(
                "the .npy file has numbers of type {descr}: save it as float32"
            ));
        }
    };
    Ok((format, order))
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let (sides, _) = after(header, "shape")?.strip_prefix('(')?.split_once(')')?;
    sides
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty())
        .map(|side| side.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::write_npy_f32;
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_comes_back() {
        for (shape, data) in [
            (vec![2, 3], vec![0.5, -1.0, 2.0, 3.0, 1e-9, 7.0]),
            (vec![], vec![1.0]),
            (vec![0, 4], vec![]),
        ] {
            let mut bytes = Vec::new();
            write_npy_f32(&mut bytes, &shape, &data).unwrap();
            assert_eq!(read_npy(&bytes), Ok((shape, data)));
        }
    }

    #[test]
    fn other_orders_and_widths_are_read() {
        let header = "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 2), }\n";
        let data: Vec<u8> = [1f64, 3.0, 2.0, 4.0]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect();
        let read = read_npy(&npy(header, &data)).unwrap();
        assert_eq!(read, (vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]));
        let mut newer = b"\x93NUMPY\x03\x00".to_vec();
        let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }\n";
        newer.extend((header.len() as u32).to_le_bytes());
        newer.extend(header.as_bytes());
        newer.extend(half::f16::from_f32(0.25).to_le_bytes());
        assert_eq!(read_npy(&newer), Ok((vec![1], vec![0.25])));
    }

    #[test]
    fn early_ends_and_endless_shapes_are_errors() {
        let mut whole = Vec::new();
        write_npy_f32(&mut whole, &[2], &[1.0, 2.0]).unwrap();
        for end in 0..whole.len() {
            assert!(read_npy(&whole[..end]).is_err(), "{end}");
        }
        let side = usize::MAX / 2;
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({side}, 4), }}");
        assert!(
            read_npy(&npy(&header, &[]))
                .unwrap_err()
                .contains("do not fill")
        );
        let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }";
        assert!(read_npy(&npy(header, &[0; 8])).unwrap_err().contains("<i8"));
        let header = "{'descr': '|O', 'fortran_order': False, 'shape': (-1,), }";
        assert!(read_npy(&npy(header, &[])).is_err());
    }
}
