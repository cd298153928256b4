//! From a published file of word vectors to one of this program's own.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use half::f16;

use super::format::{HEADER, MAGIC, Words, checksum};
use super::{LeftOut, WordVectorError, binary, text};
use crate::files::{FileError, check_target, open_regular, read_error, write_atomically};

/// Most numbers of a vector.
pub(super) const MAX_DIMENSION: usize = 4096;
/// Longest word in bytes.
pub(super) const MAX_WORD: usize = 1000;
/// Bytes from which the kind of file is told.
const HEAD: u64 = 1 << 16;
/// Bytes of the file read at a time.
const BUFFER: usize = 1 << 20;
/// What some programs write before a text to say that it is UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Starts of files that have to be unpacked first.
const PACKED: [&[u8]; 4] = [b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"];

/// How far a conversion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionProgress {
    /// Bytes of the published file that are read.
    pub read: u64,
    /// Bytes that it has.
    pub total: u64,
    pub words: usize,
}

/// What a conversion gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    pub words: usize,
    pub dimension: usize,
    pub left_out: LeftOut,
}

/// Reads GloVe's text format, or word2vec's text or binary format, and writes `target`, which
/// [`super::WordVectors::open`] opens, as a whole or not at all. `go_on` hears how far it is and may
/// break off. Lines that are broken (not UTF-8, another number of numbers, none at all, numbers beyond
/// half precision) are left out and counted.
///
/// # Errors
/// Files that cannot be read or written; in the published file the first broken line, where there are
/// as many of them as of others; an early end.
pub fn convert_word_vectors(
    published: &Path,
    target: &Path,
    mut go_on: impl FnMut(ConversionProgress) -> ControlFlow<()>,
) -> Result<Converted, WordVectorError> {
    check_target(target)?;
    let (mut file, facts) = open_regular(published)?;
    let mut head = Vec::new();
    let read = (&mut file).take(HEAD).read_to_end(&mut head);
    let read = read.and_then(|_| file.seek(SeekFrom::Start(0)));
    read.map_err(|error| read_error(published, error))?;
    if head.is_empty() {
        return Err(FileError::Empty(published.to_owned()).into());
    }
    if PACKED.iter().any(|packed| head.starts_with(packed)) {
        return Err(content(published, "packed: unpack it first"));
    }
    let kind = Kind::of(
        published,
        head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head),
    )?;
    let mut input = Input {
        path: published,
        reader: BufReader::with_capacity(BUFFER, file),
        read: 0,
        total: facts.len(),
        go_on: &mut go_on,
    };
    let mut outcome = None;
    let written = write_atomically(target, |writer| {
        let converted = fill(kind, &mut input, writer);
        let failed = converted.is_err();
        outcome = Some(converted);
        match failed {
            true => Err(io::Error::other("the words cannot be read")),
            false => Ok(()),
        }
    });
    match (outcome, written) {
        (Some(Err(Failure::Words(error))), _) => Err(error),
        (Some(Err(Failure::Write(source))), _) => {
            Err(crate::files::write_error(target, source).into())
        }
        (_, Err(error)) => Err(error.into()),
        (Some(Ok(converted)), Ok(())) => Ok(converted),
        (None, Ok(())) => Err(content(published, "nothing was read of it: try again")),
    }
}

/// [`convert_word_vectors`], or a copy of a file that it wrote before, of which nothing is left out.
///
/// # Errors
/// As [`convert_word_vectors`].
pub fn copy_word_vectors(
    source: &Path,
    target: &Path,
    go_on: impl FnMut(ConversionProgress) -> ControlFlow<()>,
) -> Result<LeftOut, WordVectorError> {
    let (mut file, _) = open_regular(source)?;
    let mut head = Vec::new();
    let read = (&mut file).take(MAGIC.len() as u64).read_to_end(&mut head);
    let read = read.and_then(|_| file.seek(SeekFrom::Start(0)));
    read.map_err(|error| read_error(source, error))?;
    if head != MAGIC {
        return Ok(convert_word_vectors(source, target, go_on)?.left_out);
    }
    write_atomically(target, |writer| io::copy(&mut file, writer).map(drop))?;
    // A damaged file is told by its own name.
    super::WordVectors::open(source)?;
    Ok(LeftOut::default())
}

/// Writes `target`, which [`super::WordVectors::open`] opens, from words and their vectors, as a
/// whole or not at all. The first vector of a word counts; numbers are rounded to half precision.
///
/// # Errors
/// A file that cannot be written.
pub fn write_word_vectors<'w>(
    target: &Path,
    dimension: usize,
    words: impl Iterator<Item = (&'w str, &'w [f32])>,
) -> Result<Converted, WordVectorError> {
    let mut converted = None;
    let mut row = vec![f16::ZERO; dimension];
    write_atomically(target, |writer| {
        let mut output = Output::begin(writer, dimension, "word")?;
        for (word, vector) in words {
            for (half, number) in row.iter_mut().zip(vector) {
                *half = f16::from_f32(*number);
            }
            let place = output.len() as u64 + 1;
            output.add(place, word, &row)?;
        }
        converted = Some(output.finish()?);
        Ok(())
    })?;
    converted.ok_or_else(|| content(target, "nothing was written: try again"))
}

/// A conversion that fails on either side.
pub(super) enum Failure {
    Words(WordVectorError),
    Write(io::Error),
}

impl From<WordVectorError> for Failure {
    fn from(error: WordVectorError) -> Self {
        Self::Words(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

fn fill(
    kind: Kind,
    input: &mut Input<'_>,
    writer: &mut BufWriter<File>,
) -> Result<Converted, Failure> {
    let unit = match kind {
        Kind::Word2VecBinary { .. } => "word",
        Kind::GloVe { .. } | Kind::Word2VecText { .. } => "line",
    };
    let mut output = Output::begin(writer, kind.dimension(), unit)?;
    match kind {
        Kind::GloVe { dimension } => text::read(input, &mut output, dimension, None)?,
        Kind::Word2VecText { words, dimension } => {
            text::read(input, &mut output, dimension, Some(words))?;
        }
        Kind::Word2VecBinary { words, dimension } => {
            binary::read(input, &mut output, words, dimension)?;
        }
    }
    if output.words.len() == 0 {
        return Err(content(input.path, "no words in it: fetch it again").into());
    }
    Ok(output.finish()?)
}

/// The formats that word vectors are published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Lines of a word and its numbers.
    GloVe { dimension: usize },
    /// The same after a line of two counts.
    Word2VecText { words: u64, dimension: usize },
    /// The same line, then words and numbers as bytes.
    Word2VecBinary { words: u64, dimension: usize },
}

impl Kind {
    fn of(path: &Path, head: &[u8]) -> Result<Self, WordVectorError> {
        let end = head
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(head.len());
        let (line, rest) = head.split_at(end);
        let broken = |reason: &str| WordVectorError::Line {
            path: path.to_owned(),
            line: 1,
            reason: reason.to_owned(),
        };
        let first = String::from_utf8_lossy(line);
        let counts: Vec<&str> = first.split_ascii_whitespace().collect();
        if let [words, dimension] = counts[..]
            && let (Ok(words), Ok(dimension)) = (words.parse(), dimension.parse())
        {
            let dimension =
                bounded(dimension).ok_or_else(|| broken(&wrong_dimension(dimension)))?;
            return Ok(match is_text(&rest[rest.len().min(1)..], dimension) {
                true => Self::Word2VecText { words, dimension },
                false => Self::Word2VecBinary { words, dimension },
            });
        }
        if rest.is_empty() && head.len() as u64 >= HEAD - BYTE_ORDER_MARK.len() as u64 {
            return Err(broken(
                "longer than a word and its numbers: this is no file of word vectors",
            ));
        }
        if let Some(dimension) = usual_dimension(head) {
            return Ok(Self::GloVe { dimension });
        }
        Err(broken(match str::from_utf8(line) {
            Ok(_) => {
                "not a word and its numbers: this is no file of word vectors (GloVe, word2vec)"
            }
            Err(_) => "not UTF-8: this is no file of word vectors, or it must be converted",
        }))
    }

    fn dimension(self) -> usize {
        match self {
            Self::GloVe { dimension }
            | Self::Word2VecText { dimension, .. }
            | Self::Word2VecBinary { dimension, .. } => dimension,
        }
    }
}

fn bounded(dimension: usize) -> Option<usize> {
    (1..=MAX_DIMENSION)
        .contains(&dimension)
        .then_some(dimension)
}

fn wrong_dimension(dimension: usize) -> String {
    format!("vectors of {dimension} numbers; they may have 1 to {MAX_DIMENSION}")
}

/// How many numbers most of the first lines have behind their word; of two such counts the one that
/// comes first.
fn usual_dimension(head: &[u8]) -> Option<usize> {
    let whole = match head.len() as u64 >= HEAD - BYTE_ORDER_MARK.len() as u64 {
        // The last line may be cut.
        true => head.iter().rposition(|&byte| byte == b'\n')?,
        false => head.len(),
    };
    let mut found: Vec<(usize, usize)> = Vec::new();
    for line in head[..whole].split(|&byte| byte == b'\n') {
        let dimension = match str::from_utf8(line) {
            Ok(line) => bounded(text::numbers_at_end(line)),
            Err(_) => None,
        };
        match found
            .iter_mut()
            .find(|(known, _)| Some(*known) == dimension)
        {
            Some((_, lines)) => *lines += 1,
            None => found.extend(dimension.map(|dimension| (dimension, 1))),
        }
    }
    let most = found.iter().map(|(_, lines)| *lines).max()?;
    let usual = found.into_iter().find(|(_, lines)| *lines == most);
    usual.map(|(dimension, _)| dimension)
}

/// Whether `dimension` numbers that are written in digits come after the first word.
fn is_text(rest: &[u8], dimension: usize) -> bool {
    let Some(space) = rest.iter().position(|&byte| byte == b' ' || byte == b'\t') else {
        return false;
    };
    let numbers = &rest[space + 1..];
    let end = numbers.iter().position(|&byte| byte == b'\n');
    let line = &numbers[..end.unwrap_or(numbers.len())];
    let Ok(line) = str::from_utf8(line) else {
        return false;
    };
    // A word may have spaces.
    if text::numbers_at_end(line) == dimension {
        return true;
    }
    let written = |c: char| c.is_ascii_digit() || "+-.eE \t\r".contains(c);
    let count = line.split_ascii_whitespace().count();
    // A long line goes on behind what is looked at; a short one may be the broken end.
    count > 0 && count <= dimension && line.chars().all(written)
}

/// A published file as it is read.
pub(super) struct Input<'i> {
    pub path: &'i Path,
    pub reader: BufReader<File>,
    /// Bytes that are read.
    pub read: u64,
    pub total: u64,
    go_on: &'i mut dyn FnMut(ConversionProgress) -> ControlFlow<()>,
}

impl Input<'_> {
    /// Says how far it is.
    pub(super) fn report(&mut self, words: usize) -> Result<(), WordVectorError> {
        let progress = ConversionProgress {
            read: self.read,
            total: self.total,
            words,
        };
        match (self.go_on)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(WordVectorError::Stopped(self.path.to_owned())),
        }
    }

    pub(super) fn content(&self, reason: impl Into<String>) -> WordVectorError {
        content(self.path, reason)
    }

    pub(super) fn broken_line(&self, line: u64, reason: impl Into<String>) -> WordVectorError {
        WordVectorError::Line {
            path: self.path.to_owned(),
            line,
            reason: reason.into(),
        }
    }

    pub(super) fn unreadable(&self, error: io::Error) -> WordVectorError {
        read_error(self.path, error).into()
    }
}

fn content(path: &Path, reason: impl Into<String>) -> WordVectorError {
    WordVectorError::Content {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// A file of this program's own as it is written.
pub(super) struct Output<'o> {
    writer: &'o mut BufWriter<File>,
    dimension: usize,
    words: Words,
    /// Rows by the hash of their words. Two words of one hash are taken for different ones.
    seen: HashMap<u64, u32>,
    pub left_out: LeftOut,
    /// What is counted in the published file: lines or words.
    pub unit: &'static str,
    bytes: Vec<u8>,
}

impl<'o> Output<'o> {
    /// Leaves room for the header.
    fn begin(
        writer: &'o mut BufWriter<File>,
        dimension: usize,
        unit: &'static str,
    ) -> io::Result<Self> {
        writer.write_all(&[0; HEADER])?;
        Ok(Self {
            writer,
            dimension,
            words: Words::default(),
            seen: HashMap::new(),
            left_out: LeftOut::default(),
            unit,
            bytes: Vec::new(),
        })
    }

    /// Writes all that comes after the rows.
    fn finish(self) -> io::Result<Converted> {
        self.words.finish(self.writer, self.dimension)?;
        Ok(Converted {
            words: self.words.len(),
            dimension: self.dimension,
            left_out: self.left_out,
        })
    }

    /// Words that have a row so far.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Appends a word and its vector, if it is new and has a direction.
    /// `place` is where it stands in the published file.
    pub(super) fn add(&mut self, place: u64, word: &str, row: &[f16]) -> io::Result<()> {
        let squares: f32 = row
            .iter()
            .map(|number| number.to_f32() * number.to_f32())
            .sum();
        if squares == 0.0 {
            self.left_out.zeros.add(self.unit, place, word);
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(&row) = self.seen.get(&hash)
            && self.words.word(row as usize) == word
        {
            self.left_out.duplicates.add(self.unit, place, word);
            return Ok(());
        }
        let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let start = u32::try_from(self.words.text.len()).map_err(too_large)?;
        let index = u32::try_from(self.words.len()).map_err(too_large)?;
        self.seen.entry(hash).or_insert(index);
        self.words.starts.push(start);
        self.words.text.push_str(word);
        self.words.norms.push(squares.sqrt());
        self.words.sums.push(checksum(row));
        self.bytes.clear();
        self.bytes
            .extend(row.iter().flat_map(|number| number.to_ne_bytes()));
        self.writer.write_all(&self.bytes)
    }
}
