//! Characters of a figure that its font does not have: they are named, since nothing else would tell
//! why boxes stand in their place. Figures use the bundled font alone, so that they are the same
//! everywhere.

use unicode_script::UnicodeScript;

use super::display_list::{DisplayList, Item};
use super::font::{FAMILY, has_letter};

/// How many characters are named before the others are only counted.
const NAMED: usize = 8;

/// The characters of a page that its font does not have, each once, in the order of the page.
pub fn missing_letters(page: &DisplayList) -> Vec<char> {
    let mut missing = Vec::new();
    for item in &page.items {
        let Item::Text(text) = item else { continue };
        for letter in text.text.chars() {
            if !has_letter(letter, text.font_style) && !missing.contains(&letter) {
                missing.push(letter);
            }
        }
    }
    missing
}

/// One line that names the characters of a page that its font does not have; `None` where it has all.
pub fn note(page: &DisplayList) -> Option<String> {
    let missing = missing_letters(page);
    (!missing.is_empty()).then(|| {
        format!(
            "the font of figures, {FAMILY}, has no {}: a PNG has empty boxes in their place, an SVG \
             leaves them to the fonts of the program that shows it; write these labels in other \
             letters",
            named(&missing)
        )
    })
}

/// Characters by their look, number and script: `“狗” (U+72D7, Han)`.
pub fn named(letters: &[char]) -> String {
    let mut names: Vec<String> = letters
        .iter()
        .take(NAMED)
        .map(|&letter| {
            let (number, script) = (u32::from(letter), letter.script().full_name());
            format!("“{letter}” (U+{number:04X}, {script})")
        })
        .collect();
    if letters.len() > NAMED {
        names.push(format!("{} other characters", letters.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::display_list::{Anchor, Text};
    use crate::figure::font::FontStyle;

    fn page(texts: &[&str]) -> DisplayList {
        let text = |text: &&str| {
            Item::Text(Text {
                text: (*text).to_owned(),
                place: [0.0; 2],
                anchor: Anchor::Start,
                size: 7.0,
                font_style: FontStyle::Italic,
                colour: [0; 3],
                upwards: false,
            })
        };
        DisplayList {
            size: [10.0; 2],
            background: None,
            items: texts.iter().map(text).collect(),
        }
    }

    #[test]
    fn missing_characters_are_named_once_and_others_not() {
        let page = page(&["dog, Größe, σ, собака", "a\u{a0}b\u{200d} 狗 狗", "🐶"]);
        assert_eq!(missing_letters(&page), ['狗', '🐶']);
        let note = note(&page).expect("two are missing");
        assert!(
            note.contains("“狗” (U+72D7, Han), “🐶” (U+1F436, Common)"),
            "{note}"
        );
    }

    #[test]
    fn a_page_of_known_letters_has_no_note() {
        assert_eq!(note(&page(&["traffic light · 6.8 σ", "naïve…"])), None);
    }

    #[test]
    fn many_are_counted() {
        let letters: Vec<char> = ('一'..='十').take(11).collect();
        assert!(named(&letters).ends_with(", 3 other characters"));
    }
}
