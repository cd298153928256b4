//! JSON as Python's `json` writes it: bare `NaN`, `Infinity` and `-Infinity`, which JSON does not have,
//! and numbers that no computer holds, for which the reader would refuse the file.

use std::io::{BufRead, Read, Result};

/// Digits of an exponent that are kept: whatever has more is no number of a photo's pixels either way.
const EXPONENT: u8 = 2;

/// Each of those becomes an empty text of its length, which is no number to any reader; lines and
/// columns stay as they are.
pub(super) struct WithoutNaN<R> {
    inner: R,
    in_text: bool,
    escaped: bool,
    /// What is left of the word that is being replaced.
    rest: &'static [u8],
    /// Whether the empty text is still to be closed.
    open: bool,
    after_digit: bool,
    /// Digits of the exponent under way, leading zeros not counted.
    exponent: Option<u8>,
}

impl<R: BufRead> WithoutNaN<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            in_text: false,
            escaped: false,
            rest: &[],
            open: false,
            after_digit: false,
            exponent: None,
        }
    }

    fn begin(&mut self, rest: &'static [u8]) -> u8 {
        self.rest = rest;
        self.open = true;
        b'"'
    }

    /// What stands for a byte of an exponent; nothing of another one.
    fn of_exponent(&mut self, byte: u8) -> Option<u8> {
        let after_digit = std::mem::replace(&mut self.after_digit, byte.is_ascii_digit());
        self.exponent = match (self.exponent, byte) {
            (None, b'e' | b'E') if after_digit => Some(0),
            (Some(0), b'+' | b'-' | b'0') => Some(0),
            (Some(EXPONENT), b'0'..=b'9') => return Some(b' '),
            (Some(digits), b'0'..=b'9') => Some(digits + 1),
            _ => None,
        };
        self.exponent.map(|_| byte)
    }

    /// What stands for `byte`; `next` is the one behind it.
    fn replaced(&mut self, byte: u8, next: Option<u8>) -> u8 {
        if let [expected, rest @ ..] = self.rest
            && *expected == byte
        {
            self.rest = rest;
            return match std::mem::take(&mut self.open) {
                true => b'"',
                false => b' ',
            };
        }
        self.rest = &[];
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = byte == b'\\' && !self.escaped;
            return byte;
        }
        if let Some(byte) = self.of_exponent(byte) {
            return byte;
        }
        match byte {
            b'N' => self.begin(b"aN"),
            b'I' => self.begin(b"nfinity"),
            b'-' if next == Some(b'I') => b' ',
            b'"' => {
                self.in_text = true;
                byte
            }
            byte => byte,
        }
    }
}

impl<R: BufRead> Read for WithoutNaN<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut written = 0;
        while written < buffer.len() {
            let available = self.inner.fill_buf()?;
            let Some(&byte) = available.first() else {
                break;
            };
            let mut next = available.get(1).copied();
            self.inner.consume(1);
            if byte == b'-' && next.is_none() {
                next = self.inner.fill_buf()?.first().copied();
            }
            buffer[written] = self.replaced(byte, next);
            written += 1;
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn words_become_empty_texts_of_their_length() {
        let json = r#"{"NaN": [NaN, -Infinity,Infinity,-1], "a\"N": "I-Infinity \\", "b": NaN}"#;
        let expected =
            r#"{"NaN": ["" ,  ""      ,""      ,-1], "a\"N": "I-Infinity \\", "b": "" }"#;
        assert_eq!(json.len(), expected.len());
        for capacity in [1, 2, 3, 1000] {
            let inner = BufReader::with_capacity(capacity, json.as_bytes());
            let mut text = String::new();
            WithoutNaN::new(inner).read_to_string(&mut text).unwrap();
            assert_eq!(text, expected, "{capacity}");
        }
    }

    #[test]
    fn exponents_are_cut_where_no_number_holds_them() {
        let json = r#"[1e999,-2.5E+1234, 1e0005,1e-400,3e12,true,"1e999",1e999]"#;
        let expected = r#"[1e99 ,-2.5E+12  , 1e0005,1e-40 ,3e12,true,"1e999",1e99 ]"#;
        let mut text = String::new();
        let mut reader = WithoutNaN::new(json.as_bytes());
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
    }
}
