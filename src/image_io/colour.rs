//! Colour profiles: a photo's own colours → sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformOptions};
use rayon::prelude::*;

use crate::files::one_line;
use crate::panics::quietly_caught;

/// Pixels that are converted at a time.
const PIECE: usize = 1 << 14;
/// Levels by which a conversion may differ from none at all and still be rounding.
const ROUNDING: u8 = 1;
/// Most characters of a profile's name that are kept.
const LONGEST_NAME: usize = 60;

/// What was done about a photo's profile.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// It is sRGB in effect: the pixels were left alone.
    Srgb,
    /// The pixels were converted from this.
    Converted(String),
    /// The pixels were left alone for this reason.
    Unusable(String),
}

/// Converts RGB, in place.
pub(super) fn rgb_to_srgb(pixels: &mut [u8], icc: &[u8]) -> Profile {
    to_srgb(pixels, icc, DataColorSpace::Rgb)
}

/// Converts grey that already has three equal channels, in place.
pub(super) fn grey_to_srgb(pixels: &mut [u8], icc: &[u8]) -> Profile {
    to_srgb(pixels, icc, DataColorSpace::Gray)
}

/// Inks (255 is full) → sRGB, where the profile is one of inks.
pub(super) fn cmyk_to_srgb(inks: &[u8], icc: &[u8]) -> Result<(Vec<u8>, Profile), Profile> {
    let mut pixels = vec![0; inks.len() / 4 * 3];
    let outcome = quietly_caught(|| {
        let profile = read(icc)?;
        fits(&profile, DataColorSpace::Cmyk)?;
        let transform = transform(&profile, Layout::Rgba)?;
        pixels
            .par_chunks_mut(PIECE * 3)
            .zip(inks.par_chunks(PIECE * 4))
            .try_for_each(|(to, from)| transform.transform(from, to))
            .map_err(|error| error.to_string())?;
        Ok(Profile::Converted(name(&profile)))
    });
    let done = outcome.unwrap_or_else(Err).map_err(Profile::Unusable)?;
    Ok((pixels, done))
}

fn to_srgb(pixels: &mut [u8], icc: &[u8], space: DataColorSpace) -> Profile {
    let outcome = quietly_caught(|| {
        let profile = read(icc)?;
        fits(&profile, space)?;
        let grey = space == DataColorSpace::Gray;
        let transform = transform(&profile, if grey { Layout::Gray } else { Layout::Rgb })?;
        let convert = |piece: &mut [u8]| {
            let from: Vec<u8> = match grey {
                true => piece.iter().step_by(3).copied().collect(),
                false => piece.to_vec(),
            };
            transform
                .transform(&from, piece)
                .map_err(|error| error.to_string())
        };
        let samples = samples(grey);
        let mut converted = samples.clone();
        convert(&mut converted)?;
        let mut pairs = samples.iter().zip(&converted);
        if pairs.all(|(before, after)| before.abs_diff(*after) <= ROUNDING) {
            return Ok(Profile::Srgb);
        }
        pixels.par_chunks_mut(PIECE * 3).try_for_each(convert)?;
        Ok(Profile::Converted(name(&profile)))
    });
    outcome
        .unwrap_or_else(Err)
        .unwrap_or_else(Profile::Unusable)
}

fn read(icc: &[u8]) -> Result<ColorProfile, String> {
    ColorProfile::new_from_slice(icc).map_err(|error| format!("it cannot be read: {error}"))
}

fn fits(profile: &ColorProfile, space: DataColorSpace) -> Result<(), String> {
    let called = |space| match space {
        DataColorSpace::Rgb => "RGB",
        DataColorSpace::Gray => "grey",
        DataColorSpace::Cmyk => "CMYK",
        _ => "other",
    };
    if profile.color_space == space {
        return Ok(());
    }
    let (found, wanted) = (called(profile.color_space), called(space));
    Err(format!("it is for {found} pixels, these are {wanted}"))
}

fn transform(
    profile: &ColorProfile,
    layout: Layout,
) -> Result<std::sync::Arc<moxcms::Transform8BitExecutor>, String> {
    let options = TransformOptions::default();
    profile
        .create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options)
        .map_err(|error| format!("it cannot be applied: {error}"))
}

/// Colours all over the cube, or all greys.
fn samples(grey: bool) -> Vec<u8> {
    if grey {
        return (0..=255).flat_map(|value| [value; 3]).collect();
    }
    const STEPS: usize = 16;
    let level = |index: usize| (index * 255 / STEPS) as u8;
    let side = STEPS + 1;
    (0..side * side * side)
        .flat_map(|i| [i / (side * side), i / side % side, i % side].map(level))
        .collect()
}

fn name(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.clone(),
        Some(ProfileText::Localizable(texts)) => texts
            .first()
            .map(|text| text.value.clone())
            .unwrap_or_default(),
        Some(ProfileText::Description(text)) => text.ascii_string.clone(),
        None => String::new(),
    };
    let text = one_line(&text.trim_matches(['\0', ' '])).to_string();
    match text.is_empty() {
        true => "a profile without a name".to_owned(),
        false => text.chars().take(LONGEST_NAME).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srgb_leaves_pixels_alone_and_a_wider_one_does_not() {
        let mut pixels = [200, 30, 40, 10, 120, 250];
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        assert_eq!(rgb_to_srgb(&mut pixels, &srgb), Profile::Srgb);
        assert_eq!(pixels, [200, 30, 40, 10, 120, 250]);
        let mut wide = ColorProfile::new_display_p3();
        // A name is no evidence.
        wide.description = Some(ProfileText::PlainString("sRGB IEC61966-2.1".to_owned()));
        let done = rgb_to_srgb(&mut pixels, &wide.encode().unwrap());
        assert!(matches!(done, Profile::Converted(_)), "{done:?}");
        // By Display P3's definition.
        assert!(pixels[0] > 215 && pixels[1] < 10, "{pixels:?}");
    }

    #[test]
    fn grey_curves_are_applied() {
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let mut pixels = [55, 55, 55];
        let done = grey_to_srgb(&mut pixels, &linear);
        assert!(matches!(done, Profile::Converted(_)), "{done:?}");
        assert!(
            pixels.iter().all(|value| value.abs_diff(128) <= 1),
            "{pixels:?}"
        );
    }

    #[test]
    fn a_profile_that_does_not_fit_or_is_none_changes_nothing() {
        let srgb = ColorProfile::new_srgb().encode().unwrap();
        let mut pixels = [55, 55, 55];
        for icc in [&srgb[..], &srgb[..100], b"nonsense"] {
            let done = grey_to_srgb(&mut pixels, icc);
            assert!(matches!(done, Profile::Unusable(_)), "{done:?}");
        }
        assert!(cmyk_to_srgb(&[0; 4], &srgb).is_err());
        assert_eq!(pixels, [55; 3]);
    }
}
