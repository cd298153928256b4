//! Parts of a photo, in fractions of it and in its pixels.

use egui::{Pos2, Rect, pos2};
use image::RgbImage;

use crate::backbone::Covered;

/// The whole photo, in fractions of it.
pub const WHOLE: Rect = Rect {
    min: pos2(0.0, 0.0),
    max: pos2(1.0, 1.0),
};

/// Whether `part` lies in `whole`, but for rounding.
pub fn covers(whole: Rect, part: Rect) -> bool {
    whole.expand(1e-4).contains_rect(part)
}

/// `part` in fractions of `whole`.
pub fn within(part: Rect, whole: Rect) -> Rect {
    let at = |corner: Pos2| ((corner - whole.min) / whole.size()).to_pos2();
    Rect::from_min_max(at(part.min), at(part.max))
}

/// Where a grid that covers this of the photo lies in a part of the photo.
pub fn seen_in(covered: Covered, part: Rect) -> Covered {
    let corners = [pos2(covered.x0, covered.y0), pos2(covered.x1, covered.y1)];
    let seen = within(Rect::from_min_max(corners[0], corners[1]), part);
    Covered {
        x0: seen.left(),
        y0: seen.top(),
        x1: seen.right(),
        y1: seen.bottom(),
    }
}

/// The least whole pixels of `photo` that have all of `part`: left, top, right, bottom.
fn in_pixels(part: Rect, photo: &RgbImage) -> [u32; 4] {
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    // What is a thousandth of a pixel over is rounding.
    let from = |place: f32, count: f32| (place * count + 1e-3).floor().clamp(0.0, count) as u32;
    let to = |place: f32, count: f32| (place * count - 1e-3).ceil().clamp(0.0, count) as u32;
    [
        from(part.left(), width),
        from(part.top(), height),
        to(part.right(), width),
        to(part.bottom(), height),
    ]
}

/// The pixels of `photo` that have all of `part`.
pub fn cut(photo: &RgbImage, part: Rect) -> RgbImage {
    let [x, y, right, bottom] = in_pixels(part, photo);
    let (across, down) = ((right - x).max(1), (bottom - y).max(1));
    image::imageops::crop_imm(photo, x, y, across, down).to_image()
}

/// `part` grown to whole pixels of `photo`.
pub fn whole_pixels(part: Rect, photo: &RgbImage) -> Rect {
    let [x, y, right, bottom] = in_pixels(part, photo).map(|pixel| pixel as f32);
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    Rect::from_min_max(
        pos2(x / width, y / height),
        pos2(right / width, bottom / height),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magnified_part_is_cut_at_whole_pixels_around_it() {
        let photo = RgbImage::new(100, 50);
        let part = Rect::from_min_max(pos2(0.253, 0.5), pos2(0.502, 0.749));
        let cut = whole_pixels(part, &photo);
        assert_eq!(in_pixels(cut, &photo), [25, 25, 51, 38]);
        assert!(covers(cut, part) && !covers(part, cut));
        assert_eq!(whole_pixels(WHOLE, &photo), WHOLE);
    }

    #[test]
    fn the_grid_lies_in_a_part_where_it_lies_in_the_photo() {
        let part = Rect::from_min_max(pos2(0.5, 0.25), pos2(1.0, 0.75));
        let seen = seen_in(Covered::WHOLE, part);
        assert_eq!([seen.x0, seen.y0, seen.x1, seen.y1], [-1.0, -0.5, 1.0, 1.5]);
    }
}
