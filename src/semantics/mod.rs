//! Labels as text and as vectors: label encoders, and what a label is to a bundle.
//!
//! [`text`] turns what was typed into labels, [`sentence`] and [`word_vectors`] turn labels into
//! vectors, [`label_features`] sees these through named anchors, [`reading`] says what of a label is
//! known, [`labels`] which labels a bundle was trained on, and [`mod@neighbours`] which lie near another.

mod bert;
mod english_words;
pub mod label_features;
pub mod labels;
pub mod neighbours;
pub mod reading;
pub mod sentence;
pub mod text;
pub mod word_vectors;

pub use label_features::LabelFeatures;
pub use labels::{LabelLists, LabelStatus, TeacherClass};
pub use neighbours::neighbours;
pub use reading::{LeftOutPart, LeftOutReason, Reading};
pub use sentence::{SentenceEncoder, convert_sentence_tokenizer, convert_sentence_weights};
pub use text::{
    LabelError, MAX_LABELS, ParsedLabels, in_one_line, label_key, label_pieces, normalise_label,
    parse_labels,
};
pub use word_vectors::{WordEncoder, WordVectorError, WordVectors, convert_word_vectors};

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::files::one_line;

/// The bytes of a file together with its path, so that an error can name the file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub path: &'a Path,
    pub bytes: &'a [u8],
}

/// What can go wrong between a label's text and its vector.
#[derive(Debug, thiserror::Error)]
pub enum SemanticsError {
    /// A text that cannot be a label.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The file holds no weights of the expected network.
    #[error(
        "{}: not the weights of a text encoder ({reason}); import the model again",
        path.display()
    )]
    Weights { path: PathBuf, reason: String },
    /// The file holds no tokenizer that fits the weights.
    #[error(
        "{}: not the tokenizer of this text encoder ({reason}); import the model again",
        path.display()
    )]
    Tokenizer { path: PathBuf, reason: String },
    /// A line of a label list that cannot be understood.
    #[error("{} line {line}: {reason}", path.display())]
    List {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    /// The tokenizer refused a label.
    #[error("the label “{label}” cannot be split into tokens ({reason}); type it differently")]
    Split { label: String, reason: String },
    /// A label of which the encoder knows nothing.
    #[error("the label “{}” has no vector, type another: {}", one_line(.label), each(.parts))]
    Unread {
        label: String,
        parts: Vec<LeftOutPart>,
    },
    /// A label of punctuation marks alone.
    #[error("the label “{}” has no words; type a word or a short phrase", one_line(.0))]
    NoWords(String),
    /// A label that the word vectors do not have, or no word vectors at all.
    #[error(transparent)]
    Words(#[from] WordVectorError),
    /// A tensor operation failed, usually for want of memory on the device.
    #[error("label vectors could not be computed: {}", first_line(.0))]
    Tensor(#[from] candle_core::Error),
}

impl SemanticsError {
    /// Whether the fault is a label's, and others can still be encoded.
    pub fn is_about_a_label(&self) -> bool {
        matches!(self, Self::Label(_) | Self::Split { .. }) || self.is_about_unknown_words()
    }

    /// Whether the fault is that a label's words are not known.
    pub fn is_about_unknown_words(&self) -> bool {
        matches!(
            self,
            Self::Unread { .. }
                | Self::NoWords(_)
                | Self::Words(WordVectorError::Unknown { .. } | WordVectorError::NoWords(_))
        )
    }
}

fn each(parts: &[LeftOutPart]) -> String {
    let parts: Vec<String> = parts.iter().map(LeftOutPart::to_string).collect();
    parts.join("; ")
}

/// Turns labels into vectors: one row of the paper's A for each label.
pub trait LabelEncoder: Send + Sync {
    /// Length D of a label's vector.
    fn dimension(&self) -> usize;

    /// One l2-normalised row for each label, in the order given: `[L, D]` in f32 on the encoder's
    /// device. A label is encoded bare, as [`normalise_label`] leaves it, with no prompt around it.
    ///
    /// A text of which nothing is known may get a vector here too, which means nothing; whoever
    /// takes labels from people asks for their [`LabelEncoder::reading`] first, or uses
    /// [`LabelEncoder::encode_known`].
    ///
    /// # Errors
    /// A text that is no label, or a tensor operation that fails.
    fn encode(&self, labels: &[&str]) -> Result<Tensor, SemanticsError>;

    /// What of a label the encoder knows and what it must leave out.
    ///
    /// # Errors
    /// A text that is no label or of which nothing is known, with the reason.
    fn reading(&self, label: &str) -> Result<Reading, SemanticsError>;

    /// [`LabelEncoder::encode`] of what is known of each label.
    ///
    /// # Errors
    /// As [`LabelEncoder::reading`] of the first label that has none, and as
    /// [`LabelEncoder::encode`].
    fn encode_known(&self, labels: &[&str]) -> Result<Tensor, SemanticsError> {
        let texts: Vec<String> = labels
            .iter()
            .map(|label| Ok(self.reading(label)?.text))
            .collect::<Result<_, SemanticsError>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.encode(&texts)
    }

    /// Whether the encoder knows any part of this label. All labels of which it knows nothing (an
    /// emoji that its vocabulary lacks, say) get the same vector, which means nothing.
    ///
    /// # Errors
    /// A text that is no label.
    fn knows(&self, label: &str) -> Result<bool, SemanticsError> {
        match self.reading(label) {
            Ok(_) => Ok(true),
            Err(error) if error.is_about_unknown_words() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The message of an error without what follows it: candle's errors carry a backtrace in their text
/// where the environment asks for one.
fn first_line(error: &impl ToString) -> String {
    let text = error.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}
