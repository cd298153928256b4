//! What is lost when a part of a photo is covered, as plain data.

use super::messages::PhotoSource;
use crate::model::VariantId;

/// A rectangle of a photo in fractions of its width and height: x0, y0, x1, y1.
pub type Area = [f32; 4];

/// Scores of labels in networks: `[variant][label]`.
pub type Scores = Vec<Vec<f32>>;

/// What is asked about covered photos.
#[derive(Clone, Debug, PartialEq)]
pub struct Covering {
    pub photo: PhotoSource,
    pub labels: Vec<String>,
    pub variants: Vec<VariantId>,
    /// How many regions a score is the mean of.
    pub k: usize,
    /// What is covered.
    pub cover: Cover,
}

impl Covering {
    /// Whether a square is slid over many places, which takes long.
    pub fn is_slide(&self) -> bool {
        matches!(self.cover, Cover::Slide { .. })
    }
}

/// What of a photo is covered, with the mean colour of the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cover {
    /// One rectangle.
    Area(Area),
    /// A square slid over `places` by `places` places, one photo each.
    Slide { places: usize },
}

impl Cover {
    /// Every rectangle that is covered in turn, row by row.
    pub fn areas(self) -> Vec<Area> {
        match self {
            Self::Area(area) => vec![area],
            Self::Slide { places } => (0..places * places)
                .map(|place| slid(place % places, place / places, places))
                .collect(),
        }
    }
}

/// The square about one of `places` by `places` places: three steps wide where they are many, two
/// where they are few, cut off at the photo's edges.
fn slid(column: usize, row: usize, places: usize) -> Area {
    let steps = if places > 7 { 3.0 } else { 2.0 };
    let step = 1.0 / places.max(1) as f32;
    let ends = |at: usize| {
        let middle = (at as f32 + 0.5) * step;
        let half = steps * step / 2.0;
        ((middle - half).max(0.0), (middle + half).min(1.0))
    };
    let ((x0, x1), (y0, y1)) = (ends(column), ends(row));
    [x0, y0, x1, y1]
}

/// The answer: scores of the photo as it is and with each rectangle covered.
#[derive(Clone, Debug)]
pub struct Occluded {
    pub asked: Covering,
    /// Those of the labels that have a vector, in the order of all scores.
    pub labels: Vec<String>,
    pub whole: Scores,
    /// In the order of [`Cover::areas`].
    pub covered: Vec<Scores>,
}

impl Occluded {
    /// How far a label's score in a network falls when each rectangle is covered.
    pub fn drops(&self, label: &str, variant: VariantId) -> Option<Vec<f32>> {
        let label = self.labels.iter().position(|known| known == label)?;
        let variant = self
            .asked
            .variants
            .iter()
            .position(|&known| known == variant)?;
        let of = |scores: &Scores| scores.get(variant)?.get(label).copied();
        let whole = of(&self.whole)?;
        self.covered
            .iter()
            .map(|scores| Some(whole - of(scores)?))
            .collect()
    }

    /// A label's score in a network without and with the first rectangle covered.
    pub fn scores(&self, label: &str, variant: VariantId) -> Option<[f32; 2]> {
        let label = self.labels.iter().position(|known| known == label)?;
        let variant = self
            .asked
            .variants
            .iter()
            .position(|&known| known == variant)?;
        let of = |scores: &Scores| scores.get(variant)?.get(label).copied();
        Some([of(&self.whole)?, of(self.covered.first()?)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_cover_the_photo_row_by_row() {
        let areas = Cover::Slide { places: 7 }.areas();
        assert_eq!(areas.len(), 49);
        assert_eq!(areas[0][..2], [0.0, 0.0]);
        assert!((areas[0][2] - 1.5 / 7.0).abs() < 1e-6);
        assert_eq!(areas[48][2..], [1.0, 1.0]);
        assert_eq!(areas[1][1], 0.0);
        assert!(areas[1][0] > areas[0][0]);
        let wide = Cover::Slide { places: 14 }.areas()[14 * 7 + 7];
        assert!((wide[2] - wide[0] - 3.0 / 14.0).abs() < 1e-6);
    }

    #[test]
    fn drops_are_what_covering_takes_away() {
        let asked = Covering {
            photo: PhotoSource::Sample("a"),
            labels: vec!["<>".to_owned(), "dog".to_owned()],
            variants: vec![VariantId::RCB, VariantId::BIAM],
            k: 1,
            cover: Cover::Slide { places: 1 },
        };
        let occluded = Occluded {
            asked,
            labels: vec!["dog".to_owned()],
            whole: vec![vec![1.0], vec![3.0]],
            covered: vec![vec![vec![0.5], vec![4.0]]],
        };
        assert_eq!(occluded.drops("dog", VariantId::BIAM), Some(vec![-1.0]));
        assert_eq!(occluded.scores("dog", VariantId::RCB), Some([1.0, 0.5]));
        assert_eq!(occluded.drops("cat", VariantId::BIAM), None);
        assert_eq!(occluded.drops("dog", VariantId::SCB), None);
    }
}
