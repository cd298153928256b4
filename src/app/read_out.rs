//! The value under the pointer, in words.

use super::state::{AppState, HoveredRegion};
use super::view::PanelLayout;
use crate::backbone::Covered;
use crate::engine::{Grid, ResponseMap};
use crate::figure::scale::{number_text, signed};

/// The region at a place of the photo given in fractions of its width and height: row and column.
pub fn region_at(grid: Grid, covered: Covered, x: f32, y: f32) -> Option<(usize, usize)> {
    let index = |place: f32, from: f32, to: f32, count: usize| {
        let part = (place - from) / (to - from);
        (0.0..1.0)
            .contains(&part)
            .then(|| ((part * count as f32) as usize).min(count.saturating_sub(1)))
    };
    let row = index(y, covered.y0, covered.y1, grid.rows)?;
    let column = index(x, covered.x0, covered.x1, grid.columns)?;
    Some((row, column))
}

/// A region's place in the photo in fractions: x0, y0, x1, y1.
pub fn region_rect(grid: Grid, covered: Covered, row: usize, column: usize) -> [f32; 4] {
    let at = |index: usize, from: f32, to: f32, count: usize| {
        from + (to - from) * index as f32 / count.max(1) as f32
    };
    [
        at(column, covered.x0, covered.x1, grid.columns),
        at(row, covered.y0, covered.y1, grid.rows),
        at(column + 1, covered.x0, covered.x1, grid.columns),
        at(row + 1, covered.y0, covered.y1, grid.rows),
    ]
}

/// One region's value in one map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionValue {
    pub raw: f32,
    /// Standard score and rank, where ordinary regions are known.
    pub ordinary: Option<(f32, f32)>,
}

/// Reads a map at a region.
pub fn read(map: &ResponseMap, region: usize) -> Option<RegionValue> {
    let raw = *map.responses.get(region)?;
    let ordinary = map
        .ordinary
        .as_ref()
        .map(|ordinary| (ordinary.sigma(raw), ordinary.rank(raw)));
    Some(RegionValue { raw, ordinary })
}

impl RegionValue {
    /// Under a panel, longest first: `2.4 σ · above 99.2 % · raw 3.214`.
    pub fn lines(&self) -> Vec<String> {
        let raw = number_text(self.raw, decimals(self.raw));
        match self.ordinary {
            Some((sigma, rank)) => {
                let sigma = number_text(sigma, 1);
                let rank = percent(rank);
                vec![
                    format!("{sigma} σ · above {rank} · raw {raw}"),
                    format!("{sigma} σ · {rank} · raw {raw}"),
                    format!("{sigma} σ · {rank} · {raw}"),
                    format!("{sigma} σ · {raw}"),
                    format!("{sigma} σ"),
                ]
            }
            None => vec![format!("raw {raw}"), raw],
        }
    }
}

/// Where the pointer is and what is there, for the status line.
pub fn sentence(state: &AppState) -> Option<String> {
    sentence_at(state, state.hovered?)
}

/// A region's place and what a panel says there; of a difference, both of its sides.
pub fn sentence_at(state: &AppState, hovered: HoveredRegion) -> Option<String> {
    let HoveredRegion {
        row,
        column,
        label,
        variant,
    } = hovered;
    let comparison = state.comparison()?;
    let place = format!("Row {}, column {}", row + 1, column + 1);
    let label = state.labels.labels().get(label);
    let (Some(label), Some(variant)) = (label, variant) else {
        return Some(place);
    };
    let region = row * comparison.grid.columns + column;
    let reading = read(state.map(label, variant)?, region)?;
    if let Some(less) = state.other_variant()
        && state.layout() == PanelLayout::Difference
    {
        let (one, _) = reading.ordinary?;
        let (other, _) = read(state.map(label, less)?, region)?.ordinary?;
        let variants = format!("{} − {}", variant.title(), less.title());
        let difference = signed(one - other);
        let (one, other) = (number_text(one, 1), number_text(other, 1));
        return Some(format!(
            "{place} · {label} in {variants}: {difference} σ ({one} less {other})"
        ));
    }
    let raw = number_text(reading.raw, decimals(reading.raw));
    let title = variant.title();
    let ordinary = match reading.ordinary {
        Some((sigma, rank)) => format!(
            ", {} σ, above {} of ordinary regions",
            number_text(sigma, 1),
            percent(rank)
        ),
        None => String::new(),
    };
    Some(format!("{place} · {label} in {title}: raw {raw}{ordinary}"))
}

/// Rounded down, so that only a value above every ordinary region is above 100 %.
fn percent(rank: f32) -> String {
    let percent = (f64::from(rank) * 1000.0).floor() / 10.0;
    if percent >= 100.0 {
        "100 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

/// Decimals that leave four digits of a number of this size.
fn decimals(value: f32) -> usize {
    let size = value.abs();
    if size > 0.0 && size.is_finite() {
        (3.0 - size.log10().floor()).clamp(0.0, 4.0) as usize
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::OrdinaryResponses;

    const GRID: Grid = Grid {
        rows: 2,
        columns: 4,
    };

    #[test]
    fn regions_are_found_within_what_the_grid_covers() {
        let covered = Covered {
            x0: 0.5,
            y0: 0.0,
            x1: 1.0,
            y1: 0.5,
        };
        assert_eq!(region_at(GRID, covered, 0.51, 0.01), Some((0, 0)));
        assert_eq!(region_at(GRID, covered, 0.99, 0.49), Some((1, 3)));
        assert_eq!(region_at(GRID, covered, 0.4, 0.2), None);
        assert_eq!(region_at(GRID, covered, 0.7, 0.6), None);
        assert_eq!(region_rect(GRID, covered, 1, 3), [0.875, 0.25, 1.0, 0.5]);
    }

    #[test]
    fn a_reading_gives_raw_sigma_and_rank() {
        let map = ResponseMap {
            own_score: None,
            responses: Arc::from([0.5, 3.25]),
            ordinary: OrdinaryResponses::new(vec![-1.0, 1.0, -1.0, 1.0]).map(Arc::new),
        };
        let lines = read(&map, 1).expect("a region").lines();
        assert_eq!(lines[0], "3.2 σ · above 100 % · raw 3.250");
        assert_eq!(read(&map, 0).expect("a region").ordinary, Some((0.5, 0.5)));
        assert_eq!(read(&map, 2), None);
    }

    #[test]
    fn ranks_are_never_rounded_up_to_all() {
        assert_eq!(percent(0.9999), "99.9 %");
        assert_eq!(percent(1.0), "100 %");
    }
}
