//! `render`: pictures without a display.

use std::fs;
use std::path::Path;

use crate::support::{names, run, sample, text};

/// Width and height of a PNG.
fn png_size(path: &Path) -> (u32, u32) {
    let bytes = fs::read(path).expect("a picture");
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

/// Draws a small figure of one photo; gives the picture's bytes.
fn draw(out: &Path, more: &[&str]) -> Vec<u8> {
    let kitten = sample("kitten.jpg");
    let arguments = [
        "render",
        &kitten,
        "--labels",
        "cat, traffic light",
        "--out",
        text(out),
    ];
    assert_eq!(run(&[&arguments[..], more].concat()).quietly_good(), "");
    fs::read(out).expect("the figure")
}

#[test]
fn a_figure_is_the_same_each_time_and_as_large_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let small = ["--width-mm", "80", "--dpi", "100", "--force"];
    fs::write(at("a.png"), "an older one").expect("written");
    let first = draw(&at("a.png"), &small);
    assert!(first == draw(&at("b.PNG"), &small));
    assert_eq!(png_size(&at("a.png")).0, 315);
    let variants = [
        "--variant",
        "biam,standard",
        "--letters",
        "--contours",
        "--marks",
    ];
    let drawing = draw(&at("a.svg"), &variants);
    assert!(drawing == draw(&at("b.svg"), &variants));
    let drawing = String::from_utf8(drawing).expect("UTF-8");
    let width = drawing.split("width=\"").nth(1).expect("a width");
    let (width, _) = width.split_once("mm\"").expect("in millimetres");
    let width: f32 = width.parse().expect("a number");
    assert!((width - 180.0).abs() < 0.01, "{width}");
    assert!(drawing.contains(">BiAM<") && drawing.contains(">Standard<"));
    assert!(!drawing.contains(">RCB<") && !drawing.contains(">SCB<"));
    assert!(drawing.contains("(a)") && drawing.contains("(b)"));
    assert_eq!(names(folder.path()), ["a.png", "a.svg", "b.PNG", "b.svg"]);
}

#[test]
fn several_photos_lie_below_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("figure.svg");
    let (kitten, horses) = (sample("kitten.jpg"), sample("horses.jpg"));
    let arguments = [
        "render",
        &kitten,
        "no such.jpg",
        &horses,
        "--labels",
        "cat",
        "--out",
        text(&out),
    ];
    let ran = run(&arguments);
    assert_eq!(ran.status, Some(1));
    assert_eq!(
        ran.complaints(),
        ["no such.jpg: no such file: check the name"]
    );
    let drawing = fs::read_to_string(&out).expect("the others are drawn");
    // Without --variant all of the bundle's networks are there, once for each photo.
    for title in [">Standard<", ">RCB<", ">SCB<", ">BiAM<"] {
        assert_eq!(drawing.matches(title).count(), 2, "{title}");
    }
}

#[test]
fn every_scale_draws_and_names_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut drawings = Vec::new();
    for scale in ["sigma", "raw-panel", "raw-label", "raw-variant", "rank"] {
        let out = folder.path().join(format!("{scale}.svg"));
        let drawing = draw(&out, &["--scale", scale, "--variant", "biam"]);
        assert!(!drawings.contains(&drawing), "{scale}");
        drawings.push(drawing);
    }
    assert!(String::from_utf8_lossy(&drawings[0]).contains("σ above ordinary"));
}

#[test]
fn where_no_figure_can_lie_nothing_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept.png");
    fs::write(&kept, "mine").expect("written");
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    fs::create_dir(at("folder.png")).expect("made");
    // The bundle is nowhere, so these are found out before any work.
    for (out, said) in [
        (at("figure.pdf"), "figures are written as .png or .svg"),
        (at("figure"), "figures are written as .png or .svg"),
        (at("figure.JPG"), "figures are written as .png or .svg"),
        (at("kept.png"), "--force replaces it"),
        (at("no/figure.png"), "create the folder first"),
        (at("kept.png/figure.svg"), "create the folder first"),
        (at("folder.png"), "a folder"),
        (
            "/dev/null".to_owned(),
            "figures are written as .png or .svg",
        ),
    ] {
        let arguments = [
            "render", "x.jpg", "--labels", "cat", "--out", &out, "--bundle", "nowhere",
        ];
        let refusal = run(&arguments).one_line_of_refusal();
        assert!(
            refusal.starts_with(&out) && refusal.contains(said),
            "{refusal}"
        );
    }
    let out = ["--out", text(&kept), "--force"];
    let ran = run(&[&["render", "x.jpg", "--labels", "cat"], &out[..]].concat());
    assert_eq!(ran.status, Some(1));
    assert_eq!(
        ran.complaints()[1],
        "no photo could be read, so nothing is drawn"
    );
    let large = ["--width-mm", "2000", "--dpi", "2400", "--variant", "biam"];
    let kitten = sample("kitten.jpg");
    let arguments = ["render", &kitten, "--labels", "cat"];
    let refusal = run(&[&arguments[..], &out, &large].concat()).one_line_of_refusal();
    assert!(
        refusal.contains("choose a lower dpi or a smaller width"),
        "{refusal}"
    );
    assert_eq!(fs::read(&kept).expect("still there"), b"mine");
    assert_eq!(names(folder.path()), ["folder.png", "kept.png"]);
    let refusal = run(&[&["render", "x.jpg"], &out[..]].concat()).one_line_of_refusal();
    assert!(refusal.contains("--labels"), "{refusal}");
}

#[test]
fn values_out_of_range_are_errors_of_use() {
    for (option, value, said) in [
        ("--dpi", "0", "a number from 36 to 2400"),
        ("--dpi", "nan", "a number from 36 to 2400"),
        ("--dpi", "many", "a number from 36 to 2400"),
        ("--width-mm", "2001", "a number from 20 to 2000"),
        ("--opacity", "1.5", "a number from 0 to 1"),
        ("--scale", "linear", "sigma"),
        ("--colour-map", "jet", "viridis"),
        ("--variant", "v.g", "standard, rcb, scb, biam"),
    ] {
        let arguments = [
            "render", "x.jpg", "--labels", "cat", "--out", "x.png", option, value,
        ];
        let ran = run(&arguments);
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (Some(2), ""),
            "{option} {value}"
        );
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}
