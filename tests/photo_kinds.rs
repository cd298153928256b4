//! Every kind of photo file that people have: each is read as it should look, or refused by name.
//! `tests/reference/real_photos.py` writes the files of `tests/photos/kinds`.

use biam_lens::image_io::{Photo, PhotoError, PhotoLimits, decode_photo};
use std::fs;
use std::path::{Path, PathBuf};

/// Largest difference in levels from a reference, and from what Pillow makes of a file.
const LOSSLESS: u8 = 2;
/// JPEGs lose some.
const JPEG: u8 = 6;
/// Names of JPEGs begin with the sampling factors of their components. Coarse samples blur the picture's
/// steep ramps: so far is Pillow's own decoding from the picture.
const COARSE: [(&str, u8); 16] = [
    ("11_31_13", 12),
    ("12_11_11", 7),
    ("12_21_11", 7),
    ("13_11_11", 11),
    ("14_11_11", 16),
    ("22_11_11", 7),
    ("22_21_12", 7),
    ("23_11_11", 14),
    ("31_11_11", 8),
    ("32_11_11", 12),
    ("41_11_11", 10),
    ("42_11_11", 13),
    ("extended", 7),
    ("progressive_420", 7),
    // Pillow does not read the first, whose chroma is that of 22_11_11, and converts no colours.
    ("late_height", 7),
    ("profile_in_parts", 8),
];
/// The samplings of three halves, which Pillow does not read either.
const THREE_HALVES: [(&str, u8); 2] = [("31_21_21", 7), ("32_21_11", 10)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos/kinds")
}

fn decode(bytes: &[u8]) -> Result<Photo, PhotoError> {
    decode_photo(bytes, "some photo", PhotoLimits::default())
}

/// The files of one ending: name, content and the reference's name.
fn files(endings: &[&str]) -> Vec<(String, Vec<u8>, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let [_, reference, ending] = name.split('.').collect::<Vec<_>>()[..]
            && endings.contains(&ending)
        {
            let reference = reference.to_owned();
            found.push((name, fs::read(path).unwrap(), reference));
        }
    }
    found.sort();
    found
}

/// How far a photo is from its reference.
fn distance(photo: &Photo, reference: &str) -> u8 {
    let path = folder().join(format!("{reference}.png"));
    let expected = image::open(path).unwrap().into_rgb8();
    assert_eq!(photo.rgb.dimensions(), expected.dimensions());
    let pairs = photo.rgb.iter().zip(expected.iter());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// How far a JPEG of such coarse samples may be from the picture.
fn coarseness(name: &str) -> u8 {
    let mut known = COARSE.iter().chain(&THREE_HALVES);
    let found = known.find(|(prefix, _)| name.starts_with(prefix));
    found.map_or(0, |(_, levels)| levels + LOSSLESS)
}

/// Asserts that each file looks right or is refused for a part that cannot be read; how many were
/// read.
fn read_or_refused(endings: &[&str], tolerance: u8) -> usize {
    let mut read = 0;
    let mut wrong = Vec::new();
    for (name, bytes, reference) in files(endings) {
        match decode(&bytes) {
            Ok(photo) => {
                let off = distance(&photo, &reference);
                if off > tolerance.max(coarseness(&name)) {
                    wrong.push(format!("{name}: off by {off}"));
                }
                read += 1;
            }
            Err(error) => {
                let named = matches!(error, PhotoError::UnsupportedFeature { .. });
                assert!(named, "{name}: {error}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    read
}

#[test]
fn jpegs_of_every_layout_are_read() {
    let all = files(&["jpg"]).len();
    assert!(all > 130, "{all}");
    assert_eq!(read_or_refused(&["jpg"], JPEG), all);
}

/// libjpeg's pixels to the bit, which Pillow's references are.
#[test]
fn jpegs_of_our_decoder_are_pillow_s() {
    let mut compared = 0;
    for (name, bytes, reference) in files(&["jpg"]) {
        if name.starts_with("rough") {
            assert_eq!(distance(&decode(&bytes).unwrap(), &reference), 0, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

/// The usual layout has a decoder of its own, which rounds and widens chroma a little otherwise.
const OTHER_DECODER: u8 = 4;

#[test]
fn the_order_of_scans_and_restarts_change_no_pixel() {
    let mut compared = 0;
    for (name, bytes, _) in files(&["jpg"]) {
        let Some((sampling, rest)) = name.split_at_checked(8) else {
            continue;
        };
        let each = folder().join(format!("{sampling}_each.colour.jpg"));
        if rest.starts_with("_turned") || !each.exists() {
            continue;
        }
        let [this, each] = [bytes, fs::read(each).unwrap()].map(|bytes| decode(&bytes).unwrap());
        let pairs = this.rgb.iter().zip(each.rgb.iter());
        let off = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        let allowed = match rest.starts_with("_one.") {
            true => OTHER_DECODER,
            false => 0,
        };
        assert!(off <= allowed, "{name}: off by {off}");
        compared += 1;
    }
    assert!(compared > 80, "{compared}");
}

#[test]
fn pngs_pnms_bmps_and_webps_are_read() {
    let endings = ["png", "pbm", "pgm", "ppm", "bmp", "webp"];
    assert_eq!(read_or_refused(&endings, LOSSLESS), files(&endings).len());
}

#[test]
fn tiffs_are_read_or_refused_by_name() {
    let all = files(&["tif"]);
    let mut refused = 0;
    for (name, bytes, _) in &all {
        let reason = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix));
        let Some((_, said)) = reason else { continue };
        let error = decode(bytes).unwrap_err().to_string();
        assert!(error.contains(said), "{name}: {error}");
        refused += 1;
    }
    assert!(refused >= REFUSED.len(), "{refused}");
    assert_eq!(read_or_refused(&["tif"], LOSSLESS), all.len() - refused);
}

/// The TIFFs that are refused, and what is said of them.
const REFUSED: [(&str, &str); 18] = [
    ("f2_to_255", "floating-point samples from"),
    ("f4_to_255", "floating-point samples from"),
    ("f8_to_255", "floating-point samples from"),
    ("u4", "integers of more than 16 bits"),
    ("i1.", "signed numbers of 8 bits"),
    ("i2.", "signed numbers of 16 bits"),
    ("i4.", "signed numbers of 32 bits"),
    ("preview", "small preview"),
    ("other_inks", "inks that are not CMYK"),
    ("inks_and_alpha", "inks with transparency"),
    ("lab", "CIELab"),
    ("palette_cut", "a palette that is not whole"),
    ("unexplained_second", "samples beside the colours"),
    ("shared_cut", "chroma that is shared"),
    ("group3", "CCITT group 3"),
    ("tiff_ccitt", "CCITT run lengths"),
    ("lzma", "LZMA"),
    ("zstd", "Zstandard"),
];

#[test]
fn what_is_missing_of_a_jpeg_in_a_tiff_is_told() {
    for name in ["jpeg_22_strips", "jpeg_rgb_tiles", "jpeg_grey_strips"] {
        let whole = fs::read(folder().join(format!("{name}.{name}.tif"))).unwrap();
        let starts = whole.windows(2).enumerate();
        let mut scans = starts.filter(|(_, pair)| *pair == b"\xff\xda");
        let last = scans.next_back().unwrap().0;
        for ending in [&b"\xff\xd9"[..], b"\0\0\0\0"] {
            let mut cut = whole.clone();
            cut[last + 30..][..ending.len()].copy_from_slice(ending);
            if ending[0] == 0 {
                cut.truncate(last + 34);
            }
            let error = decode(&cut).unwrap_err();
            let told = matches!(error, PhotoError::Truncated { .. });
            assert!(told, "{name}: {error}");
        }
    }
}

/// Its pixels are whole, but how it was held stands behind them.
#[test]
fn a_webp_that_ends_before_its_orientation_is_told() {
    for name in ["exif_bare_big", "xmp_element"] {
        let whole = fs::read(folder().join(format!("{name}.upright.webp"))).unwrap();
        let error = decode(&whole[..whole.len() - 4]).unwrap_err();
        assert!(error.to_string().contains(" % of it"), "{error}");
    }
}

#[test]
fn run_lengths_that_end_early_are_told() {
    let whole = fs::read(folder().join("gaps_8.gaps_8.bmp")).unwrap();
    let error = decode(&whole[..whole.len() * 3 / 4]).unwrap_err();
    assert!(error.to_string().contains(" % of it"), "{error}");
}

#[test]
fn colours_that_cannot_be_applied_are_told() {
    for (name, bytes, _) in files(&["png", "jpg", "tif", "webp"]) {
        if let Ok(photo) = decode(&bytes) {
            let told = photo.facts.iter().filter(|fact| fact.is_caution).count();
            assert_eq!(told, usize::from(name.starts_with("told_")), "{name}");
            let converted = photo
                .facts
                .iter()
                .any(|fact| fact.value.contains("converted"));
            assert_eq!(converted, name.starts_with("profile"), "{name}");
        }
    }
}

/// What is not whole is refused, and says how much of it is there.
#[test]
fn half_a_jpeg_is_none_and_a_whole_one_needs_no_end() {
    for name in [
        "22_11_11_one.colour.jpg",
        "22_11_11_each.colour.jpg",
        "progressive_420.colour.jpg",
    ] {
        let whole = fs::read(folder().join(name)).unwrap();
        let data = &whole[..whole.len() - 2];
        let expected = decode(&whole).unwrap().rgb;
        assert_eq!(decode(data).unwrap().rgb, expected, "{name}");
        let more = [&whole[..], b"bytes behind it"].concat();
        assert_eq!(decode(&more).unwrap().rgb, expected, "{name}");
        let start = data.len() * 7 / 10;
        for end in [start, (start + data.len()) / 2, data.len() - 3] {
            for ending in [&b""[..], b"\xff\xd9"] {
                let cut = [&data[..end], ending].concat();
                let error = decode(&cut).unwrap_err();
                assert!(
                    matches!(error, PhotoError::Truncated { .. }),
                    "{name}: {error}"
                );
                assert!(error.to_string().contains(" % of it"), "{name}: {error}");
            }
        }
    }
}
