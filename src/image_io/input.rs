//! From a photo of any size to the square input of a network.

use image::RgbImage;

use super::resize::{Axis, Interpolation, resize};

/// Which part of a photo a network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// All of it, squashed to a square.
    #[default]
    Squash,
    /// The square in its middle, with its aspect kept: the shorter side becomes the input's and the
    /// longer one is cut, as torchvision's `Resize(side)` and `CenterCrop(side)` do.
    CentreCrop,
}

impl Framing {
    /// Whether it is what is meant where nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a network takes and how photos are brought to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkInput {
    /// Side of the square in pixels.
    pub side: u32,
    pub interpolation: Interpolation,
    pub framing: Framing,
}

impl NetworkInput {
    /// The photo as the network takes it, `[side, side, 3]`.
    pub fn pixels(&self, photo: &RgbImage) -> RgbImage {
        let [columns, rows] = self.axes(photo.width(), photo.height());
        resize(photo, self.interpolation, &columns, &rows)
    }

    /// The part of a photo of `width` x `height` pixels that the network sees: left, top, right and
    /// bottom as fractions.
    pub fn covered(&self, width: u32, height: u32) -> [f32; 4] {
        let [columns, rows] = self.axes(width, height);
        let fraction = |axis: &Axis, place: u32| f64::from(place) / f64::from(axis.whole.max(1));
        [
            fraction(&columns, columns.kept.start),
            fraction(&rows, rows.kept.start),
            fraction(&columns, columns.kept.end),
            fraction(&rows, rows.kept.end),
        ]
        .map(|fraction| fraction as f32)
    }

    fn axes(&self, width: u32, height: u32) -> [Axis; 2] {
        let shorter = width.min(height).max(1);
        [width, height].map(|length| match self.framing {
            Framing::Squash => Axis::whole(self.side),
            Framing::CentreCrop => {
                let scaled = u64::from(self.side) * u64::from(length) / u64::from(shorter);
                let whole = u32::try_from(scaled).unwrap_or(u32::MAX).max(self.side);
                // Python rounds a half to the even neighbour.
                let start = (f64::from(whole - self.side) / 2.0).round_ties_even() as u32;
                Axis {
                    whole,
                    kept: start..start + self.side,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(framing: Framing) -> NetworkInput {
        NetworkInput {
            side: 224,
            interpolation: Interpolation::Bilinear,
            framing,
        }
    }

    #[test]
    fn the_covered_part_is_where_the_crop_was() {
        assert_eq!(
            input(Framing::Squash).covered(600, 400),
            [0.0, 0.0, 1.0, 1.0]
        );
        // 336 x 224, of which columns 56 to 280 are kept.
        assert_eq!(
            input(Framing::CentreCrop).covered(600, 400),
            [1.0 / 6.0, 0.0, 5.0 / 6.0, 1.0]
        );
        // 224 x 225: half a pixel goes to the even side.
        let [_, top, _, bottom] = input(Framing::CentreCrop).covered(2240, 2250);
        assert_eq!((top, bottom), (0.0, 224.0 / 225.0));
    }

    #[test]
    fn a_strip_is_cut_without_being_enlarged_whole() {
        let strip = RgbImage::from_pixel(60_000, 1, image::Rgb([7, 8, 9]));
        let pixels = input(Framing::CentreCrop).pixels(&strip);
        assert_eq!(pixels.dimensions(), (224, 224));
        assert!(pixels.pixels().all(|pixel| pixel.0 == [7, 8, 9]));
    }
}
