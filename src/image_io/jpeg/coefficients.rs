//! Entropy-coded scans → quantised coefficients, with an account of how much was there.

use super::Fault;
use super::huffman::{Bits, End, Table};
use super::markers::{Frame, Jpeg, Scan, ZIGZAG};

/// The coefficients of one component, block after block, each in natural order.
pub(super) struct Plane {
    /// Blocks in a row and rows of blocks that interleaved scans fill.
    pub wide: usize,
    pub high: usize,
    /// Samples that belong to the photo.
    pub width: usize,
    pub height: usize,
    pub coefficients: Vec<i16>,
    /// By coefficient in zigzag order: in how many scans it comes, 0 before its first one, and how
    /// many of them were read.
    refinements: [(u8, u8); 64],
}

/// How much of a photo was read, and what ended it early.
pub(super) struct Account {
    done: f64,
    total: f64,
    end: Option<End>,
}

impl Account {
    /// Nothing where everything was there.
    pub fn fault(&self) -> Option<Fault> {
        let whole = self.done >= self.total - 0.5;
        if whole && self.end.is_none() {
            return None;
        }
        // Not all of it, whatever rounding says.
        let percent = (100.0 * self.done / self.total.max(1.0)).min(99.0) as u8;
        Some(Fault::Incomplete(Some(percent)))
    }
}

/// The planes of a frame before any scan.
pub(super) fn planes(frame: &Frame) -> Vec<Plane> {
    let (across, down) = frame.finest();
    let wide = frame.width.div_ceil(8 * across);
    let high = frame.height.div_ceil(8 * down);
    let plane = |component: &super::markers::Component| {
        let (wide, high) = (wide * component.across, high * component.down);
        Plane {
            wide,
            high,
            width: (frame.width * component.across).div_ceil(across),
            height: (frame.height * component.down).div_ceil(down),
            coefficients: vec![0; wide * high * 64],
            refinements: [(0, 0); 64],
        }
    };
    frame.components.iter().map(plane).collect()
}

/// Decodes all scans; what is missing stays zero and is told by the account.
pub(super) fn decode(jpeg: &Jpeg<'_>, frame: &Frame) -> Result<(Vec<Plane>, Account), Fault> {
    let mut planes = planes(frame);
    let mut account = Account {
        done: 0.0,
        total: planes.iter().map(|p| p.coefficients.len() as f64).sum(),
        end: None,
    };
    for scan in &jpeg.scans {
        let progressive = frame.process == 2;
        let (blocks, end) = decode_scan(scan, frame, &mut planes, progressive)?;
        for (&(index, ..), blocks) in scan.components.iter().zip(blocks) {
            account.done += planes[index].credit(scan, blocks, end.is_none());
        }
        if end.is_some() {
            account.end = end;
            break;
        }
    }
    Ok((planes, account))
}

impl Plane {
    /// What `blocks` blocks of a scan add to the coefficients that are read: a coefficient that
    /// comes in several scans counts in equal parts.
    fn credit(&mut self, scan: &Scan<'_>, blocks: usize, whole: bool) -> f64 {
        // Blocks that fill the last row and column come in interleaved scans only.
        let all = self.wide * self.high;
        let blocks = if whole { all } else { blocks.min(all) };
        let mut credit = 0.0;
        for (parts, read) in &mut self.refinements[scan.band.0..=scan.band.1] {
            if *parts == 0 {
                *parts = scan.bits.1 + 1;
            }
            // A scan that comes again adds nothing.
            if *read < *parts {
                *read += 1;
                credit += blocks as f64 / f64::from(*parts);
            }
        }
        credit
    }
}

/// One block's place: which of the scan's components, and where its coefficients start.
type Place = (usize, usize);

/// The blocks of each of the scan's components that were read, and why no more were.
fn decode_scan(
    scan: &Scan<'_>,
    frame: &Frame,
    planes: &mut [Plane],
    progressive: bool,
) -> Result<(Vec<usize>, Option<End>), Fault> {
    let mut state = State {
        bits: Bits::new(scan.data),
        dc: vec![0; scan.components.len()],
        blocks_without: 0,
    };
    let mut read = vec![0; scan.components.len()];
    let kind = Kind::of(scan, progressive)?;
    let units = units(scan, frame, planes);
    let mut places = Vec::new();
    for unit in 0..units.count {
        if scan.restart > 0 && unit > 0 && unit % scan.restart == 0 {
            state.dc.fill(0);
            state.blocks_without = 0;
            if let Err(end) = state.bits.restart() {
                return Ok((read, Some(end)));
            }
        }
        places.clear();
        units.places(unit, scan, frame, planes, &mut places);
        for &(part, start) in &places {
            let (index, dc, ac) = &scan.components[part];
            let plane = &mut planes[*index].coefficients;
            let Some(Ok(block)) = plane.get_mut(start..start + 64).map(TryInto::try_into) else {
                return Err(Fault::Damaged("a block outside the photo".to_owned()));
            };
            let block: &mut [i16; 64] = block;
            let tables = (dc.as_deref(), ac.as_deref());
            if let Err(end) = state.block(kind, scan, part, tables, block) {
                return Ok((read, Some(end)));
            }
            read[part] += 1;
        }
    }
    Ok((read, None))
}

/// The units of a scan between which restart markers can stand.
struct Units {
    count: usize,
    /// Units in a row.
    wide: usize,
    interleaved: bool,
}

fn units(scan: &Scan<'_>, frame: &Frame, planes: &[Plane]) -> Units {
    if let [(index, ..)] = scan.components[..] {
        // Alone, a component has only the blocks that hold some of the photo.
        let plane = &planes[index];
        let wide = plane.width.div_ceil(8);
        return Units {
            count: wide * plane.height.div_ceil(8),
            wide,
            interleaved: false,
        };
    }
    let (across, down) = frame.finest();
    let wide = frame.width.div_ceil(8 * across);
    Units {
        count: wide * frame.height.div_ceil(8 * down),
        wide,
        interleaved: true,
    }
}

impl Units {
    fn places(
        &self,
        unit: usize,
        scan: &Scan<'_>,
        frame: &Frame,
        planes: &[Plane],
        places: &mut Vec<Place>,
    ) {
        let (row, column) = (unit / self.wide, unit % self.wide);
        for (part, &(index, ..)) in scan.components.iter().enumerate() {
            let (component, wide) = (&frame.components[index], planes[index].wide);
            if !self.interleaved {
                places.push((part, (row * wide + column) * 64));
                continue;
            }
            for y in 0..component.down {
                let first = (row * component.down + y) * wide + column * component.across;
                places.extend((0..component.across).map(|x| (part, (first + x) * 64)));
            }
        }
    }
}

/// What a scan holds of each block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequential,
    FirstDc,
    RefinedDc,
    FirstAc,
    RefinedAc,
}

impl Kind {
    fn of(scan: &Scan<'_>, progressive: bool) -> Result<Self, Fault> {
        let kind = match (progressive, scan.band.0, scan.bits.0) {
            (false, ..) => Self::Sequential,
            (true, 0, 0) => Self::FirstDc,
            (true, 0, _) => Self::RefinedDc,
            (true, _, 0) => Self::FirstAc,
            (true, ..) => Self::RefinedAc,
        };
        let dc_alone = scan.band == (0, 0);
        let sound = match kind {
            Self::Sequential => true,
            Self::FirstDc | Self::RefinedDc => dc_alone,
            Self::FirstAc | Self::RefinedAc => scan.components.len() == 1,
        };
        let dc = matches!(kind, Self::Sequential | Self::FirstDc);
        let ac = matches!(kind, Self::Sequential | Self::FirstAc | Self::RefinedAc);
        let tables = scan
            .components
            .iter()
            .all(|part| (!dc || part.1.is_some()) && (!ac || part.2.is_some()));
        match (sound, tables) {
            (true, true) => Ok(kind),
            (false, _) => Err(Fault::Damaged("a scan's header makes no sense".to_owned())),
            (_, false) => Err(Fault::Damaged("a code table is missing".to_owned())),
        }
    }
}

struct State<'a> {
    bits: Bits<'a>,
    /// The last DC coefficient of each of the scan's components.
    dc: Vec<i32>,
    /// Blocks to come whose band has no new coefficient.
    blocks_without: u32,
}

impl State<'_> {
    fn block(
        &mut self,
        kind: Kind,
        scan: &Scan<'_>,
        part: usize,
        tables: (Option<&Table>, Option<&Table>),
        block: &mut [i16; 64],
    ) -> Result<(), End> {
        let shift = scan.bits.1;
        match (kind, tables) {
            (Kind::Sequential, (Some(dc), Some(ac))) => {
                block[0] = self.next_dc(part, dc)? as i16;
                self.sequential_ac(ac, block)
            }
            (Kind::FirstDc, (Some(dc), _)) => {
                block[0] = (self.next_dc(part, dc)? << shift) as i16;
                Ok(())
            }
            (Kind::RefinedDc, _) => {
                block[0] |= (self.bits.bits(1)? << shift) as i16;
                Ok(())
            }
            (Kind::FirstAc, (_, Some(ac))) => self.first_ac(ac, scan, block),
            (Kind::RefinedAc, (_, Some(ac))) => self.refined_ac(ac, scan, block),
            _ => Err(End::NoCode),
        }
    }

    #[inline]
    fn next_dc(&mut self, part: usize, table: &Table) -> Result<i32, End> {
        let size = self.bits.symbol(table)?;
        let difference = self.bits.coefficient(size.into())?;
        self.dc[part] = self.dc[part].wrapping_add(difference);
        Ok(self.dc[part])
    }

    #[inline]
    fn sequential_ac(&mut self, table: &Table, block: &mut [i16; 64]) -> Result<(), End> {
        let mut next = 1;
        while next < 64 {
            let symbol = self.bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => next += 16,
                (_, 0) => break,
                _ => {
                    next += run;
                    let place = *ZIGZAG.get(next).ok_or(End::NoCode)?;
                    block[usize::from(place)] = self.bits.coefficient(size)? as i16;
                    next += 1;
                }
            }
        }
        Ok(())
    }

    fn first_ac(
        &mut self,
        table: &Table,
        scan: &Scan<'_>,
        block: &mut [i16; 64],
    ) -> Result<(), End> {
        if self.blocks_without > 0 {
            self.blocks_without -= 1;
            return Ok(());
        }
        let (mut next, last) = scan.band;
        while next <= last {
            let symbol = self.bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => next += 16,
                (_, 0) => {
                    self.blocks_without = (1 << run) - 1 + self.bits.bits(run as u32)?;
                    break;
                }
                _ => {
                    next += run;
                    if next > last {
                        return Err(End::NoCode);
                    }
                    let value = self.bits.coefficient(size)? << scan.bits.1;
                    block[usize::from(ZIGZAG[next])] = value as i16;
                    next += 1;
                }
            }
        }
        Ok(())
    }

    fn refined_ac(
        &mut self,
        table: &Table,
        scan: &Scan<'_>,
        block: &mut [i16; 64],
    ) -> Result<(), End> {
        let (mut next, last) = scan.band;
        let step = 1i16 << scan.bits.1;
        if self.blocks_without == 0 {
            while next <= last {
                let symbol = self.bits.symbol(table)?;
                let (run, size) = (u32::from(symbol >> 4), symbol & 15);
                let new = match (run, size) {
                    (15, 0) => 0,
                    (_, 0) => {
                        self.blocks_without = (1 << run) + self.bits.bits(run)?;
                        break;
                    }
                    _ if self.bits.bits(1)? == 1 => step,
                    _ => -step,
                };
                // Over `run` coefficients that are still zero, refining those that are not.
                next = self.refine(block, next, last, run, step)?;
                if new != 0 {
                    let place = *ZIGZAG
                        .get(next)
                        .filter(|_| next <= last)
                        .ok_or(End::NoCode)?;
                    block[usize::from(place)] = new;
                }
                next += 1;
            }
        }
        if self.blocks_without > 0 {
            self.refine(block, next, last, u32::MAX, step)?;
            self.blocks_without -= 1;
        }
        Ok(())
    }

    /// Adds a bit to the coefficients from `next` on that are not zero, until `zeros` that are have
    /// been passed and another is met: its position, or the one behind the band.
    fn refine(
        &mut self,
        block: &mut [i16; 64],
        next: usize,
        last: usize,
        mut zeros: u32,
        step: i16,
    ) -> Result<usize, End> {
        for (position, &place) in ZIGZAG.iter().enumerate().take(last + 1).skip(next) {
            let value = &mut block[usize::from(place)];
            if *value == 0 {
                if zeros == 0 {
                    return Ok(position);
                }
                zeros -= 1;
            } else if self.bits.bits(1)? == 1 && *value & step == 0 {
                *value = value.wrapping_add(if *value > 0 { step } else { -step });
            }
        }
        Ok(last + 1)
    }
}
