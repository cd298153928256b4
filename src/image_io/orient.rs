//! Turns pixels upright as the EXIF orientation asks.

use image::RgbImage;
use image::metadata::Orientation;
use rayon::prelude::*;

const CHANNELS: usize = 3;
/// Side of the squares turned at a time: small enough that the rows of one, stored or upright, stay
/// in the cache however they are walked.
const BAND: usize = 32;

/// The photo turned and mirrored so that its top is up.
pub(super) fn upright(stored: RgbImage, orientation: Orientation) -> RgbImage {
    let (width, height) = (stored.width() as usize, stored.height() as usize);
    // Where the pixel at (x, y) of the upright photo, of upright width w and height h, is stored.
    match orientation {
        Orientation::NoTransforms => stored,
        Orientation::FlipHorizontal => turned(&stored, width, height, |x, y| (width - 1 - x, y)),
        Orientation::Rotate180 => turned(&stored, width, height, |x, y| {
            (width - 1 - x, height - 1 - y)
        }),
        Orientation::FlipVertical => turned(&stored, width, height, |x, y| (x, height - 1 - y)),
        Orientation::Rotate90FlipH => turned(&stored, height, width, |x, y| (y, x)),
        Orientation::Rotate90 => turned(&stored, height, width, |x, y| (y, height - 1 - x)),
        Orientation::Rotate270FlipH => turned(&stored, height, width, |x, y| {
            (width - 1 - y, height - 1 - x)
        }),
        Orientation::Rotate270 => turned(&stored, height, width, |x, y| (width - 1 - y, x)),
    }
}

/// A photo of `width` x `height` whose pixel (x, y) is the stored one at `source(x, y)`.
fn turned(
    stored: &RgbImage,
    width: usize,
    height: usize,
    source: impl Fn(usize, usize) -> (usize, usize) + Sync,
) -> RgbImage {
    let stride = stored.width() as usize;
    let (from, _) = stored.as_raw().as_chunks::<CHANNELS>();
    let mut upright = RgbImage::new(width as u32, height as u32);
    let (pixels, _) = upright.as_chunks_mut::<CHANNELS>();
    pixels
        .par_chunks_mut(BAND * width)
        .enumerate()
        .for_each(|(band, rows)| {
            for first in (0..width).step_by(BAND) {
                let columns = first..width.min(first + BAND);
                for (row, line) in rows.chunks_exact_mut(width).enumerate() {
                    for (x, pixel) in columns.clone().zip(&mut line[columns.clone()]) {
                        let (column, stored_row) = source(x, band * BAND + row);
                        *pixel = from[stored_row * stride + column];
                    }
                }
            }
        });
    upright
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::DynamicImage;

    #[test]
    fn agrees_with_the_image_crate_in_all_orientations() {
        let stored = RgbImage::from_fn(19, 37, |x, y| image::Rgb([x as u8, y as u8, 7]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut expected = DynamicImage::ImageRgb8(stored.clone());
            expected.apply_orientation(orientation);
            let found = upright(stored.clone(), orientation);
            assert_eq!(found, expected.into_rgb8(), "orientation {exif}");
        }
    }
}
