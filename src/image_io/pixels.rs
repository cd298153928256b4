//! Pixels as a file stores them → opaque RGB in sRGB.

use super::colour::{self, Profile};
use super::facts::PhotoFact;
use image::{DynamicImage, RgbImage};
use rayon::prelude::*;

/// Pixels as they are stored.
pub(super) enum Stored {
    Image(DynamicImage),
    /// Colours already multiplied with the alpha channel.
    Premultiplied(DynamicImage),
    /// Four inks a pixel, 255 is none of one; width and height.
    InvertedInks(Vec<u8>, u32, u32),
}

/// The pixels in sRGB, and what is to be said about their colours.
pub(super) fn in_srgb(
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
                other.map(|what| not_srgb(&format!("{what} is not applied"))),
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
        Profile::Unusable(why) => Some(not_srgb(&format!("its profile is not applied ({why})"))),
    }
}

fn not_srgb(why: &str) -> PhotoFact {
    caution("Colours", format!("taken as sRGB: {why}"))
}

/// Something that can change what a network sees.
pub(super) fn caution(name: &'static str, value: String) -> PhotoFact {
    PhotoFact {
        name,
        value,
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
