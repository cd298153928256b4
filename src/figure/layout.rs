//! Puts the panels of a comparison on a page: labels by variants, headings, captions, colour bar.

use std::sync::Arc;

use image::RgbImage;

use super::display_list::{Anchor, Area, DisplayList, Item, Text};
use super::figure_style::{FigureStyle, Orientation};
use super::font::{Cut, fitted, text_width};
use super::legend::put_legend;
use super::overlay::OverlayStyle;
use super::panel::Panels;
use super::scale::{ScaleMode, panel_scale};
use crate::engine::Comparison;
use crate::semantics::LabelStatus;

/// Millimetres in a point.
const MM: f32 = 25.4 / 72.0;
/// Height of a line of text over its size.
const LINE_HEIGHT: f32 = 1.3;
/// From the top of a line of text to its baseline, over its size.
const BASELINE: f32 = 0.98;
/// A panel is at most this much higher than wide; taller photos leave their panel's sides free.
const TALLEST_PANEL: f32 = 1.5;
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
        fixed_range: style.fixed_range,
    };
    let as_rows = match style.orientation {
        Orientation::LabelsAsRows => true,
        Orientation::LabelsAsColumns => false,
        Orientation::Automatic => rows_fit(comparison, &style),
    };
    let cells = if as_rows {
        Cells::of_rows(comparison, &style)
    } else {
        Cells::of_columns(comparison, &style)
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

fn rows_fit(comparison: &Comparison, style: &FigureStyle) -> bool {
    if comparison.variants.len() < 2 {
        return false;
    }
    let cells = Cells::of_rows(comparison, style);
    let row =
        cells.picture[1] + cells.gap + MM * LINE_HEIGHT * (style.font_size + style.small_size());
    row * comparison.labels.len() as f32 <= HIGHEST_ROWS * style.width_mm
}

/// Where panels lie across the page, on whole pixels. Millimetres.
struct Cells {
    /// Left of the first panel.
    left: f32,
    columns: usize,
    width: f32,
    gap: f32,
    /// Width and height of the picture in a panel.
    picture: [f32; 2],
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

    fn of_rows(comparison: &Comparison, style: &FigureStyle) -> Self {
        let columns = usize::from(style.input) + comparison.variants.len();
        Self::new(comparison, style, style.margin_mm, columns)
    }

    /// As many columns as labels where panels stay wide enough, otherwise rows of labels about
    /// equally long. With one variant the photo is one panel among the labels', otherwise it has
    /// a column of its own.
    fn of_columns(comparison: &Comparison, style: &FigureStyle) -> Self {
        let several = comparison.variants.len() > 1;
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

    fn x(&self, column: usize) -> f32 {
        self.left + column as f32 * (self.width + self.gap)
    }

    fn right(&self) -> f32 {
        self.x(self.columns - 1) + self.width
    }

    fn picture_area(&self, column: usize, y: f32) -> Area {
        let [width, height] = self.picture;
        Area {
            x: self.x(column) + 0.5 * (self.width - width),
            y,
            width,
            height,
        }
    }
}

struct Page<'a> {
    panels: Panels<'a>,
    style: FigureStyle,
    cells: Cells,
    photo: Arc<RgbImage>,
    pictures: Vec<Vec<Arc<RgbImage>>>,
    items: Vec<Item>,
    /// What is above is filled. Millimetres.
    y: f32,
}

impl Page<'_> {
    fn put_rows(&mut self) {
        let input = usize::from(self.style.input);
        let variants = self.panels.comparison.variants.clone();
        if self.style.input {
            self.put_column_title("Input", 0, Cut::Regular);
        }
        for (index, variant) in variants.iter().enumerate() {
            self.put_column_title(variant.title(), input + index, Cut::Bold);
        }
        self.skip_line(self.style.font_size);
        for label in 0..self.panels.comparison.labels.len() {
            self.put_row_heading(label);
            if self.style.input {
                self.put_input(0, self.y);
            }
            for variant in 0..variants.len() {
                self.put_panel(variant, label, input + variant, self.y);
            }
            self.skip_panels();
        }
    }

    fn put_columns(&mut self) {
        if self.panels.comparison.variants.len() > 1 {
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
                self.put_column_title("Input", 0, Cut::Regular);
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
        if self.panels.comparison.variants.is_empty() {
            return;
        }
        for first in (0..input + labels).step_by(self.cells.columns) {
            let cells = first..(input + labels).min(first + self.cells.columns);
            for (column, cell) in cells.clone().enumerate() {
                match cell.checked_sub(input) {
                    None => self.put_column_title("Input", column, Cut::Regular),
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
        let text = caption.fitting(|text| text_width(text, size, Cut::Regular) <= room);
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
            cut: Cut::Regular,
            colour,
            upwards: false,
        });
    }

    /// The label over its whole row, its badge behind it.
    fn put_row_heading(&mut self, label: usize) {
        let facts = &self.panels.comparison.labels[label];
        let (size, small) = (self.style.font_size, self.style.small_size());
        let (letter, badge) = (self.letter(label), badge(facts.status));
        let start = self.cells.left + MM * text_width(&letter, size, Cut::Bold);
        let between = 0.7 * size;
        let room =
            (self.cells.right() - start) / MM - between - text_width(badge, small, Cut::Regular);
        let name = fitted(&facts.text, size, Cut::Italic, room);
        let end = start + MM * (text_width(&name, size, Cut::Italic) + between);
        let baseline = self.y + MM * BASELINE * size;
        let (dark, faint) = (self.style.text_colour, self.style.faint_colour);
        self.put_text(self.words(letter, [self.cells.left, baseline], size, Cut::Bold, dark));
        self.put_text(self.words(name, [start, baseline], size, Cut::Italic, dark));
        let badge = badge.to_owned();
        self.put_text(self.words(badge, [end, baseline], small, Cut::Regular, faint));
        self.skip_line(size);
    }

    /// The label centred over its column, its badge below it.
    fn put_column_heading(&mut self, label: usize, column: usize) {
        let facts = &self.panels.comparison.labels[label];
        let (size, small) = (self.style.font_size, self.style.small_size());
        let letter = self.letter(label);
        let before = text_width(&letter, size, Cut::Bold);
        let name = fitted(
            &facts.text,
            size,
            Cut::Italic,
            self.cells.width / MM - before,
        );
        let width = MM * (before + text_width(&name, size, Cut::Italic));
        let centre = self.cells.x(column) + 0.5 * self.cells.width;
        let start = centre - 0.5 * width;
        let baseline = self.y + MM * BASELINE * size;
        let below = self.y + MM * (LINE_HEIGHT * size + 0.85 * small);
        let (dark, faint) = (self.style.text_colour, self.style.faint_colour);
        let badge = badge(facts.status).to_owned();
        self.put_text(self.words(letter, [start, baseline], size, Cut::Bold, dark));
        self.put_text(self.words(
            name,
            [start + MM * before, baseline],
            size,
            Cut::Italic,
            dark,
        ));
        self.put_text(Text {
            anchor: Anchor::Middle,
            ..self.words(badge, [centre, below], small, Cut::Regular, faint)
        });
    }

    fn put_column_title(&mut self, title: &str, column: usize, cut: Cut) {
        let size = self.style.font_size;
        let title = fitted(title, size, cut, self.cells.width / MM);
        let centre = self.cells.x(column) + 0.5 * self.cells.width;
        let place = [centre, self.y + MM * BASELINE * size];
        self.put_text(Text {
            anchor: Anchor::Middle,
            ..self.words(title, place, size, cut, self.style.text_colour)
        });
    }

    /// The variant's title beside its row, read upwards.
    fn put_row_title(&mut self, variant: usize) {
        let (size, height) = (self.style.font_size, self.cells.picture[1]);
        let title = self.panels.comparison.variants[variant].title();
        let title = fitted(title, size, Cut::Bold, height / MM);
        let place = [
            self.style.margin_mm + MM * BASELINE * size,
            self.y + 0.5 * height,
        ];
        self.put_text(Text {
            anchor: Anchor::Middle,
            upwards: true,
            ..self.words(title, place, size, Cut::Bold, self.style.text_colour)
        });
    }

    fn words(&self, text: String, place: [f32; 2], size: f32, cut: Cut, colour: [u8; 3]) -> Text {
        Text {
            text,
            place,
            anchor: Anchor::Start,
            size,
            cut,
            colour,
            upwards: false,
        }
    }

    fn put_text(&mut self, text: Text) {
        if !text.text.is_empty() {
            self.items.push(Item::Text(text));
        }
    }

    /// `(a) ` for the first label, `(b) ` for the second, `(aa) ` after `(z) `.
    fn letter(&self, label: usize) -> String {
        if !self.style.letters {
            return String::new();
        }
        let mut letters = Vec::new();
        let mut rest = label + 1;
        while rest > 0 {
            letters.push(char::from(b'a' + ((rest - 1) % 26) as u8));
            rest = (rest - 1) / 26;
        }
        format!("({}) ", letters.iter().rev().collect::<String>())
    }

    fn skip_line(&mut self, size: f32) {
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
            let Panels {
                comparison,
                mode,
                fixed_range,
                ..
            } = self.panels;
            let scale = panel_scale(comparison, 0, 0, mode, fixed_range);
            // A single variant has no heading of its own.
            let title = match &comparison.variants[..] {
                [only] => only.title(),
                _ => "",
            };
            let ends = [self.style.margin_mm, self.cells.right()];
            let (style, overlay) = (&self.style, self.panels.style);
            let bottom = put_legend(&mut self.items, style, overlay, &scale, title, ends, self.y);
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

fn badge(status: LabelStatus) -> &'static str {
    match status {
        LabelStatus::Seen => "seen",
        LabelStatus::Taught => "taught",
        LabelStatus::Unseen => "unseen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::colour_map::ColourMap;
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
        let text = |item| match item {
            &Item::Text(ref text) => Some(text),
            _ => None,
        };
        list.items.iter().filter_map(text).collect()
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
