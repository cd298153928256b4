//! Huffman codes and the bits of entropy-coded data.

use super::Fault;

/// Length of the codes that are looked up at once.
const FAST: u32 = 9;

/// One code table.
pub(super) struct Table {
    /// By the next [`FAST`] bits: length of the code and its symbol; length 0 for longer codes.
    fast: [(u8, u8); 1 << FAST],
    /// By length: what codes of this length are below, aligned to 16 bits, and what leads from a
    /// code to its symbol's index.
    longer: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Table {
    /// `counts` of codes of 1 to 16 bits, and the symbols in the order of their codes.
    pub fn new(counts: &[u8], symbols: &[u8]) -> Result<Self, Fault> {
        let mut table = Self {
            fast: [(0, 0); 1 << FAST],
            longer: [(0, 0); 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut index) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            let count = usize::from(count);
            let past = code + count as u32;
            if past > 1 << length || index + count > symbols.len() {
                return Err(Fault::Damaged("a code table makes no sense".to_owned()));
            }
            if length <= FAST {
                let span = 1usize << (FAST - length);
                for (offset, &symbol) in symbols[index..index + count].iter().enumerate() {
                    let first = (code as usize + offset) * span;
                    table.fast[first..first + span].fill((length as u8, symbol));
                }
            }
            table.longer[length as usize] = (past << (16 - length), index as i32 - code as i32);
            index += count;
            code = past << 1;
        }
        Ok(table)
    }
}

/// Why no more can be read of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The data is over.
    RanOut,
    /// Bits that are no code.
    NoCode,
}

/// Reads bits up to a marker or the end of the data.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    /// The next bits, the first at the top, zeros behind the last.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            position: 0,
            held: 0,
            count: 0,
        }
    }

    fn refill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.position) {
                Some(0xff) if self.data.get(self.position + 1) == Some(&0) => {
                    self.position += 2;
                    0xff
                }
                None | Some(0xff) => return,
                Some(&byte) => {
                    self.position += 1;
                    byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn drop(&mut self, count: u32) -> Result<(), End> {
        if count > self.count {
            return Err(End::RanOut);
        }
        self.held <<= count;
        self.count -= count;
        Ok(())
    }

    /// The next symbol.
    #[inline]
    pub fn symbol(&mut self, table: &Table) -> Result<u8, End> {
        if self.count < 16 {
            self.refill();
        }
        let (length, symbol) = table.fast[(self.held >> (64 - FAST)) as usize];
        if length > 0 {
            self.drop(length.into())?;
            return Ok(symbol);
        }
        let next = (self.held >> 48) as u32;
        for length in FAST + 1..=16 {
            let (below, offset) = table.longer[length as usize];
            if next < below {
                self.drop(length)?;
                let index = (next >> (16 - length)) as i32 + offset;
                let symbol = table.symbols.get(index as usize);
                return symbol.copied().ok_or(End::NoCode);
            }
        }
        // Zeros stand in for what is missing, so that too few bits are no wrong code.
        Err(if self.count < 16 {
            End::RanOut
        } else {
            End::NoCode
        })
    }

    /// `count` bits as a number, at most 16.
    #[inline]
    pub fn bits(&mut self, count: u32) -> Result<u32, End> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.refill();
        }
        let value = self.held >> (64 - count);
        self.drop(count)?;
        Ok(value as u32)
    }

    /// A coefficient of `size` bits: those that start with 0 are negative.
    #[inline]
    pub fn coefficient(&mut self, size: u32) -> Result<i32, End> {
        if size > 16 {
            return Err(End::NoCode);
        }
        let value = self.bits(size)? as i32;
        let half = if size == 0 { 0 } else { 1 << (size - 1) };
        Ok(if value < half {
            value - (2 * half - 1)
        } else {
            value
        })
    }

    /// Goes on behind the restart marker that must come next.
    pub fn restart(&mut self) -> Result<(), End> {
        (self.held, self.count) = (0, 0);
        let rest = &self.data[self.position..];
        let filling = rest.iter().take_while(|byte| **byte == 0xff).count();
        match rest.get(filling) {
            Some(0xd0..=0xd7) if filling > 0 => {
                self.position += filling + 1;
                Ok(())
            }
            None => Err(End::RanOut),
            Some(_) => Err(End::NoCode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_short_and_long_are_read_until_the_bits_run_out() {
        // One code of one bit, one of two, one of twelve.
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[11]) = (1, 1, 1);
        let table = Table::new(&counts, &[7, 8, 9]).unwrap();
        // 0, 10, 1100 0000 0000, then 1: no code is all ones.
        let mut bits = Bits::new(&[0b0101_1000, 0b0000_0001]);
        let read: Vec<_> = (0..4).map(|_| bits.symbol(&table)).collect();
        assert_eq!(read, [Ok(7), Ok(8), Ok(9), Err(End::RanOut)]);
        let mut bits = Bits::new(&[0xff, 0, 0xff, 0, 0xff, 0]);
        assert_eq!(bits.symbol(&table), Err(End::NoCode));
    }

    #[test]
    fn more_codes_than_bits_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_err());
    }

    #[test]
    fn numbers_have_their_signs() {
        // 3 bits 101, 3 bits 010, 1 bit 0, none.
        let mut bits = Bits::new(&[0b1010_1000]);
        let read: Vec<_> = [3, 3, 1, 0].map(|size| bits.coefficient(size)).into();
        assert_eq!(read, [Ok(5), Ok(-5), Ok(-1), Ok(0)]);
    }
}
