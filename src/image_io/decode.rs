//! From a file's bytes to upright RGB pixels.

use super::colour::{self, Profile};
use super::facts::{self, PhotoFact};
use super::jpeg::{Channels, Fault, Jpeg};
use super::kind::{kind_by_signature, kind_name};
use super::metadata::{self, Metadata};
use super::orient::upright;
use super::stored::StoredSize;
use super::{Photo, PhotoError, PhotoLimits, tiff};
use crate::files::read_bounded;
use crate::panics::quietly_caught;
use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::Path;

/// What a decoder may allocate whatever the file's size, and for each of its bytes: more than any
/// photo needs, since even one colour all over takes a byte for every thousand of its pixels in
/// the usual kinds.
const ALLOWED: u64 = 16 << 20;
const ALLOWED_FOR_A_BYTE: u64 = 2048;

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
    let format = format_of(bytes).ok_or_else(|| PhotoError::UnknownKind {
        name: name.to_owned(),
        what: kind_by_signature(bytes),
    })?;
    let mended = mended(bytes, format);
    let file = File {
        bytes: mended.as_deref().unwrap_or(bytes),
        format,
        name,
        limits,
    };
    let outcome = quietly_caught(|| file.decode());
    outcome.unwrap_or_else(|_| Err(file.damaged("its decoder gave up")))
}

/// The size of a photo before it is turned, and what turns it, as [`decode_photo`] would; `None` where
/// that would fail before the pixels.
pub(super) fn stored_size_of(bytes: &[u8]) -> Option<StoredSize> {
    let format = format_of(bytes)?;
    let mended = mended(bytes, format);
    let file = File {
        bytes: mended.as_deref().unwrap_or(bytes),
        format,
        name: "",
        limits: PhotoLimits::default(),
    };
    quietly_caught(|| file.stored_size()).ok().flatten()
}

fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    let format = match tiff::is_big(bytes) {
        true => Some(ImageFormat::Tiff),
        false => image::guess_format(bytes).ok(),
    };
    format.filter(ImageFormat::reading_enabled)
}

fn mended(bytes: &[u8], format: ImageFormat) -> Option<Vec<u8>> {
    match format {
        ImageFormat::Png => metadata::mended_png(bytes),
        _ => None,
    }
}

/// A file whose kind is known.
struct File<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    name: &'a str,
    limits: PhotoLimits,
}

/// Pixels as they are stored.
enum Stored {
    Image(DynamicImage),
    /// Colours already multiplied with the alpha channel.
    Premultiplied(DynamicImage),
    /// Four inks a pixel, 255 is none of one; width and height.
    InvertedInks(Vec<u8>, u32, u32),
}

impl File<'_> {
    fn decode(&self) -> Result<Photo, PhotoError> {
        let (stored, metadata, written) = match self.format {
            ImageFormat::Jpeg => self.jpeg()?,
            _ => self.other()?,
        };
        let exif = metadata.exif.and_then(facts::exif);
        let orientation = exif.as_ref().map(facts::orientation).or(written);
        let mut known = exif.as_ref().map(facts::facts).unwrap_or_default();
        let (rgb, colours) = in_srgb(stored, metadata.profile, metadata.other_colours);
        known.extend(colours);
        Ok(Photo {
            rgb: upright(rgb, orientation.unwrap_or(Orientation::NoTransforms)),
            format: self.format,
            facts: known,
        })
    }

    fn stored_size(&self) -> Option<StoredSize> {
        let (width, height, metadata, written) = match self.format {
            ImageFormat::Jpeg => {
                let jpeg = Jpeg::new(self.bytes).ok()?;
                let (width, height) = jpeg.size().ok()?;
                (width, height, of_jpeg(&jpeg), None)
            }
            _ => {
                let mut decoder = self.decoder().ok()?;
                let (width, height) = decoder.dimensions();
                (width, height, self.metadata(), self.written(&mut decoder))
            }
        };
        let exif = metadata.exif.and_then(facts::exif);
        let orientation = exif.as_ref().map(facts::orientation).or(written);
        (width > 0 && height > 0).then_some(StoredSize {
            width,
            height,
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
        })
    }

    /// What stands beside the pixels of a file that is no JPEG.
    fn metadata(&self) -> Metadata {
        match self.format {
            ImageFormat::Png => metadata::of_png(self.bytes),
            ImageFormat::WebP => metadata::of_webp(self.bytes),
            _ => Metadata::default(),
        }
    }

    /// An orientation that is not in EXIF.
    fn written(&self, decoder: &mut impl ImageDecoder) -> Option<Orientation> {
        // Damaged metadata is no reason to refuse good pixels.
        match self.format {
            ImageFormat::Tiff => decoder.orientation().ok(),
            _ => None,
        }
    }

    fn jpeg(&self) -> Result<(Stored, Metadata, Option<Orientation>), PhotoError> {
        let fault = |fault| self.jpeg_fault(fault);
        let jpeg = Jpeg::new(self.bytes).map_err(fault)?;
        let (width, height) = jpeg.size().map_err(fault)?;
        self.check_size(width, height, jpeg.decoding_bytes().map_err(fault)?)?;
        let (channels, pixels) = jpeg.decode(self.bytes).map_err(fault)?;
        let image = match channels {
            Channels::Grey => GrayImage::from_raw(width, height, pixels).map(Into::into),
            Channels::Rgb => RgbImage::from_raw(width, height, pixels).map(Into::into),
            Channels::InvertedCmyk => {
                let metadata = of_jpeg(&jpeg);
                return Ok((Stored::InvertedInks(pixels, width, height), metadata, None));
            }
        };
        let image: DynamicImage = image.ok_or_else(|| self.damaged("its decoder gave up"))?;
        Ok((Stored::Image(image), of_jpeg(&jpeg), None))
    }

    /// The pixels, what stands beside them, and an orientation that is not in EXIF.
    fn other(&self) -> Result<(Stored, Metadata, Option<Orientation>), PhotoError> {
        let mut metadata = self.metadata();
        let mut samples = tiff::Samples::default();
        if self.format == ImageFormat::Tiff {
            samples = tiff::samples(self.bytes).map_err(|why| self.unsupported(why))?;
            metadata.profile = samples.profile.take().map(Ok);
            let own = "a curve or primaries of its own";
            metadata.other_colours = samples.other_colours.then(|| own.to_owned());
        }
        let explain = |error| match error {
            ImageError::Unsupported(_) if !samples.description.is_empty() => {
                self.unsupported(samples.description.clone())
            }
            error => self.explain(error),
        };
        let mut decoder = self.decoder().map_err(explain)?;
        let (width, height) = decoder.dimensions();
        self.check_size(width, height, decoder.total_bytes())?;
        let written = self.written(&mut decoder);
        if metadata.profile.is_none() && metadata.other_colours.is_none() {
            metadata.profile = decoder.icc_profile().ok().flatten().map(Ok);
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(explain)?;
        tiff::check_range(&decoded).map_err(|why| self.unsupported(why))?;
        let stored = match samples.premultiplied {
            true => Stored::Premultiplied(decoded),
            false => Stored::Image(decoded),
        };
        Ok((stored, metadata, written))
    }

    fn decoder(&self) -> Result<impl ImageDecoder, ImageError> {
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes), self.format);
        // The side is checked elsewhere, where the message can say how large the photo is.
        let mut limits = Limits::no_limits();
        // Once for the pixels, once for what they are made of.
        limits.max_alloc = Some(self.allowed().saturating_mul(2));
        reader.limits(limits);
        reader.into_decoder()
    }

    /// Bytes that the decoder may allocate for the pixels.
    fn allowed(&self) -> u64 {
        let by_file = (self.bytes.len() as u64).saturating_mul(ALLOWED_FOR_A_BYTE);
        by_file
            .saturating_add(ALLOWED)
            .min(self.limits.decoder_bytes)
    }

    fn check_size(&self, width: u32, height: u32, decoding: u64) -> Result<(), PhotoError> {
        let name = self.name.to_owned();
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.limits.pixels || width.max(height) > self.limits.side {
            let limit = self.limits.pixels;
            return Err(PhotoError::TooManyPixels {
                name,
                width,
                height,
                limit,
            });
        }
        if pixels == 0 {
            return Err(self.damaged("it has no pixels"));
        }
        if decoding > self.limits.decoder_bytes {
            return Err(PhotoError::TooMuchMemory { name });
        }
        if decoding > self.allowed() {
            return Err(PhotoError::TooFewBytes {
                name,
                bytes: self.bytes.len(),
                width,
                height,
            });
        }
        Ok(())
    }

    fn damaged(&self, why: impl Into<String>) -> PhotoError {
        PhotoError::Damaged {
            name: self.name.to_owned(),
            kind: kind_name(self.format),
            why: why.into(),
        }
    }

    fn unsupported(&self, why: impl Into<String>) -> PhotoError {
        PhotoError::UnsupportedFeature {
            name: self.name.to_owned(),
            kind: kind_name(self.format),
            why: why.into(),
        }
    }

    fn truncated(&self, percent: Option<u8>) -> PhotoError {
        PhotoError::Truncated {
            name: self.name.to_owned(),
            kind: kind_name(self.format),
            read: match percent {
                Some(percent) => format!("only {percent} % of it could be read"),
                None => "the file ends before the photo does".to_owned(),
            },
        }
    }

    fn jpeg_fault(&self, fault: Fault) -> PhotoError {
        match fault {
            Fault::Unsupported(why) => self.unsupported(why),
            Fault::Damaged(why) => self.damaged(why),
            Fault::Incomplete(percent) => self.truncated(Some(percent)),
        }
    }

    fn explain(&self, error: ImageError) -> PhotoError {
        match error {
            ImageError::Limits(limit) => match limit.kind() {
                LimitErrorKind::InsufficientMemory => PhotoError::TooMuchMemory {
                    name: self.name.to_owned(),
                },
                _ => self.damaged(limit.to_string()),
            },
            ImageError::Unsupported(error) => self.unsupported(error.to_string()),
            error if ends_early(&error) => {
                self.truncated(self.rows_read().or_else(|| self.share_there()))
            }
            error => match self.rows_read() {
                Some(percent) => self.damaged(format!("{error}, only {percent} % could be read")),
                None => match self.share_there() {
                    Some(percent) => self.truncated(Some(percent)),
                    None => self.damaged(error.to_string()),
                },
            },
        }
    }

    /// How much of the file is there, in per cent, where its header tells its length.
    fn share_there(&self) -> Option<u8> {
        let there = self.bytes.len() as u64;
        let needed = match self.format {
            ImageFormat::WebP => {
                let length = self.bytes.get(4..8)?.try_into().ok()?;
                u64::from(u32::from_le_bytes(length)) + 8
            }
            // One byte or two for every sample, and a short header.
            ImageFormat::Pnm => self.decoder().ok()?.total_bytes(),
            ImageFormat::Tiff => tiff::end_of_pixels(self.bytes)?,
            _ => return None,
        };
        (there < needed).then(|| (100 * there / needed) as u8)
    }

    /// How many rows of a damaged photo its decoder gets to, in per cent; nothing where that cannot
    /// be told.
    fn rows_read(&self) -> Option<u8> {
        /// What decoders leave where they wrote nothing.
        const UNTOUCHED: u8 = 0xa5;
        let decoder = self.decoder().ok()?;
        let (width, height) = decoder.dimensions();
        self.check_size(width, height, decoder.total_bytes()).ok()?;
        let mut pixels = vec![UNTOUCHED; usize::try_from(decoder.total_bytes()).ok()?];
        // It fails again; how far it came is what is asked.
        _ = decoder.read_image(&mut pixels);
        let mut rows = pixels.chunks_exact(pixels.len() / height as usize);
        let count = rows.len();
        let read = rows
            .by_ref()
            .filter(|row| row.iter().any(|byte| *byte != UNTOUCHED))
            .count();
        (read > 0 && read < count).then(|| (100 * read / count) as u8)
    }
}

fn of_jpeg(jpeg: &Jpeg<'_>) -> Metadata {
    Metadata {
        exif: jpeg.exif.map(<[u8]>::to_vec),
        profile: jpeg.profile(),
        other_colours: None,
    }
}

/// The pixels in sRGB, and what is to be said about their colours.
fn in_srgb(
    stored: Stored,
    icc: Option<Result<Vec<u8>, &'static str>>,
    other: Option<String>,
) -> (RgbImage, Option<PhotoFact>) {
    let (mut rgb, is_grey) = match stored {
        Stored::Image(image) => {
            let is_grey = !image.color().has_color();
            (opaque(image, false), is_grey)
        }
        Stored::Premultiplied(image) => (opaque(image, true), false),
        Stored::InvertedInks(inks, width, height) => return inks_in_srgb(inks, width, height, icc),
    };
    let done = match icc {
        None => {
            return (
                rgb,
                other.map(|what| caution(&format!("{what} is not applied"))),
            );
        }
        Some(Err(why)) => Profile::Unusable(why.to_owned()),
        Some(Ok(icc)) if is_grey => colour::grey_to_srgb(&mut rgb, &icc),
        Some(Ok(icc)) => colour::rgb_to_srgb(&mut rgb, &icc),
    };
    (rgb, said(done))
}

fn inks_in_srgb(
    inverted: Vec<u8>,
    width: u32,
    height: u32,
    icc: Option<Result<Vec<u8>, &'static str>>,
) -> (RgbImage, Option<PhotoFact>) {
    let converted = match icc {
        None => None,
        Some(Err(why)) => Some(Err(Profile::Unusable(why.to_owned()))),
        Some(Ok(icc)) => {
            let inks: Vec<u8> = inverted.iter().map(|value| 255 - value).collect();
            Some(colour::cmyk_to_srgb(&inks, &icc))
        }
    };
    let (pixels, done) = match converted {
        Some(Ok((pixels, done))) => (Some(pixels), Some(done)),
        Some(Err(done)) => (None, Some(done)),
        None => (None, None),
    };
    let pixels = pixels.unwrap_or_else(|| {
        let (inks, _) = inverted.as_chunks::<4>();
        let through = |[c, m, y, k]: &[u8; 4]| {
            [c, m, y].map(|ink| ((u32::from(*ink) * u32::from(*k) + 127) / 255) as u8)
        };
        inks.iter().flat_map(through).collect()
    });
    let rgb = RgbImage::from_raw(width, height, pixels).unwrap_or_default();
    (rgb, done.and_then(said))
}

fn said(done: Profile) -> Option<PhotoFact> {
    match done {
        Profile::Srgb => None,
        Profile::Converted(from) => Some(PhotoFact {
            name: "Colours",
            value: format!("converted from {from}"),
            is_caution: false,
        }),
        Profile::Unusable(why) => Some(caution(&format!("its profile is not applied ({why})"))),
    }
}

fn caution(why: &str) -> PhotoFact {
    PhotoFact {
        name: "Colours",
        value: format!("taken as sRGB: {why}"),
        is_caution: true,
    }
}

/// Three channels of 8 bits: 16-bit values scaled, grey tripled, transparency laid over white.
fn opaque(decoded: DynamicImage, premultiplied: bool) -> RgbImage {
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
            let share = if premultiplied { 255 } else { alpha };
            for (value, &colour) in over.iter_mut().zip(pixel) {
                let mixed = u32::from(colour) * share + 255 * (255 - alpha);
                *value = ((mixed + 127) / 255).min(255) as u8;
            }
        });
    rgb
}

/// Whether the end of the file was met somewhere below `error`.
fn ends_early(error: &ImageError) -> bool {
    // Its own text, not its cause's.
    if let ImageError::IoError(error) = error {
        return error.kind() == std::io::ErrorKind::UnexpectedEof;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_is_laid_over_white() {
        let pixels = vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128];
        let image = image::RgbaImage::from_raw(3, 1, pixels).unwrap();
        let over = opaque(DynamicImage::ImageRgba8(image), false).into_raw();
        assert_eq!(over, [10, 20, 30, 255, 255, 255, 127, 177, 255]);
    }

    #[test]
    fn colours_multiplied_with_alpha_are_laid_over_white() {
        let pixels = vec![10, 20, 30, 255, 0, 0, 0, 0, 0, 50, 128, 128];
        let image = image::RgbaImage::from_raw(3, 1, pixels).unwrap();
        let over = opaque(DynamicImage::ImageRgba8(image), true).into_raw();
        assert_eq!(over, [10, 20, 30, 255, 255, 255, 127, 177, 255]);
    }
}
