//! The size of a photo as its file stores it, and how far the file turns it, without its pixels.

use std::io::Read as _;
use std::path::Path;

use image::ImageFormat;
use image::metadata::Orientation;

use super::PhotoLimits;
use super::decode::stored_size_of;
use crate::files::{open_regular, read_bounded};

/// So much of a JPEG has everything that comes before its pixels, but for the largest thumbnails.
const HEAD: u64 = 256 << 10;

/// A photo as its file stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSize {
    /// Pixels before the photo is turned.
    pub width: u32,
    pub height: u32,
    /// What turns it upright.
    pub orientation: Orientation,
}

impl StoredSize {
    /// Width and height of the upright photo.
    pub fn upright(&self) -> (u32, u32) {
        match self.orientation {
            Orientation::NoTransforms
            | Orientation::FlipHorizontal
            | Orientation::FlipVertical
            | Orientation::Rotate180 => (self.width, self.height),
            Orientation::Rotate90
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270
            | Orientation::Rotate270FlipH => (self.height, self.width),
        }
    }

    /// A rectangle of the stored photo on the upright one: x0, y0, x1, y1, fractions of width and
    /// height both.
    pub fn turned(&self, [x0, y0, x1, y1]: [f64; 4]) -> [f64; 4] {
        let [first, second] = [(x0, y0), (x1, y1)].map(|(x, y)| match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (1.0 - x, y),
            Orientation::Rotate180 => (1.0 - x, 1.0 - y),
            Orientation::FlipVertical => (x, 1.0 - y),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (1.0 - y, x),
            Orientation::Rotate270FlipH => (1.0 - y, 1.0 - x),
            Orientation::Rotate270 => (y, 1.0 - x),
        });
        [
            first.0.min(second.0),
            first.1.min(second.1),
            first.0.max(second.0),
            first.1.max(second.1),
        ]
    }
}

/// Reads the head of a photo; `None` for what is no photo that can be read, which
/// [`super::open_photo`] explains.
pub fn stored_size(path: &Path) -> Option<StoredSize> {
    let (file, _) = open_regular(path).ok()?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let is_jpeg = image::guess_format(&head).ok()? == ImageFormat::Jpeg;
    let of_head = is_jpeg.then(|| stored_size_of(&head)).flatten();
    of_head.or_else(|| {
        let whole = read_bounded(path, PhotoLimits::default().file_bytes);
        stored_size_of(&whole.ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_io::orient::upright;
    use image::{Rgb, RgbImage};

    #[test]
    fn rectangles_turn_as_pixels_do() {
        // One bright pixel, of 5 x 3.
        let stored = RgbImage::from_fn(5, 3, |x, y| Rgb([u8::from((x, y) == (1, 2)); 3]));
        let around = |x: u32, y: u32, (width, height): (u32, u32)| {
            [(x, width), (y, height), (x + 1, width), (y + 1, height)]
                .map(|(at, side)| f64::from(at) / f64::from(side))
        };
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let size = StoredSize {
                width: 5,
                height: 3,
                orientation,
            };
            let photo = upright(stored.clone(), orientation);
            assert_eq!(photo.dimensions(), size.upright(), "{exif}");
            let bright = photo.enumerate_pixels().find(|(_, _, pixel)| pixel[0] == 1);
            let (x, y, _) = bright.unwrap();
            let turned = size.turned(around(1, 2, (5, 3)));
            let expected = around(x, y, size.upright());
            let off = turned.iter().zip(expected).map(|(a, b)| (a - b).abs());
            assert!(
                off.fold(0.0, f64::max) < 1e-12,
                "{exif}: {turned:?} {expected:?}"
            );
        }
    }

    #[test]
    fn what_is_no_photo_has_no_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        assert_eq!(stored_size(&path), None);
        std::fs::write(&path, "a photo").unwrap();
        assert_eq!(stored_size(&path), None);
        std::fs::write(&path, b"\xff\xd8\xff\xe0").unwrap();
        assert_eq!(stored_size(&path), None);
        let stored = RgbImage::new(7, 4);
        for name in ["a.png", "a.jpg", "a.bmp", "a.tiff"] {
            let path = folder.path().join(name);
            stored.save(&path).unwrap();
            let size = stored_size(&path).unwrap();
            assert_eq!((size.width, size.height), (7, 4), "{name}");
            assert_eq!(size.orientation, Orientation::NoTransforms);
        }
    }
}
