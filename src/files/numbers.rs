//! Floating-point numbers as files hold them.

use half::{bf16, f16};

/// How a file holds a real number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatFormat {
    Half,
    /// bfloat16: the upper half of a single.
    BrainHalf,
    Single,
    Double,
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    LowestFirst,
    HighestFirst,
}

impl FloatFormat {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Half | Self::BrainHalf => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// Appends the whole numbers in `bytes` to `numbers`, in single precision; a double out of its
    /// range becomes infinite.
    pub fn decode(self, bytes: &[u8], order: ByteOrder, numbers: &mut Vec<f32>) {
        match self {
            Self::Half => numbers.extend(
                each(bytes, order)
                    .map(|number| f16::from_bits(u16::from_le_bytes(number)).to_f32()),
            ),
            Self::BrainHalf => numbers.extend(
                each(bytes, order)
                    .map(|number| bf16::from_bits(u16::from_le_bytes(number)).to_f32()),
            ),
            Self::Single => numbers.extend(each(bytes, order).map(f32::from_le_bytes)),
            Self::Double => {
                numbers.extend(each(bytes, order).map(|number| f64::from_le_bytes(number) as f32));
            }
        }
    }
}

/// The numbers of `N` bytes, the lowest byte first.
fn each<const N: usize>(bytes: &[u8], order: ByteOrder) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.as_chunks().0.iter().map(move |&number| {
        let mut number: [u8; N] = number;
        if order == ByteOrder::HighestFirst {
            number.reverse();
        }
        number
    })
}

/// Brings numbers of `shape` from Fortran's order (the first index runs fastest) to C's (the last
/// does). `numbers` fills `shape`.
pub fn from_fortran_order(shape: &[usize], numbers: &[f32]) -> Vec<f32> {
    let mut sorted = Vec::with_capacity(numbers.len());
    let mut index = vec![0; shape.len()];
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &side in shape {
        strides.push(stride);
        stride *= side;
    }
    for _ in 0..numbers.len() {
        let at: usize = index
            .iter()
            .zip(&strides)
            .map(|(i, stride)| i * stride)
            .sum();
        sorted.push(numbers[at]);
        for (i, &side) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < side {
                break;
            }
            *i = 0;
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_and_order_gives_the_number() {
        for (format, bytes) in [
            (
                FloatFormat::Half,
                f16::from_f32(-1.5).to_le_bytes().to_vec(),
            ),
            (
                FloatFormat::BrainHalf,
                bf16::from_f32(-1.5).to_le_bytes().to_vec(),
            ),
            (FloatFormat::Single, (-1.5f32).to_le_bytes().to_vec()),
            (FloatFormat::Double, (-1.5f64).to_le_bytes().to_vec()),
        ] {
            assert_eq!(bytes.len(), format.bytes());
            let mut numbers = Vec::new();
            format.decode(&bytes, ByteOrder::LowestFirst, &mut numbers);
            let reversed: Vec<u8> = bytes.into_iter().rev().collect();
            format.decode(&reversed, ByteOrder::HighestFirst, &mut numbers);
            assert_eq!(numbers, [-1.5, -1.5], "{format:?}");
        }
    }

    #[test]
    fn fortran_order_is_turned() {
        // [[0, 1, 2], [3, 4, 5]] column by column.
        let sorted = from_fortran_order(&[2, 3], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(sorted, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(from_fortran_order(&[], &[7.0]), [7.0]);
        assert!(from_fortran_order(&[0, 3], &[]).is_empty());
    }
}
