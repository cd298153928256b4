//! A TIFF's samples → levels of 8 bits, `[height, width, samples]`.

use std::io::Cursor;

use half::f16;
use tiff::decoder::{Decoder, Limits};

use super::patch::Patch;
use super::{Fault, Layout, fault};

/// What the decoder leaves where it wrote nothing.
const UNTOUCHED: u8 = 0xa5;

/// Rows as the crate gives them.
struct Rows {
    bytes: Vec<u8>,
    /// Of one row, and how many rows a plane has (more than the photo where tiles reach over it).
    row_bytes: usize,
    plane_rows: usize,
}

/// Decodes all samples; whole numbers are scaled to 255, but for indices of a palette.
pub(super) fn levels(
    file: &[u8],
    layout: &Layout,
    indexed: bool,
    most: u64,
) -> Result<Vec<u8>, Fault> {
    let rows = rows(file, layout, most)?;
    if layout.shared_chroma != (1, 1) {
        return Ok(whole_chroma(&rows, layout));
    }
    let planes = if layout.separate { layout.samples } else { 1 };
    if planes == 1 && layout.bits == 8 && !layout.is_float {
        let mut levels = rows.bytes;
        levels.truncate(layout.height * rows.row_bytes);
        return Ok(levels);
    }
    let line = layout.width * layout.samples;
    let mut levels = vec![0; layout.height * line];
    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    for plane in 0..planes {
        for (row, target) in levels.chunks_exact_mut(line).enumerate() {
            let start = (plane * rows.plane_rows + row) * rows.row_bytes;
            let from = &rows.bytes[start..start + rows.row_bytes];
            let targets = target.iter_mut().skip(plane).step_by(planes);
            match layout.is_float {
                true => floats(from, layout.bits, targets, &mut range)?,
                false => whole_numbers(from, layout.bits, indexed, targets),
            }
        }
    }
    check_range(range)?;
    Ok(levels)
}

/// Has the crate unpack the data as numbers without a meaning.
fn rows(file: &[u8], layout: &Layout, most: u64) -> Result<Rows, Fault> {
    let mut patch = Patch::new(file)?;
    if layout.reversed_bits {
        patch.reverse_bits(&layout.chunks)?;
    }
    // Grey, and nothing else in a pixel.
    patch.set(262, 1)?;
    patch.hide(338);
    let (row_bytes, plane_rows) = arrange(&mut patch, layout)?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(most).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size.max(file.len());
    let decoder = Decoder::new(Cursor::new(&patch.bytes)).map_err(fault)?;
    let mut decoder = decoder.with_limits(limits);
    let length = decoder.image_buffer_layout().map_err(fault)?.complete_len;
    let planes = if layout.separate { layout.samples } else { 1 };
    if length as u64 > most {
        return Err(Fault::TooMuchMemory);
    }
    if row_bytes.checked_mul(plane_rows * planes) != Some(length) || length == 0 {
        let why = "samples in an arrangement that is not read";
        return Err(Fault::Unsupported(why.to_owned()));
    }
    let mut bytes = vec![UNTOUCHED; length];
    match decoder.read_image_bytes(&mut bytes) {
        Ok(()) => Ok(Rows {
            bytes,
            row_bytes,
            plane_rows,
        }),
        Err(error) => Err(explained(fault(error), file, layout, &bytes, row_bytes)),
    }
}

/// Says otherwise of data that the crate does not take as it is; bytes of a row and rows of a plane.
fn arrange(patch: &mut Patch, layout: &Layout) -> Result<(usize, usize), Fault> {
    if layout.shared_chroma != (1, 1) {
        return blocks_as_bytes(patch, layout);
    }
    if layout.bits > 8 && !layout.bits.is_multiple_of(8) {
        return packed_as_bytes(patch, layout);
    }
    let samples = if layout.separate { 1 } else { layout.samples };
    let row_bytes = packed(layout.width, samples, layout.bits)?;
    let Some((_, side)) = layout.tile.filter(|_| layout.separate) else {
        return Ok((row_bytes, layout.height));
    };
    // The crate takes planes of tiles for one plane: they lie below each other.
    let rows = padded(layout.height, side);
    let all = rows.checked_mul(layout.samples);
    patch.set(257, all.ok_or(Fault::TooMuchMemory)?)?;
    patch.set(277, 1)?;
    patch.set(258, layout.bits)?;
    patch.set(284, 1)?;
    patch.set(339, if layout.is_float { 3 } else { 1 })?;
    Ok((row_bytes, rows))
}

/// Bytes that samples take without gaps.
fn packed(width: usize, samples: usize, bits: usize) -> Result<usize, Fault> {
    let bits = width
        .checked_mul(samples)
        .and_then(|count| count.checked_mul(bits));
    Ok(bits.ok_or(Fault::TooMuchMemory)?.div_ceil(8))
}

/// A side of the picture up to the end of its last tile.
fn padded(side: usize, tile: usize) -> usize {
    side.div_ceil(tile.max(1)).saturating_mul(tile)
}

/// Blocks that share their chroma, each its luma and then its two of chroma, as rows of bytes.
fn blocks_as_bytes(patch: &mut Patch, layout: &Layout) -> Result<(usize, usize), Fault> {
    let (across, down) = layout.shared_chroma;
    let cells = |width: usize| packed(width.div_ceil(across), across * down + 2, 8);
    let (row_bytes, chunk) = match layout.tile {
        Some((width, height)) => {
            let row_bytes = cells(padded(layout.width, width))?;
            (row_bytes, (Some(cells(width)?), height / down))
        }
        None => (
            cells(layout.width)?,
            (None, layout.rows_per_strip.div_ceil(down)),
        ),
    };
    as_bytes(patch, row_bytes, chunk)?;
    let rows = layout.height.div_ceil(down);
    patch.set(257, rows)?;
    Ok((row_bytes, rows))
}

/// Samples of 9 to 15 bits as rows of bytes.
fn packed_as_bytes(patch: &mut Patch, layout: &Layout) -> Result<(usize, usize), Fault> {
    if layout.separate || layout.predicted || layout.is_float {
        let why = format!("planes or prediction of {} bits a sample", layout.bits);
        return Err(Fault::Unsupported(why));
    }
    let packed = |width: usize| packed(width, layout.samples, layout.bits);
    let (row_bytes, chunk) = match layout.tile {
        Some((width, height)) if width.is_multiple_of(8) => (
            packed(padded(layout.width, width))?,
            (Some(packed(width)?), height),
        ),
        Some(_) => return Err(Fault::Unsupported("tiles of unusual sides".to_owned())),
        None => (packed(layout.width)?, (None, layout.rows_per_strip)),
    };
    as_bytes(patch, row_bytes, chunk)?;
    Ok((row_bytes, layout.height))
}

/// One byte a pixel, `width` of them in a row; a chunk's width, where it is a tile, and height.
fn as_bytes(
    patch: &mut Patch,
    width: usize,
    (tile, side): (Option<usize>, usize),
) -> Result<(), Fault> {
    patch.set(256, width)?;
    patch.set(258, 8)?;
    patch.set(277, 1)?;
    patch.set(339, 1)?;
    match tile {
        Some(tile) => {
            patch.set(322, tile)?;
            patch.set(323, side)
        }
        None => patch.set(278, side),
    }
}

/// Tells how much of the rows was read.
fn explained(fault: Fault, file: &[u8], layout: &Layout, bytes: &[u8], row_bytes: usize) -> Fault {
    let touched = |row: &&[u8]| row.iter().any(|byte| *byte != UNTOUCHED);
    let rows = bytes.chunks_exact(row_bytes);
    let (count, read) = (rows.len(), rows.filter(touched).count());
    let percent = (read > 0 && read < count).then(|| (100 * read / count) as u8);
    match (fault, percent, layout.share_there(file)) {
        (Fault::Incomplete(None), Some(percent), _) => Fault::Incomplete(Some(percent)),
        (Fault::Incomplete(None), None, there) => Fault::Incomplete(there),
        (Fault::Damaged(_), _, Some(there)) => Fault::Incomplete(Some(there)),
        (Fault::Damaged(why), Some(percent), None) => {
            Fault::Damaged(format!("{why}, only {percent} % could be read"))
        }
        (other, ..) => other,
    }
}

fn whole_numbers<'t>(
    row: &[u8],
    bits: usize,
    indexed: bool,
    mut targets: impl Iterator<Item = &'t mut u8>,
) {
    let most = (1u32 << bits.min(16)) - 1;
    let level = |value: u32| match indexed {
        true => value as u8,
        false => ((value * 255 + most / 2) / most) as u8,
    };
    match bits {
        8 => (&mut targets).zip(row).for_each(|(to, value)| *to = *value),
        16 => {
            let (pairs, _) = row.as_chunks::<2>();
            for (to, pair) in targets.zip(pairs) {
                *to = level(u16::from_ne_bytes(*pair).into());
            }
        }
        _ => {
            let (mut kept, mut count) = (0u32, 0);
            let mut bytes = row.iter();
            for to in targets {
                while count < bits {
                    kept = kept << 8 | u32::from(bytes.next().copied().unwrap_or(0));
                    count += 8;
                }
                count -= bits;
                *to = level(kept >> count & most);
                kept &= (1 << count) - 1;
            }
        }
    }
}

fn floats<'t>(
    row: &[u8],
    bits: usize,
    targets: impl Iterator<Item = &'t mut u8>,
    range: &mut (f64, f64),
) -> Result<(), Fault> {
    let mut put = |to: &mut u8, value: f64| {
        // `min` and `max` pass over what is no number.
        *range = match value.is_nan() {
            true => (f64::NAN, f64::NAN),
            false => (range.0.min(value), range.1.max(value)),
        };
        *to = (value * 255.0).round() as u8;
        value.is_nan()
    };
    let mut none = false;
    match bits {
        16 => {
            for (to, bytes) in targets.zip(row.as_chunks().0) {
                none |= put(to, f16::from_ne_bytes(*bytes).into());
            }
        }
        32 => {
            for (to, bytes) in targets.zip(row.as_chunks().0) {
                none |= put(to, f32::from_ne_bytes(*bytes).into());
            }
        }
        64 => {
            for (to, bytes) in targets.zip(row.as_chunks().0) {
                none |= put(to, f64::from_ne_bytes(*bytes));
            }
        }
        _ => {
            let why = format!("floating-point samples of {bits} bits");
            return Err(Fault::Unsupported(why));
        }
    }
    match none {
        true => Err(Fault::Unsupported("samples that are no numbers".to_owned())),
        false => Ok(()),
    }
}

/// Refuses floating-point samples outside 0 to 1: what is white in them the file does not say.
fn check_range((least, most): (f64, f64)) -> Result<(), Fault> {
    const ROUNDING: f64 = 1e-3;
    if least < -ROUNDING || most > 1.0 + ROUNDING {
        return Err(Fault::Unsupported(format!(
            "floating-point samples from {least} to {most}, where 0 is black and 1 is white"
        )));
    }
    Ok(())
}

/// Blocks that share their chroma → three samples a pixel.
fn whole_chroma(rows: &Rows, layout: &Layout) -> Vec<u8> {
    let (across, down) = layout.shared_chroma;
    let luma = across * down;
    let mut levels = Vec::with_capacity(layout.height * layout.width * 3);
    for row in 0..layout.height {
        let blocks = &rows.bytes[row / down * rows.row_bytes..][..rows.row_bytes];
        for column in 0..layout.width {
            let block = &blocks[column / across * (luma + 2)..][..luma + 2];
            let place = row % down * across + column % across;
            levels.extend([block[place], block[luma], block[luma + 1]]);
        }
    }
    levels
}
