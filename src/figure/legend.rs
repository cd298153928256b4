//! The colour bar under a figure: one for all panels, named, with its ticks.

use std::sync::Arc;

use super::display_list::{Anchor, Area, Item, Text};
use super::figure_style::FigureStyle;
use super::font::{FontStyle, MM, text_width};
use super::overlay::{OverlayStyle, colour_bar};
use super::panel::{HALO, LINE};
use super::scale::Scale;

/// Thickness of the bar over the font size.
const THICKNESS: f32 = 0.95;
const WIDEST_BAR: f32 = 60.0;
/// Outline of the bar and its ticks, millimetres.
const HAIRLINE: f32 = 0.12;

/// Puts the colour bar of `scale` at the right end of the line from `ends[0]` to `ends[1]` below
/// `top`, its name before it and `title` at the line's beginning. Returns where it ends.
pub(super) fn put_legend(
    items: &mut Vec<Item>,
    style: &FigureStyle,
    overlay: &OverlayStyle,
    scale: &Scale,
    title: &str,
    ends: [f32; 2],
    top: f32,
) -> f32 {
    let (size, small) = (style.font_size, style.small_size());
    let marks = marks(scale);
    let overhang = marks.last().map_or(0.0, |(_, text)| {
        0.5 * MM * text_width(text, small, FontStyle::Regular)
    });
    let free = ends[1] - ends[0];
    let width = style.snapped((0.45 * free).min(WIDEST_BAR));
    let name_width = MM * text_width(scale.label(), size, FontStyle::Regular);
    let title_width = MM * text_width(title, size, FontStyle::Bold);
    let bar_x = style.snapped(ends[1] - overhang - width);
    let beside = title_width + name_width + width + overhang + 3.0 * MM * size <= free;

    let mut y = top + 0.3 * MM * size;
    let line = |text: &str, x: f32, baseline: f32, anchor, font_style| {
        Item::Text(Text {
            text: text.to_owned(),
            place: [x, baseline],
            anchor,
            size,
            font_style,
            colour: style.text_colour,
            upwards: false,
        })
    };
    if !beside {
        items.push(line(
            scale.label(),
            bar_x + width,
            y + MM * size,
            Anchor::End,
            FontStyle::Regular,
        ));
        y += 1.3 * MM * size;
    }
    let area = Area {
        x: bar_x,
        y: style.snapped(y),
        width,
        height: style.snapped(THICKNESS * MM * size),
    };
    let baseline = area.y + 0.5 * area.height + 0.36 * MM * size;
    if beside {
        let x = bar_x - MM * size;
        items.push(line(
            scale.label(),
            x,
            baseline,
            Anchor::End,
            FontStyle::Regular,
        ));
    }
    if !title.is_empty() {
        items.push(line(
            title,
            ends[0],
            baseline,
            Anchor::Start,
            FontStyle::Bold,
        ));
    }
    put_bar(items, style, overlay, scale, area);
    put_marks(items, style, scale, &marks, area)
}

/// The values to mark; a bar that stands for many ranges has only a low and a high end.
fn marks(scale: &Scale) -> Vec<(f32, String)> {
    if scale.mode.is_shared() {
        scale.ticks()
    } else {
        vec![
            (scale.low, "lowest".to_owned()),
            (scale.high, "highest".to_owned()),
        ]
    }
}

fn put_bar(
    items: &mut Vec<Item>,
    style: &FigureStyle,
    overlay: &OverlayStyle,
    scale: &Scale,
    area: Area,
) {
    let [width, height] =
        [area.width, area.height].map(|side| (side / 25.4 * style.dpi).round().clamp(1.0, 4096.0));
    let below = style.background.unwrap_or([255; 3]);
    let image = colour_bar(width as u32, height as u32, scale, overlay, below);
    items.push(Item::Image {
        area,
        image: Arc::new(image),
    });
    let [red, green, blue] = style.text_colour;
    if overlay.contours && scale.mode.is_shared() {
        put_contour_levels(items, scale, area);
    }
    items.push(Item::Rectangle {
        area,
        width: HAIRLINE,
        colour: [red, green, blue, 160],
    });
}

/// The levels of the panels' contour lines, drawn across the bar as they are in the panels.
fn put_contour_levels(items: &mut Vec<Item>, scale: &Scale, area: Area) {
    for level in scale.contour_levels() {
        let x = area.x + scale.position(level) * area.width;
        for (width, colour) in [HALO, LINE] {
            items.push(Item::Line {
                points: vec![[x, area.y], [x, area.y + area.height]],
                closed: false,
                width,
                colour,
            });
        }
    }
}

fn put_marks(
    items: &mut Vec<Item>,
    style: &FigureStyle,
    scale: &Scale,
    marks: &[(f32, String)],
    area: Area,
) -> f32 {
    let small = style.small_size();
    let bottom = area.y + area.height;
    let tick = 0.25 * MM * small;
    let baseline = bottom + tick + MM * 0.95 * small;
    let [red, green, blue] = style.text_colour;
    for (value, text) in marks {
        let x = area.x + scale.position(*value) * area.width;
        items.push(Item::Line {
            points: vec![[x, bottom], [x, bottom + tick]],
            closed: false,
            width: HAIRLINE,
            colour: [red, green, blue, 255],
        });
        items.push(Item::Text(Text {
            text: text.clone(),
            place: [x, baseline],
            anchor: Anchor::Middle,
            size: small,
            font_style: FontStyle::Regular,
            colour: style.text_colour,
            upwards: false,
        }));
    }
    baseline + 0.35 * MM * small
}
