//! From boxes in pixels to fractions of the upright photo.
//!
//! A list of boxes has the width and height of the photo that they were drawn on. Where EXIF turns
//! the photo these say whether that was the upright photo or the one that is stored. Where both are
//! of one size (mirrored, upside down, square) the set's other turned photos say it.

use std::path::PathBuf;

use rayon::prelude::*;

use super::LabelledBox;
use super::builder::clipped_box;
use super::faults::Faults;
use crate::files::shown;
use crate::image_io::{StoredSize, stored_size};

/// Pixels by which a box may reach over the edge of its photo without a word.
const SLACK: f64 = 1.0;

const AREA: &str = "a box without an area (its label counts, the box is left out)";
const OUTSIDE: &str = "a box that lies outside its photo (its label counts, the box is left out)";
const CUT: &str = "a box that reaches over the edge of its photo (cut off there)";
const TURNED: &str =
    "a photo that EXIF turns, with boxes in stored pixels (they were turned with it)";
const LIKE_OTHERS: &str = "a photo that EXIF turns and whose listed size does not say whether its \
                           boxes are in upright or in stored pixels (taken as in the others)";
const UNTOLD: &str = "a photo that EXIF turns, of which nothing says whether its boxes are in upright \
                      or in stored pixels (its labels count, its boxes are left out)";
const UNFIT: &str = "a photo whose listed width and height fit neither the upright photo nor its \
                     stored pixels (its labels count, its boxes are left out)";
const UNSIZED: &str = "a photo without a listed width and height, which cannot be read either (its \
                       labels count, its boxes are left out)";
const OWN_SIZE: &str =
    "a photo with boxes and without a listed width and height (its own were taken)";

/// A box as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PixelBox {
    /// Place in the set's labels.
    pub label: u32,
    /// x0, y0, x1, y1, finite.
    pub corners: [f64; 4],
    /// Where it is listed, for the report: the number of an annotation or of a line.
    pub place: usize,
}

/// The boxes of a photo.
#[derive(Clone, Debug, Default)]
pub(super) struct PixelBoxes {
    /// Width and height of the photo that the boxes were drawn on, at least 1.
    pub listed: Option<[f64; 2]>,
    pub boxes: Vec<PixelBox>,
}

/// Which photo the boxes were drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrawnOn {
    Upright,
    Stored,
    /// Either; the photo is turned.
    Either,
    Neither,
    /// Nothing is known of the photo.
    Unsized,
}

/// The boxes of each photo as fractions of it, upright. `place` says where a photo's box is listed.
pub(super) fn on_upright_photos(
    photos: &[(PathBuf, PixelBoxes)],
    place: impl Fn(usize, usize) -> String,
    faults: &mut Faults,
) -> Vec<Vec<LabelledBox>> {
    let stored: Vec<Option<StoredSize>> = photos
        .par_iter()
        .map(|(path, listed)| match listed.boxes.is_empty() {
            true => None,
            false => stored_size(path),
        })
        .collect();
    let drawn: Vec<DrawnOn> = photos
        .iter()
        .zip(&stored)
        .map(|((_, boxes), stored)| drawn_on(boxes.listed, *stored))
        .collect();
    let others = told_by_others(&drawn, &stored);
    let mut placed = Vec::with_capacity(photos.len());
    for (photo, (path, boxes)) in photos.iter().enumerate() {
        // Boxes of a photo that is not there go with it.
        if boxes.boxes.is_empty() || !path.is_file() {
            placed.push(Vec::new());
            continue;
        }
        let frame = frame(drawn[photo], stored[photo], boxes.listed, others, |what| {
            faults.add(what, || shown(path));
        });
        let place = |number| place(photo, number);
        placed.push(match frame {
            Some(frame) => frame.boxes(&boxes.boxes, place, faults),
            None => Vec::new(),
        });
    }
    placed
}

/// Photos with boxes that are fractions already, of nobody knows which photo where EXIF turns it:
/// those of turned photos are left out.
pub(super) fn on_unturned_photos(
    photos: Vec<(PathBuf, Vec<LabelledBox>)>,
    faults: &mut Faults,
) -> Vec<(PathBuf, Vec<LabelledBox>)> {
    let is_turned = |(path, boxes): &(PathBuf, Vec<LabelledBox>)| {
        !boxes.is_empty() && stored_size(path).is_some_and(is_turned)
    };
    let turned: Vec<bool> = photos.par_iter().map(is_turned).collect();
    let mut photos = photos;
    for ((path, boxes), _) in photos.iter_mut().zip(turned).filter(|(_, turned)| *turned) {
        boxes.clear();
        faults.add(UNTOLD, || shown(path));
    }
    photos
}

fn is_turned(size: StoredSize) -> bool {
    size.orientation != image::metadata::Orientation::NoTransforms
}

/// Sizes that are equal, or one a scaled copy of the other.
fn alike([width, height]: [f64; 2], (w, h): (u32, u32)) -> bool {
    let (w, h) = (f64::from(w), f64::from(h));
    (width * h / w - height).abs() <= SLACK || (height * w / h - width).abs() <= SLACK
}

fn drawn_on(listed: Option<[f64; 2]>, stored: Option<StoredSize>) -> DrawnOn {
    let Some(size) = stored else {
        return listed.map_or(DrawnOn::Unsized, |_| DrawnOn::Upright);
    };
    let is_turned = is_turned(size);
    let Some(listed) = listed else {
        return match is_turned {
            true => DrawnOn::Either,
            false => DrawnOn::Upright,
        };
    };
    let is = |(w, h): (u32, u32)| listed == [f64::from(w), f64::from(h)];
    let (upright, as_stored) = (size.upright(), (size.width, size.height));
    let fits = match (is(upright), is(as_stored)) {
        (false, false) => (alike(listed, upright), alike(listed, as_stored)),
        exactly => exactly,
    };
    match (fits, is_turned) {
        ((false, false), _) => DrawnOn::Neither,
        (_, false) | ((true, false), true) => DrawnOn::Upright,
        ((false, true), true) => DrawnOn::Stored,
        ((true, true), true) => DrawnOn::Either,
    }
}

/// What all turned photos of the set that say it were drawn on.
fn told_by_others(drawn: &[DrawnOn], stored: &[Option<StoredSize>]) -> Option<DrawnOn> {
    let mut told = drawn
        .iter()
        .zip(stored)
        .filter(|(drawn, size)| {
            let turned = size.is_some_and(|size| size.upright() != (size.width, size.height));
            turned && matches!(drawn, DrawnOn::Upright | DrawnOn::Stored)
        })
        .map(|(drawn, _)| *drawn);
    let first = told.next()?;
    told.all(|other| other == first).then_some(first)
}

/// The photo that boxes were drawn on.
struct Frame {
    size: [f64; 2],
    /// What turns it upright, where it is the stored one.
    turned: Option<StoredSize>,
}

/// The photo that boxes were drawn on; `None` where nothing says which.
fn frame(
    drawn: DrawnOn,
    stored: Option<StoredSize>,
    listed: Option<[f64; 2]>,
    others: Option<DrawnOn>,
    mut fault: impl FnMut(&'static str),
) -> Option<Frame> {
    let drawn = match (drawn, others) {
        (DrawnOn::Either, Some(others)) => {
            fault(LIKE_OTHERS);
            others
        }
        (DrawnOn::Either, None) => {
            fault(UNTOLD);
            return None;
        }
        (DrawnOn::Neither, _) => {
            fault(UNFIT);
            return None;
        }
        (drawn, _) => drawn,
    };
    let own = stored.map(|size| match drawn {
        DrawnOn::Stored => (size.width, size.height),
        _ => size.upright(),
    });
    let own = own.map(|(width, height)| [f64::from(width), f64::from(height)]);
    let Some(size) = listed.or(own) else {
        fault(UNSIZED);
        return None;
    };
    if listed.is_none() {
        fault(OWN_SIZE);
    }
    let turned = stored.filter(|_| drawn == DrawnOn::Stored);
    if turned.is_some() {
        fault(TURNED);
    }
    Some(Frame { size, turned })
}

impl Frame {
    fn boxes(
        &self,
        boxes: &[PixelBox],
        place: impl Fn(usize) -> String,
        faults: &mut Faults,
    ) -> Vec<LabelledBox> {
        let mut placed = Vec::with_capacity(boxes.len());
        for listed in boxes {
            let mut fault = |what| faults.add(what, || place(listed.place));
            let [x0, y0, x1, y1] = listed.corners;
            if !(x1 > x0 && y1 > y0) {
                fault(AREA);
                continue;
            }
            let [width, height] = self.size;
            if x0.min(y0) < -SLACK || x1 > width + SLACK || y1 > height + SLACK {
                fault(
                    match x1 <= 0.0 || y1 <= 0.0 || x0 >= width || y0 >= height {
                        true => OUTSIDE,
                        false => CUT,
                    },
                );
            }
            let fractions = [x0 / width, y0 / height, x1 / width, y1 / height];
            let fractions = match self.turned {
                Some(size) => size.turned(fractions),
                None => fractions,
            };
            placed.extend(clipped_box(listed.label, fractions.map(|at| at as f32)));
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::metadata::Orientation;

    fn photo(width: u32, height: u32, exif: u8) -> Option<StoredSize> {
        Some(StoredSize {
            width,
            height,
            orientation: Orientation::from_exif(exif).unwrap(),
        })
    }

    #[test]
    fn the_listed_size_says_which_photo_was_drawn_on() {
        use DrawnOn::*;
        for (listed, stored, expected) in [
            (Some([320.0, 213.0]), photo(320, 213, 1), Upright),
            (Some([213.0, 320.0]), photo(320, 213, 1), Neither),
            (Some([320.0, 213.0]), photo(320, 213, 6), Stored),
            (Some([213.0, 320.0]), photo(320, 213, 6), Upright),
            // Scaled copies, with sides in whole pixels.
            (Some([500.0, 333.0]), photo(320, 213, 6), Stored),
            (Some([333.0, 500.0]), photo(320, 213, 8), Upright),
            (Some([500.0, 400.0]), photo(320, 213, 6), Neither),
            (Some([500.0, 400.0]), photo(320, 213, 1), Neither),
            // Sides that differ by one pixel still say it.
            (Some([100.0, 99.0]), photo(100, 99, 6), Stored),
            (Some([99.0, 100.0]), photo(100, 99, 6), Upright),
            (Some([100.0, 100.0]), photo(100, 100, 6), Either),
            (Some([320.0, 213.0]), photo(320, 213, 2), Either),
            (Some([320.0, 213.0]), photo(320, 213, 3), Either),
            (Some([320.0, 213.0]), photo(320, 213, 4), Either),
            (Some([320.0, 213.0]), photo(320, 213, 5), Stored),
            (Some([320.0, 213.0]), photo(320, 213, 7), Stored),
            (Some([320.0, 213.0]), photo(320, 213, 8), Stored),
            (None, photo(320, 213, 6), Either),
            (None, photo(320, 213, 1), Upright),
            (Some([320.0, 213.0]), None, Upright),
            (None, None, Unsized),
        ] {
            assert_eq!(drawn_on(listed, stored), expected, "{listed:?} {stored:?}");
        }
    }

    #[test]
    fn photos_that_do_not_say_it_are_as_the_others() {
        use DrawnOn::*;
        let turned = photo(320, 213, 6);
        let told = |drawn: &[DrawnOn]| told_by_others(drawn, &vec![turned; drawn.len()]);
        assert_eq!(told(&[Stored, Either, Stored]), Some(Stored));
        assert_eq!(told(&[Stored, Upright]), None);
        assert_eq!(told(&[Either, Neither]), None);
        // An ordinary photo says nothing of turned ones.
        assert_eq!(told_by_others(&[Upright], &[photo(320, 213, 1)]), None);
        let mut said = Vec::new();
        let frame = frame(Either, photo(9, 9, 3), None, Some(Stored), |what| {
            said.push(what)
        });
        assert!(frame.unwrap().turned.is_some());
        assert_eq!(said, [LIKE_OTHERS, OWN_SIZE, TURNED]);
    }

    #[test]
    fn boxes_are_cut_or_left_out_and_told() {
        let frame = Frame {
            size: [100.0, 50.0],
            turned: None,
        };
        let mut faults = Faults::default();
        let boxed = |place, corners| PixelBox {
            label: 1,
            corners,
            place,
        };
        let boxes = [
            boxed(1, [10.0, 10.0, 60.0, 20.0]),
            boxed(2, [-0.5, 0.0, 100.9, 50.0]),
            boxed(3, [-20.0, 0.0, 50.0, 50.0]),
            boxed(4, [10.0, 10.0, 10.0, 20.0]),
            boxed(5, [30.0, 10.0, 20.0, 20.0]),
            boxed(6, [120.0, 10.0, 140.0, 20.0]),
        ];
        let placed = frame.boxes(&boxes, |place| format!("box {place}"), &mut faults);
        let edges: Vec<_> = placed.iter().map(|placed| (placed.x0, placed.x1)).collect();
        assert_eq!(edges, [(0.1, 0.6), (0.0, 1.0), (0.0, 0.5)]);
        let notes: Vec<String> = faults.notes().collect();
        assert_eq!(
            notes,
            [
                format!("{CUT}: once, in box 3"),
                format!("{AREA}: 2 times, first in box 4"),
                format!("{OUTSIDE}: once, in box 6")
            ]
        );
    }
}
