//! `train`: from a folder of photos to a bundle that the other commands open.

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::support::{Ran, in_repository, names, run, text, told_photo};

const COLOURS: [(&str, [u8; 3]); 3] = [
    ("red square", [220, 30, 30]),
    ("green square", [30, 200, 40]),
    ("blue square", [30, 40, 220]),
];
const PHOTOS: usize = 9;

/// A data set of coloured squares on grey, and a place to work.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir_all(place.at("data/images")).expect("made");
        let mut rows = String::new();
        for photo in 0..PHOTOS {
            let (label, colour) = COLOURS[photo % 3];
            let (x, y) = ((photo as u32 * 17) % 40, (photo as u32 * 29) % 40);
            let picture = RgbImage::from_fn(96, 96, |column, row| {
                let inside = (x..x + 50).contains(&column) && (y..y + 50).contains(&row);
                Rgb(if inside { colour } else { [128; 3] })
            });
            let name = format!("{photo}.png");
            picture
                .save(place.at("data/images").join(&name))
                .expect("saved");
            rows += &format!("{name}\t{label}\n");
        }
        fs::write(place.at("data/train.tsv"), rows).expect("written");
        let labels = COLOURS.map(|(label, _)| label).join("\n");
        fs::write(place.at("data/vocabulary.txt"), labels + "\nzebra\n").expect("written");
        fs::write(place.at("unseen.txt"), "zebra\n").expect("written");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn train(&self, more: &[&str]) -> Ran {
        let [data, unseen, cache, out] =
            ["data", "unseen.txt", "cache", "out"].map(|name| self.at(name));
        let mut arguments = vec!["train", "--data", text(&data), "--unseen", text(&unseen)];
        arguments.extend(["--cache", text(&cache), "--out", text(&out)]);
        arguments.extend(more);
        run(&arguments)
    }
}

fn epochs(log: &Path) -> Vec<f64> {
    let text = fs::read_to_string(log).expect("a log");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line));
    let epochs = lines.filter(|line| line["event"] == "epoch");
    epochs
        .map(|line| line["loss"].as_f64().expect("a loss"))
        .collect()
}

#[test]
fn squares_become_a_bundle_that_predict_opens() {
    let place = Place::new();
    let settings = [
        "--epochs",
        "5",
        "--batch",
        "3",
        "--warm-up",
        "2",
        "--learning-rate",
        "0.002",
    ];
    let mut more = vec!["--variant", "standard,ridge,kernel"];
    more.extend(settings);
    let ran = place.train(&more);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(
        ran.out.ends_with("out: ridge, kernel, standard\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.err.contains("9 photos, 3 seen and 1 unseen labels"),
        "{}",
        ran.err
    );
    for part in ["label features of 13", "start as the kernel baseline"] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    let losses = epochs(&place.at("out.training/log.jsonl"));
    assert!(
        losses.len() == 5 && losses[4] < 0.9 * losses[0],
        "{losses:?}"
    );
    // Everything but the log is in the bundle now.
    assert_eq!(names(&place.at("out.training")), ["log.jsonl"]);
    let card = fs::read_to_string(place.at("out/CARD.md")).expect("a card");
    assert!(
        card.contains("epochs = 5") && card.contains("| Standard | 5 |"),
        "{card}"
    );
    let manifest = fs::read_to_string(place.at("out/bundle.toml")).expect("a manifest");
    assert_eq!(manifest.matches("ordinary-regions").count(), 3);
    let lists = fs::read_to_string(place.at("out/labels.tsv")).expect("labels");
    assert!(lists.contains("zebra\tunseen") && lists.contains("red square\tseen"));
    let teacher = fs::read_to_string(place.at("out/teacher.tsv")).expect("a teacher");
    assert!(
        teacher.contains("zebra\t340\tleft out"),
        "no zebra may teach"
    );
    let (photo, out) = (place.at("data/images/0.png"), place.at("out"));
    let predicted = run(&[
        "predict",
        text(&photo),
        "--bundle",
        text(&out),
        "--variant",
        "standard,kernel",
        "--json",
    ]);
    assert_eq!(predicted.status, Some(0), "{}", predicted.err);
    assert_eq!(predicted.json().len(), 2, "one for each network");
    anchors_of_another_encoder_are_refused(&place, &manifest);
}

fn anchors_of_another_encoder_are_refused(place: &Place, manifest: &str) {
    let (before, after) = manifest
        .split_once("encoder-sha256 = \"")
        .expect("the encoder of the anchors");
    let other = format!("{before}encoder-sha256 = \"0{}", &after[1..]);
    fs::write(place.at("out/bundle.toml"), other).expect("written");
    let (photo, out) = (place.at("data/images/0.png"), place.at("out"));
    let refusal = run(&["predict", text(&photo), "--bundle", text(&out)]).one_line_of_refusal();
    assert!(
        refusal.contains("label_features.safetensors were encoded with another label encoder"),
        "{refusal}"
    );
}

#[test]
fn colours_that_are_not_applied_and_labels_read_in_part_are_told() {
    let place = Place::new();
    let photo = place.at("data/images/told.jpg");
    fs::copy(told_photo(), &photo).expect("copied");
    for (list, more) in [
        ("train.tsv", "told.jpg\tdog 🐶\n"),
        ("vocabulary.txt", "dog 🐶\n"),
    ] {
        let list = place.at("data").join(list);
        let before = fs::read_to_string(&list).expect("a list");
        fs::write(&list, before.trim_end().to_owned() + "\n" + more).expect("written");
    }
    let ran = place.train(&["--variant", "ridge"]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    for said in [
        "told.jpg: colours taken as sRGB",
        "“dog 🐶” is read without “🐶”",
    ] {
        assert_eq!(ran.err.matches(said).count(), 1, "{}", ran.err);
    }
}

#[test]
fn what_cannot_be_trained_is_refused_in_one_line_and_leaves_nothing() {
    let place = Place::new();
    let refusal = place.train(&["--epochs", "0"]).one_line_of_refusal();
    assert!(refusal.contains("epochs = 0"), "{refusal}");
    let refusal = place.train(&["--learning-rate", "-1"]).status;
    assert_eq!(refusal, Some(2), "clap takes a minus for an option");
    let ran = place.train(&["--heads", "7"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("by 7 attention heads"), "{}", ran.err);
    assert!(!place.at("cache").exists(), "before any feature");
    fs::create_dir(place.at("out")).expect("made");
    let ran = place.train(&[]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("out: exists already"), "{}", ran.err);
    fs::remove_dir(place.at("out")).expect("removed");
    fs::write(
        place.at("unseen.txt"),
        COLOURS.map(|(label, _)| label).join("\n") + "\nzebra",
    )
    .expect("written");
    let ran = place.train(&["--variant", "standard"]);
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.err.contains("no label is left to train on"),
        "{}",
        ran.err
    );
    assert!(!place.at("out").exists());
}

#[test]
fn an_unfinished_training_is_not_trodden_on() {
    let place = Place::new();
    fs::create_dir(place.at("out.training")).expect("made");
    fs::write(place.at("out.training/rcb.checkpoint.safetensors"), "x").expect("written");
    let ran = place.train(&["--variant", "rcb"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("continue it with --resume"), "{}", ran.err);
    let plain = ["--distillation", "0", "--label-features", "false"];
    let ran = place.train(&[&["--variant", "rcb", "--resume"], &plain[..]].concat());
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("not a checkpoint"), "{}", ran.err);
}

/// A small model of VGG-19 and word vectors, which has no teacher.
fn without_teacher(place: &Place) -> PathBuf {
    let fixture = |name: &str| in_repository("tests/reference/foreign").join(name);
    let files = ["published.pth", "vgg19.pth", "seen.txt", "words.txt"].map(fixture);
    let [checkpoint, vgg19, seen, words] = files.each_ref().map(|path| text(path));
    let model = place.at("model");
    fs::write(place.at("none.txt"), "# none\n").expect("written");
    let none = place.at("none.txt");
    let ran = run(&[
        "import",
        "--checkpoint",
        checkpoint,
        "--vgg19",
        vgg19,
        "--seen",
        seen,
        "--unseen",
        text(&none),
        "--word-vectors",
        words,
        "--out",
        text(&model),
    ]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.out.contains(" 0 unseen"), "{}", ran.out);
    model
}

#[test]
fn what_a_run_lacks_at_its_end_is_told_before_it_begins() {
    let place = Place::new();
    let model = without_teacher(&place);
    let refused = |more: &[&str], expected: &str| {
        let ran = place.train(&[&["--bundle", text(&model)], more].concat());
        assert_eq!(ran.status, Some(1), "{}", ran.err);
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(!place.at("cache").exists(), "before any feature");
        assert!(!place.at("out.training").exists());
    };
    let few = ["--preset", "paper", "--channels", "16", "--heads", "4"];
    refused(&["--variant", "ridge"], "no teacher classes");
    refused(&["--variant", "rcb"], "or --label-features false");
    let plain = ["--variant", "rcb", "--label-features", "false"];
    refused(&plain, "the semantic teacher cannot be used");
    let table = [&few[..], &["--ablation", "table3"]].concat();
    let other = [&table[..], &["--eval-part", "test"]].concat();
    refused(&other, "the table could not be measured at the end");
    // Words without vectors.
    refused(&[&table[..], &["--eval-part", "train"]].concat(), "square");
}

#[test]
fn a_table_of_a_model_without_a_teacher_comes_without_the_ridge_baseline() {
    let place = Place::new();
    let model = without_teacher(&place);
    let rows: String = (0..PHOTOS)
        .map(|photo| format!("{photo}.png\t{}\n", ["dog", "map", "sky"][photo % 3]))
        .collect();
    fs::write(place.at("data/train.tsv"), rows).expect("written");
    fs::write(place.at("data/vocabulary.txt"), "dog\nmap\nsky\n").expect("written");
    fs::write(place.at("unseen.txt"), "").expect("written");
    let ran = place.train(&[
        "--bundle",
        text(&model),
        "--preset",
        "paper",
        "--channels",
        "16",
        "--heads",
        "4",
        "--epochs",
        "1",
        "--ablation",
        "table3",
        "--eval-part",
        "train",
    ]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("without the ridge baseline"),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("BiAM") && !ran.out.contains("Ridge"),
        "{}",
        ran.out
    );
}
