//! What a TIFF's samples mean.

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};

use super::tags::Tags;
use super::{Fault, JPEG, Layout};
use crate::image_io::pixels::Stored;

/// The sample that says how much of a pixel is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    Straight,
    /// Colours are already multiplied with it.
    Multiplied,
}

/// The colours of a pixel, and its transparency.
pub(super) enum Colours {
    Grey {
        white_is_zero: bool,
        alpha: Alpha,
    },
    Rgb(Alpha),
    Palette {
        colours: Vec<[u8; 3]>,
        alpha: Alpha,
        /// Its values were of 8 bits, where the standard says 16.
        narrow: bool,
    },
    /// Cyan, magenta, yellow and black, 255 is full.
    Inks,
    LumaChroma(LumaChroma),
}

/// Luma and chroma → red, green and blue.
pub(super) struct LumaChroma {
    /// Shares of red, green and blue in luma.
    shares: [f64; 3],
    /// Black and white of luma, none and full of each chroma.
    range: [f64; 6],
}

/// A pixel's samples → red, green and blue.
type Pixel<'a> = dyn Fn(&[u8]) -> [u8; 3] + 'a;

/// Where no tag says otherwise.
const REC_601: [f64; 3] = [0.299, 0.587, 0.114];
const FULL_RANGE: [f64; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];

impl Colours {
    pub fn new(tags: &mut Tags<'_>, layout: &Layout) -> Result<Self, Fault> {
        let photometric = tags.first(262, 0);
        let base = match photometric {
            0 | 1 | 3 => 1,
            5 => 4,
            6 if layout.samples == 1 => 1,
            _ => 3,
        };
        let alpha = alpha(&tags.all(338), base, layout)?;
        let opaque = |what: &str| match alpha {
            Alpha::None => Ok(()),
            _ => Err(Fault::Unsupported(format!("{what} with transparency"))),
        };
        match photometric {
            2 => Ok(Self::Rgb(alpha)),
            3 => Self::palette(&tags.all(320), layout, alpha),
            5 => opaque("inks").map(|()| Self::Inks),
            6 if base == 3 => {
                opaque("luma and chroma")?;
                Ok(Self::LumaChroma(LumaChroma::new(tags, layout.bits)))
            }
            _ => Ok(Self::Grey {
                white_is_zero: photometric == 0,
                alpha,
            }),
        }
    }

    fn palette(map: &[u64], layout: &Layout, alpha: Alpha) -> Result<Self, Fault> {
        let unsupported = |why: &str| Err(Fault::Unsupported(why.to_owned()));
        if layout.bits > 8 || layout.is_float {
            return unsupported("a palette of more than 256 colours");
        }
        let count = 1 << layout.bits;
        if map.len() < 3 * count || layout.compression == JPEG {
            return unsupported("a palette that is not whole");
        }
        // Some programs write 8 bits; libtiff takes them as such too.
        let narrow = map.iter().all(|value| *value < 256) && map.iter().any(|value| *value > 0);
        let level = |value: u64| (value >> if narrow { 0 } else { 8 }).min(255) as u8;
        let colour = |index: usize| [0, 1, 2].map(|channel| level(map[channel * count + index]));
        Ok(Self::Palette {
            colours: (0..count).map(colour).collect(),
            alpha,
            narrow,
        })
    }

    /// What a JPEG's decoder leaves of these colours.
    pub fn of_jpeg(&self) -> &Self {
        match self {
            Self::LumaChroma(_) => &Self::Rgb(Alpha::None),
            other => other,
        }
    }

    pub fn caution(&self) -> Option<&'static str> {
        match self {
            Self::Palette { narrow: true, .. } => Some("its palette is taken as one of 8 bits"),
            _ => None,
        }
    }

    /// Pixels of levels `[height, width, samples]`; nothing where they are too few.
    pub fn stored(
        &self,
        levels: Vec<u8>,
        samples: usize,
        (width, height): (u32, u32),
    ) -> Option<Stored> {
        let pixels = levels.chunks_exact(samples);
        let (colours, alpha, is_grey): (Box<Pixel<'_>>, _, _) = match self {
            Self::Inks => {
                let inverted = pixels.flat_map(|pixel| [0, 1, 2, 3].map(|ink| 255 - pixel[ink]));
                return Some(Stored::InvertedInks(inverted.collect(), width, height));
            }
            Self::Rgb(Alpha::None) if samples == 3 => {
                return RgbImage::from_raw(width, height, levels)
                    .map(|image| Stored::Image(image.into()));
            }
            Self::Grey {
                white_is_zero,
                alpha,
            } => {
                let turned = if *white_is_zero { 255 } else { 0 };
                (Box::new(move |pixel| [pixel[0] ^ turned; 3]), *alpha, true)
            }
            Self::Rgb(alpha) => (
                Box::new(|pixel| [pixel[0], pixel[1], pixel[2]]),
                *alpha,
                false,
            ),
            Self::Palette { colours, alpha, .. } => {
                let colour = |pixel: &[u8]| colours[usize::from(pixel[0]) % colours.len()];
                (Box::new(colour), *alpha, false)
            }
            Self::LumaChroma(conversion) => {
                (Box::new(|pixel| conversion.rgb(pixel)), Alpha::None, false)
            }
        };
        let base = match self {
            Self::Grey { .. } | Self::Palette { .. } => 1,
            _ => 3,
        };
        let kept = if is_grey { 1 } else { 3 };
        let mut bytes = Vec::with_capacity(pixels.len() * (kept + 1));
        for pixel in pixels {
            bytes.extend_from_slice(&colours(pixel)[..kept]);
            if alpha != Alpha::None {
                bytes.push(pixel[base]);
            }
        }
        let image: DynamicImage = match (is_grey, alpha) {
            (true, Alpha::None) => GrayImage::from_raw(width, height, bytes)?.into(),
            (true, _) => GrayAlphaImage::from_raw(width, height, bytes)?.into(),
            (false, Alpha::None) => RgbImage::from_raw(width, height, bytes)?.into(),
            (false, _) => RgbaImage::from_raw(width, height, bytes)?.into(),
        };
        Some(match alpha {
            Alpha::Multiplied => Stored::Premultiplied(image),
            _ => Stored::Image(image),
        })
    }
}

/// What the samples behind the colours are.
fn alpha(extra: &[u64], base: usize, layout: &Layout) -> Result<Alpha, Fault> {
    let unsupported = |why: &str| Err(Fault::Unsupported(why.to_owned()));
    if layout.samples < base {
        return unsupported("fewer samples a pixel than its colours need");
    }
    if extra.iter().skip(1).any(|kind| matches!(kind, 1 | 2)) {
        return unsupported("transparency behind other extra samples");
    }
    let beside = layout.samples - base;
    match extra.first() {
        _ if beside == 0 => Ok(Alpha::None),
        Some(1) => Ok(Alpha::Multiplied),
        // 999 is Corel Draw's.
        Some(2 | 999) => Ok(Alpha::Straight),
        // Some programs forget to say so.
        None if base == 3 && beside == 1 => Ok(Alpha::Straight),
        None => unsupported("samples beside the colours that are not explained"),
        Some(_) => Ok(Alpha::None),
    }
}

impl LumaChroma {
    fn new(tags: &mut Tags<'_>, bits: usize) -> Self {
        let shares = <[f64; 3]>::try_from(tags.fractions(529));
        let range = <[f64; 6]>::try_from(tags.fractions(532));
        let most = ((1u64 << bits.min(32)) - 1) as f64;
        let usable = |values: &[f64]| values.iter().all(|value| value.is_finite());
        Self {
            shares: shares
                .ok()
                .filter(|shares| usable(shares) && shares[1] > 0.0)
                .unwrap_or(REC_601),
            range: range
                .ok()
                .filter(|range| usable(range))
                .map_or(FULL_RANGE, |range| range.map(|level| level * 255.0 / most)),
        }
    }

    fn rgb(&self, pixel: &[u8]) -> [u8; 3] {
        let scaled = |value: f64, none: f64, full: f64, most: f64| {
            let width = if full == none { 1.0 } else { full - none };
            (value - none) * most / width
        };
        let [luma, blue, red] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
        let [black, white, no_blue, full_blue, no_red, full_red] = self.range;
        let luma = scaled(luma, black, white, 255.0);
        let blue = scaled(blue, no_blue, full_blue, 127.0);
        let red = scaled(red, no_red, full_red, 127.0);
        let [of_red, of_green, of_blue] = self.shares;
        let r = luma + red * (2.0 - 2.0 * of_red);
        let b = luma + blue * (2.0 - 2.0 * of_blue);
        let g = (luma - of_red * r - of_blue * b) / of_green;
        [r, g, b].map(|value| value.round() as u8)
    }
}
