//! Bytes of a pickle, one argument after the other.

use std::borrow::Cow;

use super::pickle::damaged;

/// Longest line of a number or a name.
const MAX_LINE: usize = 1 << 12;

/// What is left of a pickle.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(early_end)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|byte| byte[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(early_end)?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// A number of up to eight bytes, the lowest first.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, String> {
        let bytes = self.take(bytes)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A number that counts bytes or places.
    pub(super) fn length(&mut self, bytes: usize) -> Result<usize, String> {
        usize::try_from(self.number(bytes)?).map_err(|_| early_end())
    }

    /// Up to a line feed, which is not part of it.
    pub(super) fn line(&mut self) -> Result<&'a [u8], String> {
        self.bounded_line(MAX_LINE)
    }

    pub(super) fn text_line(&mut self) -> Result<&'a str, String> {
        str::from_utf8(self.line()?).map_err(|_| damaged("a name is not UTF-8"))
    }

    /// A place in the memo, written as text.
    pub(super) fn written_index(&mut self) -> Result<usize, String> {
        let text = self.text_line()?;
        text.parse()
            .map_err(|_| damaged("a place in its memo is no number"))
    }

    fn bounded_line(&mut self, limit: usize) -> Result<&'a [u8], String> {
        let within = &self.bytes[..self.bytes.len().min(limit.saturating_add(1))];
        match within.iter().position(|&byte| byte == b'\n') {
            Some(length) => {
                let line = self.take(length)?;
                self.take(1)?;
                Ok(line)
            }
            None if within.len() > limit => Err(damaged("a line is too long")),
            None => Err(early_end()),
        }
    }

    /// A line in which `\uXXXX` and `\UXXXXXXXX` stand for characters and the other bytes for those of
    /// Latin-1.
    pub(super) fn raw_unicode_line(&mut self, limit: usize) -> Result<Cow<'a, str>, String> {
        let line = self.bounded_line(limit)?;
        if let (true, Ok(text)) = (
            line.is_ascii() && !line.contains(&b'\\'),
            str::from_utf8(line),
        ) {
            return Ok(text.into());
        }
        let mut text = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let digits = match (byte, after.first()) {
                (b'\\', Some(b'u')) => 4,
                (b'\\', Some(b'U')) => 8,
                _ => {
                    text.push(char::from(byte));
                    continue;
                }
            };
            let number = after.get(1..1 + digits).and_then(hexadecimal);
            let wrong = || damaged("a text has a wrong escape");
            text.push(number.and_then(char::from_u32).ok_or_else(wrong)?);
            rest = &after[1 + digits..];
        }
        Ok(text.into())
    }

    /// A line in quotes with Python's escapes.
    pub(super) fn quoted_line(&mut self, limit: usize) -> Result<Cow<'a, [u8]>, String> {
        let line = self.bounded_line(limit)?;
        let wrong = || damaged("a text has wrong quotes or escapes");
        let inner = match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => return Err(wrong()),
        };
        if !inner.contains(&b'\\') {
            return Ok(inner.into());
        }
        let mut bytes = Vec::with_capacity(inner.len());
        let mut rest = inner;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            if byte != b'\\' {
                bytes.push(byte);
                continue;
            }
            let (&escape, after) = rest.split_first().ok_or_else(wrong)?;
            rest = after;
            bytes.push(match escape {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'\\' | b'\'' | b'"' => escape,
                b'x' => {
                    let number = after.get(..2).and_then(hexadecimal).ok_or_else(wrong)?;
                    rest = &after[2..];
                    number as u8
                }
                _ => return Err(wrong()),
            });
        }
        Ok(bytes.into())
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        Some(number << 4 | char::from(digit).to_digit(16)?)
    })
}

fn early_end() -> String {
    "the pickle ends early: fetch it again".to_owned()
}
