//! Lines over a map: contours of equal value and outlines of regions, as fractions of the photo.

use std::collections::HashMap;

use super::interpolation::Field;
use crate::backbone::Covered;
use crate::engine::Grid;

/// A line through places given in fractions of the photo's width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct Polyline {
    pub points: Vec<[f32; 2]>,
    /// Whether the last point is joined to the first.
    pub closed: bool,
}

/// Steps between two region centres at which contours look at the field. Eight keep the lines of
/// a bicubic field smooth at any panel size in print.
const STEPS_PER_REGION: usize = 8;

/// The lines along which the interpolated field has the value `level` (marching squares). They end
/// at the border of what the grid covers.
pub fn contour_lines(field: &Field<'_>, level: f32) -> Vec<Polyline> {
    let samples = Samples::new(field);
    joined(samples.segments(level))
        .into_iter()
        .map(|line| Polyline {
            points: line
                .points
                .into_iter()
                .map(|place| samples.in_photo(place))
                .collect(),
            closed: line.closed,
        })
        .collect()
}

/// The rectangles of `regions` in fractions of the photo, [x0, y0, x1, y1] each; regions outside
/// of the grid are left out.
pub fn region_outlines(grid: Grid, covered: Covered, regions: &[usize]) -> Vec<[f32; 4]> {
    let step_x = (covered.x1 - covered.x0) / grid.columns as f32;
    let step_y = (covered.y1 - covered.y0) / grid.rows as f32;
    regions
        .iter()
        .filter(|&&region| region < grid.regions())
        .map(|region| {
            let x = covered.x0 + (region % grid.columns) as f32 * step_x;
            let y = covered.y0 + (region / grid.columns) as f32 * step_y;
            [x, y, x + step_x, y + step_y]
        })
        .collect()
}

/// The field at regular places inside of what the grid covers.
struct Samples {
    columns: usize,
    rows: usize,
    values: Vec<f32>,
    covered: Covered,
}

/// An edge between two neighbouring samples: the first sample's column and row, and whether the
/// second is below it rather than to its right.
type Edge = (usize, usize, bool);

/// A place where a contour crosses an edge.
#[derive(Clone, Copy)]
struct Crossing {
    edge: Edge,
    place: [f32; 2],
}

impl Samples {
    fn new(field: &Field<'_>) -> Self {
        let columns = field.grid.columns * STEPS_PER_REGION;
        let rows = field.grid.rows * STEPS_PER_REGION;
        let mut values = Vec::with_capacity(columns * rows);
        let inside = Field {
            covered: Covered::WHOLE,
            ..*field
        };
        inside.for_each_row(columns, rows, |_, row| {
            values.extend_from_slice(row);
        });
        Self {
            columns,
            rows,
            values,
            covered: field.covered,
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.columns + x]
    }

    /// Each pair of crossings that a contour joins within one square of four samples.
    fn segments(&self, level: f32) -> Vec<[Crossing; 2]> {
        let mut segments = Vec::new();
        for y in 0..self.rows.saturating_sub(1) {
            for x in 0..self.columns.saturating_sub(1) {
                self.segments_of_square(x, y, level, &mut segments);
            }
        }
        segments
    }

    fn segments_of_square(
        &self,
        x: usize,
        y: usize,
        level: f32,
        segments: &mut Vec<[Crossing; 2]>,
    ) {
        // Around the square: top, right, bottom, left.
        let edges = [
            (x, y, false),
            (x + 1, y, true),
            (x, y + 1, false),
            (x, y, true),
        ];
        let crossed: Vec<Crossing> = edges
            .into_iter()
            .filter_map(|edge| self.crossing(edge, level))
            .collect();
        match crossed[..] {
            [a, b] => segments.push([a, b]),
            [top, right, bottom, left] => {
                // A saddle: the mean of the corners decides which pair of corners is joined.
                let (near, far) = (self.at(x, y), self.at(x + 1, y + 1));
                let mean = 0.25 * (near + far + self.at(x + 1, y) + self.at(x, y + 1));
                if (near >= level) == (mean >= level) {
                    segments.extend([[top, right], [bottom, left]]);
                } else {
                    segments.extend([[left, top], [right, bottom]]);
                }
            }
            _ => {}
        }
    }

    fn crossing(&self, edge: Edge, level: f32) -> Option<Crossing> {
        let (x, y, down) = edge;
        let from = self.at(x, y);
        let to = if down {
            self.at(x, y + 1)
        } else {
            self.at(x + 1, y)
        };
        if (from >= level) == (to >= level) || !from.is_finite() || !to.is_finite() {
            return None;
        }
        let t = ((level - from) / (to - from)).clamp(0.0, 1.0);
        let (x, y) = (x as f32, y as f32);
        let place = if down { [x, y + t] } else { [x + t, y] };
        Some(Crossing { edge, place })
    }

    /// From sample steps to fractions of the photo; samples lie at the centres of their cells.
    fn in_photo(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let Covered { x0, y0, x1, y1 } = self.covered;
        [
            x0 + (x + 0.5) / self.columns as f32 * (x1 - x0),
            y0 + (y + 0.5) / self.rows as f32 * (y1 - y0),
        ]
    }
}

/// Joins segments that meet on an edge into as few lines as possible, in a fixed order.
fn joined(segments: Vec<[Crossing; 2]>) -> Vec<Polyline> {
    let mut meeting: HashMap<Edge, Vec<usize>> = HashMap::new();
    for (index, segment) in segments.iter().enumerate() {
        for crossing in segment {
            meeting.entry(crossing.edge).or_default().push(index);
        }
    }
    let mut used = vec![false; segments.len()];
    let mut lines = Vec::new();
    for start in 0..segments.len() {
        if std::mem::replace(&mut used[start], true) {
            continue;
        }
        let [first, second] = segments[start];
        let mut forward = follow(second, &segments, &meeting, &mut used);
        let closed = forward.last().is_some_and(|last| last.edge == first.edge);
        let mut points = vec![first.place, second.place];
        if closed {
            forward.pop();
        } else {
            let backward = follow(first, &segments, &meeting, &mut used);
            let before = backward.iter().rev().map(|crossing| crossing.place);
            points.splice(0..0, before);
        }
        points.extend(forward.iter().map(|crossing| crossing.place));
        lines.push(Polyline { points, closed });
    }
    lines
}

/// The crossings after `from` along segments not yet used, which become used.
fn follow(
    from: Crossing,
    segments: &[[Crossing; 2]],
    meeting: &HashMap<Edge, Vec<usize>>,
    used: &mut [bool],
) -> Vec<Crossing> {
    let mut found = Vec::new();
    let mut here = from;
    loop {
        let here_meet = meeting.get(&here.edge).into_iter().flatten();
        let Some(&next) = here_meet.into_iter().find(|&&index| !used[index]) else {
            return found;
        };
        used[next] = true;
        let [a, b] = segments[next];
        here = if a.edge == here.edge { b } else { a };
        found.push(here);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::interpolation::Interpolation;

    const GRID: Grid = Grid {
        rows: 5,
        columns: 7,
    };

    fn field(values: &[f32], covered: Covered) -> Field<'_> {
        Field {
            grid: GRID,
            covered,
            values,
            interpolation: Interpolation::Bilinear,
        }
    }

    #[test]
    fn one_hill_has_one_closed_contour_around_its_centre() {
        let mut values = [0.0; 35];
        values[2 * 7 + 4] = 4.0; // row 2, column 4
        let covered = Covered {
            x0: 0.5,
            y0: 0.0,
            x1: 1.0,
            y1: 0.5,
        };
        let lines = contour_lines(&field(&values, covered), 2.0);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].closed);
        let count = lines[0].points.len() as f32;
        let mean = |axis: usize| lines[0].points.iter().map(|p| p[axis]).sum::<f32>() / count;
        assert!((mean(0) - (0.5 + 0.5 * 4.5 / 7.0)).abs() < 1e-3);
        assert!((mean(1) - 0.5 * 2.5 / 5.0).abs() < 1e-3);
    }

    #[test]
    fn every_point_of_a_contour_has_its_value() {
        let values: Vec<f32> = (0..35).map(|i| ((i * 17 % 11) as f32) * 0.5).collect();
        let field = field(&values, Covered::WHOLE);
        let lines = contour_lines(&field, 2.2);
        assert!(!lines.is_empty());
        for point in lines.iter().flat_map(|line| &line.points) {
            let value = field.at(point[0], point[1]).expect("inside");
            assert!((value - 2.2).abs() < 0.1, "{value}");
        }
    }

    #[test]
    fn a_slope_has_one_open_contour_from_border_to_border() {
        let values: Vec<f32> = (0..35).map(|i| (i % 7) as f32).collect();
        let lines = contour_lines(&field(&values, Covered::WHOLE), 3.25);
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].closed);
        assert_eq!(lines[0].points.len(), 5 * STEPS_PER_REGION);
        assert!(
            lines[0]
                .points
                .iter()
                .all(|p| (p[0] - 3.75 / 7.0).abs() < 1e-4)
        );
    }

    #[test]
    fn flat_or_missing_values_have_no_contour() {
        assert!(contour_lines(&field(&[1.0; 35], Covered::WHOLE), 1.0).is_empty());
        assert!(contour_lines(&field(&[f32::NAN; 35], Covered::WHOLE), 1.0).is_empty());
        assert!(contour_lines(&field(&[1.0; 3], Covered::WHOLE), 1.0).is_empty());
    }

    #[test]
    fn outlines_lie_where_the_regions_are() {
        let covered = Covered {
            x0: 0.0,
            y0: 0.5,
            x1: 0.7,
            y1: 1.0,
        };
        let [outline] = region_outlines(GRID, covered, &[9, 35])[..] else {
            panic!("one region is in the grid");
        };
        for (got, expected) in outline.into_iter().zip([0.2, 0.6, 0.3, 0.7]) {
            assert!((got - expected).abs() < 1e-6);
        }
    }
}
