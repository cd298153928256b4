//! From one value a region to one value a pixel.

use serde::{Deserialize, Serialize};

use crate::backbone::Covered;
use crate::engine::Grid;

/// How values between the centres of regions are found. All keep the values at the centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The value of the region itself: shows the grid as it is.
    Nearest,
    #[default]
    Bilinear,
    /// Catmull-Rom, kept within the map's own range so that it invents no higher peak.
    Bicubic,
}

impl Interpolation {
    /// Every interpolation, in the order menus list them.
    pub const ALL: [Self; 3] = [Self::Nearest, Self::Bilinear, Self::Bicubic];

    /// The name in menus and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        }
    }
}

/// The regions that one pixel position along one axis draws on, and how much of each.
#[derive(Clone, Copy)]
struct Taps {
    regions: [usize; 4],
    weights: [f32; 4],
}

/// One value a region, and where the regions lie in the photo.
///
/// The centre of the region in row r and column c lies at ((c + 0.5) / columns, (r + 0.5) / rows)
/// of the covered rectangle; outside of the outermost centres the outermost values go on.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub grid: Grid,
    pub covered: Covered,
    /// Row by row, `grid.regions()` of them.
    pub values: &'a [f32],
    pub interpolation: Interpolation,
}

impl Field<'_> {
    /// Values at the pixel centres of a `width` by `height` picture of the whole photo, row by
    /// row; not a number for a pixel outside of what the grid covers. Calls `row(y, values)` for
    /// each row of pixels, so that nothing of the picture's size is kept.
    pub fn for_each_row(&self, width: usize, height: usize, mut row: impl FnMut(usize, &[f32])) {
        let mut found = vec![f32::NAN; width];
        if self.values.len() != self.grid.regions() || self.values.is_empty() {
            (0..height).for_each(|y| row(y, &found));
            return;
        }
        let centres = |count: usize| (0..count).map(move |i| (i as f32 + 0.5) / count as f32);
        let across = self.axis_across(centres(width));
        let down = self.axis_down(centres(height));
        let (low, high) = range(self.values);
        let mut blended = vec![0.0; self.grid.columns];
        for (y, taps) in down.iter().enumerate() {
            match taps {
                None => found.fill(f32::NAN),
                Some(taps) => {
                    self.blend_rows(taps, &mut blended);
                    for (value, taps) in found.iter_mut().zip(&across) {
                        *value = match taps {
                            Some(taps) => within(weighted(taps, &blended), low, high),
                            None => f32::NAN,
                        };
                    }
                }
            }
            row(y, &found);
        }
    }

    /// The value at a place of the photo given in fractions of its width and height; `None`
    /// outside of what the grid covers.
    pub fn at(&self, x: f32, y: f32) -> Option<f32> {
        if self.values.len() != self.grid.regions() || self.values.is_empty() {
            return None;
        }
        let across = self.axis_across(std::iter::once(x)).pop()??;
        let down = self.axis_down(std::iter::once(y)).pop()??;
        let mut blended = vec![0.0; self.grid.columns];
        self.blend_rows(&down, &mut blended);
        let (low, high) = range(self.values);
        Some(within(weighted(&across, &blended), low, high))
    }

    fn blend_rows(&self, taps: &Taps, blended: &mut [f32]) {
        let columns = self.grid.columns;
        for (c, value) in blended.iter_mut().enumerate() {
            *value = taps
                .regions
                .iter()
                .zip(taps.weights)
                .map(|(r, weight)| self.values[r * columns + c] * weight)
                .sum();
        }
    }

    fn axis_across(&self, places: impl Iterator<Item = f32>) -> Vec<Option<Taps>> {
        let (from, to) = (self.covered.x0, self.covered.x1);
        self.axis(places, from, to, self.grid.columns)
    }

    fn axis_down(&self, places: impl Iterator<Item = f32>) -> Vec<Option<Taps>> {
        let (from, to) = (self.covered.y0, self.covered.y1);
        self.axis(places, from, to, self.grid.rows)
    }

    fn axis(
        &self,
        places: impl Iterator<Item = f32>,
        from: f32,
        to: f32,
        regions: usize,
    ) -> Vec<Option<Taps>> {
        places
            .map(|place| {
                let inside = (place - from) / (to - from);
                (0.0..=1.0)
                    .contains(&inside)
                    .then(|| self.taps(inside * regions as f32, regions))
            })
            .collect()
    }

    /// The taps at `place`, counted in regions from the first region's outer edge.
    fn taps(&self, place: f32, regions: usize) -> Taps {
        let between = place - 0.5;
        let before = between.floor();
        let t = between - before;
        let (first, weights) = match self.interpolation {
            Interpolation::Nearest => (place.floor(), [1.0, 0.0, 0.0, 0.0]),
            Interpolation::Bilinear => (before, [1.0 - t, t, 0.0, 0.0]),
            Interpolation::Bicubic => (before - 1.0, catmull_rom(t)),
        };
        let last = regions as f32 - 1.0;
        Taps {
            regions: std::array::from_fn(|i| (first + i as f32).clamp(0.0, last) as usize),
            weights,
        }
    }
}

/// Weights of the four neighbours at `t` between the middle two: the cubic through both of them
/// whose slope there is that of the chord between the neighbours.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (-t + 2.0 * t2 - t3),
        0.5 * (2.0 - 5.0 * t2 + 3.0 * t3),
        0.5 * (t + 4.0 * t2 - 3.0 * t3),
        0.5 * (t3 - t2),
    ]
}

fn weighted(taps: &Taps, values: &[f32]) -> f32 {
    let [a, b, c, d] = taps.regions;
    let [wa, wb, wc, wd] = taps.weights;
    values[a] * wa + values[b] * wb + values[c] * wc + values[d] * wd
}

/// A value kept between two others; unlike `clamp`, safe where no value is a number.
fn within(value: f32, low: f32, high: f32) -> f32 {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

fn range(values: &[f32]) -> (f32, f32) {
    values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| {
            (low.min(v), high.max(v))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Covered = Covered {
        x0: 0.25,
        y0: 0.5,
        x1: 0.75,
        y1: 1.0,
    };

    fn field(values: &[f32], interpolation: Interpolation) -> Field<'_> {
        Field {
            grid: Grid {
                rows: 2,
                columns: 3,
            },
            covered: PART,
            values,
            interpolation,
        }
    }

    #[test]
    fn every_interpolation_keeps_the_values_at_region_centres() {
        let values = [1.0, 5.0, 2.0, -1.0, 0.5, 9.0];
        for interpolation in Interpolation::ALL {
            for r in 0..2 {
                for c in 0..3 {
                    let x = 0.25 + 0.5 * (c as f32 + 0.5) / 3.0;
                    let y = 0.5 + 0.5 * (r as f32 + 0.5) / 2.0;
                    let got = field(&values, interpolation).at(x, y).expect("inside");
                    let expected = values[r * 3 + c];
                    assert!(
                        (got - expected).abs() < 1e-4,
                        "{interpolation:?} {got} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_is_known_outside_of_what_the_grid_covers() {
        let values = [1.0; 6];
        let field = field(&values, Interpolation::Bilinear);
        assert_eq!(field.at(0.1, 0.7), None);
        assert_eq!(field.at(0.5, 0.4), None);
        assert_eq!(field.at(0.5, 0.7), Some(1.0));
    }

    #[test]
    fn rows_of_pixels_agree_with_single_places() {
        let values = [1.0, 5.0, 2.0, -1.0, 0.5, 9.0];
        for interpolation in Interpolation::ALL {
            let field = field(&values, interpolation);
            let mut rows = 0;
            field.for_each_row(40, 24, |y, row| {
                rows += 1;
                for (x, value) in row.iter().enumerate() {
                    let single = field.at((x as f32 + 0.5) / 40.0, (y as f32 + 0.5) / 24.0);
                    assert_eq!((!value.is_nan()).then_some(*value), single);
                }
            });
            assert_eq!(rows, 24);
        }
    }

    #[test]
    fn halfway_between_two_centres_bilinear_gives_their_mean() {
        let values = [0.0, 4.0, 0.0, 0.0, 4.0, 0.0];
        let field = field(&values, Interpolation::Bilinear);
        let x = 0.25 + 0.5 / 3.0;
        assert!((field.at(x, 0.75).expect("inside") - 2.0).abs() < 1e-5);
    }

    #[test]
    fn bicubic_invents_no_higher_peak() {
        let values = [0.0, 4.0, 4.0, 0.0, 4.0, 4.0];
        field(&values, Interpolation::Bicubic).for_each_row(64, 64, |_, row| {
            assert!(row.iter().all(|v| v.is_nan() || (0.0..=4.0).contains(v)));
        });
    }

    #[test]
    fn a_map_of_the_wrong_size_paints_nothing() {
        let field = field(&[1.0; 5], Interpolation::Bilinear);
        assert_eq!(field.at(0.5, 0.75), None);
        field.for_each_row(4, 4, |_, row| assert!(row.iter().all(|v| v.is_nan())));
    }
}
