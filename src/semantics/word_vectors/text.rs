//! Word vectors written as text: a line for each word, the word first, then its numbers.

use std::io::{BufRead, Read};

use half::f16;
use rayon::prelude::*;

use super::convert::{Failure, Input, MAX_WORD, Output};

/// Longest line.
const MAX_LINE: u64 = 1 << 18;
/// Lines that are parsed at a time, side by side.
const BATCH: usize = 2048;

/// Reads lines to the end; `counted` words after a first line that says so.
pub(super) fn read(
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    dimension: usize,
    counted: Option<u64>,
) -> Result<(), Failure> {
    let mut line = 0u64;
    if counted.is_some() {
        next_line(input, &mut Vec::new(), 1)?;
        line = 1;
    }
    let mut words = 0u64;
    let mut text = Vec::new();
    let mut rows = vec![f16::ZERO; BATCH * dimension];
    loop {
        text.clear();
        let mut ends = Vec::with_capacity(BATCH);
        while ends.len() < BATCH {
            if !next_line(input, &mut text, line + ends.len() as u64 + 1)? {
                break;
            }
            ends.push(text.len());
        }
        if ends.is_empty() {
            break;
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let lines: Vec<&[u8]> = starts
            .zip(&ends)
            .map(|(start, &end)| &text[start..end])
            .collect();
        let parsed: Vec<Result<&str, String>> = lines
            .par_iter()
            .zip(rows.par_chunks_mut(dimension))
            .map(|(line, row)| parse(line, row))
            .collect();
        for (parsed, row) in parsed.into_iter().zip(rows.chunks(dimension)) {
            line += 1;
            let word = parsed.map_err(|reason| input.broken_line(line, reason))?;
            words += 1;
            output.add(word, row)?;
        }
        input.report(output.len())?;
    }
    match counted {
        Some(counted) if counted != words => Err(input
            .content(format!(
                "its first line says {counted} words, and it has {words}: fetch it again"
            ))
            .into()),
        _ => Ok(()),
    }
}

/// Appends the next line without its end to `text`; false where there is none.
fn next_line(input: &mut Input<'_>, text: &mut Vec<u8>, line: u64) -> Result<bool, Failure> {
    let start = text.len();
    let read = (&mut input.reader).take(MAX_LINE).read_until(b'\n', text);
    let read = read.map_err(|error| input.unreadable(error))? as u64;
    input.read += read;
    if read == MAX_LINE && text.last() != Some(&b'\n') {
        let reason = format!("longer than {MAX_LINE} bytes: this is no file of word vectors");
        return Err(input.broken_line(line, reason).into());
    }
    while text.len() > start && text.last().is_some_and(u8::is_ascii_whitespace) {
        text.pop();
    }
    Ok(read > 0)
}

/// The word of a line, whose numbers fill `row`. A word may have spaces in it.
fn parse<'l>(line: &'l [u8], row: &mut [f16]) -> Result<&'l str, String> {
    let line = str::from_utf8(line)
        .map_err(|_| "not UTF-8: convert the file, or fetch it again".to_owned())?;
    if line.is_empty() {
        return Err("empty: take the line out, or fetch the file again".to_owned());
    }
    let dimension = row.len();
    let mut rest = line;
    for number in row.iter_mut().rev() {
        let (before, piece) = rest
            .rsplit_once([' ', '\t'])
            .ok_or_else(|| wrong_count(line, dimension))?;
        let value: f32 = piece
            .parse()
            .map_err(|_| not_a_number(line, piece, dimension))?;
        *number = f16::from_f32(value);
        if !number.is_finite() {
            return Err(format!(
                "the number {} is beyond half precision",
                shortened(piece)
            ));
        }
        rest = before.trim_end_matches([' ', '\t']);
    }
    let last = rest.rsplit_once(' ').map(|(_, last)| last);
    if last.is_some_and(|last| last.parse::<f32>().is_ok()) {
        return Err(wrong_count(line, dimension));
    }
    match rest.len() {
        0 => Err("no word before its numbers: fetch the file again".to_owned()),
        length if length > MAX_WORD => Err(format!(
            "a word of {length} bytes: this is no file of word vectors"
        )),
        _ => Ok(rest),
    }
}

/// What is wrong where `piece` should be a number.
fn not_a_number(line: &str, piece: &str, dimension: usize) -> String {
    match line.split_ascii_whitespace().count() == dimension + 1 {
        true => format!(
            "“{}” is not a number: fetch the file again",
            shortened(piece)
        ),
        false => wrong_count(line, dimension),
    }
}

fn wrong_count(line: &str, dimension: usize) -> String {
    let pieces = line.split_ascii_whitespace().count();
    format!(
        "{} numbers where the others have {dimension}: the file is cut off or mixed, fetch it again",
        pieces.saturating_sub(1)
    )
}

fn shortened(piece: &str) -> String {
    piece.chars().take(24).collect()
}
