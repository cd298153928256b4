//! What an encoder makes of a label's words: those it knows, and those it must leave out, each with
//! the reason.

use std::fmt;

use crate::files::one_line;

/// How much of a part is shown, in characters.
const SHOWN_CHARS: usize = 24;

/// A label as an encoder reads it; at least one word of it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What is encoded: the label without the parts that are left out.
    pub text: String,
    /// Parts that the vector is made without, in the label's order.
    pub left_out: Vec<LeftOutPart>,
}

impl Reading {
    /// One line that says what the vector is made without; `None` where that is nothing.
    pub fn note(&self, label: &str) -> Option<String> {
        if self.left_out.is_empty() {
            return None;
        }
        let parts: Vec<String> = self
            .left_out
            .iter()
            .map(|LeftOutPart { text, reason }| format!("“{}”, {reason}", shortened(text)))
            .collect();
        let label = one_line(&label);
        Some(format!(
            "the label “{label}” is read without {}",
            parts.join("; and without ")
        ))
    }
}

/// A part of a label that says nothing to the encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOutPart {
    pub text: String,
    pub reason: LeftOutReason,
}

impl fmt::Display for LeftOutPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, reason } = self;
        write!(f, "“{}” is {reason}", shortened(text))
    }
}

/// Why a part of a label says nothing to the encoder; reads on after "is".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// Signs of which the vocabulary has none.
    Unknown,
    /// Letters that the vocabulary has one by one, without their words.
    Script(&'static str),
    /// More letters than the encoder takes in a word.
    TooLong { letters: usize, most: usize },
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not among the model's words"),
            Self::Script(script) => write!(f, "in {script} script, where the model reads English"),
            Self::TooLong { letters, most } => {
                write!(
                    f,
                    "a word of {letters} letters, where the model takes {most}"
                )
            }
        }
    }
}

/// The start of a long part.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    one_line(&short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, reason: LeftOutReason) -> LeftOutPart {
        let text = text.to_owned();
        LeftOutPart { text, reason }
    }

    #[test]
    fn only_a_label_that_is_read_in_part_has_a_note() {
        let left_out = vec![
            part("🐶", LeftOutReason::Unknown),
            part("собака", LeftOutReason::Script("Cyrillic")),
        ];
        let text = "dog".to_owned();
        let reading = Reading { text, left_out };
        assert_eq!(
            reading.note("dog 🐶 собака").as_deref(),
            Some(
                "the label “dog 🐶 собака” is read without “🐶”, not among the model's words; and \
                 without “собака”, in Cyrillic script, where the model reads English"
            )
        );
        let all = Reading {
            text: "dog".to_owned(),
            left_out: Vec::new(),
        };
        assert_eq!(all.note("dog"), None);
    }

    #[test]
    fn a_long_part_is_shown_by_its_start() {
        let (letters, most) = (150, 100);
        let long = part(&"x".repeat(150), LeftOutReason::TooLong { letters, most });
        let x = "x".repeat(24);
        let expected = format!("“{x}…” is a word of 150 letters, where the model takes 100");
        assert_eq!(long.to_string(), expected);
    }
}
