//! A JPEG's segments: what stands before, between and behind its entropy-coded data.

use std::rc::Rc;

use super::Fault;
use super::colours::Colours;
use super::huffman::Table;

/// Positions of coefficients in the order in which they are stored.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A file taken apart; nothing of its pixels is decoded.
#[derive(Default)]
pub(crate) struct Jpeg<'a> {
    pub(super) frame: Option<Frame>,
    pub(super) scans: Vec<Scan<'a>>,
    /// The TIFF structure of the first EXIF segment.
    pub(crate) exif: Option<&'a [u8]>,
    /// A description of the picture in XML.
    pub(crate) xmp: Option<&'a [u8]>,
    /// Parts of a colour profile: number, how many there are, bytes.
    profile: Vec<(u8, u8, &'a [u8])>,
    pub(super) has_jfif: bool,
    /// The colour transform that Adobe's segment names.
    pub(super) adobe: Option<u8>,
    /// What the colours are, where something outside says it.
    pub(super) told: Option<Colours>,
}

/// What the frame's header says.
pub(super) struct Frame {
    /// The marker's number: 0 baseline, 1 extended, 2 progressive; others are not decoded.
    pub process: u8,
    pub precision: u8,
    pub width: usize,
    /// 0 where only a segment behind the first scan says it.
    pub height: usize,
    pub components: Vec<Component>,
}

pub(super) struct Component {
    pub id: u8,
    /// Sampling factors, 1 to 4.
    pub across: usize,
    pub down: usize,
    table: u8,
    /// Steps of the quantisation in natural order, once a scan has begun with this component.
    pub steps: Option<[u16; 64]>,
}

/// A Huffman table, where one was given.
type GivenTable = Option<Rc<Table>>;

/// One scan's header, the tables that hold for it, and its data with restart markers.
pub(super) struct Scan<'a> {
    /// Index of the component in the frame, its DC and its AC table.
    pub components: Vec<(usize, GivenTable, GivenTable)>,
    /// First and last coefficient in zigzag order.
    pub band: (usize, usize),
    /// Bit positions: that of the scan before, and this one's.
    pub bits: (u8, u8),
    /// Blocks between restart markers, 0 for none.
    pub restart: usize,
    pub data: &'a [u8],
}

/// Tables as they stand while segments are read.
#[derive(Default)]
struct Tables {
    steps: [Option<[u16; 64]>; 4],
    dc: [Option<Rc<Table>>; 4],
    ac: [Option<Rc<Table>>; 4],
    restart: usize,
}

fn damaged<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Damaged(why.into()))
}

impl<'a> Jpeg<'a> {
    /// Takes the file apart up to its end marker, or as far as it goes: a missing end is no error.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut jpeg = Self::default();
        let mut tables = Tables::default();
        let mut position = 2;
        while let Some((marker, start)) = next_marker(bytes, position) {
            position = start;
            match marker {
                0xd9 => break,
                // These have no segment behind them.
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let Some(segment) = segment(bytes, start) else {
                break;
            };
            position = start + 2 + segment.len();
            match marker {
                0xc4 => tables.huffman(segment)?,
                0xdb => tables.quantisation(segment)?,
                0xdd => tables.restart = usize::from(u16_at(segment, 0)?),
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    if jpeg.frame.is_some() {
                        return Err(Fault::Unsupported("several frames".to_owned()));
                    }
                    jpeg.frame = Some(Frame::new(marker - 0xc0, segment)?);
                }
                0xda => {
                    let end = end_of_data(bytes, position);
                    let data = &bytes[position..end];
                    jpeg.add_scan(&tables, segment, data)?;
                    position = end;
                }
                0xdc => jpeg.take_height(segment)?,
                0xde => return Err(Fault::Unsupported("hierarchical coding".to_owned())),
                0xe0 => jpeg.has_jfif |= segment.starts_with(b"JFIF\0"),
                0xe1 => jpeg.take_exif(segment),
                0xe2 => jpeg.take_profile(segment),
                0xee if segment.starts_with(b"Adobe") => jpeg.adobe = segment.get(11).copied(),
                _ => {}
            }
        }
        Ok(jpeg)
    }

    /// The colour profile: whole, missing, or in parts that do not fit together.
    pub(crate) fn profile(&self) -> Option<Result<Vec<u8>, &'static str>> {
        let count = self.profile.first()?.1;
        let mut whole = Vec::new();
        for wanted in 1..=count {
            let mut found = self.profile.iter().filter(|part| part.0 == wanted);
            match (found.next(), found.next()) {
                (Some(&(_, of, part)), None) if of == count => whole.extend_from_slice(part),
                _ => return Some(Err("parts of it are missing")),
            }
        }
        let fits = count > 0 && self.profile.len() == usize::from(count);
        Some(fits.then_some(whole).ok_or("its parts do not fit together"))
    }

    fn take_exif(&mut self, segment: &'a [u8]) {
        if self.exif.is_none() {
            self.exif = segment.strip_prefix(b"Exif\0\0");
        }
        if self.xmp.is_none() {
            self.xmp = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0");
        }
    }

    fn take_profile(&mut self, segment: &'a [u8]) {
        if let Some([number, count, part @ ..]) = segment.strip_prefix(b"ICC_PROFILE\0") {
            self.profile.push((*number, *count, part));
        }
    }

    /// From the segment that says how many lines there are once the first scan is over.
    fn take_height(&mut self, segment: &[u8]) -> Result<(), Fault> {
        let lines = usize::from(u16_at(segment, 0)?);
        if let Some(frame) = self.frame.as_mut().filter(|frame| frame.height == 0) {
            frame.height = lines;
        }
        Ok(())
    }

    fn add_scan(&mut self, tables: &Tables, header: &[u8], data: &'a [u8]) -> Result<(), Fault> {
        let Some(frame) = &mut self.frame else {
            return damaged("pixels before the header that says how many");
        };
        let count = usize::from(header.first().copied().unwrap_or(0));
        let (Some(chosen), Some(&[first, last, bits])) =
            (header.get(1..1 + 2 * count), header.get(1 + 2 * count..))
        else {
            return damaged("a scan's header has the wrong length");
        };
        let mut components: Vec<(usize, _, _)> = Vec::new();
        for pair in chosen.chunks_exact(2) {
            let found = frame.components.iter().position(|c| c.id == pair[0]);
            let Some(index) = found.filter(|index| components.iter().all(|c| c.0 != *index)) else {
                return damaged("a scan of a colour component that is not there");
            };
            let component = &mut frame.components[index];
            if component.steps.is_none() {
                component.steps = tables.steps[usize::from(component.table & 3)];
            }
            let [dc, ac] = [pair[1] >> 4 & 3, pair[1] & 3].map(usize::from);
            components.push((index, tables.dc[dc].clone(), tables.ac[ac].clone()));
        }
        let (band, bits) = match frame.process {
            2 => ((first.into(), last.into()), (bits >> 4, bits & 15)),
            _ => ((0, 63), (0, 0)),
        };
        if components.is_empty() || band.0 > band.1 || band.1 > 63 || bits.1 > 13 {
            return damaged("a scan's header makes no sense");
        }
        self.scans.push(Scan {
            components,
            band,
            bits,
            restart: tables.restart,
            data,
        });
        Ok(())
    }
}

impl Frame {
    fn new(process: u8, segment: &[u8]) -> Result<Self, Fault> {
        let [precision, rest @ ..] = segment else {
            return damaged("its header is empty");
        };
        let (height, width) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
        let listed = rest.get(5..).unwrap_or_default();
        if listed.is_empty() || listed.len() != usize::from(rest[4]) * 3 {
            return damaged("its header has the wrong length");
        }
        let components: Vec<_> = listed
            .chunks_exact(3)
            .map(|entry| Component {
                id: entry[0],
                across: usize::from(entry[1] >> 4),
                down: usize::from(entry[1] & 15),
                table: entry[2],
                steps: None,
            })
            .collect();
        let sampled = |c: &Component| (1..=4).contains(&c.across) && (1..=4).contains(&c.down);
        if !components.iter().all(sampled) {
            return damaged("its sampling factors make no sense");
        }
        Ok(Self {
            process,
            precision: *precision,
            width: width.into(),
            height: height.into(),
            components,
        })
    }

    /// The largest sampling factors, across and down.
    pub fn finest(&self) -> (usize, usize) {
        let components = &self.components;
        let across = components.iter().map(|c| c.across).max().unwrap_or(1);
        (across, components.iter().map(|c| c.down).max().unwrap_or(1))
    }
}

impl Tables {
    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let [class, rest @ ..] = segment {
            let Some((counts, rest)) = rest.split_at_checked(16) else {
                return damaged("a code table is cut off");
            };
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(total) else {
                return damaged("a code table is cut off");
            };
            let table = Some(Rc::new(Table::new(counts, symbols)?));
            let index = usize::from(class & 3);
            match class >> 4 {
                0 => self.dc[index] = table,
                _ => self.ac[index] = table,
            }
            segment = rest;
        }
        Ok(())
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let [kind, rest @ ..] = segment {
            let wide = kind >> 4 != 0;
            let Some((values, rest)) = rest.split_at_checked(if wide { 128 } else { 64 }) else {
                return damaged("a quantisation table is cut off");
            };
            let mut steps = [0; 64];
            for (index, place) in ZIGZAG.iter().enumerate() {
                steps[usize::from(*place)] = match wide {
                    true => u16::from_be_bytes([values[2 * index], values[2 * index + 1]]),
                    false => values[index].into(),
                };
            }
            self.steps[usize::from(kind & 3)] = Some(steps);
            segment = rest;
        }
        Ok(())
    }
}

fn u16_at(bytes: &[u8], position: usize) -> Result<u16, Fault> {
    match bytes.get(position..position + 2) {
        Some(pair) => Ok(u16::from_be_bytes([pair[0], pair[1]])),
        None => damaged("a header is too short"),
    }
}

/// The next marker at or behind `position`, and where its segment starts.
fn next_marker(bytes: &[u8], position: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(position..)?;
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
    let found = rest.windows(2).position(is_marker)?;
    Some((rest[found + 1], position + found + 2))
}

/// A segment's content, without its length.
fn segment(bytes: &[u8], start: usize) -> Option<&[u8]> {
    let length = bytes.get(start..start + 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(start + 2..start + length.max(2))
}

/// Where entropy-coded data ends: at a marker that is no restart, or at the end of the file.
fn end_of_data(bytes: &[u8], start: usize) -> usize {
    let mut position = start;
    while let Some(found) = bytes[position..].iter().position(|byte| *byte == 0xff) {
        let at = position + found;
        match bytes.get(at + 1) {
            Some(0 | 0xd0..=0xd7) => position = at + 2,
            // Filling before a marker.
            Some(0xff) => position = at + 1,
            _ => return at,
        }
    }
    bytes.len()
}
