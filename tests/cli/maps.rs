//! `predict --maps`: the arrays and what lies beside them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{keys, names, run, sample, text};

/// k of the default bundle.
const TOP_K: usize = 30;

/// The shape and numbers of a `.npy` file of float32 in C order.
pub fn read_npy(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let bytes = fs::read(path).expect("the file");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).expect("ASCII");
    assert!(header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"));
    let shape = header.split(['(', ')']).nth(1).expect("a shape");
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty());
    let numbers = bytes[end..].chunks_exact(4);
    (
        shape.map(|side| side.parse().expect("a number")).collect(),
        numbers
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect(),
    )
}

fn mean_of_largest(map: &[f32]) -> f64 {
    let mut sorted: Vec<f64> = map.iter().map(|&response| f64::from(response)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted[..TOP_K].iter().sum::<f64>() / TOP_K as f64
}

#[test]
fn maps_hold_what_the_scores_are_made_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new/maps");
    let (kitten, horses) = (sample("kitten.jpg"), sample("horses.jpg"));
    let labels = ["joy", "horse", "cat"];
    let ran = run(&[
        "predict",
        &kitten,
        &horses,
        "--json",
        "--labels",
        &labels.join(","),
        "--variant",
        "scb,biam",
        "--maps",
        text(&out),
    ]);
    let lines = ran.json();
    ran.quietly_good();
    assert_eq!(
        names(&out),
        [
            "horses.biam.npy",
            "horses.json",
            "horses.scb.npy",
            "kitten.biam.npy",
            "kitten.json",
            "kitten.scb.npy",
        ]
    );
    for line in &lines {
        let photo = line["photo"].as_str().expect("text");
        let stem = Path::new(photo)
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a stem");
        let variant = line["variant"].as_str().expect("text");
        let (shape, responses) = read_npy(&out.join(format!("{stem}.{variant}.npy")));
        assert_eq!(shape, [3, 14, 14]);
        for ranked in line["labels"].as_array().expect("labels") {
            let row = labels
                .iter()
                .position(|label| ranked["label"] == **label)
                .expect("given");
            let expected = mean_of_largest(&responses[row * 196..][..196]);
            let score = ranked["score"].as_f64().expect("a number");
            assert!((score - expected).abs() < 1e-4, "{score} for {expected}");
        }
        let note = fs::read(out.join(format!("{stem}.json"))).expect("the note");
        let note: Value = serde_json::from_slice(&note).expect("JSON");
        assert_eq!(keys(&note), ["covered", "grid", "labels", "photo"]);
        assert_eq!(note["labels"], json!(labels));
        for key in ["photo", "grid", "covered"] {
            assert_eq!(note[key], line[key]);
        }
    }
}

#[test]
fn photos_of_one_stem_are_refused_before_work_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("maps");
    for (first, second, said) in [
        ("a/dog.jpg", "b/dog.jpg", "a/dog.jpg and b/dog.jpg"),
        ("a/dog.jpg", "a/DOG.png", "would write the same map files"),
        ("a/dog.jpg", "a/dog.jpg", "named twice"),
    ] {
        let arguments = [
            "predict",
            first,
            second,
            "--bundle",
            "nowhere",
            "--maps",
            text(&out),
        ];
        let refusal = run(&arguments).one_line_of_refusal();
        assert!(refusal.contains(said), "{refusal}");
    }
    assert!(!out.exists());
    // Stems that differ only behind a dot are different files.
    let arguments = ["predict", "k.jpg", "k.biam.jpg", "--maps", text(&out)];
    assert_eq!(run(&arguments).complaints().len(), 2);
}

#[test]
fn a_folder_that_cannot_be_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"mine").expect("written");
    for path in [file.clone(), file.join("maps")] {
        let kitten = sample("kitten.jpg");
        let arguments = ["predict", &kitten, "--labels", "cat", "--maps", text(&path)];
        let refusal = run(&arguments).one_line_of_refusal();
        assert!(
            refusal.starts_with(text(&path)) && refusal.contains("--maps"),
            "{refusal}"
        );
    }
    assert_eq!(fs::read(&file).expect("still there"), b"mine");
    // Without a bundle no folder is left behind.
    let out = folder.path().join("maps");
    let arguments = [
        "predict",
        "x.jpg",
        "--bundle",
        "nowhere",
        "--maps",
        text(&out),
    ];
    run(&arguments).one_line_of_refusal();
    assert!(!out.exists());
}

#[cfg(unix)]
#[test]
fn names_of_any_bytes_and_length_get_files_and_texts_of_their_own() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).expect("made");
    let long = ["long1", "long2"].map(|end| "n".repeat(255 - 9) + end + ".jpg");
    let others = ["-x.jpg", "a\nb \"c\", d.jpg"];
    let latin: [&[u8]; 2] = [b"caf\xe9.jpg", b"caf\xe8.jpg"];
    let short = latin
        .into_iter()
        .chain(others.iter().map(|name| name.as_bytes()));
    for name in short.chain(long.iter().map(String::as_bytes)) {
        let path = photos.join(std::ffi::OsStr::from_bytes(name));
        fs::copy(sample("kitten.jpg"), path).expect("copied");
    }
    let out = folder.path().join("maps");
    let arguments = [
        "predict",
        text(&photos),
        "--labels",
        "cat",
        "--json",
        "--maps",
        text(&out),
    ];
    let ran = run(&arguments);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), 2, "{}", ran.err);
    assert!(
        complaints[0].contains("too long a name for its maps"),
        "{}",
        ran.err
    );
    let mut called: Vec<String> = ran
        .json()
        .iter()
        .map(|line| line["photo"].as_str().expect("text").to_owned())
        .collect();
    called.sort();
    called.dedup();
    assert_eq!(called.len(), 6);
    let written = names(&out);
    assert_eq!(written.len(), 12, "{written:?}");
    for name in [
        "caf%E9.json",
        "caf%E8.biam.npy",
        "-x.json",
        "a\nb \"c\", d.biam.npy",
    ] {
        assert!(
            written.iter().any(|written| written == name),
            "{name} in {written:?}"
        );
    }
    // Each note says which photo it is of.
    let mut noted: Vec<String> = written
        .iter()
        .filter(|name| name.ends_with(".json"))
        .map(|name| {
            let note: Value =
                serde_json::from_slice(&fs::read(out.join(name)).expect("a note")).expect("JSON");
            note["photo"].as_str().expect("text").to_owned()
        })
        .collect();
    noted.sort();
    assert_eq!(noted, called);
}
