//! How a figure's page looks: sizes, colours, and which parts are there.

use serde::{Deserialize, Serialize};

use super::scale::ScaleRanges;

/// Which way a figure's panels run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// Labels as rows as long as the page stays less than 1.4 times as high as wide, otherwise as
    /// columns; with a single variant as columns.
    #[default]
    Automatic,
    /// One row a label, one column a variant, the photo at each row's beginning.
    LabelsAsRows,
    /// One column a label, one row a variant; further labels go on below.
    LabelsAsColumns,
}

/// How the page looks. Values out of their range count as the nearest that is in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FigureStyle {
    /// Width of the page in millimetres, 20 to 2000. Journals' columns are 85 to 90, pages 170 to
    /// 180 wide.
    pub width_mm: f32,
    /// Pixels an inch of the panels' pictures, 36 to 2400; a PNG painted at the same has them
    /// pixel for pixel.
    pub dpi: f32,
    /// Between panels, in millimetres.
    pub gap_mm: f32,
    /// Free border all around, in millimetres.
    pub margin_mm: f32,
    /// Panels of a long row of labels become no narrower than this.
    pub narrowest_panel_mm: f32,
    /// Size of labels in points, 2 to 72; captions and ticks are a little smaller.
    pub font_size: f32,
    pub text_colour: [u8; 3],
    /// Of what matters less: badges, and captions where nothing is above ordinary.
    pub faint_colour: [u8; 3],
    /// `None`: see-through.
    pub background: Option<[u8; 3]>,
    pub orientation: Orientation,
    /// Of a comparison of two variants, show the first less the second, in σ.
    pub difference: bool,
    /// A bold (a), (b), … before each label.
    pub letters: bool,
    /// Best σ under each panel.
    pub captions: bool,
    pub colour_bar: bool,
    /// Whether the bare photo is among the panels.
    pub input: bool,
    pub ranges: ScaleRanges,
}

impl Default for FigureStyle {
    fn default() -> Self {
        Self {
            width_mm: 180.0,
            dpi: 300.0,
            gap_mm: 1.2,
            margin_mm: 1.0,
            narrowest_panel_mm: 22.0,
            font_size: 7.0,
            text_colour: [20; 3],
            faint_colour: [125; 3],
            background: Some([255; 3]),
            orientation: Orientation::default(),
            difference: false,
            letters: false,
            captions: true,
            colour_bar: true,
            input: true,
            ranges: ScaleRanges::default(),
        }
    }
}

impl FigureStyle {
    /// The same with every size in its range; what is not a number becomes the default.
    pub(super) fn sound(&self) -> Self {
        let usual = Self::default();
        let within = |value: f32, usual: f32, low: f32, high: f32| {
            if value.is_nan() {
                usual
            } else {
                value.clamp(low, high)
            }
        };
        let width_mm = within(self.width_mm, usual.width_mm, 20.0, 2000.0);
        Self {
            width_mm,
            dpi: within(self.dpi, usual.dpi, 36.0, 2400.0),
            gap_mm: within(self.gap_mm, usual.gap_mm, 0.0, width_mm / 20.0),
            margin_mm: within(self.margin_mm, usual.margin_mm, 0.0, width_mm / 10.0),
            narrowest_panel_mm: within(
                self.narrowest_panel_mm,
                usual.narrowest_panel_mm,
                4.0,
                width_mm,
            ),
            font_size: within(self.font_size, usual.font_size, 2.0, 72.0),
            ..*self
        }
    }

    /// Size of captions, badges and ticks in points.
    pub(super) fn small_size(&self) -> f32 {
        0.82 * self.font_size
    }

    /// Nearest whole number of pixels, in millimetres.
    pub(super) fn snapped(&self, millimetres: f32) -> f32 {
        let pixel = 25.4 / self.dpi;
        (millimetres / pixel).round() * pixel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_sizes_become_sound() {
        let style = FigureStyle {
            width_mm: f32::NAN,
            dpi: 1e9,
            gap_mm: -4.0,
            font_size: 0.0,
            ..FigureStyle::default()
        }
        .sound();
        assert_eq!(style.width_mm, 180.0);
        assert_eq!(style.dpi, 2400.0);
        assert_eq!(style.gap_mm, 0.0);
        assert_eq!(style.font_size, 2.0);
        assert_eq!(FigureStyle::default().sound(), FigureStyle::default());
    }

    #[test]
    fn snapping_gives_whole_pixels() {
        let snapped = FigureStyle::default().snapped(1.2);
        assert!((snapped * 300.0 / 25.4 - 14.0).abs() < 1e-4);
    }
}
