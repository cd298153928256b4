//! Strips and tiles that are JPEGs → levels, `[height, width, samples]`.

use super::colours::Colours;
use super::{Fault, Layout};
use crate::image_io::jpeg::{Colours as Coded, Jpeg};

/// Decodes all chunks; a chunk of which something is missing is one that could not be read.
pub(super) fn levels(
    file: &[u8],
    layout: &Layout,
    colours: &Colours,
    most: u64,
) -> Result<Vec<u8>, Fault> {
    let planes = if layout.separate { layout.samples } else { 1 };
    let (width, height) = layout.tile.unwrap_or((layout.width, layout.rows_per_strip));
    let (across, down) = (layout.width.div_ceil(width), layout.height.div_ceil(height));
    if layout.chunks.len() != across * down * planes || layout.bits != 8 || layout.is_float {
        let why = "JPEGs that do not make up the picture";
        return Err(Fault::Unsupported(why.to_owned()));
    }
    let mut levels = vec![0; layout.width * layout.height * layout.samples];
    for (index, chunk) in layout.chunks.iter().enumerate() {
        let (plane, place) = (index / (across * down), index % (across * down));
        let left = place % across * width;
        let top = place / across * height;
        let tile = layout.tile.is_some();
        let rows = if tile {
            height
        } else {
            height.min(layout.height - top)
        };
        let stream = stream(file, *chunk, &layout.tables);
        let pixels = decoded(&stream, layout, colours, (width, rows), most);
        let pixels = pixels.map_err(|fault| match fault {
            Fault::Incomplete(percent) => {
                let read = index * 100 + usize::from(percent.unwrap_or(0));
                Fault::Incomplete(Some((read / layout.chunks.len()) as u8))
            }
            other => other,
        })?;
        // Samples of one pixel that are in this chunk.
        let here = layout.samples / planes;
        let kept = width.min(layout.width - left);
        let shown = rows.min(layout.height - top);
        for (row, from) in pixels.chunks_exact(width * here).take(shown).enumerate() {
            let start = ((top + row) * layout.width + left) * layout.samples;
            let line = &mut levels[start..][..kept * layout.samples];
            let targets = line.chunks_exact_mut(layout.samples);
            for (to, from) in targets.zip(from.chunks_exact(here)) {
                to[plane * here..][..here].copy_from_slice(from);
            }
        }
    }
    Ok(levels)
}

/// A chunk's JPEG with the tables that all chunks share.
fn stream(file: &[u8], (start, length): (u64, u64), tables: &[u8]) -> Vec<u8> {
    let [start, end] = [start, start.saturating_add(length)]
        .map(|place| usize::try_from(place).unwrap_or(usize::MAX).min(file.len()));
    let data = &file[start..end];
    match tables.strip_suffix(b"\xff\xd9") {
        Some(tables) => [tables, data.get(2..).unwrap_or_default()].concat(),
        None => data.to_vec(),
    }
}

fn decoded(
    stream: &[u8],
    layout: &Layout,
    colours: &Colours,
    (width, rows): (usize, usize),
    most: u64,
) -> Result<Vec<u8>, Fault> {
    let coded = match colours {
        Colours::LumaChroma { .. } if !layout.separate => Coded::LumaChroma,
        _ => Coded::Plain,
    };
    if stream.len() < 4 {
        return Err(Fault::Incomplete(Some(0)));
    }
    let jpeg = Jpeg::new(stream)?.told(coded);
    let size = jpeg.size()?;
    let channels = layout.samples / if layout.separate { layout.samples } else { 1 };
    if size.0 as usize != width || (size.1 as usize) < rows {
        let why = format!(
            "a part of {width} x {rows} pixels has {} x {}",
            size.0, size.1
        );
        return Err(Fault::Damaged(why));
    }
    if jpeg.decoding_bytes()? > most {
        return Err(Fault::TooMuchMemory);
    }
    let (found, pixels) = jpeg.decode()?;
    match found.count() == channels {
        true => Ok(pixels),
        false => Err(Fault::Unsupported(
            "JPEGs of other colours than it says".to_owned(),
        )),
    }
}
