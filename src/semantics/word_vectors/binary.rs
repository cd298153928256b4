//! word2vec's binary format: a line of two counts, then each word, a space, and its numbers as four
//! bytes each, the lowest first; some programs put a line feed before a word.

use std::io::{BufRead, ErrorKind, Read};

use half::f16;

use super::convert::{Failure, Input, MAX_WORD, Output};
use crate::files::{ByteOrder, FloatFormat};

/// Words between two reports.
const BATCH: u64 = 2048;
/// Longest first line.
const MAX_LINE: u64 = 64;

pub(super) fn read(
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    words: u64,
    dimension: usize,
) -> Result<(), Failure> {
    let mut first = Vec::new();
    let read = (&mut input.reader)
        .take(MAX_LINE)
        .read_until(b'\n', &mut first);
    input.read += read.map_err(|error| input.unreadable(error))? as u64;
    // A word, a space and the numbers.
    let least = words.checked_mul(4 * dimension as u64 + 2);
    if least.is_none_or(|least| least > input.total - input.read.min(input.total)) {
        let reason = format!(
            "its first line says {words} words of {dimension} numbers, which need more bytes than it \
             has: the file is cut off, fetch it again"
        );
        return Err(input.content(reason).into());
    }
    let mut bytes = vec![0; 4 * dimension];
    let mut numbers = Vec::with_capacity(dimension);
    let mut row = vec![f16::ZERO; dimension];
    for index in 1..=words {
        let word = next_word(input, index)?;
        let read = input.reader.read_exact(&mut bytes);
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => cut_off(input, index),
            _ => input.unreadable(error),
        })?;
        input.read += bytes.len() as u64;
        numbers.clear();
        FloatFormat::Single.decode(&bytes, ByteOrder::LowestFirst, &mut numbers);
        for (half, number) in row.iter_mut().zip(&numbers) {
            *half = f16::from_f32(*number);
        }
        match String::from_utf8(word) {
            Err(error) => {
                let word = String::from_utf8_lossy(error.as_bytes());
                output.left_out.not_text.add(output.unit, index, &word);
            }
            Ok(word) if row.iter().all(|half| half.is_finite()) => {
                output.add(index, &word, &row)?;
            }
            Ok(_) => {
                let reason =
                    format!("word {index} has a number beyond half precision: fetch it again");
                return Err(input.content(reason).into());
            }
        }
        if index % BATCH == 0 || index == words {
            input.report(output.len())?;
        }
    }
    Ok(())
}

/// The bytes before the next space.
fn next_word(input: &mut Input<'_>, index: u64) -> Result<Vec<u8>, Failure> {
    let mut word = Vec::new();
    let read = (&mut input.reader)
        .take(MAX_WORD as u64 + 2)
        .read_until(b' ', &mut word);
    input.read += read.map_err(|error| input.unreadable(error))? as u64;
    if word.pop() != Some(b' ') {
        return Err(match word.len() > MAX_WORD {
            true => {
                let reason = format!("word {index} has no end: fetch it again");
                input.content(reason).into()
            }
            false => cut_off(input, index).into(),
        });
    }
    if word.first() == Some(&b'\n') {
        word.remove(0);
    }
    match word.is_empty() {
        true => Err(input
            .content(format!("word {index} is empty: fetch it again"))
            .into()),
        false => Ok(word),
    }
}

fn cut_off(input: &Input<'_>, index: u64) -> super::WordVectorError {
    input.content(format!("the file ends within word {index}: fetch it again"))
}
