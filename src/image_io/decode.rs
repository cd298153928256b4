//! From a file's bytes to upright RGB pixels.

use super::facts::facts;
use super::orient::upright;
use super::{Photo, PhotoError, PhotoLimits};
use crate::files::read_bounded;
use crate::panics::quietly_caught;
use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::Path;

/// Opens a photo: a regular file of a kind known by its content, within `limits`.
///
/// # Errors
/// A [`PhotoError`] of one line that names the file, for whatever stands in the way.
pub fn open_photo(path: &Path, limits: PhotoLimits) -> Result<Photo, PhotoError> {
    let bytes = read_bounded(path, limits.file_bytes)?;
    decode_photo(&bytes, &path.display().to_string(), limits)
}

/// Decodes a photo from the bytes of its file; `name` is what errors call it.
///
/// # Errors
/// As [`open_photo`], without those of the file system.
pub fn decode_photo(bytes: &[u8], name: &str, limits: PhotoLimits) -> Result<Photo, PhotoError> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .ok_or_else(|| PhotoError::UnknownKind {
            name: name.to_owned(),
            what: kind_by_signature(bytes),
        })?;
    if format == ImageFormat::Jpeg && !has_end_of_image(bytes) {
        return Err(PhotoError::Truncated {
            name: name.to_owned(),
        });
    }
    let outcome = quietly_caught(|| decode_with(format, bytes, name, limits));
    outcome.unwrap_or_else(|_| {
        Err(PhotoError::Damaged {
            name: name.to_owned(),
            kind: kind_name(format),
            why: "its decoder gave up".to_owned(),
        })
    })
}

fn decode_with(
    format: ImageFormat,
    bytes: &[u8],
    name: &str,
    limits: PhotoLimits,
) -> Result<Photo, PhotoError> {
    let explain = |error| explain(error, format, name);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The side is checked below, where the message can say how large the photo is.
    let mut decoder_limits = Limits::no_limits();
    decoder_limits.max_alloc = Some(limits.decoder_bytes);
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.pixels || width.max(height) > limits.side {
        return Err(PhotoError::TooManyPixels {
            name: name.to_owned(),
            width,
            height,
            limit: limits.pixels,
        });
    }
    if pixels == 0 {
        return Err(PhotoError::Damaged {
            name: name.to_owned(),
            kind: kind_name(format),
            why: "it has no pixels".to_owned(),
        });
    }
    if decoder.total_bytes() > limits.decoder_bytes {
        return Err(PhotoError::TooMuchMemory {
            name: name.to_owned(),
        });
    }
    // Damaged metadata is no reason to refuse good pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let ignored_profile = matches!(decoder.icc_profile(), Ok(Some(profile)) if !is_srgb(&profile));
    let facts = decoder.exif_metadata().ok().flatten().map(facts);
    let decoded = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok(Photo {
        rgb: upright(opaque(decoded), orientation),
        format,
        ignored_profile,
        facts: facts.unwrap_or_default(),
    })
}

/// Three channels of 8 bits: 16-bit values scaled, grey tripled, transparency laid over white.
fn opaque(decoded: DynamicImage) -> RgbImage {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8();
    }
    let rgba = decoded.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    rgb.as_mut()
        .par_chunks_exact_mut(3)
        .zip(rgba.as_raw().par_chunks_exact(4))
        .with_min_len(1 << 14)
        .for_each(|(over, pixel)| {
            let alpha = u32::from(pixel[3]);
            for (value, &colour) in over.iter_mut().zip(pixel) {
                let mixed = u32::from(colour) * alpha + 255 * (255 - alpha);
                *value = ((mixed + 127) / 255) as u8;
            }
        });
    rgb
}

/// Whether a JPEG's last marker is there. Without it the decoder would fill the missing part with
/// grey, and a network would be asked about something that is no photo.
fn has_end_of_image(jpeg: &[u8]) -> bool {
    let Some(scan) = start_of_scan(jpeg) else {
        // Something is wrong before the pixels begin, which the decoder can explain better.
        return true;
    };
    // From the end: that is where it is unless it is missing.
    jpeg[scan..]
        .windows(2)
        .rev()
        .any(|pair| pair == [0xff, 0xd9])
}

/// Where a JPEG's first scan starts, behind the segments with a length of their own: the thumbnail
/// in one of them has an end-of-image marker too.
fn start_of_scan(jpeg: &[u8]) -> Option<usize> {
    let mut position = 2;
    loop {
        match jpeg.get(position..position + 2)? {
            [0xff, 0xda] => return Some(position),
            // Filling before a marker.
            [0xff, 0xff] => position += 1,
            [0xff, _] => {
                let length = jpeg.get(position + 2..position + 4)?;
                position += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
            _ => return None,
        }
    }
}

/// Whether an ICC profile describes sRGB, by the name that it gives itself (ASCII in version 2,
/// UTF-16 in version 4).
fn is_srgb(profile: &[u8]) -> bool {
    let holds = |name: &[u8]| profile.windows(name.len()).any(|window| window == name);
    holds(b"sRGB") || holds(b"s\0R\0G\0B")
}

fn explain(error: ImageError, format: ImageFormat, name: &str) -> PhotoError {
    let name = name.to_owned();
    let kind = kind_name(format);
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::InsufficientMemory => PhotoError::TooMuchMemory { name },
            _ => PhotoError::Damaged {
                name,
                kind,
                why: limit.to_string(),
            },
        },
        ImageError::Unsupported(error) => PhotoError::UnsupportedFeature {
            name,
            kind,
            why: error.to_string(),
        },
        error if ends_early(&error) => PhotoError::Truncated { name },
        error => PhotoError::Damaged {
            name,
            kind,
            why: error.to_string(),
        },
    }
}

/// Whether the end of the file was met somewhere below `error`.
fn ends_early(error: &ImageError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        cause = error.source();
    }
    false
}

fn kind_name(format: ImageFormat) -> &'static str {
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
fn kind_by_signature(bytes: &[u8]) -> &'static str {
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
    fn transparency_is_laid_over_white() {
        let pixels = vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128];
        let image = image::RgbaImage::from_raw(3, 1, pixels).unwrap();
        let over = opaque(DynamicImage::ImageRgba8(image)).into_raw();
        assert_eq!(over, [10, 20, 30, 255, 255, 255, 127, 177, 255]);
    }

    #[test]
    fn profiles_are_known_by_either_spelling() {
        assert!(is_srgb(b"desc....sRGB IEC61966-2.1"));
        assert!(is_srgb(b"mluc\0s\0R\0G\0B\0 "));
        assert!(!is_srgb(b"desc....Display P3"));
    }

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
