//! Word vectors written as text: a line for each word, the word first, then its numbers.

use std::io::{BufRead, Read};
use std::ops::Range;

use half::f16;
use rayon::prelude::*;

use super::convert::{BYTE_ORDER_MARK, Failure, Input, MAX_WORD, Output};

/// Longest line.
const MAX_LINE: u64 = 1 << 18;
/// Lines that are parsed at a time, side by side.
const BATCH: usize = 2048;

/// Why a line has no row.
enum Fault {
    NotText,
    Broken(String),
}

/// Reads lines to the end; `counted` words after a first line that says so. Faulty lines are left
/// out.
///
/// # Errors
/// A file that ends early, or of which half the lines are faulty or more: the first of them.
pub(super) fn read(
    input: &mut Input<'_>,
    output: &mut Output<'_>,
    dimension: usize,
    counted: Option<u64>,
) -> Result<(), Failure> {
    skip_byte_order_mark(input)?;
    let mut line = 0u64;
    if counted.is_some() {
        next_line(input, &mut Vec::new(), 1)?;
        line = 1;
    }
    let (mut words, mut first_fault) = (0u64, None);
    let mut text = Vec::new();
    let mut rows = vec![f16::ZERO; BATCH * dimension];
    loop {
        text.clear();
        let lines = next_lines(input, &mut text, line)?;
        if lines.is_empty() {
            break;
        }
        let parsed: Vec<Result<&str, Fault>> = lines
            .par_iter()
            .zip(rows.par_chunks_mut(dimension))
            .map(|(place, row)| parse(&text[place.clone()], row))
            .collect();
        for (parsed, row) in parsed.into_iter().zip(rows.chunks(dimension)) {
            line += 1;
            match parsed {
                Ok(word) => {
                    words += 1;
                    output.add(line, word, row)?;
                }
                Err(fault) => {
                    let fault = note(output, line, fault);
                    first_fault.get_or_insert(fault);
                }
            }
        }
        input.report(output.len())?;
    }
    let faulty = (output.left_out.not_text.count + output.left_out.broken.count) as u64;
    if let Some((line, reason)) = first_fault
        && faulty >= words
    {
        return Err(input.broken_line(line, reason).into());
    }
    match counted {
        // A faulty line may be one of the words, or an empty one at the end.
        Some(counted) if !(words..=words + faulty).contains(&counted) => Err(input
            .content(format!(
                "its first line says {counted} words, and it has {words}: fetch it again"
            ))
            .into()),
        _ => Ok(()),
    }
}

/// Counts a faulty line; returns which it is and why.
fn note(output: &mut Output<'_>, line: u64, fault: Fault) -> (u64, String) {
    let (skipped, reason) = match fault {
        Fault::NotText => {
            let reason = "not UTF-8: convert the file, or fetch it again";
            (&mut output.left_out.not_text, reason.to_owned())
        }
        Fault::Broken(reason) => (&mut output.left_out.broken, reason),
    };
    skipped.add(output.unit, line, &reason);
    (line, reason)
}

/// A byte-order mark says how the text is written and is no part of its first word.
fn skip_byte_order_mark(input: &mut Input<'_>) -> Result<(), Failure> {
    let start = input.reader.fill_buf();
    let marked = start.map(|start| start.starts_with(BYTE_ORDER_MARK));
    if marked.map_err(|error| input.unreadable(error))? {
        input.reader.consume(BYTE_ORDER_MARK.len());
        input.read += BYTE_ORDER_MARK.len() as u64;
    }
    Ok(())
}

/// Appends the next lines, after `line` ones, to `text`; returns where each of them is.
fn next_lines(
    input: &mut Input<'_>,
    text: &mut Vec<u8>,
    line: u64,
) -> Result<Vec<Range<usize>>, Failure> {
    let mut lines = Vec::with_capacity(BATCH);
    while lines.len() < BATCH {
        let start = text.len();
        if !next_line(input, text, line + lines.len() as u64 + 1)? {
            break;
        }
        lines.push(start..text.len());
    }
    Ok(lines)
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
fn parse<'l>(line: &'l [u8], row: &mut [f16]) -> Result<&'l str, Fault> {
    let line = str::from_utf8(line).map_err(|_| Fault::NotText)?;
    parse_text(line, row).map_err(Fault::Broken)
}

fn parse_text<'l>(line: &'l str, row: &mut [f16]) -> Result<&'l str, String> {
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
    let last = rest.rsplit_once([' ', '\t']).map(|(_, last)| last);
    if last.is_some_and(is_number) {
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

/// How many numbers a line ends in, its first piece apart.
pub(super) fn numbers_at_end(line: &str) -> usize {
    let pieces: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
    pieces
        .iter()
        .rev()
        .take_while(|piece| is_number(piece))
        .count()
}

/// Whether a piece is a number in digits: “nan” and “infinity” may be words.
fn is_number(piece: &str) -> bool {
    piece.contains(|c: char| c.is_ascii_digit()) && piece.parse::<f32>().is_ok()
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
