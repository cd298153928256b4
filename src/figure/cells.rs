//! Where panels lie across a page.

use super::display_list::Area;
use super::figure_style::FigureStyle;
use super::font::MM;
use crate::engine::Comparison;

/// A panel is at most this much higher than wide; taller photos leave their panel's sides free.
const TALLEST_PANEL: f32 = 1.5;

/// Where panels lie across the page, on whole pixels. Millimetres.
pub(super) struct Cells {
    /// Left of the first panel.
    pub left: f32,
    pub columns: usize,
    pub width: f32,
    pub gap: f32,
    /// Width and height of the picture in a panel.
    pub picture: [f32; 2],
}

impl Cells {
    fn new(comparison: &Comparison, style: &FigureStyle, left: f32, columns: usize) -> Self {
        let columns = columns.max(1);
        let (left, gap) = (style.snapped(left), style.snapped(style.gap_mm));
        let pixel = 25.4 / style.dpi;
        let free = style.width_mm - left - style.margin_mm - gap * (columns - 1) as f32;
        let width = ((free / columns as f32 / pixel).floor() * pixel).max(pixel);
        let aspect = comparison.photo.aspect().clamp(0.01, 100.0);
        let height = (width / aspect).min(TALLEST_PANEL * width);
        let picture = [height * aspect, height].map(|side| style.snapped(side).max(pixel));
        Self {
            left,
            columns,
            width,
            gap,
            picture,
        }
    }

    /// The photo, where it is among the panels, and `maps` beside one another.
    pub fn of_rows(comparison: &Comparison, style: &FigureStyle, maps: usize) -> Self {
        let columns = usize::from(style.input) + maps;
        Self::new(comparison, style, style.margin_mm, columns)
    }

    /// As many columns as labels where panels stay wide enough, otherwise rows of labels about
    /// equally long. With one map a label the photo is one panel among the labels', otherwise it has
    /// a column of its own.
    pub fn of_columns(comparison: &Comparison, style: &FigureStyle, maps: usize) -> Self {
        let several = maps > 1;
        let titles = if several {
            MM * 1.5 * style.font_size
        } else {
            0.0
        };
        let left = style.margin_mm + titles;
        let most = (style.width_mm - left - style.margin_mm + style.gap_mm)
            / (style.narrowest_panel_mm + style.gap_mm);
        let input = usize::from(style.input);
        let (own, flowing) = if several { (input, 0) } else { (0, input) };
        let most = (most as usize).saturating_sub(own).max(1);
        let wanted = (comparison.labels.len() + flowing).max(1);
        let bands = wanted.div_ceil(most);
        Self::new(comparison, style, left, own + wanted.div_ceil(bands))
    }

    pub fn x(&self, column: usize) -> f32 {
        self.left + column as f32 * (self.width + self.gap)
    }

    pub fn right(&self) -> f32 {
        self.x(self.columns - 1) + self.width
    }

    pub fn picture_area(&self, column: usize, y: f32) -> Area {
        let [width, height] = self.picture;
        Area {
            x: self.x(column) + 0.5 * (self.width - width),
            y,
            width,
            height,
        }
    }
}
