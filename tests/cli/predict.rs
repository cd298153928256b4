//! `predict`: what it prints, and which labels it takes.

use std::fs;

use serde_json::Value;

use crate::support::{keys, run, sample, text};

#[test]
fn json_has_a_line_for_each_photo_and_variant() {
    let (kitten, horses) = (sample("kitten.jpg"), sample("horses.jpg"));
    let ran = run(&[
        "predict",
        &kitten,
        &horses,
        "--json",
        "--labels",
        "traffic light, cat, joy, horse",
        "--variant",
        "standard,biam,standard",
    ]);
    let lines = ran.json();
    ran.quietly_good();
    let of = |line: &Value| {
        let text = |key: &str| line[key].as_str().expect(key).to_owned();
        (text("photo"), text("variant"))
    };
    let both = |photo: &str| ["standard", "biam"].map(|variant| (photo.into(), variant.into()));
    let expected: Vec<(String, String)> = [both(&kitten), both(&horses)].concat();
    assert_eq!(lines.iter().map(of).collect::<Vec<_>>(), expected);
    for (line, (_, variant)) in lines.iter().zip(&expected) {
        let all = ["covered", "grid", "labels", "ms", "photo", "variant"];
        assert_eq!(keys(line), all);
        assert_eq!(line["grid"], serde_json::json!([14, 14]));
        assert_eq!(line["covered"], serde_json::json!([0.0, 0.0, 1.0, 1.0]));
        let mut stages = ["backbone", "decode", "resize", "text"]
            .map(str::to_owned)
            .to_vec();
        stages.extend(["encode", "respond"].map(|stage| format!("{stage}.{variant}")));
        stages.sort();
        assert_eq!(keys(&line["ms"]), stages);
        let times = line["ms"].as_object().expect("times");
        assert!(times.values().all(|time| time.as_f64() >= Some(0.0)));
        assert_ranked(line, 4);
    }
    assert_eq!(lines[1]["labels"][0]["label"], "cat");
    assert_eq!(lines[3]["labels"][0]["label"], "horse");
}

/// Highest score first, every label with its status.
#[track_caller]
fn assert_ranked(line: &Value, count: usize) {
    let labels = line["labels"].as_array().expect("labels");
    assert_eq!(labels.len(), count);
    for label in labels {
        assert_eq!(keys(label), ["label", "score", "status"]);
        let status = match label["label"].as_str().expect("text") {
            "joy" => "unseen",
            "traffic light" => "taught",
            _ => "seen",
        };
        assert_eq!(label["status"], status);
    }
    let scores = labels
        .iter()
        .map(|label| label["score"].as_f64().expect("a number"));
    assert!(scores.rev().is_sorted(), "{line}");
}

#[test]
fn people_read_the_same_as_programs() {
    let kitten = sample("kitten.jpg");
    let arguments = [
        "predict",
        &kitten,
        "--labels",
        "dog, cat, joy",
        "--top",
        "2",
    ];
    let out = run(&[&arguments[..], &["--variant", "rcb,biam"]].concat()).quietly_good();
    let json = run(&[&arguments[..], &["--variant", "rcb,biam", "--json"]].concat()).json();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 6);
    for (block, (title, answer)) in lines.chunks(3).zip(["RCB", "BiAM"].into_iter().zip(&json)) {
        assert_eq!(block[0], format!("{kitten}  {title}"));
        assert_eq!(answer["labels"].as_array().map(Vec::len), Some(2));
        for (place, line) in block[1..].iter().enumerate() {
            let label = &answer["labels"][place];
            let words: Vec<&str> = line.split_whitespace().collect();
            let score = format!("{:.4}", label["score"].as_f64().expect("a number"));
            assert_eq!(words[0], format!("{}.", place + 1));
            assert_eq!(
                words[1..],
                [
                    label["label"].as_str().expect("text"),
                    label["status"].as_str().expect("text"),
                    &score
                ]
            );
        }
    }
}

#[test]
fn without_labels_the_bundle_s_own_are_ranked() {
    let kitten = sample("kitten.jpg");
    let ran = run(&["predict", &kitten, "--json", "--top", "100000"]);
    let lines = ran.json();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["variant"], "biam");
    let listed = fs::read_to_string(crate::support::in_repository("weights/default/labels.tsv"));
    let count = listed.expect("the list").lines().count() - 1;
    assert_eq!(lines[0]["labels"].as_array().map(Vec::len), Some(count));
    let ten = run(&["predict", &kitten, "--json"]).json();
    let first_ten = lines[0]["labels"].as_array().expect("labels")[..10].to_vec();
    assert_eq!(ten[0]["labels"], Value::Array(first_ten));
}

/// The labels of the only line, in the order of their names.
#[track_caller]
fn answered(lines: &[Value]) -> Vec<String> {
    assert_eq!(lines.len(), 1);
    let labels = lines[0]["labels"].as_array().expect("labels");
    let mut names: Vec<String> = labels
        .iter()
        .map(|label| label["label"].as_str().expect("text").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_label_file_may_come_from_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labels.txt");
    let content = "\u{feff}dog\r\ntraffic   light, naïve\r\n\r\nDOG\r\n,cat,\r\n";
    fs::write(&path, content).expect("written");
    let ran = run(&[
        "predict",
        &sample("kitten.jpg"),
        "--json",
        "--label-file",
        text(&path),
    ]);
    assert_eq!(ran.status, Some(0), "a label given twice is no failure");
    assert_eq!(ran.complaints(), ["given more than once, kept once: “DOG”"]);
    assert_eq!(
        answered(&ran.json()),
        ["cat", "dog", "naïve", "traffic light"]
    );
}

#[test]
fn a_label_that_is_none_is_told_and_the_others_are_answered() {
    let labels = format!("cat, {}, dog", "wolf".repeat(125));
    let ran = run(&[
        "predict",
        &sample("kitten.jpg"),
        "--json",
        "--labels",
        &labels,
    ]);
    assert_eq!(ran.status, Some(1));
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), 1);
    assert!(
        complaints[0].contains("500 characters, the limit is 200"),
        "{complaints:?}"
    );
    assert_eq!(answered(&ran.json()), ["cat", "dog"]);
}

#[test]
fn label_lists_without_labels_are_refused_before_work_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        text(&path).to_owned()
    };
    let (empty, commas) = (file("empty.txt", b""), file("commas.txt", b",\n , \r\n"));
    let (latin, missing) = (
        file("latin.txt", b"caf\xe9\n"),
        text(folder.path()).to_owned() + "/no",
    );
    // No bundle is there: whatever comes first is told.
    for (option, value, said) in [
        ("--labels", ", ,,", "no labels given; name some"),
        ("--labels", "\u{200b}", "a label is empty"),
        ("--label-file", &empty, "no labels in this file"),
        ("--label-file", &commas, "no labels in this file"),
        ("--label-file", &latin, "save it as UTF-8"),
        ("--label-file", &missing, "no such file"),
        ("--label-file", text(folder.path()), "a folder"),
        ("--label-file", "/dev/zero", "a device"),
    ] {
        let ran = run(&["predict", "x.jpg", option, value, "--bundle", "nowhere"]);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
        assert!(ran.complaints()[0].contains(said), "{}", ran.err);
    }
}

#[test]
fn many_bad_labels_are_counted_rather_than_listed() {
    let long = "x".repeat(201);
    let labels = vec![long; 40].join(",");
    let ran = run(&["predict", "x.jpg", "--labels", &labels]);
    assert_eq!(ran.status, Some(1));
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), 7);
    assert_eq!(complaints[5], "35 more labels are no good either");
    let labels: Vec<String> = (0..20).map(|i| format!("thing {}", i % 10)).collect();
    let ran = run(&["predict", "x.jpg", "--labels", &labels.join(",")]);
    assert!(
        ran.complaints()[0].ends_with("“thing 4” and 5 others"),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_options_are_errors_of_use() {
    for (arguments, said) in [
        (&["predict"][..], "required"),
        (&["predict", "x.jpg", "--top", "0"], "--top"),
        (&["predict", "x.jpg", "--top", "many"], "--top"),
        (
            &["predict", "x.jpg", "--variant", "v.g"],
            "such as standard, rcb, scb, biam",
        ),
        (&["predict", "x.jpg", "--variant", ""], "such as standard"),
        (
            &["predict", "x.jpg", "--device", "gpu"],
            "choose auto, cpu, cuda or cuda:N",
        ),
        (
            &["predict", "x.jpg", "--labels", "a", "--label-file", "b"],
            "cannot be used with",
        ),
        (&["forecast", "--now"], "unexpected argument"),
    ] {
        let ran = run(arguments);
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}
