//! The bundled font and its measures, so that text looks and fits the same everywhere.

use std::sync::LazyLock;

use ttf_parser::Face;

/// The bundled family; its letters are as wide as Arial's and Helvetica's.
pub const FAMILY: &str = "Arimo";

/// Millimetres in a point.
pub(super) const MM: f32 = 25.4 / 72.0;
/// Height of a line of text over its size.
pub(super) const LINE_HEIGHT: f32 = 1.3;
/// From the top of a line of text to its baseline, over its size.
pub(super) const BASELINE: f32 = 0.98;

/// What the family's files hold: regular, italic, bold.
pub(super) const FILES: [&[u8]; 3] = [
    include_bytes!("../../assets/fonts/Arimo-Regular.ttf"),
    include_bytes!("../../assets/fonts/Arimo-Italic.ttf"),
    include_bytes!("../../assets/fonts/Arimo-Bold.ttf"),
];

static FACES: LazyLock<[Option<Face<'static>>; 3]> =
    LazyLock::new(|| FILES.map(|file| Face::parse(file, 0).ok()));

/// A style of the family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FontStyle {
    #[default]
    Regular,
    Italic,
    Bold,
}

/// Whether the family has a character, or it is one that shows nothing.
pub fn has_letter(letter: char, font_style: FontStyle) -> bool {
    let shows_nothing = letter.is_control()
        || letter.is_whitespace()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
    shows_nothing
        || FACES[font_style as usize]
            .as_ref()
            .is_some_and(|face| face.glyph_index(letter).is_some())
}

/// Width of one line of text in points, by the letters' advances (kerning left out, so that it is
/// never less than what is drawn but by a hair).
pub fn text_width(text: &str, size: f32, font_style: FontStyle) -> f32 {
    let Some(face) = &FACES[font_style as usize] else {
        return 0.6 * size * text.chars().count() as f32;
    };
    let advance = |letter: char| {
        let glyph = face.glyph_index(letter).unwrap_or_default();
        f32::from(face.glyph_hor_advance(glyph).unwrap_or(0))
    };
    text.chars().map(advance).sum::<f32>() * size / f32::from(face.units_per_em())
}

/// The text, cut off with an ellipsis where it is wider than `width` points. At least one letter
/// stays.
pub fn fitted(text: &str, size: f32, font_style: FontStyle, width: f32) -> String {
    if text_width(text, size, font_style) <= width {
        return text.to_owned();
    }
    let room = width - text_width("…", size, font_style);
    let mut kept = String::new();
    let mut used = 0.0;
    for letter in text.chars() {
        used += text_width(letter.encode_utf8(&mut [0; 4]), size, font_style);
        if used > room && !kept.is_empty() {
            break;
        }
        kept.push(letter);
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_arial() {
        // Arial's digits are 1139 of 2048 wide, its i 455.
        assert!((text_width("0", 2048.0, FontStyle::Regular) - 1139.0).abs() < 0.5);
        assert!((text_width("i", 2048.0, FontStyle::Regular) - 455.0).abs() < 0.5);
        assert!(
            text_width("dog", 7.0, FontStyle::Bold) > text_width("dog", 7.0, FontStyle::Regular)
        );
    }

    #[test]
    fn the_family_has_what_captions_need() {
        for face in FACES.iter() {
            let face = face.as_ref().expect("the file is a font");
            for letter in "σ·…–−≤≥%éßЖ".chars() {
                assert!(face.glyph_index(letter).is_some(), "{letter}");
            }
        }
    }

    #[test]
    fn long_text_ends_in_an_ellipsis_and_fits() {
        let text = "a very long label that nobody would type";
        let short = fitted(text, 7.0, FontStyle::Italic, 50.0);
        assert!(short.ends_with('…') && short.starts_with("a very"));
        assert!(text_width(&short, 7.0, FontStyle::Italic) <= 50.0);
        assert_eq!(fitted("dog", 7.0, FontStyle::Italic, 50.0), "dog");
        assert_eq!(fitted("dog", 7.0, FontStyle::Italic, 0.0), "d…");
    }
}
