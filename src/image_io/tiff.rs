//! What a TIFF's tags say that its decoder passes over.

use std::io::Cursor;

use image::DynamicImage;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

/// Bytes of tags that are read at most.
const MOST_TAGS: usize = 64 << 20;

/// How the samples of a TIFF are to be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Samples {
    /// Colours are already multiplied with the alpha channel.
    pub premultiplied: bool,
    /// Colours that are told without a profile and are not applied.
    pub other_colours: bool,
    pub profile: Option<Vec<u8>>,
    /// What the samples are, for people.
    pub description: String,
}

/// Whether a file is a TIFF with 64-bit offsets.
pub(super) fn is_big(file: &[u8]) -> bool {
    file.starts_with(b"II+\0") || file.starts_with(b"MM\0+")
}

/// Reads the tags of the first picture.
///
/// # Errors
/// What of them the decoder would pass over and read wrongly.
pub(super) fn samples(file: &[u8]) -> Result<Samples, String> {
    let mut limits = Limits::default();
    limits.ifd_value_size = MOST_TAGS.min(file.len().saturating_mul(64));
    // What is wrong with the structure the decoder tells better.
    let Ok(decoder) = Decoder::new(Cursor::new(file)) else {
        return Ok(Samples::default());
    };
    let mut decoder = decoder.with_limits(limits);
    let mut all = |tag: u16| -> Vec<u64> {
        let value = decoder.find_tag(Tag::from_u16_exhaustive(tag));
        let value = value
            .ok()
            .flatten()
            .and_then(|value| value.into_u64_vec().ok());
        value.unwrap_or_default()
    };
    let mut first = |tag: u16, default: u64| all(tag).first().copied().unwrap_or(default);
    let (bits, format) = (first(258, 1), first(339, 1));
    let (photometric, planes) = (first(262, 0), first(284, 1) == 2);
    let refused = [
        (
            first(254, 0) & 1 == 1,
            "its first picture is a small preview, as in a camera's raw file",
        ),
        (first(266, 1) == 2, "bits in reversed order"),
        (
            photometric == 5 && first(332, 1) != 1,
            "inks that are not CMYK",
        ),
        (format == 1 && bits > 16, "integers of more than 16 bits"),
        (planes && first(322, 0) > 0, "tiles of single colour planes"),
    ];
    if let Some((_, why)) = refused.iter().find(|(refused, _)| *refused) {
        return Err((*why).to_owned());
    }
    let description = describe(photometric, first(277, 1), bits, format);
    let extra = all(338);
    if extra.iter().skip(1).any(|kind| matches!(kind, 1 | 2)) {
        return Err("transparency behind other extra samples".to_owned());
    }
    let bytes = all(34_675);
    let profile: Vec<u8> = bytes
        .iter()
        .filter_map(|byte| u8::try_from(*byte).ok())
        .collect();
    Ok(Samples {
        premultiplied: extra.first() == Some(&1),
        profile: (!profile.is_empty()).then_some(profile),
        other_colours: !all(301).is_empty()
            || decoder
                .find_tag(Tag::from_u16_exhaustive(319))
                .is_ok_and(|tag| tag.is_some()),
        description,
    })
}

/// Where the last of the pixels' data ends, as the tags say.
pub(super) fn end_of_pixels(file: &[u8]) -> Option<u64> {
    let mut decoder = Decoder::new(Cursor::new(file)).ok()?;
    let mut all = |tag: u16| -> Option<Vec<u64>> {
        let value = decoder.find_tag(Tag::from_u16_exhaustive(tag)).ok()??;
        value.into_u64_vec().ok()
    };
    // Strips, else tiles.
    let starts = all(273).or_else(|| all(324))?;
    let lengths = all(279).or_else(|| all(325))?;
    let ends = starts
        .iter()
        .zip(&lengths)
        .map(|(start, length)| start.saturating_add(*length));
    ends.max()
}

fn describe(photometric: u64, samples: u64, bits: u64, format: u64) -> String {
    let colours = match photometric {
        0 | 1 => "grey",
        2 => "RGB",
        3 => "palette",
        4 => "mask",
        5 => "CMYK",
        6 => "YCbCr",
        8..=10 => "CIELab",
        _ => "other colours",
    };
    let numbers = match format {
        1 => "whole numbers",
        2 => "signed numbers",
        3 => "floating-point numbers",
        _ => "numbers of another kind",
    };
    format!("{colours}, {samples} samples a pixel, {numbers} of {bits} bits")
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
