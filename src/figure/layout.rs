//! Puts the panels of a comparison on a page: labels by variants, headings, captions, colour bar.

use std::sync::Arc;

use image::RgbImage;

use super::cells::Cells;
use super::display_list::{Anchor, DisplayList, Item, Text};
use super::figure_style::{FigureStyle, Orientation};
use super::font::{BASELINE, FontStyle, LINE_HEIGHT, MM, text_width};
use super::legend::put_legend;
use super::overlay::OverlayStyle;
use super::panel::{Panels, Shown};
use super::scale::ScaleMode;
use crate::engine::Comparison;

/// The highest page over its width that [`Orientation::Automatic`] fills with rows.
const HIGHEST_ROWS: f32 = 1.4;

/// The figure of a comparison: every label in every variant, all panels on the scale that `mode`
/// names (raw responses, where the bundle has no ordinary regions).
pub fn comparison_figure(
    comparison: &Comparison,
    overlay: &OverlayStyle,
    mode: ScaleMode,
    style: &FigureStyle,
) -> DisplayList {
    let style = style.sound();
    let panels = Panels {
        comparison,
        style: overlay,
        mode: mode.available(comparison),
        ranges: style.ranges,
        shown: Shown::all(comparison, style.difference),
    };
    let maps = panels.shown.len();
    let as_rows = match style.orientation {
        Orientation::LabelsAsRows => true,
        Orientation::LabelsAsColumns => false,
        Orientation::Automatic => rows_fit(comparison, &style, maps),
    };
    let cells = if as_rows {
        Cells::of_rows(comparison, &style, maps)
    } else {
        Cells::of_columns(comparison, &style, maps)
    };
    let (photo, pictures) = panels.pictures(cells.picture, style.dpi);
    let mut page = Page {
        panels,
        style,
        cells,
        photo,
        pictures,
        items: Vec::new(),
        y: style.snapped(style.margin_mm),
    };
    if as_rows {
        page.put_rows();
    } else {
        page.put_columns();
    }
    page.finished()
}

fn rows_fit(comparison: &Comparison, style: &FigureStyle, maps: usize) -> bool {
    if maps < 2 {
        return false;
    }
    let cells = Cells::of_rows(comparison, style, maps);
    let row =
        cells.picture[1] + cells.gap + MM * LINE_HEIGHT * (style.font_size + style.small_size());
    row * comparison.labels.len() as f32 <= HIGHEST_ROWS * style.width_mm
}

pub(super) struct Page<'a> {
    pub(super) panels: Panels<'a>,
    pub(super) style: FigureStyle,
    pub(super) cells: Cells,
    photo: Arc<RgbImage>,
    pictures: Vec<Vec<Arc<RgbImage>>>,
    pub(super) items: Vec<Item>,
    /// What is above is filled. Millimetres.
    pub(super) y: f32,
}

impl Page<'_> {
    fn put_rows(&mut self) {
        let input = usize::from(self.style.input);
        let titles: Vec<String> = (0..self.panels.shown.len())
            .map(|index| self.panels.title(index))
            .collect();
        if self.style.input {
            self.put_column_title("Input", 0, FontStyle::Regular);
        }
        for (index, title) in titles.iter().enumerate() {
            self.put_column_title(title, input + index, FontStyle::Bold);
        }
        self.skip_line(self.style.font_size);
        for label in 0..self.panels.comparison.labels.len() {
            self.put_row_heading(label);
            if self.style.input {
                self.put_input(0, self.y);
            }
            for variant in 0..titles.len() {
                self.put_panel(variant, label, input + variant, self.y);
            }
            self.skip_panels();
        }
    }

    fn put_columns(&mut self) {
        if self.panels.shown.len() > 1 {
            self.put_bands();
        } else {
            self.put_flow();
        }
    }

    /// Bands of labels, a row for each variant, the photo once in each band.
    fn put_bands(&mut self) {
        let input = usize::from(self.style.input);
        let (labels, variants) = (self.panels.comparison.labels.len(), self.pictures.len());
        let per_band = (self.cells.columns - input).max(1);
        for first in (0..labels).step_by(per_band) {
            if first > 0 {
                self.y = self.style.snapped(self.y + 0.5 * MM * self.style.font_size);
            }
            let band: Vec<usize> = (first..labels.min(first + per_band)).collect();
            if self.style.input {
                self.put_column_title("Input", 0, FontStyle::Regular);
            }
            for (column, &label) in band.iter().enumerate() {
                self.put_column_heading(label, input + column);
            }
            self.skip_headings();
            for variant in 0..variants {
                if self.style.input && variant == 0 {
                    self.put_input(0, self.y);
                }
                self.put_row_title(variant);
                for (column, &label) in band.iter().enumerate() {
                    self.put_panel(variant, label, input + column, self.y);
                }
                self.skip_panels();
            }
        }
    }

    /// One variant: the photo, then label after label.
    fn put_flow(&mut self) {
        let input = usize::from(self.style.input);
        let labels = self.panels.comparison.labels.len();
        if self.panels.shown.is_empty() {
            return;
        }
        for first in (0..input + labels).step_by(self.cells.columns) {
            let cells = first..(input + labels).min(first + self.cells.columns);
            for (column, cell) in cells.clone().enumerate() {
                match cell.checked_sub(input) {
                    None => self.put_column_title("Input", column, FontStyle::Regular),
                    Some(label) => self.put_column_heading(label, column),
                }
            }
            self.skip_headings();
            for (column, cell) in cells.enumerate() {
                match cell.checked_sub(input) {
                    None => self.put_input(column, self.y),
                    Some(label) => self.put_panel(0, label, column, self.y),
                }
            }
            self.skip_panels();
        }
    }

    fn put_input(&mut self, column: usize, y: f32) {
        self.items.push(Item::Image {
            area: self.cells.picture_area(column, y),
            image: self.photo.clone(),
        });
    }

    fn put_panel(&mut self, variant: usize, label: usize, column: usize, y: f32) {
        let area = self.cells.picture_area(column, y);
        let image = self.pictures[variant][label].clone();
        self.items.push(Item::Image { area, image });
        self.items.extend(self.panels.lines(variant, label, area));
        if !self.style.captions {
            return;
        }
        let (size, room) = (self.style.small_size(), self.cells.width / MM);
        let caption = self.panels.caption(variant, label);
        let text = caption.fitting(|text| text_width(text, size, FontStyle::Regular) <= room);
        let colour = if caption.faint {
            self.style.faint_colour
        } else {
            self.style.text_colour
        };
        self.put_text(Text {
            text: text.to_owned(),
            place: [
                self.cells.x(column) + 0.5 * self.cells.width,
                y + area.height + MM * (0.2 + BASELINE) * size,
            ],
            anchor: Anchor::Middle,
            size,
            font_style: FontStyle::Regular,
            colour,
            upwards: false,
        });
    }

    pub(super) fn skip_line(&mut self, size: f32) {
        self.y = self.style.snapped(self.y + MM * LINE_HEIGHT * size);
    }

    /// Past a label and its badge.
    fn skip_headings(&mut self) {
        self.skip_line(self.style.font_size + self.style.small_size());
    }

    /// Past a row of panels and their captions.
    fn skip_panels(&mut self) {
        self.y = self.style.snapped(self.y + self.cells.picture[1]) + self.cells.gap;
        if self.style.captions {
            self.skip_line(self.style.small_size());
        }
    }

    fn finished(mut self) -> DisplayList {
        if self.style.colour_bar {
            let scale = self.panels.scale(0, 0);
            // A single map a label has no heading of its own.
            let title = match self.panels.shown.len() {
                1 => self.panels.title(0),
                _ => String::new(),
            };
            let ends = [self.style.margin_mm, self.cells.right()];
            let (style, overlay) = (&self.style, self.panels.style);
            let bottom = put_legend(
                &mut self.items,
                style,
                overlay,
                &scale,
                &title,
                ends,
                self.y,
            );
            self.y = bottom;
        }
        let pixel = 25.4 / self.style.dpi;
        let height = self.y + self.style.margin_mm;
        DisplayList {
            size: [
                self.style.snapped(self.style.width_mm),
                ((height / pixel).ceil() * pixel).max(pixel),
            ],
            background: self.style.background,
            items: self.items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::colour_map::ColourMap;
    use crate::figure::display_list::Area;
    use crate::figure::interpolation::Interpolation;
    use crate::figure::tests::comparison;
    use crate::figure::{png::png, svg::svg};

    fn figure(labels: usize, variants: usize, style: &FigureStyle) -> DisplayList {
        let overlay = OverlayStyle {
            interpolation: Interpolation::Nearest,
            opacity: 1.0,
            ..OverlayStyle::default()
        };
        comparison_figure(
            &comparison(labels, variants),
            &overlay,
            ScaleMode::Sigma,
            style,
        )
    }

    fn style(orientation: Orientation) -> FigureStyle {
        FigureStyle {
            width_mm: 101.6,
            dpi: 100.0,
            orientation,
            ..FigureStyle::default()
        }
    }

    fn texts(list: &DisplayList) -> Vec<&Text> {
        list.items
            .iter()
            .filter_map(|item| match item {
                Item::Text(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    fn place_of(list: &DisplayList, wanted: &str) -> [f32; 2] {
        let texts = texts(list);
        texts
            .iter()
            .find(|text| text.text == wanted)
            .expect("it is on the page")
            .place
    }

    fn picture_areas(list: &DisplayList) -> Vec<Area> {
        let area = |item: &Item| match item {
            Item::Image { area, .. } => Some(*area),
            _ => None,
        };
        list.items.iter().filter_map(area).collect()
    }

    #[test]
    fn labels_run_down_as_rows_and_across_as_columns() {
        let rows = figure(3, 2, &style(Orientation::LabelsAsRows));
        assert!(place_of(&rows, "label 0")[1] < place_of(&rows, "label 1")[1]);
        assert_eq!(place_of(&rows, "Standard")[1], place_of(&rows, "RCB")[1]);
        // Photo and two maps a row, and the colour bar.
        assert_eq!(picture_areas(&rows).len(), 3 * 3 + 1);

        let columns = figure(3, 2, &style(Orientation::LabelsAsColumns));
        assert_eq!(
            place_of(&columns, "label 0")[1],
            place_of(&columns, "label 1")[1]
        );
        assert!(place_of(&columns, "Standard")[1] < place_of(&columns, "RCB")[1]);
        assert_eq!(picture_areas(&columns).len(), 1 + 2 * 3 + 1);
    }

    #[test]
    fn every_count_of_labels_and_variants_stays_on_the_page() {
        for orientation in [Orientation::Automatic, Orientation::LabelsAsColumns] {
            for (labels, variants) in [(1, 1), (1, 4), (2, 3), (7, 1), (50, 1), (50, 4), (0, 2)] {
                let style = FigureStyle {
                    dpi: 40.0,
                    letters: true,
                    ..style(orientation)
                };
                let list = figure(labels, variants, &style);
                let maps = labels * variants;
                assert!(picture_areas(&list).len() > maps, "{labels} {variants}");
                for area in picture_areas(&list) {
                    assert!(area.x >= 0.0 && area.x + area.width <= list.size[0] + 1e-3);
                    assert!(area.y >= 0.0 && area.y + area.height <= list.size[1] + 1e-3);
                }
            }
        }
    }

    #[test]
    fn pictures_do_not_overlap() {
        let areas = picture_areas(&figure(9, 3, &style(Orientation::Automatic)));
        for (index, a) in areas.iter().enumerate() {
            for b in &areas[index + 1..] {
                let apart_x = a.x + a.width <= b.x + 1e-3 || b.x + b.width <= a.x + 1e-3;
                let apart_y = a.y + a.height <= b.y + 1e-3 || b.y + b.height <= a.y + 1e-3;
                assert!(apart_x || apart_y, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn parts_can_be_left_out() {
        let bare = FigureStyle {
            captions: false,
            colour_bar: false,
            input: false,
            ..style(Orientation::LabelsAsRows)
        };
        let list = figure(1, 1, &bare);
        let shown: Vec<&str> = texts(&list).iter().map(|text| text.text.as_str()).collect();
        assert_eq!(shown, ["Standard", "label 0", "seen"]);
        assert_eq!(picture_areas(&list).len(), 1);
    }

    #[test]
    fn letters_go_on_after_z() {
        let style = FigureStyle {
            letters: true,
            ..style(Orientation::LabelsAsColumns)
        };
        let list = figure(28, 1, &style);
        for letter in ["(a) ", "(z) ", "(aa) ", "(ab) "] {
            place_of(&list, letter);
        }
    }

    #[test]
    fn the_colour_bar_is_named_and_without_ordinary_regions_it_says_raw() {
        place_of(
            &figure(1, 2, &style(Orientation::Automatic)),
            "σ above ordinary",
        );
        let mut bare = comparison(1, 2);
        bare.maps[0][0].ordinary = None;
        let overlay = OverlayStyle::default();
        let style = style(Orientation::Automatic);
        let list = comparison_figure(&bare, &overlay, ScaleMode::Sigma, &style);
        place_of(&list, "raw response, this panel");
        place_of(&list, "highest");
    }

    #[test]
    fn a_very_tall_photo_keeps_its_shape() {
        let mut tall = comparison(1, 2);
        let photo = Arc::get_mut(&mut tall.photo).expect("nobody else has it");
        photo.size = [100, 1000];
        let overlay = OverlayStyle::default();
        let style = style(Orientation::LabelsAsRows);
        let list = comparison_figure(&tall, &overlay, ScaleMode::Sigma, &style);
        let area = picture_areas(&list)[0];
        assert!((area.height / area.width - 10.0).abs() < 1.0);
        assert!(area.height < 60.0);
    }

    #[test]
    fn files_are_equal_each_time_and_hot_where_the_map_is_hot() {
        let style = FigureStyle {
            input: false,
            ..style(Orientation::LabelsAsRows)
        };
        let list = figure(2, 1, &style);
        let text = svg(&list).expect("pictures can be packed");
        assert_eq!(
            text,
            svg(&figure(2, 1, &style)).expect("pictures can be packed")
        );
        let bytes = png(&text, 100.0).expect("it is a figure");
        assert_eq!(bytes, png(&text, 100.0).expect("it is a figure"));

        let painted = image::load_from_memory(&bytes)
            .expect("it is a picture")
            .to_rgb8();
        assert_eq!(painted.width(), 400);
        assert_eq!(painted.height() as f32, (list.size[1] / 0.254).round());
        // Label 1 is hottest in region 3 of 4 x 6: row 0, column 3.
        let area = picture_areas(&list)[1];
        let at = |x: f32, y: f32| {
            let place = [area.x + x * area.width, area.y + y * area.height];
            let [x, y] = place.map(|millimetres| (millimetres / 0.254) as u32);
            painted.get_pixel(x, y).0
        };
        let expected = ColourMap::Viridis.colour(3.0 / 5.0);
        let hot = at(3.5 / 6.0, 0.5 / 4.0);
        assert!(
            (0..3).all(|c| hot[c].abs_diff(expected[c]) <= 3),
            "{hot:?} {expected:?}"
        );
        let cold = at(2.5 / 6.0, 0.5 / 4.0);
        assert!((0..3).any(|c| cold[c].abs_diff(expected[c]) > 40));
    }
}
