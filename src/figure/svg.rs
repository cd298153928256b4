//! Writes a display list as SVG: text stays text, pictures are embedded.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use super::display_list::{Anchor, Area, DisplayList, Item, Text};
use super::font::{FAMILY, FontStyle};

/// Points in a millimetre. The drawing's unit is the point, so that no font size is a fraction
/// of a unit, which some viewers round.
const POINTS: f32 = 72.0 / 25.4;

/// Why a figure could not be written as SVG.
#[derive(Debug, thiserror::Error)]
#[error("a picture of {width} x {height} pixels could not be packed for the figure: {cause}")]
pub struct SvgError {
    width: u32,
    height: u32,
    cause: image::ImageError,
}

/// The figure as SVG text, the same for the same list.
///
/// # Errors
/// When a picture cannot be packed as PNG (one with no pixels).
pub fn svg(list: &DisplayList) -> Result<String, SvgError> {
    let [width, height] = list.size;
    let mut out = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{}mm" height="{}mm" "#,
            r#"viewBox="0 0 {} {}" font-family="{}, 'Liberation Sans', Arial, Helvetica, "#,
            r#"sans-serif">"#,
            "\n"
        ),
        Number(width),
        Number(height),
        Number(width * POINTS),
        Number(height * POINTS),
        FAMILY,
    );
    if let Some(background) = list.background {
        let colour = hex(background);
        put(
            &mut out,
            format_args!(r#"<rect width="100%" height="100%" fill="{colour}"/>"#),
        );
    }
    let mut written = Vec::new();
    for item in &list.items {
        match item {
            Item::Image { area, image } => put_image(&mut out, *area, image, &mut written)?,
            Item::Line {
                points,
                closed,
                width,
                colour,
            } => {
                put_line(&mut out, points, *closed, *width, *colour);
            }
            Item::Rectangle {
                area,
                width,
                colour,
            } => {
                put_rectangle(&mut out, *area, *width, *colour);
            }
            Item::Text(text) => put_text(&mut out, text),
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// Writing into a string cannot fail.
fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(line);
    out.push('\n');
}

/// A picture is embedded once; where the same picture comes again in the same size it is only
/// named.
fn put_image(
    out: &mut String,
    area: Area,
    image: &Arc<RgbImage>,
    written: &mut Vec<(Arc<RgbImage>, Area)>,
) -> Result<(), SvgError> {
    let same = |(other, at): &(Arc<RgbImage>, Area)| {
        Arc::ptr_eq(other, image) && at.width == area.width && at.height == area.height
    };
    if let Some(index) = written.iter().position(same) {
        let first = written[index].1;
        let (x, y) = (
            Number((area.x - first.x) * POINTS),
            Number((area.y - first.y) * POINTS),
        );
        put(
            out,
            format_args!(r##"<use href="#picture{index}" x="{x}" y="{y}"/>"##),
        );
        return Ok(());
    }
    let packed = base64::engine::general_purpose::STANDARD.encode(packed_picture(image)?);
    put(
        out,
        format_args!(
            concat!(
                r#"<image id="picture{}" x="{}" y="{}" width="{}" height="{}" "#,
                r#"preserveAspectRatio="none" href="data:image/png;base64,{}"/>"#
            ),
            written.len(),
            Number(area.x * POINTS),
            Number(area.y * POINTS),
            Number(area.width * POINTS),
            Number(area.height * POINTS),
            packed
        ),
    );
    written.push((image.clone(), area));
    Ok(())
}

fn packed_picture(image: &RgbImage) -> Result<Vec<u8>, SvgError> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(|cause| SvgError {
            width,
            height,
            cause,
        })?;
    Ok(bytes)
}

fn put_line(out: &mut String, points: &[[f32; 2]], closed: bool, width: f32, colour: [u8; 4]) {
    let places = points
        .iter()
        .map(|[x, y]| format!("{},{}", Number(x * POINTS), Number(y * POINTS)))
        .collect::<Vec<_>>()
        .join(" ");
    let name = if closed { "polygon" } else { "polyline" };
    let stroke = stroke(width, colour);
    put(
        out,
        format_args!(r#"<{name} points="{places}" fill="none" stroke-linejoin="round" {stroke}/>"#),
    );
}

fn put_rectangle(out: &mut String, area: Area, width: f32, colour: [u8; 4]) {
    put(
        out,
        format_args!(
            r#"<rect x="{}" y="{}" width="{}" height="{}" fill="none" {}/>"#,
            Number(area.x * POINTS),
            Number(area.y * POINTS),
            Number(area.width * POINTS),
            Number(area.height * POINTS),
            stroke(width, colour)
        ),
    );
}

fn stroke(width: f32, [red, green, blue, opacity]: [u8; 4]) -> String {
    let colour = hex([red, green, blue]);
    let width = Number(width * POINTS);
    let opacity = Number(f32::from(opacity) / 255.0);
    format!(r#"stroke="{colour}" stroke-width="{width}" stroke-opacity="{opacity}""#)
}

fn put_text(out: &mut String, text: &Text) {
    let (x, y) = (
        Number(text.place[0] * POINTS),
        Number(text.place[1] * POINTS),
    );
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => r#" text-anchor="middle""#,
        Anchor::End => r#" text-anchor="end""#,
    };
    let font_style = match text.font_style {
        FontStyle::Regular => "",
        FontStyle::Italic => r#" font-style="italic""#,
        FontStyle::Bold => r#" font-weight="bold""#,
    };
    let turn = if text.upwards {
        format!(r#" transform="rotate(-90 {x} {y})""#)
    } else {
        String::new()
    };
    put(
        out,
        format_args!(
            r#"<text x="{x}" y="{y}" font-size="{}" fill="{}"{anchor}{font_style}{turn}>{}</text>"#,
            Number(text.size),
            hex(text.colour),
            escaped(&text.text)
        ),
    );
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text as XML may hold it: control characters, which it may not, become the replacement
/// character, so that they do not vanish unseen.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\n' | '\t' | '\r' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A number with at most four decimals and no needless zeros, so that files stay small and equal.
struct Number(f32);

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.4}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        formatter.write_str(if text == "-0" { "0" } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Item {
        Item::Text(Text {
            text: content.to_owned(),
            place: [25.4, 12.7],
            anchor: Anchor::Middle,
            size: 7.0,
            font_style: FontStyle::Italic,
            colour: [1, 2, 255],
            upwards: true,
        })
    }

    fn page(items: Vec<Item>) -> DisplayList {
        DisplayList {
            size: [50.8, 25.4],
            background: Some([255; 3]),
            items,
        }
    }

    #[test]
    fn millimetres_become_points_and_text_stays_text() {
        let svg = svg(&page(vec![text("σ <b> & c")])).expect("it has no picture");
        assert!(svg.contains(r#"width="50.8mm" height="25.4mm" viewBox="0 0 144 72""#));
        assert!(svg.contains(r##"<text x="72" y="36" font-size="7" fill="#0102ff""##));
        assert!(svg.contains(r#"font-style="italic" transform="rotate(-90 72 36)""#));
        assert!(svg.contains(">σ &lt;b&gt; &amp; c</text>"));
    }

    #[test]
    fn what_xml_forbids_is_replaced() {
        assert_eq!(escaped("a\u{0}b\nc\u{ffff}"), "a\u{fffd}b c\u{fffd}");
    }

    #[test]
    fn a_picture_that_comes_again_is_embedded_once() {
        let image = Arc::new(RgbImage::new(2, 2));
        let area = |x: f32, width: f32| Area {
            x,
            y: 0.0,
            width,
            height: 5.0,
        };
        let items = [area(0.0, 5.0), area(25.4, 5.0), area(0.0, 9.0)]
            .map(|area| Item::Image {
                area,
                image: image.clone(),
            })
            .to_vec();
        let svg = svg(&page(items)).expect("the picture has pixels");
        assert_eq!(svg.matches("data:image/png").count(), 2);
        assert!(svg.contains(r##"<use href="#picture0" x="72" y="0"/>"##));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(Number(2.5).to_string(), "2.5");
        assert_eq!(Number(-0.00001).to_string(), "0");
        assert_eq!(Number(1.0 / 3.0).to_string(), "0.3333");
    }
}
