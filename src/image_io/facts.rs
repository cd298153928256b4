//! What a camera wrote into a photo: EXIF, for people to read.

use exif::{In, Tag};

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

/// One thing the camera wrote down, such as `Exposure`: `1/60 s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhotoFact {
    pub name: &'static str,
    pub value: String,
}

/// The facts in an EXIF block (a TIFF structure); none where it is damaged or tells nothing.
pub(super) fn facts(exif: Vec<u8>) -> Vec<PhotoFact> {
    let Ok(block) = exif::Reader::new().read_raw(exif) else {
        return Vec::new();
    };
    SHOWN
        .iter()
        .filter_map(|&(tag, name)| {
            let field = block.get_field(tag, In::PRIMARY)?;
            let text = one_line(&field.display_value().with_unit(&block));
            let value: String = text
                .trim_matches(['"', ' '])
                .chars()
                .take(LONGEST_VALUE)
                .collect();
            (!value.is_empty()).then_some(PhotoFact { name, value })
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

    #[test]
    fn a_camera_s_name_is_read() {
        let found = facts(block(0x0110, "Box Brownie"));
        let expected = PhotoFact {
            name: "Camera",
            value: "Box Brownie".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn damaged_blocks_tell_nothing() {
        let mut cut = block(0x0110, "Box Brownie");
        cut.truncate(20);
        assert_eq!(facts(cut), []);
        assert_eq!(facts(b"nonsense".to_vec()), []);
    }
}
