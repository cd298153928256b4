//! Paints a figure's SVG into a PNG with the bundled font alone: the same bytes everywhere.

use std::sync::{Arc, LazyLock};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, Options, Tree};

use super::font::{FAMILY, FILES};

/// The most pixels a figure may have: 600 MB while it is painted.
const MOST_PIXELS: f32 = 150e6;

/// CSS pixels, the SVG reader's unit, in an inch.
const CSS_PIXELS: f32 = 96.0;

/// Why a figure could not be painted.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    #[error(
        "a figure of {width:.0} x {height:.0} pixels at {dpi} dpi is too large (at most 150 million pixels): choose a lower dpi or a smaller width"
    )]
    TooLarge { width: f32, height: f32, dpi: f32 },
    #[error("dpi must be between 1 and 10000, not {0}")]
    Dpi(f32),
    #[error("the figure's SVG could not be read: {0}")]
    Svg(#[from] usvg::Error),
    #[error("the figure's PNG could not be written: {0}")]
    Write(#[from] image::ImageError),
}

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    for file in FILES {
        fonts.load_font_data(file.to_vec());
    }
    fonts.set_sans_serif_family(FAMILY);
    fonts.set_serif_family(FAMILY);
    Arc::new(fonts)
});

/// The figure painted at `dpi`, which the file also states.
///
/// Characters that the bundled font lacks are painted as its empty box.
///
/// # Errors
/// When the picture would be too large, `dpi` is out of range or `svg` is not a figure's.
pub fn png(svg: &str, dpi: f32) -> Result<Vec<u8>, PngError> {
    if !(1.0..=10_000.0).contains(&dpi) {
        return Err(PngError::Dpi(dpi));
    }
    let options = Options {
        font_family: FAMILY.to_owned(),
        fontdb: FONTS.clone(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options)?;
    let scale = dpi / CSS_PIXELS;
    let width = (tree.size().width() * scale).round().max(1.0);
    let height = (tree.size().height() * scale).round().max(1.0);
    let too_large = PngError::TooLarge { width, height, dpi };
    if width * height > MOST_PIXELS {
        return Err(too_large);
    }
    let Some(mut pixmap) = Pixmap::new(width as u32, height as u32) else {
        return Err(too_large);
    };
    let transform = Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    Ok(with_dpi(encoded(pixmap)?, dpi))
}

/// Without an opacity channel where everything is opaque, as journals ask for.
fn encoded(pixmap: Pixmap) -> Result<Vec<u8>, PngError> {
    let (width, height) = (pixmap.width(), pixmap.height());
    let opaque = pixmap.pixels().iter().all(|pixel| pixel.alpha() == 255);
    let kept = if opaque { 3 } else { 4 };
    let mut samples = Vec::with_capacity(kept * width as usize * height as usize);
    for pixel in pixmap.pixels() {
        let c = pixel.demultiply();
        samples.extend_from_slice(&[c.red(), c.green(), c.blue(), c.alpha()][..kept]);
    }
    let kind = if opaque {
        ExtendedColorType::Rgb8
    } else {
        ExtendedColorType::Rgba8
    };
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Level(4), FilterType::Adaptive)
        .write_image(&samples, width, height, kind)?;
    Ok(bytes)
}

/// Puts the physical size of a pixel (chunk `pHYs`) behind the header, which ends at byte 33.
fn with_dpi(mut png: Vec<u8>, dpi: f32) -> Vec<u8> {
    const HEADER_END: usize = 33;
    if png.len() < HEADER_END {
        return png;
    }
    let per_metre = ((dpi / 0.0254).round() as u32).to_be_bytes();
    let mut content = b"pHYs".to_vec();
    content.extend(per_metre);
    content.extend(per_metre);
    content.push(1); // the unit is the metre
    let mut chunk = 9_u32.to_be_bytes().to_vec();
    chunk.extend(&content);
    chunk.extend(crc32(&content).to_be_bytes());
    png.splice(HEADER_END..HEADER_END, chunk);
    png
}

/// The check sum of PNG chunks (CRC-32, reflected polynomial 0xedb88320).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(content: &str) -> String {
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="25.4mm" height="12.7mm" viewBox="0 0 72 36">{content}</svg>"#
        )
    }

    fn dark_pixels(content: &str) -> usize {
        let white = r#"<rect width="100%" height="100%" fill="white"/>"#;
        let bytes = png(&page(&format!("{white}{content}")), 200.0).expect("it is a figure");
        let picture = image::load_from_memory(&bytes)
            .expect("it is a picture")
            .to_luma8();
        picture.pixels().filter(|pixel| pixel.0[0] < 100).count()
    }

    #[test]
    fn pixels_follow_from_millimetres_and_dpi_and_the_file_says_so() {
        let bytes = png(&page(""), 300.0).expect("it is a figure");
        let picture = image::load_from_memory(&bytes).expect("it is a picture");
        assert_eq!((picture.width(), picture.height()), (300, 150));
        assert_eq!(&bytes[37..41], b"pHYs");
        assert_eq!(bytes[41..45], 11_811_u32.to_be_bytes());
    }

    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn text_is_painted_and_unknown_characters_leave_a_box() {
        let line = |text: &str| format!(r#"<text x="5" y="25" font-size="20">{text}</text>"#);
        assert_eq!(dark_pixels(&line(" ")), 0);
        assert!(dark_pixels(&line("σ")) > 50);
        assert!(dark_pixels(&line("犬")) > 50);
        assert!(dark_pixels(&line("🐕")) > 50);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(matches!(png(&page(""), 0.0), Err(PngError::Dpi(_))));
        let wide = page("")
            .replace("25.4mm", "25400mm")
            .replace("12.7mm", "12700mm");
        assert!(matches!(png(&wide, 300.0), Err(PngError::TooLarge { .. })));
    }
}
