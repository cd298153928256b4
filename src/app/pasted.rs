//! What is pasted outside of text fields: paths are opened, other words are labels, a picture is kept
//! as a file and opened.

use std::path::{Path, PathBuf};

use egui::ColorImage;
use sha2::{Digest, Sha256};

use super::files::{Finder, Found, collect, typed_path};
use super::state::About;
use crate::files::write_atomically;
use crate::image_io::PHOTO_ENDINGS;

/// Opens what was pasted in this frame, if anything; returns a text that is none of paths.
pub fn take(ctx: &egui::Context, finder: &Finder) -> Option<String> {
    let pasted = ctx.input(|input| {
        let mut events = input.events.iter();
        events.find_map(|event| match event {
            egui::Event::Paste(_) | egui::Event::PasteImage(_) => Some(event.clone()),
            _ => None,
        })
    });
    match pasted {
        Some(egui::Event::Paste(text)) => {
            if !text.lines().any(may_be_a_path) {
                return Some(text);
            }
            // A file manager gives one line for each file.
            let paths: Vec<PathBuf> = text.lines().filter_map(typed_path).collect();
            if !paths.is_empty() {
                finder.open(paths);
            }
        }
        Some(egui::Event::PasteImage(image)) => finder.spawn("pasted picture", move || {
            Some(match keep(&folder(), &image) {
                Ok(path) => collect(&[path]),
                Err(problem) => Found::Problem(About::Opening, problem),
            })
        }),
        _ => {}
    }
    None
}

/// Whether a line names a folder on the way, or ends like a photo.
fn may_be_a_path(line: &str) -> bool {
    let line = line.trim().trim_matches(['"', '\'']);
    let ending = Path::new(line)
        .extension()
        .and_then(|ending| ending.to_str());
    let photo = |ending: &str| PHOTO_ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending));
    line == "~" || line.contains(['/', '\\']) || ending.is_some_and(photo)
}

/// Where pasted pictures are kept, so that they can be opened again.
fn folder() -> PathBuf {
    let folder = match directories::ProjectDirs::from("", "", "biam-lens") {
        Some(folders) => folders.cache_dir().to_owned(),
        None => std::env::temp_dir().join("biam-lens"),
    };
    folder.join("pasted")
}

/// Writes a picture as PNG; the same picture always gets the same name.
fn keep(folder: &Path, picture: &ColorImage) -> Result<PathBuf, String> {
    let problem = |reason: String| format!("The pasted picture cannot be kept: {reason}");
    let [width, height] = picture.size.map(|side| side as u32);
    let bytes: Vec<u8> = picture
        .pixels
        .iter()
        .flat_map(|pixel| pixel.to_srgba_unmultiplied())
        .collect();
    let mut hash = Sha256::new();
    hash.update(width.to_le_bytes());
    hash.update(&bytes);
    let digest = hash.finalize();
    let name: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    let path = folder.join(format!("pasted {name}.png"));
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbaImage::from_raw(width, height, bytes)
        .ok_or_else(|| problem("it has no pixels".to_owned()))?
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|error| problem(error.to_string()))?;
    std::fs::create_dir_all(folder)
        .map_err(|error| problem(format!("{}: {error}", folder.display())))?;
    write_atomically(&path, |file| {
        std::io::Write::write_all(file, &png.into_inner())
    })
    .map_err(|error| problem(error.to_string()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_labels() {
        for path in [
            "/x/dog",
            "a\\b",
            "~/x",
            "~",
            "dog.JPG",
            " 'my dog.png' ",
            "file:///x/a.png",
        ] {
            assert!(may_be_a_path(path), "{path}");
        }
        for label in ["dog", "traffic light", "St. Bernard", "dog.", ""] {
            assert!(!may_be_a_path(label), "{label}");
        }
    }

    #[test]
    fn a_pasted_picture_becomes_one_file_with_its_pixels() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("cache/pasted");
        let half = egui::Color32::from_rgba_unmultiplied(10, 200, 90, 255);
        let mut picture = ColorImage::filled([3, 2], egui::Color32::RED);
        picture.pixels[4] = half;
        let path = keep(&folder, &picture).expect("kept");
        assert_eq!(keep(&folder, &picture).expect("kept again"), path);
        let read = image::open(&path).expect("a picture").to_rgba8();
        assert_eq!(read.dimensions(), (3, 2));
        assert_eq!(read.get_pixel(1, 1).0, [10, 200, 90, 255]);
        picture.pixels[4] = egui::Color32::RED;
        assert_ne!(keep(&folder, &picture).expect("kept"), path);
    }
}
