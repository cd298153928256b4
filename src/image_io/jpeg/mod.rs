//! JPEG photos: any sampling, any order of scans, and whether all of a photo is there.
//!
//! Decoded here, exactly as far as the file goes and to the level as libjpeg does: faster decoders take
//! what is missing for zeros, read some layouts wrongly, and are up to four levels off where chroma is
//! shared.

mod coefficients;
mod colours;
mod huffman;
mod markers;
mod samples;

use super::fault::Fault;
pub(super) use colours::Colours;
use markers::Frame;
pub(super) use markers::Jpeg;

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

    /// Decodes the photo, `[height, width, channels]`.
    pub(super) fn decode(&self) -> Result<(Channels, Vec<u8>), Fault> {
        let frame = self.frame()?;
        let channels = match frame.components.len() {
            1 => Channels::Grey,
            3 => Channels::Rgb,
            _ => Channels::InvertedCmyk,
        };
        Ok((channels, self.decode_exactly(frame)?))
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
