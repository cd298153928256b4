//! One panel of a figure: the photo under a map's colours, its lines and its caption.

use std::sync::Arc;

use image::RgbImage;
use rayon::prelude::*;

use super::caption::{Caption, caption, difference_caption};
use super::contour::{contour_lines, region_outlines};
use super::display_list::{Area, Item};
use super::interpolation::Field;
use super::overlay::{OverlayStyle, overlay, panel_photo};
use super::scale::{Scale, ScaleMode, ScaleRanges, difference_values, panel_scale, panel_values};
use crate::engine::Comparison;

/// Longest side in pixels of a panel's picture: the photo is not kept any larger.
const LONGEST_PICTURE: f32 = 4096.0;

/// Dark line under a light one, so that lines are seen on any photo: millimetres and colours.
pub(super) const HALO: (f32, [u8; 4]) = (0.42, [0, 0, 0, 130]);
pub(super) const LINE: (f32, [u8; 4]) = (0.18, [255, 255, 255, 235]);

/// How much of a region lies between its edge and its mark.
const MARK_INSET: f32 = 0.12;

/// What a column of panels shows: a variant of the comparison, or that less another.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    variant: usize,
    less: Option<usize>,
}

impl Shown {
    /// Every variant, or of two variants their difference.
    pub fn all(comparison: &Comparison, difference: bool) -> Vec<Self> {
        let count = comparison.variants.len();
        if difference && count == 2 {
            let less = Some(1);
            return vec![Self { variant: 0, less }];
        }
        let alone = |variant| Self {
            variant,
            less: None,
        };
        (0..count).map(alone).collect()
    }
}

/// Paints the panels of one comparison, all at one size.
pub(super) struct Panels<'a> {
    pub comparison: &'a Comparison,
    pub style: &'a OverlayStyle,
    pub mode: ScaleMode,
    pub ranges: ScaleRanges,
    /// The columns of panels; below, `column` counts them.
    pub shown: Vec<Shown>,
}

impl Panels<'_> {
    /// The name of a column: `BiAM`, `BiAM − RCB`.
    pub fn title(&self, column: usize) -> String {
        let Shown { variant, less } = self.shown[column];
        let title = self.comparison.variants[variant].title();
        match less {
            Some(less) => format!("{title} − {}", self.comparison.variants[less].title()),
            None => title.to_owned(),
        }
    }

    /// The bare photo and `[column][label]` pictures, `size` millimetres large at `dpi`.
    pub fn pictures(&self, size: [f32; 2], dpi: f32) -> (Arc<RgbImage>, Vec<Vec<Arc<RgbImage>>>) {
        let [width, height] = size.map(|side| (side / 25.4 * dpi).round().max(1.0));
        let shrink = (LONGEST_PICTURE / width.max(height)).min(1.0);
        let photo = panel_photo(
            &self.comparison.photo.shown,
            (width * shrink) as u32,
            (height * shrink) as u32,
        );
        let labels = self.comparison.labels.len();
        let pictures = (0..self.shown.len())
            .into_par_iter()
            .map(|column| {
                (0..labels)
                    .into_par_iter()
                    .map(|label| Arc::new(self.picture(&photo, column, label)))
                    .collect()
            })
            .collect();
        (Arc::new(photo), pictures)
    }

    fn picture(&self, photo: &RgbImage, column: usize, label: usize) -> RgbImage {
        overlay(
            photo,
            self.comparison.grid,
            self.comparison.covered,
            &self.values(column, label),
            &self.scale(column, label),
            self.style,
        )
    }

    /// Contour lines and marks of one panel that lies at `area`.
    pub fn lines(&self, column: usize, label: usize, area: Area) -> Vec<Item> {
        let mut lines = Vec::new();
        if self.style.contours {
            lines.extend(self.contours(column, label));
        }
        if self.style.marks {
            lines.extend(self.marks(column, label));
        }
        let on_page = |[x, y]: [f32; 2]| [area.x + x * area.width, area.y + y * area.height];
        let drawn = |(width, colour): (f32, [u8; 4])| {
            lines.iter().map(move |(points, closed)| Item::Line {
                points: points.iter().copied().map(on_page).collect(),
                closed: *closed,
                width,
                colour,
            })
        };
        drawn(HALO).chain(drawn(LINE)).collect()
    }

    fn contours(&self, column: usize, label: usize) -> Vec<(Vec<[f32; 2]>, bool)> {
        let values = self.values(column, label);
        let field = Field {
            grid: self.comparison.grid,
            covered: self.comparison.covered,
            values: &values,
            interpolation: self.style.interpolation,
        };
        let levels = self.scale(column, label).contour_levels();
        let lines = levels
            .into_iter()
            .flat_map(|level| contour_lines(&field, level));
        lines.map(|line| (line.points, line.closed)).collect()
    }

    fn marks(&self, column: usize, label: usize) -> Vec<(Vec<[f32; 2]>, bool)> {
        let Comparison {
            grid,
            covered,
            trained_k,
            ..
        } = self.comparison;
        let Shown { variant, less } = self.shown[column];
        if less.is_some() {
            return Vec::new();
        }
        let regions = self.comparison.maps[variant][label].pooled_regions(*trained_k);
        region_outlines(*grid, *covered, &regions)
            .into_iter()
            .filter_map(|[x0, y0, x1, y1]| {
                let (dx, dy) = (MARK_INSET * (x1 - x0), MARK_INSET * (y1 - y0));
                // Of a magnified photo, regions may lie outside of the panel.
                let [x0, y0, x1, y1] =
                    [x0 + dx, y0 + dy, x1 - dx, y1 - dy].map(|place| place.clamp(0.0, 1.0));
                let seen = x0 < x1 && y0 < y1;
                seen.then(|| (vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]], true))
            })
            .collect()
    }

    pub fn caption(&self, column: usize, label: usize) -> Caption {
        let Shown { variant, less } = self.shown[column];
        match less {
            Some(_) => difference_caption(&self.values(column, label)),
            None => {
                let scale = self.scale(column, label);
                caption(&self.comparison.maps[variant][label], &scale)
            }
        }
    }

    pub fn scale(&self, column: usize, label: usize) -> Scale {
        match self.shown.get(column) {
            Some(Shown { less: Some(_), .. }) => self.ranges.difference(),
            shown => {
                let variant = shown.map_or(0, |shown| shown.variant);
                panel_scale(self.comparison, variant, label, self.mode, &self.ranges)
            }
        }
    }

    fn values(&self, column: usize, label: usize) -> Vec<f32> {
        let Shown { variant, less } = self.shown[column];
        let maps = &self.comparison.maps;
        let values = match less {
            Some(less) => difference_values(&maps[variant][label], &maps[less][label]),
            None => panel_values(&maps[variant][label], self.mode),
        };
        values.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::comparison;

    const AREA: Area = Area {
        x: 10.0,
        y: 20.0,
        width: 60.0,
        height: 40.0,
    };

    fn lines(contours: bool, marks: bool) -> Vec<Vec<[f32; 2]>> {
        let style = OverlayStyle {
            contours,
            marks,
            ..OverlayStyle::default()
        };
        let panels = Panels {
            comparison: &comparison(2, 2),
            style: &style,
            mode: ScaleMode::Sigma,
            ranges: ScaleRanges::default(),
            shown: Shown::all(&comparison(2, 2), false),
        };
        let points = |item| match item {
            Item::Line { points, .. } => points,
            _ => panic!("only lines are drawn over a panel"),
        };
        panels.lines(1, 1, AREA).into_iter().map(points).collect()
    }

    #[test]
    fn the_pooled_regions_are_marked_where_they_are() {
        let marks = lines(false, true);
        // Three regions, each with a halo and a line.
        assert_eq!(marks.len(), 6);
        // The hottest region of label 1 in variant 1 is number 4: row 0, column 4, 10 mm a side.
        let [x, y] = marks[0][0];
        assert!((x - (10.0 + 41.2)).abs() < 1e-3 && (y - 21.2).abs() < 1e-3);
    }

    #[test]
    fn contours_stay_within_the_panel_and_surround_the_hot_region() {
        let contours = lines(true, false);
        assert!(!contours.is_empty());
        for [x, y] in contours.iter().flatten() {
            assert!(
                (40.0..=70.0).contains(x) && (20.0..=40.0).contains(y),
                "{x} {y}"
            );
        }
    }

    #[test]
    fn nothing_is_drawn_unasked() {
        assert!(lines(false, false).is_empty());
    }
}
