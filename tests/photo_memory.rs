//! What a photo's file claims is no reason to allocate it. Alone in its file, since it counts the
//! whole process's memory.

use biam_lens::image_io::{PhotoLimits, decode_photo};
use cap::Cap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

#[test]
fn a_small_file_cannot_take_much_memory() {
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos/kinds");
    let mut claims: Vec<Vec<u8>> = Vec::new();
    let gif = b"GIF89a\xe8\xfd\xb8\x0b\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xe8\xfd\xb8\x0b\0\x02\x02D\x01\0;";
    claims.push(gif.to_vec());
    claims.push(b"P6\n65000 3000\n65535\n\0".to_vec());
    // The same claim in the headers of whole files.
    let claim = |name: &str, place: usize, size: &[u8]| {
        let mut bytes = fs::read(kinds.join(name)).unwrap();
        bytes[place..place + size.len()].copy_from_slice(size);
        bytes
    };
    let little = [65_000u32.to_le_bytes(), 3_000u32.to_le_bytes()].concat();
    claims.push(claim("24.colour.bmp", 18, &little));
    for name in ["22_11_11_one.colour.jpg", "progressive_420.colour.jpg"] {
        let bytes = fs::read(kinds.join(name)).unwrap();
        let frame = bytes
            .windows(2)
            .position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2]));
        claims.push(claim(name, frame.unwrap() + 5, &[0x0b, 0xb8, 0xfd, 0xe8]));
    }
    // A profile and a text that unpack to a thousand times their size.
    let png = fs::read(kinds.join("bytes_behind.colour.png")).unwrap();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..300 {
        packer.write_all(&[0; 1 << 20]).unwrap();
    }
    let packed = packer.finish().unwrap();
    for (kind, head) in [
        (b"iCCP", &b"a\0\0"[..]),
        (b"zTXt", b"Raw profile type exif\0\0"),
        (b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0"),
    ] {
        let content = [head, &packed].concat();
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(&content);
        let length = (content.len() as u32).to_be_bytes();
        let chunk = [&length[..], kind, &content, &sum.sum().to_be_bytes()].concat();
        let bytes = [&png[..33], &chunk, &png[33..]].concat();
        let before = MEMORY.allocated();
        let photo = decode_photo(&bytes, "some photo", PhotoLimits::default()).unwrap();
        let taken = MEMORY.max_allocated() - before;
        assert!(taken < 60 << 20, "{taken} bytes for {kind:?}");
        let told = photo.facts.iter().any(|fact| fact.is_caution);
        assert_eq!(told, kind == b"iCCP");
    }
    for bytes in claims {
        let before = MEMORY.allocated();
        let error = decode_photo(&bytes, "some photo", PhotoLimits::default()).unwrap_err();
        let taken = MEMORY.max_allocated() - before;
        assert!(!error.to_string().contains('\n'), "{error}");
        assert!(taken < 50 << 20, "{taken} bytes: {error}");
    }
}
