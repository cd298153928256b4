//! The resize against pictures that Pillow resized (`tests/reference/resize.py`).

use biam_lens::image_io::{Framing, Interpolation, NetworkInput, resize_bicubic, squash};
use image::RgbImage;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/resize")
}

fn picture(name: &str) -> RgbImage {
    image::open(folder().join(name)).unwrap().into_rgb8()
}

#[test]
fn every_pixel_is_pillows() {
    let mut cases = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".in.png") else {
            continue;
        };
        let expected = picture(&format!("{name}.out.png"));
        let found = resize_bicubic(&picture(&file), expected.width(), expected.height());
        assert!(found == expected, "{name} differs from Pillow's");
        cases += 1;
    }
    assert_eq!(cases, 14);
}

/// Every picture that there is in this version, as a network of its side takes it.
fn check_inputs(version: &str, framing: Framing) {
    let mut cases = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(version) else {
            continue;
        };
        let expected = picture(&file);
        let input = NetworkInput {
            side: expected.width(),
            interpolation: Interpolation::Bilinear,
            framing,
        };
        let found = input.pixels(&picture(&format!("{name}.in.png")));
        assert!(found == expected, "{file} differs from Pillow's");
        cases += 1;
    }
    assert_eq!(cases, 6);
}

#[test]
fn bilinear_squares_are_pillows() {
    check_inputs(".bilinear.png", Framing::Squash);
}

#[test]
fn centre_crops_are_torchvisions() {
    check_inputs(".crop.png", Framing::CentreCrop);
}

#[test]
fn squashing_ignores_the_aspect() {
    let photo = picture("up_to_network.in.png");
    assert_eq!((photo.width(), photo.height()), (5, 3));
    assert!(squash(&photo, 448) == picture("up_to_network.out.png"));
}
