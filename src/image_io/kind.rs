//! What a file is, by its first bytes.

use image::ImageFormat;

/// A format as people call it.
pub(super) fn kind_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Pnm => "PNM",
        _ => "image",
    }
}

/// What a file that is none of the known kinds is, as far as its first bytes tell.
pub(super) fn kind_by_signature(bytes: &[u8]) -> &'static str {
    let brand = bytes.get(4..12).unwrap_or_default();
    match bytes {
        _ if brand.starts_with(b"ftypavi") => "an AVIF picture",
        _ if [b"ftyphei", b"ftyphev", b"ftypmif", b"ftypmsf"]
            .iter()
            .any(|prefix| brand.starts_with(*prefix)) =>
        {
            "a HEIC picture"
        }
        _ if brand.starts_with(b"ftyp") => "a video",
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => "a JPEG XL picture",
        [0, 0, 0, 0x0c, b'j', b'P', ..] => "a JPEG 2000 picture",
        [b'P', b'F' | b'f', b'\n', ..] => "a floating-point picture (PFM)",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3, 4, ..] => "an archive",
        [b'<', ..] => "a text such as SVG or HTML",
        _ if bytes.iter().take(512).all(|byte| *byte == 0) => "nothing but zeros",
        _ if std::str::from_utf8(&bytes[..bytes.len().min(512)]).is_ok() => "a text",
        _ => "something unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_of_file_are_named() {
        assert_eq!(
            kind_by_signature(b"\0\0\0\x18ftypheic\0\0"),
            "a HEIC picture"
        );
        assert_eq!(kind_by_signature(b"\0\0\0\x18ftypavif"), "an AVIF picture");
        assert_eq!(kind_by_signature(b"%PDF-1.7"), "a PDF document");
        assert_eq!(kind_by_signature(b"plain words"), "a text");
        assert_eq!(kind_by_signature(&[0; 40]), "nothing but zeros");
        assert_eq!(kind_by_signature(&[0x80, 1, 2]), "something unknown");
    }
}
