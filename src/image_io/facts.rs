//! What a camera wrote into a photo: EXIF, for people to read and for turning it upright.

use exif::{Exif, In, Tag};
use image::metadata::Orientation;

use crate::files::one_line;

/// Most characters of a value that are kept.
const LONGEST_VALUE: usize = 120;

/// What is shown, in this order.
const SHOWN: [(Tag, &str); 9] = [
    (Tag::DateTimeOriginal, "Taken"),
    (Tag::Make, "Maker"),
    (Tag::Model, "Camera"),
    (Tag::LensModel, "Lens"),
    (Tag::ExposureTime, "Exposure"),
    (Tag::FNumber, "Aperture"),
    (Tag::PhotographicSensitivity, "ISO"),
    (Tag::FocalLength, "Focal length"),
    (Tag::Copyright, "Copyright"),
];

/// One thing that is known of a photo, such as `Exposure`: `1/60 s`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhotoFact {
    pub name: &'static str,
    pub value: String,
    /// Whether it can change what a network sees, so that it must be told where no facts are shown.
    pub is_caution: bool,
}

impl PhotoFact {
    /// What is to be told where no facts are shown, in words; nothing of what changes nothing.
    pub fn caution(&self) -> Option<String> {
        let PhotoFact { name, value, .. } = self;
        self.is_caution
            .then(|| format!("{} {value}", name.to_lowercase()))
    }
}

/// The EXIF block (a TIFF structure), as far as it is not damaged.
pub(super) fn exif(block: Vec<u8>) -> Option<Exif> {
    let mut reader = exif::Reader::new();
    match reader.continue_on_error(true).read_raw(block) {
        Ok(exif) => Some(exif),
        Err(error) => error.distill_partial_result(|_| {}).ok(),
    }
}

/// How the camera was held.
pub(super) fn orientation(exif: &Exif) -> Option<Orientation> {
    exif.get_field(Tag::Orientation, In::PRIMARY)
        .and_then(|field| u8::try_from(field.value.get_uint(0)?).ok())
        .and_then(Orientation::from_exif)
}

/// The facts in an EXIF block; none where it tells nothing.
pub(super) fn facts(exif: &Exif) -> Vec<PhotoFact> {
    SHOWN
        .iter()
        .filter_map(|&(tag, name)| {
            let field = exif.get_field(tag, In::PRIMARY)?;
            let text = one_line(&field.display_value().with_unit(exif));
            let value: String = text
                .trim_matches(['"', ' '])
                .chars()
                .take(LONGEST_VALUE)
                .collect();
            (!value.is_empty()).then_some(PhotoFact {
                name,
                value,
                is_caution: false,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little-endian TIFF block with one text field.
    fn block(tag: u16, text: &str) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0\x01\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(2u16.to_le_bytes());
        bytes.extend((text.len() as u32 + 1).to_le_bytes());
        bytes.extend(26u32.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes
    }

    fn facts_in(block: Vec<u8>) -> Vec<PhotoFact> {
        exif(block).as_ref().map(facts).unwrap_or_default()
    }

    #[test]
    fn a_camera_s_name_is_read() {
        let found = facts_in(block(0x0110, "Box Brownie"));
        let expected = PhotoFact {
            name: "Camera",
            value: "Box Brownie".to_owned(),
            is_caution: false,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn damaged_blocks_tell_nothing() {
        let mut cut = block(0x0110, "Box Brownie");
        cut.truncate(20);
        assert_eq!(facts_in(cut), []);
        assert_eq!(facts_in(b"nonsense".to_vec()), []);
    }

    #[test]
    fn the_orientation_is_read_in_both_byte_orders() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        // One field of two, the second cut off.
        let damaged = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x10\x01";
        for block in [&little[..], big, damaged] {
            let exif = exif(block.to_vec()).unwrap();
            assert_eq!(orientation(&exif), Some(Orientation::Rotate90));
        }
    }
}
