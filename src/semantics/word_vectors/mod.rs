//! Word vectors (GloVe, word2vec): labels as means of their words' vectors, as the paper's authors
//! made theirs.
//!
//! [`convert_word_vectors`] reads a published file once and writes one in a format of its own, which
//! [`WordVectors`] reads whole: 400,000 words of 300 numbers are 250 MB.

mod binary;
mod convert;
mod encoder;
mod format;
mod left_out;
mod spelling;
mod text;

#[cfg(test)]
mod tests;

pub use convert::{
    ConversionProgress, Converted, convert_word_vectors, copy_word_vectors, write_word_vectors,
};
pub use encoder::WordEncoder;
pub use left_out::{LeftOut, Skipped};

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::files::{FileBytes, FileError, one_line, open_regular, read_error, shown};
use format::{FileLayout, HEADER};

/// Bytes of a file that is read at most: twice those of the largest published vectors.
const LIMIT: usize = 4 << 30;
/// Spellings that are offered for an unknown word.
const SUGGESTIONS: usize = 3;
/// Rows whose cosines are computed at a time by one thread.
const BLOCK: usize = 512;
/// Sums that run side by side in a product.
const LANES: usize = 16;

/// Why word vectors cannot be read, converted or used, in one line.
#[derive(Debug, thiserror::Error)]
pub enum WordVectorError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {}", shown(.path), one_line(.reason))]
    Content { path: PathBuf, reason: String },
    #[error("{} line {line}: {}", shown(.path), one_line(.reason))]
    Line {
        path: PathBuf,
        line: u64,
        reason: String,
    },
    #[error("{}: not the word vectors that this program writes ({reason}): import them again", shown(.path))]
    Format { path: PathBuf, reason: &'static str },
    #[error("{}: the numbers of “{word}” have changed since it was written: import the word vectors again", shown(.path))]
    Changed { path: PathBuf, word: String },
    #[error("{}: stopped before the end; nothing was written", shown(.0))]
    Stopped(PathBuf),
    #[error("the label “{}” has no words; type a word or a short phrase", one_line(.0))]
    NoWords(String),
    #[error("the label “{}” has no vector, type another: {}", one_line(.label), unknown_words(.words))]
    Unknown {
        label: String,
        words: Vec<UnknownWord>,
    },
}

/// A word without a vector, and words that are spelled nearly so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    pub word: String,
    pub suggestions: Vec<String>,
}

fn unknown_words(words: &[UnknownWord]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(
            |UnknownWord { word, suggestions }| match suggestions.as_slice() {
                [] => format!("“{}” is not among the model's words", one_line(word)),
                some => format!(
                    "“{}” is not among the model's words; spelled nearly so: {}",
                    one_line(word),
                    one_line(&some.join(", "))
                ),
            },
        )
        .collect();
    words.join("; ")
}

/// Vectors of words, from a file that [`convert_word_vectors`] wrote.
#[derive(Debug)]
pub struct WordVectors {
    path: PathBuf,
    file: FileBytes,
    layout: FileLayout,
}

impl WordVectors {
    /// Opens a file of [`convert_word_vectors`].
    ///
    /// # Errors
    /// A file that cannot be read or is not one.
    pub fn open(path: &Path) -> Result<Self, WordVectorError> {
        let (file, facts) = open_regular(path)?;
        let (file, layout) = contents(&file, facts.len()).map_err(|reason| match reason {
            Refusal::Io(error) => WordVectorError::File(read_error(path, error)),
            Refusal::Format(reason) => WordVectorError::Format {
                path: path.to_owned(),
                reason,
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            layout,
        })
    }

    /// The SHA-256, in hexadecimal, of everything but the vectors: the words, their places and the
    /// vectors' checksums, some 5 % of the file. A vector is checked against its checksum when it is
    /// used, so a program that starts need not read all of them to notice a damaged file.
    pub fn index_sha256(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.layout.index(self.file.bytes()) {
            hash.update(part);
        }
        let bytes = hash.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The SHA-256, in hexadecimal, of the whole file.
    pub fn sha256(&self) -> String {
        let bytes = Sha256::digest(self.file.bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Words that have a vector.
    pub fn len(&self) -> usize {
        self.layout.words
    }

    /// Whether no word has one.
    pub fn is_empty(&self) -> bool {
        self.layout.words == 0
    }

    /// D, the length of a vector.
    pub fn dimension(&self) -> usize {
        self.layout.dimension
    }

    /// The word of a row; rows keep the order of the published file, which is usually that of
    /// frequency. Empty for a row that is not there.
    pub fn word(&self, row: usize) -> &str {
        let bytes = self.layout.word(self.file.bytes(), row).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    /// The row of exactly this word.
    pub fn row(&self, word: &str) -> Option<usize> {
        self.layout.find(self.file.bytes(), word.as_bytes())
    }

    /// A row's vector as it was published, `[D]`, rounded to half precision.
    pub fn vector(&self, row: usize) -> Option<Vec<f32>> {
        Some(self.rows(row..row + 1)?.to_f32_vec())
    }

    /// The l2-normalised mean of a label's words' vectors, `[D]`.
    ///
    /// Words are parted by white space, hyphens and underscores; a piece that is a word with its
    /// hyphens (`x-ray`) stays one. A word is looked up as it is typed, then in lower case.
    ///
    /// # Errors
    /// A label without words, words that have no vector, a file that has changed.
    pub fn encode(&self, label: &str) -> Result<Vec<f32>, WordVectorError> {
        let (rows, unknown) = self.rows_of(label);
        if !unknown.is_empty() {
            let words = unknown.into_iter().map(|word| UnknownWord {
                suggestions: self.suggestions(&word),
                word,
            });
            return Err(WordVectorError::Unknown {
                label: label.to_owned(),
                words: words.collect(),
            });
        }
        if rows.is_empty() {
            return Err(WordVectorError::NoWords(label.to_owned()));
        }
        let mut mean = vec![0.0; self.dimension()];
        for row in rows {
            let vector = self.unchanged(row)?;
            for (sum, number) in mean.iter_mut().zip(vector) {
                *sum += number.to_f32();
            }
        }
        // The length does not change the direction, so the sum serves as the mean.
        let norm = mean
            .iter()
            .map(|number| number * number)
            .sum::<f32>()
            .sqrt();
        for number in &mut mean {
            *number /= norm.max(f32::MIN_POSITIVE);
        }
        Ok(mean)
    }

    /// The `n` words with the largest cosine to `vector` (`[D]`, of any length), the nearest first, as
    /// (row, cosine); equal cosines keep the order of the rows. None where `vector` has another length
    /// than D.
    pub fn nearest(&self, vector: &[f32], n: usize) -> Vec<(usize, f32)> {
        let dimension = self.dimension();
        let rows = self.rows(0..self.len()).unwrap_or_default();
        let norms = self.layout.norms(&self.file).unwrap_or_default();
        if vector.len() != dimension || rows.is_empty() {
            return Vec::new();
        }
        let norm = dot(vector, vector).sqrt();
        let mut cosines = vec![0.0f32; norms.len()];
        cosines
            .par_chunks_mut(BLOCK)
            .zip(rows.par_chunks(BLOCK * dimension))
            .zip(norms.par_chunks(BLOCK))
            .for_each_init(
                || vec![0.0; dimension],
                |single, ((cosines, rows), norms)| {
                    let rows = rows.chunks_exact(dimension);
                    for ((cosine, row), row_norm) in cosines.iter_mut().zip(rows).zip(norms) {
                        row.convert_to_f32_slice(single);
                        *cosine = dot(single, vector) / (row_norm * norm).max(f32::MIN_POSITIVE);
                    }
                },
            );
        let mut found: Vec<(usize, f32)> = cosines.into_iter().enumerate().collect();
        let nearer = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n < found.len() {
            found.select_nth_unstable_by(n, nearer);
            found.truncate(n);
        }
        found.sort_unstable_by(nearer);
        found
    }

    /// Words spelled nearly like `word`, the nearest first, then the most frequent.
    pub fn suggestions(&self, word: &str) -> Vec<String> {
        let spelled = |row| self.word(row);
        spelling::nearest(&word.to_lowercase(), self.len(), spelled, SUGGESTIONS)
            .into_iter()
            .map(|row| self.word(row).to_owned())
            .collect()
    }

    /// The rows of a label's words, and the words that have none.
    fn rows_of(&self, label: &str) -> (Vec<usize>, Vec<String>) {
        let (mut rows, mut unknown) = (Vec::new(), Vec::new());
        for piece in label.split_whitespace() {
            if let Some(row) = self.typed(piece) {
                rows.push(row);
                continue;
            }
            for word in piece.split(['-', '_']).filter(|word| !word.is_empty()) {
                match self.typed(word) {
                    Some(row) => rows.push(row),
                    None => unknown.push(word.to_owned()),
                }
            }
        }
        (rows, unknown)
    }

    /// The row of a word as it is typed, or in lower case.
    fn typed(&self, word: &str) -> Option<usize> {
        self.row(word).or_else(|| self.row(&word.to_lowercase()))
    }

    /// A row that is still as it was written.
    fn unchanged(&self, row: usize) -> Result<&[f16], WordVectorError> {
        let vector = self.rows(row..row + 1).unwrap_or_default();
        match self.layout.is_unchanged(self.file.bytes(), row, vector) {
            true => Ok(vector),
            false => Err(WordVectorError::Changed {
                path: self.path.clone(),
                word: self.word(row).to_owned(),
            }),
        }
    }

    fn rows(&self, rows: std::ops::Range<usize>) -> Option<&[f16]> {
        self.layout.rows(&self.file, rows)
    }
}

/// A file's bytes and what is where in them.
fn contents(file: &File, length: u64) -> Result<(FileBytes, FileLayout), Refusal> {
    let length = usize::try_from(length)
        .ok()
        .filter(|&length| length <= LIMIT)
        .ok_or(Refusal::Format("it is too large"))?;
    let header = FileBytes::read(file, length.min(HEADER)).map_err(Refusal::Io)?;
    let layout = FileLayout::read(header.bytes(), length).map_err(Refusal::Format)?;
    let mut start = file;
    start.rewind().map_err(Refusal::Io)?;
    let bytes = FileBytes::read(file, length).map_err(Refusal::Io)?;
    Ok((bytes, layout))
}

enum Refusal {
    Io(std::io::Error),
    Format(&'static str),
}

/// The scalar product of two vectors of one length.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
