//! Files that are no good photos, or photos of unusual kinds: each opens as it should look or is
//! refused with one clear line that names it.

use biam_lens::files::FileError;
use biam_lens::image_io::{Photo, PhotoError, PhotoLimits, decode_photo, list_photos, open_photo};
use std::fs;
use std::path::{Path, PathBuf};

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/photos")
        .join(name)
}

fn open(path: &Path) -> Result<Photo, PhotoError> {
    open_photo(path, PhotoLimits::default())
}

fn decode(bytes: &[u8]) -> Result<Photo, PhotoError> {
    decode_photo(bytes, "some photo", PhotoLimits::default())
}

/// Asserts that the quarters of a 24 x 16 photo are of these colours: above left, above right,
/// below left, below right.
fn assert_quarters(name: &str, expected: [[u8; 3]; 4]) {
    let photo = open(&fixture(name)).unwrap();
    assert_eq!((photo.width(), photo.height()), (24, 16), "{name}");
    let centres = [(6, 4), (18, 4), (6, 12), (18, 12)];
    for ((x, y), colour) in centres.into_iter().zip(expected) {
        let found = photo.rgb.get_pixel(x, y).0;
        let off = found.iter().zip(colour).map(|(a, b)| a.abs_diff(b)).max();
        assert!(
            off <= Some(6),
            "{name} at {x}, {y}: {found:?} for {colour:?}"
        );
    }
}

/// The error's message, which must be one line that starts with the file's name.
fn refusal(path: &Path) -> String {
    let message = open(path).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    assert!(
        message.starts_with(&path.display().to_string()),
        "{message}"
    );
    message
}

#[test]
fn photos_of_every_kind_look_alike() {
    let scene = [RED, GREEN, BLUE, WHITE];
    for name in [
        "cmyk.jpg",
        "palette.png",
        "progressive.jpg",
        "scene.bmp",
        "scene.ppm",
        "scene.tiff",
    ] {
        assert_quarters(name, scene);
    }
}

#[test]
fn every_orientation_is_turned_upright() {
    for tag in 1..=8 {
        assert_quarters(&format!("orientation{tag}.jpg"), [RED, GREEN, BLUE, WHITE]);
    }
}

#[test]
fn the_first_frame_of_an_animation_is_the_photo() {
    for name in ["two_frames.gif", "two_frames.png", "two_frames.webp"] {
        assert_quarters(name, [RED, GREEN, BLUE, WHITE]);
    }
}

#[test]
fn transparency_lies_over_white() {
    for name in ["right_half_clear.png", "right_half_clear.webp"] {
        assert_quarters(name, [RED, WHITE, BLUE, WHITE]);
    }
}

#[test]
fn grey_becomes_three_channels() {
    let greys = [[76; 3], [150; 3], [29; 3], WHITE];
    assert_quarters("grey.jpg", greys);
    assert_quarters("grey_alpha.png", greys);
}

#[test]
fn sixteen_bits_are_scaled_to_eight() {
    let photo = open(&fixture("grey16.png")).unwrap();
    for (index, pixel) in photo.rgb.pixels().enumerate() {
        let stored = index * 65_535 / (24 * 16 - 1);
        let expected = (stored as f64 / 257.0).round();
        assert!(
            (f64::from(pixel.0[0]) - expected).abs() <= 1.0,
            "pixel {index}"
        );
    }
}

#[test]
fn content_counts_and_not_the_name() {
    assert_quarters("png_named.jpg", [RED, GREEN, BLUE, WHITE]);
    let photo = open(&fixture("png_named.jpg")).unwrap();
    assert_eq!(photo.format, image::ImageFormat::Png);
}

#[test]
fn one_pixel_is_a_photo() {
    let photo = open(&fixture("one_pixel.png")).unwrap();
    assert_eq!(photo.rgb.as_raw(), &[10, 200, 30]);
}

#[test]
fn truncated_photos_are_refused() {
    for name in [
        "progressive.jpg",
        "orientation1.jpg",
        "palette.png",
        "two_frames.gif",
        "right_half_clear.webp",
        "scene.bmp",
        "scene.tiff",
        "scene.ppm",
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        let error = decode(&whole[..whole.len() / 2]).expect_err(name);
        let message = error.to_string();
        assert!(message.starts_with("some photo: "), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

/// A camera's JPEG holds a thumbnail, whose own end must not be taken for the photo's.
#[test]
fn a_truncated_photo_with_a_thumbnail_is_refused() {
    let whole = fs::read(fixture("orientation1.jpg")).unwrap();
    let mut with_thumbnail = whole[..2].to_vec();
    with_thumbnail.extend([0xff, 0xe2, 0, 6, 0xff, 0xd8, 0xff, 0xd9]);
    with_thumbnail.extend(&whole[2..]);
    assert!(decode(&with_thumbnail).is_ok());
    let error = decode(&with_thumbnail[..with_thumbnail.len() - 30]).unwrap_err();
    assert!(matches!(error, PhotoError::Truncated { .. }), "{error}");
}

/// Whatever a byte of a photo is changed to, the answer is a photo or an error.
#[test]
fn damage_anywhere_neither_panics_nor_hangs() {
    for name in [
        "cmyk.jpg",
        "grey16.png",
        "two_frames.gif",
        "two_frames.webp",
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0xff;
            if let Err(error) = decode(&damaged) {
                assert!(!error.to_string().contains('\n'));
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_png_is_told() {
    let mut bytes = fs::read(fixture("grey16.png")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    let error = decode(&bytes).unwrap_err();
    assert!(
        matches!(error, PhotoError::Damaged { kind: "PNG", .. }),
        "{error}"
    );
}

/// A PNG header that claims `width` x `height` pixels, with checksums that hold and hardly any
/// data behind it.
fn claiming_png(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", header.as_slice()),
        (b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]),
        (b"IEND", &[]),
    ] {
        bytes.extend((data.len() as u32).to_be_bytes());
        let start = bytes.len();
        bytes.extend(kind);
        bytes.extend(data);
        bytes.extend(crc32(&bytes[start..]).to_be_bytes());
    }
    bytes
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn enormous_claims_are_refused_before_anything_is_allocated() {
    let error = decode(&claiming_png(60_000, 60_000)).unwrap_err();
    assert!(
        matches!(error, PhotoError::TooManyPixels { width: 60_000, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("60000 x 60000"), "{error}");
    // One row of pixels more than any other reader would take.
    let error = decode(&claiming_png(1_000_000, 1)).unwrap_err();
    assert!(matches!(error, PhotoError::TooManyPixels { .. }), "{error}");
    // A claim within the limits is found out by its missing pixels.
    let error = decode(&claiming_png(60, 60)).unwrap_err();
    assert!(
        !matches!(error, PhotoError::TooManyPixels { .. }),
        "{error}"
    );
}

#[test]
fn limits_are_the_callers() {
    let bytes = fs::read(fixture("palette.png")).unwrap();
    let limits = PhotoLimits {
        pixels: 24 * 16 - 1,
        ..PhotoLimits::default()
    };
    let error = decode_photo(&bytes, "small", limits).unwrap_err();
    assert!(matches!(error, PhotoError::TooManyPixels { .. }));
    let limits = PhotoLimits {
        file_bytes: 50,
        ..PhotoLimits::default()
    };
    let error = open_photo(&fixture("palette.png"), limits).unwrap_err();
    assert!(matches!(
        error,
        PhotoError::File(FileError::TooLarge { .. })
    ));
}

#[test]
fn what_is_no_photo_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, said) in [
        ("notes.jpg", &b"Buy milk."[..], "a text"),
        ("paper.png", b"%PDF-1.7\n", "a PDF document"),
        ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        ("drawing.png", b"<svg/>", "SVG"),
        ("zeros.jpg", &[0; 64], "zeros"),
        ("random.jpg", &[0x9f, 0x80, 0x11, 0xfe], "unknown"),
        ("empty.jpg", b"", "empty"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let message = refusal(&path);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_folder_and_a_vanished_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).contains("a folder"));
    let path = folder.path().join("1.jpg");
    fs::copy(fixture("cmyk.jpg"), &path).unwrap();
    let (photos, errors) = list_photos(&[folder.path().to_owned()]);
    assert!(errors.is_empty());
    fs::remove_file(&path).unwrap();
    assert!(refusal(&photos[0]).contains("no such file"));
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.jpg");
    fs::copy(fixture("cmyk.jpg"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything, so there is nothing to see then.
    if fs::File::open(&path).is_err() {
        assert!(refusal(&path).contains("permission denied"));
    }
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_dangling_links_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    assert!(refusal(&pipe).contains("a pipe"));
    let link = folder.path().join("link.jpg");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    assert!(refusal(&link).contains("a pipe"));
    let dangling = folder.path().join("dangling.jpg");
    std::os::unix::fs::symlink(folder.path().join("gone"), &dangling).unwrap();
    assert!(refusal(&dangling).contains("a link to a file that is not there"));
    assert!(refusal(Path::new("/dev/zero")).contains("a device"));
    // In a folder only what can be a photo is listed.
    let (photos, _) = list_photos(&[folder.path().to_owned()]);
    assert_eq!(photos, [dangling]);
}
