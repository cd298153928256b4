//! From a file's bytes to upright RGB pixels.

use super::facts::{self, PhotoFact};
use super::fault::Fault;
use super::jpeg::{Channels, Jpeg};
use super::kind::{kind_by_signature, kind_name};
use super::metadata::{self, Metadata};
use super::orient::upright;
use super::pixels::{Stored, caution, in_srgb};
use super::stored::StoredSize;
use super::tiff::{self, Tiff};
use super::{Photo, PhotoError, PhotoLimits, bmp};
use crate::files::read_bounded;
use crate::panics::quietly_caught;
use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use std::borrow::Cow;
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
    let mut file = File {
        bytes,
        format,
        name,
        limits,
    };
    let mended = file.mended()?;
    file.bytes = mended.as_deref().unwrap_or(bytes);
    let outcome = quietly_caught(|| file.decode());
    outcome.unwrap_or_else(|_| Err(file.damaged("its decoder gave up")))
}

/// The size of a photo before it is turned, and what turns it, as [`decode_photo`] would; `None` where
/// that would fail before the pixels.
pub(super) fn stored_size_of(bytes: &[u8]) -> Option<StoredSize> {
    let format = format_of(bytes)?;
    let mut file = File {
        bytes,
        format,
        name: "",
        limits: PhotoLimits::default(),
    };
    let mended = file.mended().ok()?;
    file.bytes = mended.as_deref().unwrap_or(bytes);
    quietly_caught(|| file.stored_size()).ok().flatten()
}

fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    let format = match tiff::is_big(bytes) {
        true => Some(ImageFormat::Tiff),
        false => image::guess_format(bytes).ok(),
    };
    format.filter(ImageFormat::reading_enabled)
}

/// A file whose kind is known.
struct File<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    name: &'a str,
    limits: PhotoLimits,
}

impl File<'_> {
    /// The file with what its decoder misses or reads wrongly; nothing where it may stay as it is.
    fn mended(&self) -> Result<Option<Vec<u8>>, PhotoError> {
        match self.format {
            ImageFormat::Png => Ok(metadata::mended_png(self.bytes)),
            ImageFormat::Bmp => {
                let unpacked = bmp::unpacked(self.bytes, self.allowed());
                unpacked.transpose().map_err(|fault| self.fault(fault))
            }
            _ => Ok(None),
        }
    }

    fn decode(&self) -> Result<Photo, PhotoError> {
        let mut said = None;
        let (stored, metadata, written) = match self.format {
            ImageFormat::Jpeg => self.jpeg()?,
            ImageFormat::Tiff => self.tiff(&mut said)?,
            _ => self.other()?,
        };
        let exif = metadata.exif.and_then(facts::exif);
        let orientation = exif.as_ref().and_then(facts::orientation);
        let orientation = orientation.or(written).or(metadata.described);
        let mut known = exif.as_ref().map(facts::facts).unwrap_or_default();
        let (rgb, colours) = in_srgb(stored, metadata.profile, metadata.other_colours);
        known.extend(colours);
        known.extend(said);
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
            ImageFormat::Tiff => {
                let tiff = Tiff::new(self.bytes).ok()?;
                let (width, height) = tiff.size().ok()?;
                (width, height, of_tiff(&tiff), tiff.orientation)
            }
            _ => {
                let (width, height) = self.decoder().ok()?.dimensions();
                (width, height, self.metadata(), None)
            }
        };
        let exif = metadata.exif.and_then(facts::exif);
        let orientation = exif.as_ref().and_then(facts::orientation);
        let orientation = orientation.or(written).or(metadata.described);
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

    fn jpeg(&self) -> Result<(Stored, Metadata, Option<Orientation>), PhotoError> {
        let fault = |fault| self.fault(fault);
        let jpeg = Jpeg::new(self.bytes).map_err(fault)?;
        let (width, height) = jpeg.size().map_err(fault)?;
        self.check_size(width, height, jpeg.decoding_bytes().map_err(fault)?)?;
        let (channels, pixels) = jpeg.decode().map_err(fault)?;
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
    fn tiff(
        &self,
        said: &mut Option<PhotoFact>,
    ) -> Result<(Stored, Metadata, Option<Orientation>), PhotoError> {
        let fault = |fault| self.fault(fault);
        let tiff = Tiff::new(self.bytes).map_err(fault)?;
        let (width, height) = tiff.size().map_err(fault)?;
        self.check_size(width, height, tiff.decoding_bytes())?;
        let stored = tiff.decode(self.allowed()).map_err(fault)?;
        *said = tiff
            .caution()
            .map(|what| caution("Palette", what.to_owned()));
        Ok((stored, of_tiff(&tiff), tiff.orientation))
    }

    fn other(&self) -> Result<(Stored, Metadata, Option<Orientation>), PhotoError> {
        let mut metadata = self.metadata();
        if metadata.is_cut {
            return Err(self.truncated(self.share_there()));
        }
        let mut decoder = self.decoder().map_err(|error| self.explain(error))?;
        let (width, height) = decoder.dimensions();
        self.check_size(width, height, decoder.total_bytes())?;
        if metadata.profile.is_none() && metadata.other_colours.is_none() {
            metadata.profile = decoder.icc_profile().ok().flatten().map(Ok);
        }
        let decoded = DynamicImage::from_decoder(decoder).map_err(|error| self.explain(error))?;
        Ok((Stored::Image(decoded), metadata, None))
    }

    fn decoder(&self) -> Result<impl ImageDecoder, ImageError> {
        let bytes = match self.format {
            ImageFormat::Png => metadata::bare_png(self.bytes),
            _ => Cow::Borrowed(self.bytes),
        };
        let mut reader = ImageReader::with_format(Cursor::new(bytes), self.format);
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

    fn fault(&self, fault: Fault) -> PhotoError {
        match fault {
            Fault::Unsupported(why) => self.unsupported(why),
            Fault::Damaged(why) => self.damaged(why),
            Fault::Incomplete(percent) => self.truncated(percent),
            Fault::TooMuchMemory => PhotoError::TooMuchMemory {
                name: self.name.to_owned(),
            },
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

fn of_tiff(tiff: &Tiff<'_>) -> Metadata {
    let own = "a curve or primaries of its own";
    Metadata {
        exif: None,
        described: tiff.xmp.as_deref().and_then(metadata::orientation_in_xmp),
        profile: tiff.profile.clone(),
        other_colours: tiff.other_colours.then(|| own.to_owned()),
        is_cut: false,
    }
}

fn of_jpeg(jpeg: &Jpeg<'_>) -> Metadata {
    Metadata {
        described: jpeg.xmp.and_then(metadata::orientation_in_xmp),
        exif: jpeg.exif.map(<[u8]>::to_vec),
        profile: jpeg.profile(),
        other_colours: None,
        is_cut: false,
    }
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
