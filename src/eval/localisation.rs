//! Whether response maps are where the things are: pointing game and energy in box.

use serde::Serialize;

use crate::backbone::Covered;

/// A rectangle as fractions of the photo's width and height: x0, y0, x1, y1.
pub type Rectangle = [f32; 4];

/// How one label's response map in one photo meets the label's boxes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    /// Pointing game (Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016),
    /// without their 15 pixels of tolerance: the centre of the region with the largest response
    /// lies in a box of the label, edges included. Of equal responses the first region counts.
    pub pointed: bool,
    /// Energy in box (after Wang et al., "Score-CAM", CVPRW 2020): the part of the map's energy
    /// that lies in regions whose centres are in a box. A region's energy is what its response has
    /// above the map's mean, or nothing: a label's responses have no zero of their own. A flat map
    /// has [`Located::inside`] of it.
    pub energy: f64,
    /// The part of the regions whose centres are in a box: what a map that knows nothing gets in
    /// both games.
    pub inside: f64,
}

/// Compares one map, `grid` = rows and columns of responses row by row, with the boxes of its label
/// in that photo. `None` without a box or a map.
pub fn locate(
    responses: &[f32],
    grid: (usize, usize),
    covered: Covered,
    boxes: &[Rectangle],
) -> Option<Located> {
    let (rows, columns) = grid;
    if boxes.is_empty() || responses.is_empty() || responses.len() != rows * columns {
        return None;
    }
    let inside: Vec<bool> = (0..responses.len())
        .map(|region| {
            let (x, y) = centre(region, grid, covered);
            boxes
                .iter()
                .any(|&[x0, y0, x1, y1]| (x0..=x1).contains(&x) && (y0..=y1).contains(&y))
        })
        .collect();
    let count = responses.len() as f64;
    let part_inside = inside.iter().filter(|&&inside| inside).count() as f64 / count;
    let mean = responses.iter().map(|&m| f64::from(m)).sum::<f64>() / count;
    let energies = responses.iter().map(|&m| (f64::from(m) - mean).max(0.0));
    let all: f64 = energies.clone().sum();
    let within = energies.zip(&inside).filter(|(_, inside)| **inside);
    let within: f64 = within.map(|(energy, _)| energy).sum();
    let hottest = (1..responses.len()).fold(0, |hottest, region| {
        if responses[region] > responses[hottest] {
            region
        } else {
            hottest
        }
    });
    Some(Located {
        pointed: inside[hottest],
        energy: if all > 0.0 { within / all } else { part_inside },
        inside: part_inside,
    })
}

/// Centre of a region as fractions of the photo.
fn centre(region: usize, (rows, columns): (usize, usize), covered: Covered) -> (f32, f32) {
    let along = |place: usize, count: usize, from: f32, to: f32| {
        from + (place as f32 + 0.5) / count as f32 * (to - from)
    };
    (
        along(region % columns, columns, covered.x0, covered.x1),
        along(region / columns, rows, covered.y0, covered.y1),
    )
}

/// Averages of [`Located`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Localisation {
    pub pointing: f64,
    pub energy_in_box: f64,
    /// What maps that know nothing would get.
    pub chance: f64,
}

impl Localisation {
    /// Over pairs of a photo and a label, each pair counting once. `None` without a pair.
    pub fn over_pairs<'a>(pairs: impl IntoIterator<Item = &'a Located>) -> Option<Self> {
        Self::mean(pairs.into_iter().map(|located| Self {
            pointing: f64::from(u8::from(located.pointed)),
            energy_in_box: located.energy,
            chance: located.inside,
        }))
    }

    /// Over labels, each label counting once however many pairs it has, as Zhang et al. do. `None`
    /// without a label.
    pub fn over_labels(labels: impl IntoIterator<Item = Self>) -> Option<Self> {
        Self::mean(labels)
    }

    fn mean(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (mut sum, mut count) = (Self::default(), 0.0);
        for one in all {
            sum.pointing += one.pointing;
            sum.energy_in_box += one.energy_in_box;
            sum.chance += one.chance;
            count += 1.0;
        }
        (count > 0.0).then(|| Self {
            pointing: sum.pointing / count,
            energy_in_box: sum.energy_in_box / count,
            chance: sum.chance / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Rectangle = [0.0, 0.0, 0.5, 1.0];

    fn left(responses: &[f32], covered: Covered, boxes: &[Rectangle]) -> Located {
        locate(responses, (2, 2), covered, boxes).expect("a map and a box")
    }

    #[test]
    fn the_hottest_centre_points_and_energy_is_above_the_mean() {
        let found = left(&[4.0, 2.0, 0.0, 2.0], Covered::WHOLE, &[LEFT]);
        let expected = Located {
            pointed: true,
            energy: 1.0,
            inside: 0.5,
        };
        assert_eq!(found, expected);
        let found = left(&[3.0, 4.0, -3.0, 0.0], Covered::WHOLE, &[LEFT]);
        assert!(!found.pointed);
        assert_eq!(found.energy, 0.4);
    }

    #[test]
    fn regions_lie_where_the_grid_lies() {
        // The grid covers the right half only: all its centres are right of the box.
        let right = Covered {
            x0: 0.5,
            ..Covered::WHOLE
        };
        let found = left(&[4.0, 2.0, 0.0, 2.0], right, &[LEFT]);
        assert_eq!((found.pointed, found.inside), (false, 0.0));
        // A centre on a box's edge is in it.
        let corner = [0.75, 0.75, 0.9, 0.9];
        let found = left(&[0.0, 0.0, 0.0, 2.0], Covered::WHOLE, &[corner]);
        assert_eq!((found.pointed, found.inside), (true, 0.25));
    }

    #[test]
    fn overlapping_boxes_count_a_region_once_and_a_flat_map_gets_chance() {
        let found = left(&[1.0; 4], Covered::WHOLE, &[LEFT, [0.1, 0.1, 0.4, 0.4]]);
        assert_eq!((found.energy, found.inside), (0.5, 0.5));
        assert_eq!(locate(&[1.0; 4], (2, 2), Covered::WHOLE, &[]), None);
    }

    #[test]
    fn pairs_and_labels_are_averaged() {
        let found = [
            left(&[4.0, 2.0, 0.0, 2.0], Covered::WHOLE, &[LEFT]),
            left(&[3.0, 4.0, -3.0, 0.0], Covered::WHOLE, &[LEFT]),
        ];
        let both = Localisation::over_pairs(&found).expect("two pairs");
        assert_eq!(
            (both.pointing, both.energy_in_box, both.chance),
            (0.5, 0.7, 0.5)
        );
        let first = Localisation::over_pairs(&found[..1]).expect("a pair");
        let mean = Localisation::over_labels([both, first]).expect("two labels");
        assert_eq!((mean.pointing, mean.energy_in_box), (0.75, 0.85));
        assert_eq!(Localisation::over_pairs(&[]), None);
        assert_eq!(Localisation::over_labels([]), None);
    }
}
