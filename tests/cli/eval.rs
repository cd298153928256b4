//! `eval`: labelled photos into numbers.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{in_repository, run, sample, text, told_photo};

const PHOTOS: [(&str, &str); 4] = [
    ("dogs.jpg", "dog,grass"),
    ("horses.jpg", "horse,grass"),
    ("kitten.jpg", "cat"),
    ("rome.jpg", ""),
];

/// A small data set of sample photos: four photos of which one has no label, six labels.
struct Set {
    folder: tempfile::TempDir,
}

impl Set {
    fn new() -> Self {
        let set = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(set.at("images")).expect("made");
        let mut list = String::new();
        for (name, labels) in PHOTOS {
            fs::copy(sample(name), set.at("images").join(name)).expect("copied");
            list += &format!("{name}\t{labels}\n");
        }
        set.write("val.tsv", &list);
        set.write(
            "vocabulary.txt",
            "dog\ncat\nhorse\ngrass\nsubmarine\nzebra\n",
        );
        set.write("unseen.txt", "zebra\nsubmarine\n");
        set
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.at(name), content).expect("written");
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let data = ["eval", "--data", text(self.folder.path()), "--part", "val"];
        [&data, more].concat()
    }
}

/// What a run printed that had nothing to say but what the data set has.
#[track_caller]
fn good(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(
        ran.complaints()
            .iter()
            .all(|line| line.contains("photos, ")),
        "{}",
        ran.err
    );
    ran.out
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&good(arguments)).expect("one object")
}

/// The last line of a run that could measure nothing.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let complaints = ran.complaints();
    (*complaints.last().expect("a line")).to_owned()
}

fn task<'a>(variant: &'a Value, name: &str) -> &'a Value {
    let tasks = variant["tasks"].as_array().expect("tasks");
    tasks.iter().find(|task| task["task"] == name).expect(name)
}

#[test]
fn every_network_and_task_is_measured() {
    let set = Set::new();
    set.write("unseen.txt", "cat\nzebra\n");
    let (unseen, csv) = (set.at("unseen.txt"), set.at("labels.csv"));
    let ran = run(&set.arguments(&[
        "--unseen",
        text(&unseen),
        "--json",
        "--per-label",
        text(&csv),
    ]));
    let report: Value = serde_json::from_str(&ran.out).expect("one object");
    // The shipped networks have seen cats.
    assert_eq!(ran.status, Some(0));
    assert!(
        ran.err.contains(
            "trained on labels that are to be unseen, so they say nothing of zero-shot: “cat”"
        ),
        "{}",
        ran.err
    );
    assert_eq!(report["photos"], 4);
    assert_eq!((&report["seen"], &report["unseen"]), (&4.into(), &2.into()));
    let variants = report["variants"].as_array().expect("variants");
    let names: Vec<&str> = variants
        .iter()
        .filter_map(|v| v["variant"].as_str())
        .collect();
    assert_eq!(names, ["standard", "rcb", "scb", "biam"]);
    let biam = &variants[3];
    let zsl = task(biam, "zsl");
    // The kitten is the only photo with an unseen label, and looks most like a cat.
    assert_eq!(zsl["all_photos"]["photos"], 4);
    assert_eq!(zsl["photos_with_a_positive"]["photos"], 1);
    let map = &zsl["all_photos"]["map"];
    assert_eq!(
        (&map["mean"], &map["empty_as_zero"]),
        (&1.0.into(), &0.5.into())
    );
    // Two labels, all of them predicted for every photo: one of eight predictions is right.
    let top = &zsl["all_photos"]["top"][0];
    assert_eq!(
        (&top["k"], &top["overall"]["precision"]),
        (&3.into(), &0.125.into())
    );
    for name in ["gzsl", "seen"] {
        let mean = task(biam, name)["all_photos"]["map"]["mean"].as_f64();
        assert!(
            mean.is_some_and(|mean| (0.5..=1.0).contains(&mean)),
            "{name} {mean:?}"
        );
    }
    let csv = fs::read_to_string(csv).expect("written");
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 1 + 4 * 6);
    assert!(rows[0].starts_with("variant,label,status,"));
    let cat = rows
        .iter()
        .find(|row| row.starts_with("biam,cat,unseen,"))
        .expect("a row");
    assert!(cat.contains(",1,3,0,1.000000,"), "{cat}");
    // Another animal is the nearest of the seen labels.
    let fields: Vec<&str> = cat.split(',').collect();
    assert!(!["", "cat"].contains(&fields[3]), "{cat}");
    let cosine: f64 = fields[4].parse().expect("a number");
    assert!((0.3..0.95).contains(&cosine), "{cat}");
}

#[test]
fn tables_are_for_people() {
    let set = Set::new();
    let unseen = set.at("unseen.txt");
    let out = good(&set.arguments(&["--unseen", text(&unseen), "--variant", "biam", "--k", "1"]));
    for part in [
        "4 photos, 6 labels, 4 seen and 2 unseen",
        "Zero-shot: 2 unseen labels",
        "Generalised zero-shot: 6 seen and unseen labels",
        "Standard classification: 4 seen labels",
        "all 4 photos",
        "3 with a positive",
        "F1@1",
        "CF1",
    ] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    assert!(!out.contains("Boxes"), "{out}");
}

#[test]
fn boxes_are_played_with() {
    let set = Set::new();
    fs::remove_file(set.at("val.tsv")).expect("removed");
    set.write(
        "boxes.tsv",
        "photo\tlabel\tx0\ty0\tx1\ty1\n\
         kitten.jpg\tcat\t0\t0\t1\t1\n\
         dogs.jpg\tdog\t0\t0\t0.001\t0.001\n\
         horses.jpg\tdog\t0\t0\t0.001\t0.001\n\
         horses.jpg\tzebra\t0\t0\t0.001\t0.001\n",
    );
    let report = json(&[
        "eval",
        "--data",
        text(set.folder.path()),
        "--variant",
        "biam",
        "--json",
    ]);
    let found = &report["variants"][0]["localisation"];
    let all = &found["all"];
    assert_eq!((&all["labels"], &all["pairs"]), (&3.into(), &4.into()));
    // The cat's box is the whole photo, the others hold no region's centre.
    for (mean, expected) in [("over_labels", 1.0 / 3.0), ("over_pairs", 0.25)] {
        for game in ["pointing", "energy_in_box", "chance"] {
            let found = all[mean][game].as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-9, "{mean} {game} {found}");
        }
    }
    let unseen = &found["unseen"];
    assert_eq!(
        (&unseen["labels"], &unseen["pairs"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn networks_are_held_against_each_other_and_against_those_of_another_bundle() {
    let set = Set::new();
    let default = in_repository("weights/default");
    let compare = [
        "--variant",
        "standard,biam",
        "--compare",
        "--with",
        text(&default),
    ];
    let report = json(&set.arguments(&[&compare[..], &["--json"]].concat()));
    let comparison = &report["comparison"];
    let of = |what: &str, pair: [&str; 2]| {
        let all = comparison[what].as_array().expect("pairs");
        assert_eq!(all.len(), 6, "{all:?}");
        let found = all
            .iter()
            .find(|one| one["variants"] == serde_json::json!(pair));
        found.expect("the pair").clone()
    };
    let number = |value: &Value| value.as_f64().expect("a number");
    let same = ["standard", "standard-other"];
    let agreement = of("agreements", same);
    for value in [
        "map_correlation",
        "top_k_overlap",
        "same_best_region",
        "rank_correlation",
    ] {
        assert!(
            (number(&agreement[value]) - 1.0).abs() < 1e-6,
            "{agreement}"
        );
    }
    for task in of("differences", same)["map"].as_array().expect("tasks") {
        let difference = &task[1];
        assert_eq!(number(&difference["value"]), 0.0);
        assert_eq!(difference["interval"], serde_json::json!([0.0, 0.0]));
    }
    let other = of("agreements", ["standard", "biam"]);
    assert!(number(&other["map_correlation"]) < 0.999, "{other}");
    let out = good(&set.arguments(&compare));
    for part in ["How alike", "Standard / BiAM", "95 % intervals", "GZSL +"] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    let refused = refusal(&set.arguments(&["--compare", "--with", "no/such/bundle"]));
    assert!(refused.contains("no/such/bundle"), "{refused}");
}

#[test]
fn cached_features_give_the_same_numbers() {
    let set = Set::new();
    let cache = set.at("cache");
    let plain = ["--variant", "standard", "--json"];
    let cached = [&plain[..], &["--cache", text(&cache)]].concat();
    let (first, again) = (json(&set.arguments(&cached)), json(&set.arguments(&cached)));
    assert_eq!(first, again);
    assert_eq!(first, json(&set.arguments(&plain)));
}

#[test]
fn unreadable_photos_are_named_and_left_out() {
    let set = Set::new();
    set.write("images/rome.jpg", "Buy milk.");
    let ran = run(&set.arguments(&["--variant", "standard", "--json"]));
    assert_eq!(ran.status, Some(1));
    let report: Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!(
        (&report["photos"], &report["unreadable"]),
        (&3.into(), &1.into())
    );
    let complaints = ran.complaints();
    // The first says what the data set has.
    assert_eq!(complaints.len(), 2, "{}", ran.err);
    let said = complaints[1];
    assert!(said.contains("rome.jpg: a text, not a photo"), "{said}");
}

#[test]
fn colours_that_are_not_applied_are_told_once_a_photo_and_then_counted() {
    let set = Set::new();
    let mut list = String::new();
    for photo in 0..7 {
        let name = format!("{photo}.jpg");
        fs::copy(told_photo(), set.at("images").join(&name)).expect("copied");
        list += &format!("{name}\tdog\n");
    }
    set.write("val.tsv", &list);
    let cache = set.at("cache");
    let plain = ["--variant", "standard", "--json"];
    let cached = [&plain[..], &["--cache", text(&cache)]].concat();
    for more in [&plain[..], &cached, &cached] {
        let ran = run(&set.arguments(more));
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        let complaints = ran.complaints();
        let told = complaints
            .iter()
            .filter(|line| line.contains(".jpg: colours taken as sRGB"));
        assert_eq!(told.count(), 5, "{}", ran.err);
        assert!(ran.err.contains("2 more photos"), "{}", ran.err);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_in_one_line() {
    let set = Set::new();
    let refused = |more: &[&str]| refusal(&set.arguments(more));
    let none = set.at("none.txt");
    fs::write(&none, "unicorn\n").expect("written");
    let said = refused(&["--unseen", text(&none), "--protocol", "zsl"]);
    assert!(
        said.contains("no label of this data set is to be ranked"),
        "{said}"
    );
    let said = refused(&["--per-label", text(&set.at("no folder/labels.csv"))]);
    assert!(said.contains("does not exist"), "{said}");
    let said = refused(&["--variant", "ridge"]);
    assert!(said.contains("--baselines computes it"), "{said}");
    let gone = Path::new("no such folder");
    let said = run(&["eval", "--data", text(gone), "--json"]).one_line_of_refusal();
    assert!(said.contains("no such folder"), "{said}");
}
