//! From typed text to labels: clean-up, splitting of lists, duplicates.

use std::collections::HashSet;

/// Longest label, in characters. Label encoders are made for words and phrases; a longer text is
/// almost surely a paste by mistake.
pub const MAX_LABEL_CHARS: usize = 200;

/// Most labels that one text may list: well over the 7,586 of Open Images.
pub const MAX_LABELS: usize = 10_000;

/// What parts labels beside line ends: commas and semicolons of Latin, Arabic and Chinese writing, in
/// full, half and small width.
const SEPARATORS: [char; 11] = [',', ';', '،', '؛', '、', '，', '；', '､', '﹐', '﹑', '﹔'];

/// What stands around a label in a spreadsheet's text.
const QUOTES: [char; 4] = ['"', '“', '”', '„'];

/// How much of a refused label its error shows, in characters.
const SHOWN_CHARS: usize = 24;

/// Why a text cannot be a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("a label is empty; type a word or a short phrase")]
    Empty,
    #[error(
        "the label “{start}…” has {length} characters, the limit is {MAX_LABEL_CHARS}; shorten it"
    )]
    TooLong { start: String, length: usize },
    #[error("more than {MAX_LABELS} labels, from “{first_left_out}” on left out; give fewer")]
    TooMany { first_left_out: String },
}

/// What [`parse_labels`] found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedLabels {
    /// Normalised labels in their order, each once.
    pub labels: Vec<String>,
    /// Labels that had come before, compared as [`label_key`] does; not in `labels` again.
    pub duplicates: Vec<String>,
    /// Why the remaining pieces are no labels.
    pub refused: Vec<LabelError>,
}

/// Cleans a label's text: white space at the ends goes, inner white space becomes one space,
/// control characters and invisible format characters go. Upper and lower case stay as typed, for
/// the screen; the encoder takes no notice of them. Emoji stay whole.
///
/// # Errors
/// [`LabelError::Empty`] where nothing visible remains, [`LabelError::TooLong`] over
/// [`MAX_LABEL_CHARS`].
pub fn normalise_label(text: &str) -> Result<String, LabelError> {
    let mut label = String::new();
    let mut length = 0;
    let mut visible = false;
    let mut space_due = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space_due = length > 0;
            continue;
        }
        if c.is_control() || is_invisible(c) {
            continue;
        }
        if space_due {
            push_counted(&mut label, &mut length, ' ');
            space_due = false;
        }
        visible |= !is_joiner(c);
        push_counted(&mut label, &mut length, c);
    }
    if !visible {
        return Err(LabelError::Empty);
    }
    if length > MAX_LABEL_CHARS {
        let start = label.chars().take(SHOWN_CHARS).collect();
        return Err(LabelError::TooLong { start, length });
    }
    Ok(label)
}

/// Counts every character but keeps no more than a label may have.
fn push_counted(label: &mut String, length: &mut usize, c: char) {
    if *length < MAX_LABEL_CHARS {
        label.push(c);
    }
    *length += 1;
}

/// What two labels share when they are the same label: the text in lower case, without the white
/// space that [`normalise_label`] removes.
pub fn label_key(label: &str) -> String {
    let words: Vec<&str> = label.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The labels of a list such as `dog, traffic light;  joy` as they were typed: parted by commas,
/// semicolons (of any script), tabs or line ends, without white space and quotation marks around
/// them. Pieces of which nothing is left (a comma at the end, an empty line) are passed over.
pub fn label_pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(parts_labels)
        .map(|piece| piece.trim_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c)))
        .filter(|piece| !piece.is_empty())
}

/// Whether a character ends one label and begins the next.
fn parts_labels(c: char) -> bool {
    ends_line(c) || SEPARATORS.contains(&c)
}

/// Whether a character ends a line, or a cell of a table, in any of the ways that programs write it.
fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// A column or table of labels as one line, for a field that has only one: a comma stands where a
/// line or a cell ended.
pub fn in_one_line(text: &str) -> String {
    let cells: Vec<&str> = text.split(ends_line).map(str::trim).collect();
    let cells = cells.into_iter().filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join(", ")
}

/// Reads a list of labels, parted as [`label_pieces`] parts them.
pub fn parse_labels(text: &str) -> ParsedLabels {
    let mut parsed = ParsedLabels::default();
    let mut known = HashSet::new();
    for piece in label_pieces(text) {
        let label = match normalise_label(piece) {
            Ok(label) => label,
            Err(error) => {
                parsed.refused.push(error);
                continue;
            }
        };
        if known.contains(&label_key(&label)) {
            parsed.duplicates.push(label);
        } else if parsed.labels.len() == MAX_LABELS {
            parsed.refused.push(LabelError::TooMany {
                first_left_out: label,
            });
            break;
        } else {
            known.insert(label_key(&label));
            parsed.labels.push(label);
        }
    }
    parsed
}

/// Format characters that show nothing and join nothing. They would make two labels that look the
/// same differ, and those that turn the writing direction would garble the text around a label.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Characters that show nothing by themselves but belong to emoji and to some scripts.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_control_characters_go() {
        assert_eq!(
            normalise_label("  traffic \t\n light\u{7} "),
            Ok("traffic light".into())
        );
        assert_eq!(normalise_label("Dog\u{0}"), Ok("Dog".into()));
        assert_eq!(normalise_label("\u{202e}dog\u{200b}"), Ok("dog".into()));
        assert_eq!(normalise_label("a\u{a0}\u{3000}b"), Ok("a b".into()));
    }

    #[test]
    fn emoji_stay_whole() {
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(normalise_label(family), Ok(family.into()));
        assert_eq!(normalise_label(" ❤\u{fe0f} "), Ok("❤\u{fe0f}".into()));
    }

    #[test]
    fn what_shows_nothing_is_empty() {
        for text in [
            "",
            " \t\r\n ",
            "\u{0}\u{1b}",
            "\u{200d}\u{fe0f}",
            "\u{feff}",
        ] {
            assert_eq!(normalise_label(text), Err(LabelError::Empty), "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        let longest = "é".repeat(MAX_LABEL_CHARS);
        assert_eq!(normalise_label(&longest), Ok(longest.clone()));
        let error = normalise_label(&"wolf".repeat(125)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the label “wolfwolfwolfwolfwolfwolf…” has 500 characters, the limit is 200; shorten it"
        );
    }

    #[test]
    fn lists_split_at_commas_and_lines() {
        let parsed = parse_labels("dog, traffic light,  joy\r\nDOG,\n,Traffic  Light, 🐶,");
        assert_eq!(parsed.labels, ["dog", "traffic light", "joy", "🐶"]);
        assert_eq!(parsed.duplicates, ["DOG", "Traffic Light"]);
        assert_eq!(parsed.refused, []);
    }

    #[test]
    fn every_usual_sign_parts_labels_and_phrases_stay_whole() {
        for sign in [
            ",", ";", "\t", "\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}",
            "，", "、", "；", "､", "﹐", "﹑", "﹔", "،", "؛", " , ", "\n\n", ";\n",
        ] {
            let list = ["dog", "traffic light", "zebra"].join(sign);
            let parsed = parse_labels(&list);
            assert_eq!(parsed.labels, ["dog", "traffic light", "zebra"], "{sign:?}");
            assert_eq!(parsed.refused, [], "{sign:?}");
        }
    }

    #[test]
    fn a_spreadsheets_quotation_marks_go() {
        let parsed = parse_labels("\"dog\";\"traffic light\"\n“cat”\n\"\"\n12\" disc wheel");
        assert_eq!(
            parsed.labels,
            ["dog", "traffic light", "cat", "12\" disc wheel"]
        );
    }

    #[test]
    fn a_table_fits_into_one_line() {
        assert_eq!(
            in_one_line("dog\ttraffic light\r\n\r\n cat\n"),
            "dog, traffic light, cat"
        );
        assert_eq!(in_one_line("dog, cat; cow"), "dog, cat; cow");
    }

    #[test]
    fn a_refused_piece_leaves_the_others() {
        let parsed = parse_labels(&format!("dog,{},\u{0},cat", "x".repeat(201)));
        assert_eq!(parsed.labels, ["dog", "cat"]);
        assert!(matches!(
            parsed.refused[..],
            [LabelError::TooLong { length: 201, .. }, LabelError::Empty]
        ));
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let text: Vec<String> = (0..MAX_LABELS + 5).map(|i| i.to_string()).collect();
        let parsed = parse_labels(&text.join("\n"));
        assert_eq!(parsed.labels.len(), MAX_LABELS);
        assert_eq!(
            parsed.refused,
            [LabelError::TooMany {
                first_left_out: MAX_LABELS.to_string()
            }]
        );
    }

    #[test]
    fn keys_ignore_case_and_white_space() {
        assert_eq!(label_key("  Traffic   LIGHT "), label_key("traffic light"));
        assert_eq!(label_key("ÉCOLE"), label_key("école"));
        assert_ne!(label_key("trafficlight"), label_key("traffic light"));
    }
}
