//! BMP photos whose rows are packed in run lengths, unpacked here: the decoder paints pixels that the
//! runs pass over black, where the format has the palette's first colour there.

use super::fault::Fault;

/// A pixel that stands alone in its byte, whatever the file packs.
const BITS: u16 = 8;

/// The header's fields that are needed.
struct Header {
    /// Where the packed rows begin.
    data: usize,
    width: usize,
    height: usize,
    /// Two pixels a byte.
    narrow: bool,
}

impl Header {
    /// Of a file in run lengths; nothing of another one.
    fn new(file: &[u8]) -> Option<Self> {
        let number = |place: usize| {
            let bytes = file.get(place..place + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let bits = number(28)? & 0xffff;
        let narrow = match (number(14)? >= 40, bits, number(30)?) {
            (true, 8, 1) => false,
            (true, 4, 2) => true,
            _ => return None,
        };
        // Rows in run lengths begin at the bottom always.
        let side = |place| i32::try_from(number(place)?).ok().filter(|side| *side > 0);
        let header = Self {
            data: number(10)? as usize,
            width: side(18)? as usize,
            height: side(22)? as usize,
            narrow,
        };
        (54..=file.len()).contains(&header.data).then_some(header)
    }
}

/// The same photo without run lengths; nothing where it has none, or more pixels than `most`.
///
/// # Errors
/// Where the runs end before the photo does.
pub(super) fn unpacked(file: &[u8], most: u64) -> Option<Result<Vec<u8>, Fault>> {
    let header = Header::new(file)?;
    let pixels = header.width.checked_mul(header.height)?;
    if pixels as u64 > most {
        return None;
    }
    let mut indices = vec![0; pixels];
    let read = unpack(&file[header.data..], &header, &mut indices);
    if read < pixels {
        return Some(Err(Fault::Incomplete(Some((100 * read / pixels) as u8))));
    }
    let mut plain = file[..header.data].to_vec();
    plain[28..30].copy_from_slice(&BITS.to_le_bytes());
    // No packing, and a size that follows from width and height.
    plain[30..38].fill(0);
    if header.narrow && plain[46..50] == [0; 4] {
        plain[46] = 16;
    }
    for row in indices.chunks_exact(header.width) {
        plain.extend_from_slice(row);
        plain.resize(plain.len() + row.len().next_multiple_of(4) - row.len(), 0);
    }
    Some(Ok(plain))
}

/// Writes the palette's indices, from the lowest row up; pixels that are there or passed over.
fn unpack(mut data: &[u8], header: &Header, indices: &mut [u8]) -> usize {
    let (width, height) = (header.width, header.height);
    let (mut x, mut y) = (0usize, 0usize);
    while let [count, value, rest @ ..] = data
        && y < height
    {
        data = rest;
        let end = y * width + width;
        match (*count, *value) {
            (0, 0) => (x, y) = (0, y + 1),
            (0, 1) => break,
            (0, 2) => {
                let [right, up, rest @ ..] = data else { break };
                (x, y) = (x + usize::from(*right), y + usize::from(*up));
                data = rest;
            }
            (0, count) => {
                let count = usize::from(count);
                let bytes = if header.narrow {
                    count.div_ceil(2)
                } else {
                    count
                };
                let Some(values) = data.get(..bytes) else {
                    break;
                };
                data = data.get(bytes.next_multiple_of(2)..).unwrap_or_default();
                for place in 0..count {
                    let value = match (header.narrow, place % 2) {
                        (false, _) => values[place],
                        (true, 0) => values[place / 2] >> 4,
                        (true, _) => values[place / 2] & 15,
                    };
                    if y * width + x < end {
                        indices[y * width + x] = value;
                        x += 1;
                    }
                }
            }
            (count, value) => {
                for place in 0..usize::from(count).min(width.saturating_sub(x)) {
                    indices[y * width + x + place] = match (header.narrow, place % 2) {
                        (false, _) => value,
                        (true, 0) => value >> 4,
                        (true, _) => value & 15,
                    };
                }
                x += usize::from(count);
            }
        }
    }
    (y * width + x.min(width)).min(width * height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(narrow: bool, data: &[u8]) -> (usize, Vec<u8>) {
        let header = Header {
            data: 0,
            width: 4,
            height: 2,
            narrow,
        };
        let mut indices = vec![0; 8];
        (unpack(data, &header, &mut indices), indices)
    }

    #[test]
    fn runs_and_pixels_passed_over_are_unpacked() {
        let wide = [2, 9, 0, 0, 0, 2, 1, 0, 0, 3, 5, 6, 7, 0, 0, 1];
        assert_eq!(indices(false, &wide), (8, vec![9, 9, 0, 0, 0, 5, 6, 7]));
        let narrow = [3, 0x12, 0, 0, 0, 3, 0x34, 0x50, 1, 0xff, 0, 1];
        assert_eq!(indices(true, &narrow), (8, vec![1, 2, 1, 0, 3, 4, 5, 15]));
    }

    #[test]
    fn runs_too_long_are_cut_and_too_short_ones_counted() {
        assert_eq!(indices(false, &[9, 7]), (4, vec![7, 7, 7, 7, 0, 0, 0, 0]));
        assert_eq!(indices(false, &[4, 7, 0, 0, 2, 1, 0, 1]).0, 6);
        assert_eq!(indices(false, &[4, 7, 0, 0, 0, 9, 1]).0, 4);
        assert_eq!(indices(false, &[0, 2, 0, 9, 4, 1]).0, 8);
    }
}
