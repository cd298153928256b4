//! Photos opened for the network and for the eye.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use image::RgbImage;

use super::EngineError;
use super::messages::{PhotoSource, ShownPhoto, StageTime};
use super::samples;
use super::true_labels::true_labels;
use crate::backbone::Covered;
use crate::image_io::{
    self, NetworkInput, PhotoFact, PhotoLimits, decode_photo, open_photo, resize_bicubic,
};

/// A photo as the network takes it and as the window shows it.
#[derive(Debug)]
pub struct PreparedPhoto {
    pub photo: Arc<ShownPhoto>,
    /// The photo as the network takes it, `[S, S, 3]`.
    pub pixels: Vec<u8>,
    /// The part of it that the network sees.
    pub covered: Covered,
    /// `decode` and `resize`.
    pub times: Vec<StageTime>,
}

/// What tells whether a photo is still the one that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhotoStamp {
    source: PhotoSource,
    length: u64,
    modified: Option<SystemTime>,
}

impl PhotoStamp {
    /// Looks at the file's length and time of change; neither opens it.
    pub fn of(source: &PhotoSource) -> Self {
        let metadata = source.path().and_then(|path| std::fs::metadata(path).ok());
        Self {
            source: source.clone(),
            length: metadata.as_ref().map_or(0, std::fs::Metadata::len),
            modified: metadata.and_then(|metadata| metadata.modified().ok()),
        }
    }
}

/// A photo's own pixels, upright, with what the file says of it.
fn decode(source: &PhotoSource) -> Result<image_io::Photo, EngineError> {
    Ok(match source {
        PhotoSource::File(path) => open_photo(path, PhotoLimits::default())?,
        PhotoSource::Sample(name) => {
            let bytes =
                samples::bytes(name).ok_or_else(|| EngineError::NoSample((*name).to_owned()))?;
            decode_photo(bytes, name, PhotoLimits::default())?
        }
    })
}

/// Opens a photo and brings it to the network's input.
///
/// # Errors
/// A photo that cannot be read, in one line that names it.
pub fn prepare(source: &PhotoSource, input: NetworkInput) -> Result<PreparedPhoto, EngineError> {
    prepare_for(source, input, true)
}

/// As [`prepare`], for answers without a picture: what would be shown is the network's own square
/// input, whatever part of the photo that is, and no list is searched for the photo's labels.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_unshown(
    source: &PhotoSource,
    input: NetworkInput,
) -> Result<PreparedPhoto, EngineError> {
    prepare_for(source, input, false)
}

fn prepare_for(
    source: &PhotoSource,
    input: NetworkInput,
    shown: bool,
) -> Result<PreparedPhoto, EngineError> {
    let start = Instant::now();
    let image_io::Photo {
        rgb, format, facts, ..
    } = decode(source)?;
    let format = PhotoFact {
        name: "Format",
        value: format!("{format:?}").to_uppercase(),
        is_caution: false,
    };
    let decoded = Instant::now();
    let pixels = input.pixels(&rgb);
    let covered = Covered::from(input.covered(rgb.width(), rgb.height()));
    let resized = Instant::now();
    let time = |stage: &str, from: Instant, to: Instant| StageTime {
        stage: stage.to_owned(),
        milliseconds: (to - from).as_secs_f64() * 1e3,
        cached: false,
    };
    Ok(PreparedPhoto {
        photo: Arc::new(ShownPhoto {
            source: source.clone(),
            size: [rgb.width() as usize, rgb.height() as usize],
            shown: match shown {
                true => at_most(rgb, ShownPhoto::LONGEST_SHOWN),
                false => pixels.clone(),
            },
            facts: std::iter::once(format).chain(facts).collect(),
            true_labels: source.path().filter(|_| shown).and_then(true_labels),
        }),
        pixels: pixels.into_raw(),
        covered,
        times: vec![
            time("decode", start, decoded),
            time("resize", decoded, resized),
        ],
    })
}

/// A small picture of a photo, at most `side` pixels wide and high.
pub fn thumbnail(source: &PhotoSource, side: u32) -> Result<RgbImage, EngineError> {
    Ok(at_most(decode(source)?.rgb, side))
}

/// `rgb` scaled down so that its longer side is at most `side`; smaller ones stay as they are.
fn at_most(rgb: RgbImage, side: u32) -> RgbImage {
    let (width, height) = rgb.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return rgb;
    }
    let scaled = |length: u32| {
        let exact = f64::from(length) * f64::from(side) / f64::from(longest);
        (exact.round() as u32).max(1)
    };
    resize_bicubic(&rgb, scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_io::{Framing, Interpolation};

    #[test]
    fn shown_photos_keep_their_shape_and_are_never_enlarged() {
        assert_eq!(
            at_most(RgbImage::new(3000, 10), 1000).dimensions(),
            (1000, 3)
        );
        assert_eq!(at_most(RgbImage::new(9000, 1), 100).dimensions(), (100, 1));
        assert_eq!(at_most(RgbImage::new(40, 30), 100).dimensions(), (40, 30));
    }

    #[test]
    fn every_sample_opens() {
        for name in samples::names() {
            let input = NetworkInput {
                side: 64,
                interpolation: Interpolation::Bicubic,
                framing: Framing::Squash,
            };
            let photo = prepare(&PhotoSource::Sample(name), input).expect(name);
            assert_eq!(photo.covered, Covered::WHOLE);
            assert_eq!(photo.pixels.len(), 64 * 64 * 3);
        }
    }
}
