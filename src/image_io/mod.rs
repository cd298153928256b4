//! Opens a photo safely and brings it to the size a network takes.
//!
//! A photo is whatever someone names: it may be damaged, enormous, no photo at all, or not even a
//! file. [`open_photo`] answers with upright 8-bit RGB pixels or with one line that says why not.

mod bmp;
mod colour;
mod decode;
mod facts;
mod fault;
mod input;
mod jpeg;
mod kind;
mod list;
mod metadata;
mod orient;
mod pixels;
mod resize;
mod stored;
mod tiff;

pub use decode::{decode_photo, open_photo};
pub use facts::PhotoFact;
pub use input::{Framing, NetworkInput};
pub(crate) use list::ENDINGS as PHOTO_ENDINGS;
pub use list::list_photos;
pub use resize::{Interpolation, resize_bicubic, squash};
pub use stored::{StoredSize, stored_size};

use crate::files::{FileError, one_line, shown};
use image::{ImageFormat, RgbImage};
use std::path::PathBuf;

/// A photo as people see it: upright, three channels of 8 bits in sRGB, nothing transparent.
#[derive(Clone, Debug)]
pub struct Photo {
    /// The pixels, turned as the file's EXIF orientation asks, transparent parts over white, the
    /// first frame of an animation.
    pub rgb: RgbImage,
    /// What the file's content is, whatever its name says.
    pub format: ImageFormat,
    /// What the camera wrote down, and what was done about the photo's colours.
    pub facts: Vec<PhotoFact>,
}

impl Photo {
    /// Width in pixels after orientation, at least 1.
    pub fn width(&self) -> u32 {
        self.rgb.width()
    }

    /// Height in pixels after orientation, at least 1.
    pub fn height(&self) -> u32 {
        self.rgb.height()
    }
}

/// How large a photo may be, checked before its pixels are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhotoLimits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Width times height.
    pub pixels: u64,
    /// Width and height, each.
    pub side: u32,
    /// Bytes that a decoder may allocate for a photo's pixels; for small files it is less.
    pub decoder_bytes: u64,
}

impl Default for PhotoLimits {
    /// 512 MiB of file and 200 million pixels: above any camera, below what troubles a laptop.
    fn default() -> Self {
        Self {
            file_bytes: 512 << 20,
            pixels: 200_000_000,
            side: 65_535,
            decoder_bytes: 2 << 30,
        }
    }
}

/// Why a photo could not be opened: one line that says which file, why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {what}, not a photo of a kind that can be read: convert it to JPEG or PNG", one_line(.name))]
    UnknownKind { name: String, what: &'static str },
    #[error("{}: {width} x {height} pixels are more than the {} million allowed: scale it down first", one_line(.name), .limit / 1_000_000)]
    TooManyPixels {
        name: String,
        width: u32,
        height: u32,
        limit: u64,
    },
    #[error("{}: needs more memory to decode than allowed: scale it down first", one_line(.name))]
    TooMuchMemory { name: String },
    #[error("{}: {bytes} bytes are too few for {width} x {height} pixels: damaged, or made to fill the memory: export it anew", one_line(.name))]
    TooFewBytes {
        name: String,
        bytes: usize,
        width: u32,
        height: u32,
    },
    #[error("{}: damaged {kind}, {read} (cut off while copied or downloaded): fetch it again", one_line(.name))]
    Truncated {
        name: String,
        kind: &'static str,
        read: String,
    },
    #[error("{}: damaged {kind} ({}): fetch it again or export it anew", one_line(.name), one_line(.why))]
    Damaged {
        name: String,
        kind: &'static str,
        why: String,
    },
    #[error("{}: uses a part of {kind} that cannot be read ({}): convert it to an ordinary JPEG or PNG", one_line(.name), one_line(.why))]
    UnsupportedFeature {
        name: String,
        kind: &'static str,
        why: String,
    },
    #[error("{}: no photos in this folder (JPEG, PNG, WebP, GIF, BMP, TIFF or PNM; folders inside it are not searched): name another", shown(.0))]
    NoPhotos(PathBuf),
    #[error("{}: the folder cannot be listed ({}): check its permissions", shown(.folder), one_line(.source))]
    Folder {
        folder: PathBuf,
        source: std::io::Error,
    },
}
