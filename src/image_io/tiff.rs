//! What a TIFF's tags say that its decoder passes over.

use std::io::Cursor;

use image::DynamicImage;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

/// Bytes of tags that are read at most.
const MOST_TAGS: usize = 1 << 20;

/// How the samples of a TIFF are to be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Samples {
    /// Colours are already multiplied with the alpha channel.
    pub premultiplied: bool,
    /// Colours that are told without a profile and are not applied.
    pub other_colours: bool,
}

/// Reads the tags of the first picture.
///
/// # Errors
/// What of them the decoder would pass over and read wrongly.
pub(super) fn samples(file: &[u8]) -> Result<Samples, String> {
    let mut limits = Limits::default();
    limits.ifd_value_size = MOST_TAGS;
    // What is wrong with the structure the decoder tells better.
    let Ok(decoder) = Decoder::new(Cursor::new(file)) else {
        return Ok(Samples::default());
    };
    let mut decoder = decoder.with_limits(limits);
    let mut first = |tag: u16| -> Option<u64> {
        let value = decoder.find_tag(Tag::from_u16_exhaustive(tag)).ok()??;
        value.into_u64_vec().ok()?.first().copied()
    };
    if first(254).is_some_and(|kind| kind & 1 == 1) {
        return Err("its first picture is a small preview, as in a camera's raw file".to_owned());
    }
    if first(266) == Some(2) {
        return Err("bits in reversed order".to_owned());
    }
    if first(262) == Some(5) && first(332).is_some_and(|inks| inks != 1) {
        return Err("inks that are not CMYK".to_owned());
    }
    Ok(Samples {
        premultiplied: first(338) == Some(1),
        other_colours: decoder
            .find_tag(Tag::from_u16_exhaustive(301))
            .is_ok_and(|t| t.is_some())
            || decoder
                .find_tag(Tag::from_u16_exhaustive(319))
                .is_ok_and(|t| t.is_some()),
    })
}

/// Refuses floating-point samples outside 0 to 1: what is white in them the file does not say.
pub(super) fn check_range(decoded: &DynamicImage) -> Result<(), String> {
    let samples = match decoded {
        DynamicImage::ImageRgb32F(pixels) => pixels.as_raw(),
        DynamicImage::ImageRgba32F(pixels) => pixels.as_raw(),
        _ => return Ok(()),
    };
    const ROUNDING: f32 = 1e-3;
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for &value in samples {
        if value.is_nan() {
            return Err("samples that are no numbers".to_owned());
        }
        (least, most) = (least.min(value), most.max(value));
    }
    if least < -ROUNDING || most > 1.0 + ROUNDING {
        return Err(format!(
            "floating-point samples from {least} to {most}, where 0 is black and 1 is white"
        ));
    }
    Ok(())
}
