//! Lays a map's colours over a photo.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::colour_map::ColourMap;
use super::interpolation::{Field, Interpolation};
use super::scale::Scale;
use crate::backbone::Covered;
use crate::engine::Grid;
use crate::image_io::resize_bicubic;

/// How a map is laid over its photo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverlayStyle {
    pub colour_map: ColourMap,
    /// How much the strongest values cover the photo, 0 to 1. Weaker values cover less, down to
    /// nothing at the scale's low end (for differences: at zero), so what is ordinary shows the
    /// photo.
    pub opacity: f32,
    pub interpolation: Interpolation,
    /// Values below it, in the scale's unit, are not coloured (for differences: values nearer
    /// to zero).
    pub threshold: Option<f32>,
    /// Draw contour lines at [`Scale::contour_levels`].
    pub contours: bool,
    /// Outline the regions that the score is made of.
    pub marks: bool,
    /// How much of the photo's own colour is taken away, 0 to 1, so that it does not compete with
    /// the map's.
    pub calm: f32,
}

impl Default for OverlayStyle {
    fn default() -> Self {
        Self {
            colour_map: ColourMap::default(),
            opacity: 0.85,
            interpolation: Interpolation::default(),
            threshold: None,
            contours: false,
            marks: false,
            calm: 0.6,
        }
    }
}

/// The share of the opacity that a strength of 0 to 1 gets: a smooth step that is nothing up to
/// 0.1 (0.5 σ on the default scale) and all of it from 0.6 (3 σ) on.
fn coverage(strength: f32) -> f32 {
    let t = ((strength - 0.1) / 0.5).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A colour already multiplied by its opacity, and what is left for the photo; sums of 255.
#[derive(Clone, Copy)]
struct Ink {
    colour: [u32; 3],
    rest: u32,
}

impl Ink {
    const NONE: Self = Self {
        colour: [0; 3],
        rest: 255,
    };

    fn over(self, below: [u32; 3]) -> [u8; 3] {
        // Adding 128 and the sum's own 256th makes the shift an exact rounded division by 255.
        std::array::from_fn(|c| {
            let sum = self.colour[c] + below[c] * self.rest + 128;
            ((sum + (sum >> 8)) >> 8) as u8
        })
    }
}

/// The inks of 256 positions along a scale, so that a pixel costs one look-up.
struct Inks {
    inks: [Ink; 256],
    low: f32,
    /// Steps of the table in one unit of the scale.
    steps: f32,
    threshold: f32,
    difference: bool,
}

impl Inks {
    fn new(scale: &Scale, style: &OverlayStyle) -> Self {
        let inks = std::array::from_fn(|i| {
            let position = i as f32 / 255.0;
            let share = style.opacity.clamp(0.0, 1.0) * coverage(scale.strength(position));
            let alpha = (share * 255.0).round() as u32;
            Ink {
                colour: style
                    .colour_map
                    .colour(position)
                    .map(|c| u32::from(c) * alpha),
                rest: 255 - alpha,
            }
        });
        let steps = 255.0 / (scale.high - scale.low);
        Self {
            inks,
            low: scale.low,
            steps: if steps.is_finite() { steps } else { 0.0 },
            threshold: style.threshold.unwrap_or(f32::NEG_INFINITY),
            difference: scale.difference,
        }
    }

    /// The ink of a value; none for values below the threshold or that are not numbers.
    fn at(&self, value: f32) -> Ink {
        let size = if self.difference { value.abs() } else { value };
        if size >= self.threshold {
            // The conversion saturates, so values beyond the ends get the ink of the end.
            let step = ((value - self.low) * self.steps + 0.5) as u8;
            self.inks[usize::from(step)]
        } else {
            Ink::NONE
        }
    }
}

/// The picture of one panel: `photo` (already at the panel's size in pixels) with the colours of
/// `values` over the part of it that `covered` names.
///
/// `values` are `grid.regions()` numbers row by row in the unit of `scale`; with any other number
/// of them only the photo is painted. Lines are not part of the picture: see
/// [`super::contour::contour_lines`] and [`super::contour::region_outlines`].
pub fn overlay(
    photo: &RgbImage,
    grid: Grid,
    covered: Covered,
    values: &[f32],
    scale: &Scale,
    style: &OverlayStyle,
) -> RgbImage {
    let (width, height) = photo.dimensions();
    let inks = Inks::new(scale, style);
    let calm = (style.calm.clamp(0.0, 1.0) * 256.0).round() as u32;
    let field = Field {
        grid,
        covered,
        values,
        interpolation: style.interpolation,
    };
    let mut painted = RgbImage::new(width, height);
    let row_bytes = 3 * width as usize;
    field.for_each_row(width as usize, height as usize, |y, row| {
        let bytes = y * row_bytes..(y + 1) * row_bytes;
        let (Some(from), Some(to)) = (photo.get(bytes.clone()), painted.get_mut(bytes)) else {
            return;
        };
        for ((from, to), value) in from.chunks_exact(3).zip(to.chunks_exact_mut(3)).zip(row) {
            let ink = inks.at(*value);
            to.copy_from_slice(&ink.over(calmed([from[0], from[1], from[2]], calm)));
        }
    });
    painted
}

/// A colour moved towards the grey of its luma by `calm` of 256.
fn calmed(colour: [u8; 3], calm: u32) -> [u32; 3] {
    let colour = colour.map(u32::from);
    let luma = (77 * colour[0] + 150 * colour[1] + 29 * colour[2]) >> 8;
    colour.map(|c| (c * (256 - calm) + luma * calm + 128) >> 8)
}

/// The colour bar from the scale's low end (left) to its high end, painted as [`overlay`] paints:
/// over `below`, so that it fades where the map lets the photo through.
pub fn colour_bar(
    width: u32,
    height: u32,
    scale: &Scale,
    style: &OverlayStyle,
    below: [u8; 3],
) -> RgbImage {
    let inks = Inks::new(scale, style);
    RgbImage::from_fn(width, height, |x, _| {
        let position = (x as f32 + 0.5) / width as f32;
        let value = scale.low + position * (scale.high - scale.low);
        let ink = inks.at(value);
        image::Rgb(ink.over(below.map(u32::from)))
    })
}

/// The photo scaled to a panel of `width` by `height` pixels, for [`overlay`].
pub fn panel_photo(photo: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (width, height) = (width.max(1), height.max(1));
    if photo.dimensions() == (width, height) {
        return photo.clone();
    }
    resize_bicubic(photo, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid {
        rows: 2,
        columns: 4,
    };

    fn plain_photo() -> RgbImage {
        RgbImage::from_pixel(80, 40, image::Rgb([90, 120, 60]))
    }

    fn paint(covered: Covered, values: &[f32], style: &OverlayStyle) -> RgbImage {
        overlay(&plain_photo(), GRID, covered, values, &Scale::SIGMA, style)
    }

    fn nearest() -> OverlayStyle {
        OverlayStyle {
            interpolation: Interpolation::Nearest,
            opacity: 1.0,
            calm: 0.0,
            ..OverlayStyle::default()
        }
    }

    /// The rectangle of pixels that differ from the photo: x0, y0, x1, y1.
    fn changed(painted: &RgbImage) -> Option<[u32; 4]> {
        painted
            .enumerate_pixels()
            .filter(|(x, y, pixel)| *pixel != plain_photo().get_pixel(*x, *y))
            .map(|(x, y, _)| [x, y, x + 1, y + 1])
            .reduce(|a, b| {
                [
                    a[0].min(b[0]),
                    a[1].min(b[1]),
                    a[2].max(b[2]),
                    a[3].max(b[3]),
                ]
            })
    }

    #[test]
    fn a_hot_region_lights_its_place_and_nothing_else() {
        let mut values = [0.0; 8];
        values[6] = 5.0; // row 1, column 2
        let painted = paint(Covered::WHOLE, &values, &nearest());
        assert_eq!(changed(&painted), Some([40, 20, 60, 40]));
        assert_eq!(painted.get_pixel(50, 30).0, ColourMap::Viridis.colour(1.0));
    }

    #[test]
    fn regions_lie_within_the_covered_part() {
        let mut values = [0.0; 8];
        values[1] = 5.0; // row 0, column 1
        let covered = Covered {
            x0: 0.25,
            y0: 0.5,
            x1: 0.75,
            y1: 1.0,
        };
        let painted = paint(covered, &values, &nearest());
        assert_eq!(changed(&painted), Some([30, 20, 40, 30]));
        assert_eq!(
            changed(&paint(covered, &[5.0; 8], &nearest())),
            Some([20, 20, 60, 40])
        );
    }

    #[test]
    fn what_is_ordinary_shows_the_photo() {
        assert_eq!(changed(&paint(Covered::WHOLE, &[0.4; 8], &nearest())), None);
        let transparent = OverlayStyle {
            opacity: 0.0,
            ..nearest()
        };
        assert_eq!(
            changed(&paint(Covered::WHOLE, &[5.0; 8], &transparent)),
            None
        );
    }

    #[test]
    fn calming_takes_the_photos_colour_away_and_keeps_its_luma() {
        let style = OverlayStyle {
            calm: 1.0,
            ..nearest()
        };
        let [red, green, blue] = paint(Covered::WHOLE, &[0.0; 8], &style).get_pixel(3, 3).0;
        assert!(red == green && green == blue);
        assert_eq!(red, ((77 * 90 + 150 * 120 + 29 * 60) >> 8) as u8);
    }

    #[test]
    fn values_below_the_threshold_stay_uncoloured() {
        let mut values = [3.0; 8];
        values[0] = 4.0;
        let style = OverlayStyle {
            threshold: Some(3.5),
            ..nearest()
        };
        assert_eq!(
            changed(&paint(Covered::WHOLE, &values, &style)),
            Some([0, 0, 20, 20])
        );
    }

    #[test]
    fn differences_are_plain_at_zero_and_coloured_on_both_sides() {
        let style = OverlayStyle {
            colour_map: ColourMap::Diverging,
            ..nearest()
        };
        let values = [0.0, -9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let scale = Scale::DIFFERENCE;
        let painted = overlay(
            &plain_photo(),
            GRID,
            Covered::WHOLE,
            &values,
            &scale,
            &style,
        );
        assert_eq!(painted.get_pixel(5, 5), plain_photo().get_pixel(5, 5));
        assert_eq!(painted.get_pixel(30, 5).0, ColourMap::Diverging.colour(0.0));
        assert_eq!(painted.get_pixel(50, 5).0, ColourMap::Diverging.colour(1.0));
    }

    #[test]
    fn values_that_are_not_numbers_or_too_few_leave_the_photo() {
        assert_eq!(
            changed(&paint(Covered::WHOLE, &[f32::NAN; 8], &nearest())),
            None
        );
        assert_eq!(changed(&paint(Covered::WHOLE, &[5.0; 7], &nearest())), None);
    }

    #[test]
    fn the_colour_bar_fades_as_the_map_does() {
        let bar = colour_bar(100, 2, &Scale::SIGMA, &nearest(), [255; 3]);
        assert_eq!(bar.get_pixel(0, 0).0, [255; 3]);
        let end = bar.get_pixel(99, 1).0;
        let expected = ColourMap::Viridis.colour(0.995);
        assert!((0..3).all(|c| end[c].abs_diff(expected[c]) <= 2));
    }
}
