//! TIFF photos: their samples come from the `tiff` crate as plain arrays; what the samples mean is
//! decided here, so that every arrangement of them goes one way.

mod chunks;
mod colours;
mod patch;
mod samples;
mod tags;

use image::metadata::Orientation;
use tiff::TiffError;

use super::fault::Fault;
use super::pixels::Stored;
use colours::Colours;
use tags::Tags;

/// Compression by JPEG, which is decoded here.
const JPEG: u64 = 7;

/// The first picture of a file, taken apart; nothing of its pixels is decoded.
pub(super) struct Tiff<'a> {
    file: &'a [u8],
    layout: Layout,
    colours: Colours,
    pub orientation: Option<Orientation>,
    /// A description of the picture in XML.
    pub xmp: Option<Vec<u8>>,
    /// An ICC profile, or why it cannot be had.
    pub profile: Option<Result<Vec<u8>, &'static str>>,
    /// Colours that are told without a profile and are not applied.
    pub other_colours: bool,
}

/// How the samples lie in the file.
struct Layout {
    width: usize,
    height: usize,
    /// Samples of a pixel, those beside its colours included.
    samples: usize,
    bits: usize,
    is_float: bool,
    /// One plane a sample.
    separate: bool,
    compression: u64,
    predicted: bool,
    /// The lowest bit of a byte comes first.
    reversed_bits: bool,
    tile: Option<(usize, usize)>,
    rows_per_strip: usize,
    /// Pixels across and down that share their chroma.
    shared_chroma: (usize, usize),
    /// Where the data of each strip or tile begins, and its length.
    chunks: Vec<(u64, u64)>,
    /// Of a JPEG, for all chunks.
    tables: Vec<u8>,
}

/// Whether a file is a TIFF with 64-bit offsets.
pub(super) fn is_big(file: &[u8]) -> bool {
    file.starts_with(b"II+\0") || file.starts_with(b"MM\0+")
}

impl<'a> Tiff<'a> {
    /// Reads the tags of the first picture.
    ///
    /// # Errors
    /// What of them is damaged, or says what is not read.
    pub(super) fn new(file: &'a [u8]) -> Result<Self, Fault> {
        let mut tags = Tags::new(file)?;
        let layout = Layout::new(&mut tags)?;
        let colours = Colours::new(&mut tags, &layout)?;
        let orientation = tags.all(274).first().copied();
        let orientation = orientation.and_then(|number| u8::try_from(number).ok());
        Ok(Self {
            file,
            colours,
            layout,
            orientation: orientation.and_then(Orientation::from_exif),
            xmp: tags.bytes(700).and_then(Result::ok),
            profile: tags.profile(),
            other_colours: tags.has(301) || tags.has(319),
        })
    }

    /// Width and height.
    pub(super) fn size(&self) -> Result<(u32, u32), Fault> {
        let side = |side| u32::try_from(side).map_err(|_| Fault::TooMuchMemory);
        Ok((side(self.layout.width)?, side(self.layout.height)?))
    }

    /// Bytes that decoding takes.
    pub(super) fn decoding_bytes(&self) -> u64 {
        let bytes = self.layout.bits.div_ceil(8) as u64;
        let pixels = self.layout.width as u64 * self.layout.height as u64;
        pixels.saturating_mul(self.layout.samples as u64 * bytes)
    }

    /// What is to be said of the photo.
    pub(super) fn caution(&self) -> Option<&'static str> {
        self.colours.caution()
    }

    /// Decodes the pixels; no part of the way may take more than `most` bytes.
    pub(super) fn decode(&self, most: u64) -> Result<Stored, Fault> {
        let layout = &self.layout;
        let indexed = matches!(self.colours, Colours::Palette { .. });
        let levels = match layout.compression {
            JPEG => chunks::levels(self.file, layout, &self.colours, most)?,
            _ => samples::levels(self.file, layout, indexed, most)?,
        };
        let colours = match layout.compression {
            // The JPEG's decoder makes colours of luma and chroma, but for single planes.
            JPEG if !layout.separate => self.colours.of_jpeg(),
            _ => &self.colours,
        };
        let size = self.size()?;
        let stored = colours.stored(levels, layout.samples, size);
        stored.ok_or_else(|| Fault::Damaged("its pixels are fewer than it says".to_owned()))
    }
}

impl Layout {
    fn new(tags: &mut Tags<'_>) -> Result<Self, Fault> {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let height = number(tags.first(257, 0));
        let tile = tags.has(322);
        let (starts, lengths) = match tile {
            true => (tags.all(324), tags.all(325)),
            false => (tags.all(273), tags.all(279)),
        };
        let photometric = tags.first(262, 0);
        let compression = tags.first(259, 1);
        let shared = match tags.all(530)[..] {
            _ if photometric != 6 || compression == JPEG => (1, 1),
            [] => (2, 2),
            [across, down, ..] => (number(across), number(down)),
            [both] => (number(both), number(both)),
        };
        let layout = Self {
            width: number(tags.first(256, 0)),
            height,
            samples: number(tags.first(277, 1)),
            bits: number(tags.first(258, 1)),
            is_float: tags.first(339, 1) == 3,
            separate: tags.first(284, 1) == 2,
            compression,
            predicted: tags.first(317, 1) != 1,
            reversed_bits: tags.first(266, 1) == 2,
            tile: tile.then(|| (number(tags.first(322, 0)), number(tags.first(323, 0)))),
            rows_per_strip: number(tags.first(278, u64::MAX)).min(height),
            shared_chroma: if tags.first(277, 1) == 1 {
                (1, 1)
            } else {
                shared
            },
            chunks: starts.into_iter().zip(lengths).collect(),
            tables: tags.bytes(347).and_then(Result::ok).unwrap_or_default(),
        };
        layout.check(tags, photometric)?;
        Ok(layout)
    }

    /// Refuses what would be read wrongly.
    fn check(&self, tags: &mut Tags<'_>, photometric: u64) -> Result<(), Fault> {
        let format = tags.first(339, 1);
        let (across, down) = self.shared_chroma;
        let halves = |sides: usize| matches!(sides, 1 | 2 | 4);
        let cuts = |side: usize, of: usize| !side.is_multiple_of(of.max(1));
        let cut_chroma = match self.tile {
            Some((width, height)) => cuts(width, across) || cuts(height, down),
            None => self.rows_per_strip < self.height && cuts(self.rows_per_strip, down),
        };
        let shared = self.shared_chroma != (1, 1);
        let refused = [
            (
                tags.first(254, 0) & 1 == 1,
                "its first picture is a small preview, as in a camera's raw file",
            ),
            (
                photometric == 5 && tags.first(332, 1) != 1,
                "inks that are not CMYK",
            ),
            (
                format == 1 && self.bits > 16,
                "integers of more than 16 bits",
            ),
            (
                shared && (!halves(across) || !halves(down) || cut_chroma),
                "chroma that is shared in an unusual way",
            ),
            (
                shared && (self.separate || self.predicted || self.bits != 8 || self.samples != 3),
                "shared chroma beside planes, prediction, transparency or other than 8 bits",
            ),
        ];
        if let Some((_, why)) = refused.iter().find(|(refused, _)| *refused) {
            return Err(Fault::Unsupported((*why).to_owned()));
        }
        if let Some(name) = unread_compression(self.compression) {
            return Err(Fault::Unsupported(format!("compression by {name}")));
        }
        if !matches!(format, 1 | 3) || !matches!(photometric, 0..=3 | 5 | 6) {
            return Err(Fault::Unsupported(self.description(photometric, format)));
        }
        // A place of 0 is how some programs leave a part out.
        if self.chunks.iter().any(|(start, _)| *start == 0) {
            return Err(Fault::Damaged("parts of its pixels are missing".to_owned()));
        }
        Ok(())
    }

    fn description(&self, photometric: u64, format: u64) -> String {
        let colours = match photometric {
            0 | 1 => "grey",
            2 => "RGB",
            3 => "palette",
            4 => "mask",
            5 => "CMYK",
            6 => "YCbCr",
            8..=10 => "CIELab",
            _ => "other colours",
        };
        let numbers = match format {
            1 => "whole numbers",
            2 => "signed numbers",
            3 => "floating-point numbers",
            _ => "numbers of another kind",
        };
        let (samples, bits) = (self.samples, self.bits);
        format!("{colours}, {samples} samples a pixel, {numbers} of {bits} bits")
    }

    /// How much of the data is there, in per cent, where the file ends before it.
    fn share_there(&self, file: &[u8]) -> Option<u8> {
        let ends = self.chunks.iter();
        let ends = ends.map(|(start, length)| start.saturating_add(*length));
        let (there, needed) = (file.len() as u64, ends.max()?);
        (there < needed).then(|| (100 * there / needed) as u8)
    }
}

/// The name of a compression that is not read.
fn unread_compression(number: u64) -> Option<String> {
    let name = match number {
        // None, CCITT group 4, LZW, JPEG, Deflate, PackBits, Deflate.
        1 | 4 | 5 | JPEG | 8 | 32_773 | 32_946 => return None,
        2 => "CCITT run lengths",
        3 => "CCITT group 3",
        6 => "JPEG in its old style",
        9 | 10 => "JBIG",
        33_003 | 33_004 | 33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGI's logarithms",
        34_887 => "LERC",
        34_925 => "LZMA",
        50_000 => "Zstandard",
        50_001 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        _ => return Some(format!("method {number}")),
    };
    Some(name.to_owned())
}

fn fault(error: TiffError) -> Fault {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::Incomplete(None)
        }
        TiffError::UnsupportedError(error) => Fault::Unsupported(error.to_string()),
        TiffError::LimitsExceeded => Fault::TooMuchMemory,
        error => Fault::Damaged(error.to_string()),
    }
}
