//! Which parts of a label are words to an encoder that was trained on English.
//!
//! The vocabulary of all-MiniLM-L6-v2 (BERT's) has the letters of many scripts one by one but next to
//! no words of them, and one token for all that it lacks. Measured with twenty nouns: of their
//! translations into Russian, Greek, Hebrew, Arabic, Japanese (kana) and Korean, 0 to 2 lie nearest to
//! the right English noun, as by chance, with mean cosines to the right and to a wrong one that differ
//! by 0.01; any two Russian words have a cosine of 0.55. Chinese characters, of which it has some 250,
//! are right in 11 of 20: too few to be relied on (`tests/reference/scripts_of_words.py`). A single Greek letter lies next to its name (α to
//! “alpha” 0.91), and numbers next to theirs.

use std::ops::Range;

use tokenizers::Encoding;
use unicode_script::{Script, UnicodeScript};

use super::{LeftOutPart, LeftOutReason, Reading, SemanticsError};

/// A part of a label.
pub(super) struct Part {
    place: Range<usize>,
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Word,
    /// Punctuation and the like, which says nothing alone.
    Mark,
    LeftOut(LeftOutReason),
}

/// The parts of `label`, in order, as the tokenizer has `split` it. `unknown` is the token of what
/// the vocabulary lacks, `most` the letters of the longest word.
pub(super) fn parts(label: &str, split: &Encoding, unknown: Option<u32>, most: usize) -> Vec<Part> {
    let mut words: Vec<(Option<u32>, Range<usize>, bool)> = Vec::new();
    let tokens = split.get_ids().iter().zip(split.get_word_ids());
    for ((&token, &word), &(start, end)) in tokens.zip(split.get_offsets()) {
        let lacking = Some(token) == unknown;
        match words.last_mut() {
            Some((last, place, lacks)) if *last == word => {
                place.end = end;
                *lacks |= lacking;
            }
            _ => words.push((word, start..end, lacking)),
        }
    }
    let mut parts: Vec<Part> = words
        .into_iter()
        .map(|(_, place, lacking)| Part {
            kind: kind(label.get(place.clone()).unwrap_or_default(), lacking, most),
            place,
        })
        .collect();
    parts.extend(dropped(label, &parts));
    parts.sort_by_key(|part| part.place.start);
    parts
}

fn kind(text: &str, lacking: bool, most: usize) -> Kind {
    let letters = text.chars().count();
    match foreign_script(text) {
        Some(script) => Kind::LeftOut(LeftOutReason::Script(script)),
        None if lacking && letters > most => {
            Kind::LeftOut(LeftOutReason::TooLong { letters, most })
        }
        None if lacking => Kind::LeftOut(LeftOutReason::Unknown),
        None if text.chars().any(char::is_alphanumeric) => Kind::Word,
        None => Kind::Mark,
    }
}

/// The script of a word in other letters than Latin ones; a Greek letter alone is a sign that English
/// texts use.
fn foreign_script(text: &str) -> Option<&'static str> {
    let script = text.chars().map(|letter| letter.script()).find(|script| {
        !matches!(
            script,
            Script::Latin | Script::Common | Script::Inherited | Script::Unknown
        )
    })?;
    match script {
        Script::Greek if text.chars().count() == 1 => None,
        Script::Han => Some("Chinese"),
        script => Some(script.full_name()),
    }
}

/// Characters that the tokenizer passes over without a token: private ones, say. Accents and joiners
/// belong to what stands before them.
fn dropped(label: &str, parts: &[Part]) -> Vec<Part> {
    let mut dropped = Vec::new();
    for (start, letter) in label.char_indices() {
        let end = start + letter.len_utf8();
        let covered = parts.iter().any(|part| part.place.contains(&start));
        let attached = letter.script() == Script::Inherited || super::text::is_joiner(letter);
        if covered || attached || letter.is_whitespace() {
            continue;
        }
        let script = foreign_script(label.get(start..end).unwrap_or_default());
        dropped.push(Part {
            place: start..end,
            kind: Kind::LeftOut(script.map_or(LeftOutReason::Unknown, LeftOutReason::Script)),
        });
    }
    dropped
}

/// What can be read of a label with these parts.
///
/// # Errors
/// No word among them.
pub(super) fn reading(label: String, parts: &[Part]) -> Result<Reading, SemanticsError> {
    let left_out = left_out(&label, parts);
    if parts.iter().any(|part| part.kind == Kind::Word) {
        let mut text = label;
        for part in parts.iter().rev() {
            if matches!(part.kind, Kind::LeftOut(_)) {
                text.replace_range(part.place.clone(), " ");
            }
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        return Ok(Reading { text, left_out });
    }
    Err(match left_out.is_empty() {
        true => SemanticsError::NoWords(label),
        false => SemanticsError::Unread {
            label,
            parts: left_out,
        },
    })
}

/// The parts to be left out; those that follow each other for the same reason are one.
fn left_out(label: &str, parts: &[Part]) -> Vec<LeftOutPart> {
    let mut places: Vec<(Range<usize>, &LeftOutReason)> = Vec::new();
    for part in parts {
        let Kind::LeftOut(reason) = &part.kind else {
            continue;
        };
        match places.last_mut() {
            Some((place, last)) if place.end == part.place.start && *last == reason => {
                place.end = part.place.end;
            }
            _ => places.push((part.place.clone(), reason)),
        }
    }
    places
        .into_iter()
        .map(|(place, reason)| LeftOutPart {
            text: label.get(place).unwrap_or_default().to_owned(),
            reason: reason.clone(),
        })
        .collect()
}
