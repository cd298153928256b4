//! What stands in a photo's file beside its pixels: EXIF and colours, wherever a container keeps
//! them.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

/// Bytes of a block of metadata that are unpacked at most.
pub(super) const MOST_UNPACKED: u64 = 16 << 20;
/// Flags of an extended WebP.
const WITH_EXIF: u8 = 8;
const WITH_XMP: u8 = 4;
/// Why a larger one is not.
pub(super) const TOO_LARGE: &str = "it has more than 16 MiB";

/// What a file says about its pixels.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// A TIFF structure.
    pub exif: Option<Vec<u8>>,
    /// How the camera was held, as a description in XML (XMP) tells; EXIF counts more.
    pub described: Option<Orientation>,
    /// An ICC profile, or why it cannot be had.
    pub profile: Option<Result<Vec<u8>, &'static str>>,
    /// Colours that are told in another way and are not sRGB.
    pub other_colours: Option<String>,
    /// The file announces EXIF or XMP and ends before it.
    pub is_cut: bool,
}

/// EXIF as some programs write it, with what begins a JPEG's segment.
fn bare_exif(block: &[u8]) -> Vec<u8> {
    block.strip_prefix(b"Exif\0\0").unwrap_or(block).to_vec()
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut plain = Vec::new();
    let mut unpacking = ZlibDecoder::new(packed).take(MOST_UNPACKED + 1);
    let outcome = unpacking.read_to_end(&mut plain);
    if plain.len() as u64 > MOST_UNPACKED {
        return Err(TOO_LARGE);
    }
    outcome.map(|_| plain).map_err(|_| "it cannot be unpacked")
}

/// A PNG's chunks, before and behind its pixels, as far as they go: kind and content.
fn png_chunks(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = file.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let kind = rest.get(4..8)?;
        let content = rest.get(8..length.checked_add(8)?)?;
        rest = rest.get(length.checked_add(12)?..).unwrap_or_default();
        Some((kind, content))
    })
}

/// A PNG whose last chunks are missing, with an end and, where its pixels are cut off, with a chunk
/// that ends where the file does; nothing where the end is there. Whether all pixels are there the
/// decoder finds out.
pub(super) fn mended_png(file: &[u8]) -> Option<Vec<u8>> {
    let mut end = 8;
    for (kind, content) in png_chunks(file) {
        if kind == b"IEND" {
            return None;
        }
        end += content.len() + 12;
    }
    let mut mended = file.get(..end.min(file.len()))?.to_vec();
    // The last chunk has no checksum, or no end at all.
    let cut_checksum = end > file.len();
    let pixels = match cut_checksum {
        true => {
            let (last, content) = png_chunks(file).last()?;
            mended.truncate(end - content.len() - 12);
            (last == b"IDAT").then_some(content)
        }
        false => {
            let kind = file.get(end + 4..end + 8);
            kind.filter(|kind| *kind == b"IDAT")
                .map(|_| &file[end + 8..])
        }
    };
    let mut add = |kind: &[u8], content: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(content);
        mended.extend((content.len() as u32).to_be_bytes());
        mended.extend(kind);
        mended.extend(content);
        mended.extend(sum.sum().to_be_bytes());
    };
    if let Some(pixels) = pixels {
        add(b"IDAT", pixels);
    }
    add(b"IEND", &[]);
    Some(mended)
}

/// A PNG without what stands beside its pixels: the decoder would unpack all of it, whatever its size.
pub(super) fn bare_png(file: &[u8]) -> Cow<'_, [u8]> {
    let beside = |kind: &[u8]| matches!(kind, b"iCCP" | b"iTXt" | b"tEXt" | b"zTXt" | b"eXIf");
    let Some(start) = file
        .get(..8)
        .filter(|_| png_chunks(file).any(|(kind, _)| beside(kind)))
    else {
        return Cow::Borrowed(file);
    };
    let mut bare = start.to_vec();
    let mut end = 8;
    for (kind, content) in png_chunks(file) {
        let whole = end..(end + content.len() + 12).min(file.len());
        end = whole.end;
        if !beside(kind) {
            bare.extend_from_slice(&file[whole]);
        }
    }
    bare.extend_from_slice(&file[end..]);
    Cow::Owned(bare)
}

/// Of a PNG.
pub(super) fn of_png(file: &[u8]) -> Metadata {
    let mut found = Metadata::default();
    let (mut says_srgb, mut coded, mut measured) = (false, None, false);
    for (kind, content) in png_chunks(file) {
        match kind {
            b"eXIf" => found.exif = Some(bare_exif(content)),
            b"zTXt" | b"tEXt" | b"iTXt" => {
                let text = text(kind, content);
                let Some((name, text)) = text else { continue };
                match name {
                    b"Raw profile type exif" | b"Raw profile type APP1" if found.exif.is_none() => {
                        found.exif = exif_in_text(&text);
                    }
                    b"XML:com.adobe.xmp" => found.described = orientation_in_xmp(&text),
                    _ => {}
                }
            }
            b"iCCP" => {
                let name = content.iter().position(|byte| *byte == 0);
                let packed = name.and_then(|end| content.get(end + 2..));
                found.profile = Some(packed.map_or(Err("it is cut off"), unpacked));
            }
            b"sRGB" => says_srgb = true,
            b"cICP" => coded = Some(content),
            b"gAMA" => measured |= !is_srgb_gamma(content),
            b"cHRM" => measured |= !are_srgb_primaries(content),
            _ => {}
        }
    }
    match coded {
        // Rec. 709 primaries, sRGB curve, RGB, full range.
        Some([1, 13, 0, 1]) => found.profile = None,
        Some(code) => {
            found.profile = None;
            found.other_colours = Some(format!("coding points {code:?} (cICP)"));
        }
        None if says_srgb || found.profile.is_some() => {}
        None if measured => {
            found.other_colours = Some("a gamma or primaries of its own (gAMA, cHRM)".to_owned());
        }
        None => {}
    }
    found
}

fn u32_at(content: &[u8], index: usize) -> Option<u32> {
    let bytes = content.get(4 * index..4 * index + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Whether a gamma is 1/2.2, rounded in whatever way.
fn is_srgb_gamma(content: &[u8]) -> bool {
    u32_at(content, 0).is_some_and(|gamma| gamma.abs_diff(45_455) <= 500)
}

fn are_srgb_primaries(content: &[u8]) -> bool {
    const SRGB: [u32; 8] = [
        31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000,
    ];
    SRGB.iter().enumerate().all(|(index, expected)| {
        u32_at(content, index).is_some_and(|value| value.abs_diff(*expected) <= 200)
    })
}

/// The name and the content of a text chunk.
fn text<'a>(kind: &[u8], content: &'a [u8]) -> Option<(&'a [u8], Vec<u8>)> {
    let (name, rest) = content.split_at_checked(content.iter().position(|byte| *byte == 0)?)?;
    let wanted = name.starts_with(b"Raw profile type ") || name == b"XML:com.adobe.xmp";
    let text = match kind {
        _ if !wanted => return None,
        b"tEXt" => rest.get(1..)?.to_vec(),
        b"zTXt" => unpacked(rest.get(2..)?).ok()?,
        _ => {
            // Flag, method, language and translated name, each of these two ended by a zero.
            let packed = *rest.get(1)? == 1;
            let mut fields = rest.get(3..)?.splitn(3, |byte| *byte == 0);
            let text = fields.nth(2)?;
            if packed {
                unpacked(text).ok()?
            } else {
                text.to_vec()
            }
        }
    };
    Some((name, text))
}

/// EXIF as ImageMagick writes it into a text: a line break, the kind, the length, then hexadecimal
/// digits.
fn exif_in_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let digits: String = text.split_whitespace().skip(2).collect();
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let block: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    Some(bare_exif(&block?))
}

/// The orientation in a description, as an attribute or as an element.
pub(super) fn orientation_in_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut places = packet.windows(NAME.len()).enumerate();
    let (start, _) = places.find(|(_, name)| *name == NAME)?;
    let mut rest = packet[start + NAME.len()..].trim_ascii_start();
    rest = match rest.strip_prefix(b">") {
        Some(element) => element,
        None => rest.strip_prefix(b"=")?.trim_ascii_start().get(1..)?,
    };
    let digit = rest.trim_ascii_start().first()?.checked_sub(b'0')?;
    Orientation::from_exif(digit)
}

/// Of a WebP, whose chunks lie in a RIFF container.
pub(super) fn of_webp(file: &[u8]) -> Metadata {
    let mut found = Metadata::default();
    let (mut announced, mut met) = (0, 0);
    let mut rest = file.get(12..).unwrap_or_default();
    while let (Some(kind), Some(length)) = (rest.get(..4), rest.get(4..8)) {
        let length = length
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let Some(content) = rest.get(8..8 + length) else {
            break;
        };
        match kind {
            b"VP8X" => announced = content.first().copied().unwrap_or(0) & (WITH_EXIF | WITH_XMP),
            b"EXIF" if found.exif.is_none() => {
                met |= WITH_EXIF;
                found.exif = Some(bare_exif(content));
            }
            b"XMP " => {
                met |= WITH_XMP;
                found.described = orientation_in_xmp(content);
            }
            b"ICCP" => found.profile = Some(Ok(content.to_vec())),
            _ => {}
        }
        // Chunks start at even places.
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
    }
    let length = file.get(4..8).and_then(|bytes| bytes.try_into().ok());
    let length = length.map_or(0, u32::from_le_bytes) as usize;
    found.is_cut = announced & !met != 0 && file.len() < length.saturating_add(8);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, content) in chunks {
            file.extend((content.len() as u32).to_be_bytes());
            file.extend(*kind);
            file.extend(*content);
            file.extend([0; 4]);
        }
        file
    }

    #[test]
    fn exif_is_found_in_every_chunk_that_can_hold_it() {
        let text = b"Raw profile type exif\0\nexif\n       5\n4949\n2a00\n08\n";
        let international = b"Raw profile type APP1\0\0\0\0\0\nexif\n 5\n49492a0008";
        for file in [
            png(&[(b"IDAT", &[1]), (b"eXIf", b"II*\0\x08")]),
            png(&[(b"eXIf", b"Exif\0\0II*\0\x08"), (b"IDAT", &[1])]),
            png(&[(b"tEXt", text)]),
            png(&[(b"iTXt", international)]),
        ] {
            assert_eq!(of_png(&file).exif.as_deref(), Some(&b"II*\0\x08"[..]));
        }
    }

    #[test]
    fn an_orientation_is_read_out_of_a_description() {
        for (packet, expected) in [
            ("<a tiff:Orientation=\"6\"/>", Some(Orientation::Rotate90)),
            ("<a tiff:Orientation = '3'/>", Some(Orientation::Rotate180)),
            (
                "<tiff:Orientation>8</tiff:Orientation>",
                Some(Orientation::Rotate270),
            ),
            ("<tiff:Orientation>", None),
            ("<a tiff:Orientation=\"9\"/>", None),
            ("<a/>", None),
        ] {
            assert_eq!(orientation_in_xmp(packet.as_bytes()), expected, "{packet}");
        }
    }

    #[test]
    fn what_unpacks_to_more_than_is_read_is_told() {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, &vec![0; MOST_UNPACKED as usize + 1]).unwrap();
        let profile = [b"name\0\0".to_vec(), packer.finish().unwrap()].concat();
        let file = png(&[(b"iCCP", &profile), (b"IDAT", &[1]), (b"IEND", b"")]);
        assert_eq!(of_png(&file).profile, Some(Err(TOO_LARGE)));
        assert_eq!(bare_png(&file).len(), file.len() - profile.len() - 12);
    }

    #[test]
    fn colours_that_are_not_srgb_are_told() {
        let srgb = 45_455u32.to_be_bytes();
        let linear = 100_000u32.to_be_bytes();
        let told = |chunks: &[(&[u8; 4], &[u8])]| of_png(&png(chunks)).other_colours.is_some();
        assert!(!told(&[(b"gAMA", &srgb)]));
        assert!(told(&[(b"gAMA", &linear)]));
        assert!(!told(&[(b"gAMA", &linear), (b"sRGB", &[0])]));
        assert!(told(&[(b"cHRM", &[0; 32])]));
        assert!(told(&[(b"sRGB", &[0]), (b"cICP", &[12, 13, 0, 1])]));
        assert!(!told(&[(b"gAMA", &linear), (b"cICP", &[1, 13, 0, 1])]));
    }

    #[test]
    fn damaged_chunks_tell_nothing() {
        let mut file = png(&[(b"eXIf", b"II*\0\x08")]);
        file[8] = 0xff;
        assert_eq!(of_png(&file), Metadata::default());
        assert_eq!(
            of_webp(b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xffII"),
            Metadata::default()
        );
        let broken = of_png(&png(&[(b"iCCP", b"name\0\0nonsense")]));
        assert_eq!(broken.profile, Some(Err("it cannot be unpacked")));
    }
}
