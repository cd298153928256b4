//! JPEG photos: any sampling, any order of scans, and whether all of a photo is there.
//!
//! Ordinary ones are decoded by `zune-jpeg`, which is the fastest but takes what is missing for
//! zeros and reads some layouts wrongly. Everything else, and what it stumbles over, is decoded
//! here, exactly as far as it goes.

mod coefficients;
mod colours;
mod huffman;
mod markers;
mod samples;

use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::fault::Fault;
pub(super) use colours::Colours;
pub(super) use markers::Jpeg;
use markers::{Frame, Scan};

/// What a pixel's channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    Rgb,
    /// Inks as print shops store them: 255 is none of it.
    InvertedCmyk,
}

impl Channels {
    /// How many there are.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::InvertedCmyk => 4,
        }
    }
}

impl Jpeg<'_> {
    /// The same with its colours told by the container that it lies in.
    pub(super) fn told(mut self, colours: Colours) -> Self {
        self.told = Some(colours);
        self
    }

    /// Width and height; refuses what no part of this program decodes.
    pub(super) fn size(&self) -> Result<(u32, u32), Fault> {
        let frame = self.frame()?;
        let unsupported = |what: &str| Err(Fault::Unsupported(what.to_owned()));
        match frame.process {
            0..=2 => {}
            3 => return unsupported("lossless coding"),
            9..=11 => return unsupported("arithmetic coding"),
            _ => return unsupported("hierarchical coding"),
        }
        if frame.precision != 8 {
            return unsupported(&format!("{} bits a sample", frame.precision));
        }
        if !matches!(frame.components.len(), 1 | 3 | 4) {
            return unsupported(&format!("{} colour components", frame.components.len()));
        }
        Ok((frame.width as u32, frame.height as u32))
    }

    /// Bytes that decoding takes, the pixels included, with [`Self::size`] known to be supported.
    pub(super) fn decoding_bytes(&self) -> Result<u64, Fault> {
        let frame = self.frame()?;
        let pixels = frame.width as u64 * frame.height as u64;
        let channels = frame.components.len() as u64;
        if self.ordinary(frame).is_some() {
            return Ok(pixels * channels);
        }
        // Two bytes a coefficient and one a sample, then the pixels.
        let (across, down) = frame.finest();
        let share = |c: &markers::Component| (c.across * c.down) as u64;
        let samples: u64 = frame.components.iter().map(share).sum();
        Ok(pixels * samples * 3 / (across * down) as u64 + pixels * channels)
    }

    fn frame(&self) -> Result<&Frame, Fault> {
        let missing = || Fault::Damaged("its header is missing".to_owned());
        self.frame.as_ref().ok_or_else(missing)
    }

    /// Decodes the photo out of its file `[height, width, channels]`.
    pub(super) fn decode(&self, file: &[u8]) -> Result<(Channels, Vec<u8>), Fault> {
        let frame = self.frame()?;
        let channels = match frame.components.len() {
            1 => Channels::Grey,
            3 => Channels::Rgb,
            _ => Channels::InvertedCmyk,
        };
        if let Some(scan) = self.ordinary(frame)
            && let Some(pixels) = decode_ordinary(&file[..scan.end], frame)
        {
            return Ok((channels, pixels));
        }
        Ok((channels, self.decode_exactly(frame)?))
    }

    /// The only scan of a baseline photo whose chroma is sampled as cameras do.
    fn ordinary(&self, frame: &Frame) -> Option<&Scan<'_>> {
        let [scan] = &self.scans[..] else {
            return None;
        };
        let components = &frame.components;
        let factors: Vec<_> = components.iter().map(|c| (c.across, c.down)).collect();
        let usual = match factors[..] {
            [(1, 1)] => true,
            [(1 | 2, 1) | (2, 2), (1, 1), (1, 1)] => self.colours(frame) == Colours::LumaChroma,
            _ => false,
        };
        let whole = scan.components.len() == components.len();
        let own = self.told.is_none() || components.len() == 1;
        // Where Adobe's marker contradicts JFIF's, libjpeg and `zune-jpeg` differ.
        let simple = frame.process < 2 && scan.restart == 0 && self.adobe != Some(0);
        (usual && whole && simple && own).then_some(scan)
    }

    /// As libjpeg decides.
    fn colours(&self, frame: &Frame) -> Colours {
        if let Some(told) = self.told {
            return told;
        }
        let ids: Vec<_> = frame.components.iter().map(|c| c.id).collect();
        match (&ids[..], self.adobe) {
            ([_], _) | ([_, _, _, _], None | Some(0)) => Colours::Plain,
            ([_, _, _, _], _) => Colours::LumaChromaBlack,
            _ if self.has_jfif => Colours::LumaChroma,
            (_, Some(0)) | (b"RGB", None) => Colours::Plain,
            _ => Colours::LumaChroma,
        }
    }

    fn decode_exactly(&self, frame: &Frame) -> Result<Vec<u8>, Fault> {
        let (planes, account) = coefficients::decode(self, frame)?;
        if let Some(fault) = account.fault() {
            return Err(fault);
        }
        let mut samples = Vec::with_capacity(planes.len());
        for (plane, component) in planes.into_iter().zip(&frame.components) {
            let Some(steps) = &component.steps else {
                return Err(Fault::Damaged("a quantisation table is missing".to_owned()));
            };
            samples.push(samples::samples(plane, steps));
        }
        let components = &frame.components;
        let factors: Vec<_> = components.iter().map(|c| (c.across, c.down)).collect();
        let size = (frame.width, frame.height);
        let colours = self.colours(frame);
        Ok(colours::pixels(
            &samples,
            &factors,
            frame.finest(),
            size,
            colours,
        ))
    }
}

/// Decodes the part of a file that ends with its only scan, if all of it is there.
///
/// Bits of one are set behind the scan: no code has ones alone, so that a scan that is too short is
/// an error, where the decoder would otherwise read zeros to the last row.
fn decode_ordinary(until_end: &[u8], frame: &Frame) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(until_end.len() + 66);
    whole.extend_from_slice(until_end);
    whole.extend([0xff, 0].repeat(32));
    whole.extend([0xff, 0xd9]);
    let colours = match frame.components.len() {
        1 => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(colours);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(whole), options);
    let pixels = decoder.decode().ok()?;
    let size = (frame.width, frame.height);
    let expected = size.0 * size.1 * frame.components.len();
    (decoder.dimensions() == Some(size) && pixels.len() == expected).then_some(pixels)
}
