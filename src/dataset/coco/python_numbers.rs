//! JSON as Python's `json` writes it: bare `NaN`, `Infinity` and `-Infinity`, which JSON does not have.

use std::io::{BufRead, Read, Result};

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
}

impl<R: BufRead> WithoutNaN<R> {
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            in_text: false,
            escaped: false,
            rest: &[],
            open: false,
        }
    }

    fn begin(&mut self, rest: &'static [u8]) -> u8 {
        self.rest = rest;
        self.open = true;
        b'"'
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
}
