//! The strings of a pickled list, as Python wrote it: nothing is run and nothing is built.
//!
//! Understood is what a list of strings, plain or as a numpy array of objects, is made of (protocols
//! 2 to 4). The opcodes are those of Python's `pickletools`.

/// The strings of the one list in a pickle.
///
/// # Errors
/// A file that ends early, an opcode that such a list does not have, anything in the list but
/// strings; in one line.
pub(super) fn strings(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut reader = Reader { bytes };
    let mut found: Option<Vec<String>> = None;
    // Set from the list's start until something that is not part of it.
    let mut in_list = false;
    loop {
        match reader.byte()? {
            b'.' => return found.ok_or_else(|| "there is no list in this pickle".to_owned()),
            b']' if found.is_some() => return Err("there is more than one list".to_owned()),
            b']' => {
                found = Some(Vec::new());
                in_list = true;
            }
            opcode @ (b'X' | 0x8c) => {
                let length = match opcode {
                    b'X' => reader.number(4)?,
                    _ => reader.number(1)?,
                };
                let text = str::from_utf8(reader.take(length)?);
                let text = text.map_err(|_| "a string is not UTF-8".to_owned())?;
                if let (true, Some(found)) = (in_list, &mut found) {
                    found.push(text.to_owned());
                }
            }
            // The list goes on in pieces: mark, memo, append, appends.
            b'(' | 0x94 | b'a' | b'e' => {}
            // Into the memo.
            b'q' => reader.skip(1)?,
            b'r' => reader.skip(4)?,
            // From the memo: a string that came before, whose number means nothing here.
            b'h' | b'j' if in_list => {
                return Err("a string of the list is there twice".to_owned());
            }
            opcode => {
                in_list = false;
                reader.pass_over(opcode)?;
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(|| "the pickle ends early: fetch it again".to_owned())?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|byte| byte[0])
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        self.take(length).map(drop)
    }

    /// A number of up to eight bytes, the lowest first.
    fn number(&mut self, bytes: usize) -> Result<usize, String> {
        let bytes = self.take(bytes)?;
        let number = bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number).map_err(|_| "a length is too large".to_owned())
    }

    /// Passes over an opcode that is around the list.
    fn pass_over(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // None, booleans, tuples, calls, states.
            b'N' | 0x88 | 0x89 | b')' | 0x85..=0x87 | b't' | b'R' | b'b' | 0x93 => {}
            // Protocol, numbers, the memo.
            0x80 | b'K' | b'h' => self.skip(1)?,
            b'M' => self.skip(2)?,
            b'J' | b'j' => self.skip(4)?,
            // Frame.
            0x95 => self.skip(8)?,
            // Bytes.
            b'C' => {
                let length = self.number(1)?;
                self.skip(length)?;
            }
            // A name: two lines.
            b'c' => {
                for _ in 0..2 {
                    while self.byte()? != b'\n' {}
                }
            }
            _ => {
                return Err(format!(
                    "not a pickled list of strings (opcode {opcode:#04x}); save it as a text, one a \
                     line"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.array(["/m/a", "/m/bc"], dtype=object)` as protocol 2 writes it.
    const ARRAY: &[u8] = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01\
        K\x00\x85q\x02c_codecs\nencode\nq\x03X\x01\0\0\0bq\x04X\x06\0\0\0latin1q\x05\x86q\x06Rq\x07\
        \x87q\x08Rq\x09(K\x01K\x02\x85q\x0acnumpy\ndtype\nq\x0bX\x02\0\0\0O8q\x0cK\x00K\x01\x87q\x0d\
        Rq\x0e(K\x03X\x01\0\0\0|q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x10b\x89]q\x11(\
        X\x04\0\0\0/m/aq\x12X\x05\0\0\0/m/bcq\x13etq\x14b.";

    #[test]
    fn strings_of_an_array_come_in_order() {
        assert_eq!(strings(ARRAY).unwrap(), ["/m/a", "/m/bc"]);
    }

    #[test]
    fn a_plain_list_of_protocol_4_is_read_too() {
        let list = b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94(\x8c\x01a\x94\x8c\x02bc\x94e.";
        assert_eq!(strings(list).unwrap(), ["a", "bc"]);
    }

    #[test]
    fn every_early_end_is_an_error() {
        for end in 0..ARRAY.len() {
            assert!(strings(&ARRAY[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_list_of_strings_is_refused() {
        assert!(strings(b"\x80\x02N.").unwrap_err().contains("no list"));
        assert!(strings(b"\x80\x02}q\x00.").unwrap_err().contains("0x7d"));
        let endless = b"\x80\x02]X\xff\xff\xff\xffa.";
        assert!(strings(endless).unwrap_err().contains("ends early"));
        let twice = b"\x80\x02](X\x01\0\0\0aq\x00h\x00e.";
        assert!(strings(twice).unwrap_err().contains("there twice"));
    }
}
