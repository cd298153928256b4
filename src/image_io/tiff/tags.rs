//! What stands in the first directory of a TIFF.

use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::decoder::ifd::Value;
use tiff::tags::Tag;

use super::{Fault, fault};
use crate::image_io::metadata::{MOST_UNPACKED, TOO_LARGE};

/// The tags of a file's first picture. Lists of numbers are bounded by the decoder's own limit.
pub(super) struct Tags<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
}

impl<'a> Tags<'a> {
    pub fn new(file: &'a [u8]) -> Result<Self, Fault> {
        let decoder = Decoder::new(Cursor::new(file)).map_err(fault)?;
        Ok(Self { decoder })
    }

    fn value(&mut self, tag: u16) -> Option<Value> {
        let value = self.decoder.find_tag(Tag::from_u16_exhaustive(tag));
        value.ok().flatten()
    }

    pub fn has(&mut self, tag: u16) -> bool {
        let directory = self.decoder.image_ifd();
        directory
            .directory()
            .contains(Tag::from_u16_exhaustive(tag))
    }

    /// All numbers of a tag; none where it is not there.
    pub fn all(&mut self, tag: u16) -> Vec<u64> {
        let numbers = self.value(tag).and_then(|value| value.into_u64_vec().ok());
        numbers.unwrap_or_default()
    }

    pub fn first(&mut self, tag: u16, default: u64) -> u64 {
        self.all(tag).first().copied().unwrap_or(default)
    }

    /// All fractions of a tag.
    pub fn fractions(&mut self, tag: u16) -> Vec<f64> {
        let Some(Value::List(values)) = self.value(tag) else {
            return Vec::new();
        };
        let fraction = |value| match value {
            Value::Rational(above, below) => f64::from(above) / f64::from(below),
            Value::SRational(above, below) => f64::from(above) / f64::from(below),
            Value::Float(value) => value.into(),
            Value::Double(value) => value,
            other => other.into_u64().map_or(f64::NAN, |value| value as f64),
        };
        values.into_iter().map(fraction).collect()
    }

    /// A tag's bytes as they are, which take no more memory than the file does.
    pub fn bytes(&mut self, tag: u16) -> Option<Result<Vec<u8>, &'static str>> {
        let tag = Tag::from_u16_exhaustive(tag);
        let count = self.decoder.image_ifd().find_entry(tag)?.count();
        if count > MOST_UNPACKED {
            return Some(Err(TOO_LARGE));
        }
        let mut bytes = vec![0; count as usize];
        let read = self.decoder.image_ifd().find_tag_bytes(tag, &mut bytes, 0);
        let whole = matches!(read, Ok(Some(length)) if length == bytes.len());
        Some(whole.then_some(bytes).ok_or("it cannot be read"))
    }

    /// The colour profile.
    pub fn profile(&mut self) -> Option<Result<Vec<u8>, &'static str>> {
        let profile = self.bytes(34_675)?;
        (profile != Ok(Vec::new())).then_some(profile)
    }
}
