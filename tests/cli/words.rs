//! Labels as people type and paste them, and what the model does not know of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{in_repository, run, sample, text};

/// What of a label is known nowhere, and how that is said.
const UNKNOWN: [(&str, &str); 16] = [
    ("🐶", "“🐶” is not among the model's words"),
    ("狗", "“狗” is in Chinese script"),
    ("山水", "“山水” is in Chinese script"),
    ("หมา", "“หมา” is in Thai script"),
    ("كلب", "“كلب” is in Arabic script"),
    ("собака", "“собака” is in Cyrillic script"),
    ("σκύλος", "“σκύλος” is in Greek script"),
    ("כלב", "“כלב” is in Hebrew script"),
    ("नमस्ते", "“नमस्ते” is in Devanagari script"),
    ("いぬ", "“いぬ” is in Hiragana script"),
    ("개", "“개” is in Hangul script"),
    ("♫", "“♫” is not among the model's words"),
    ("\u{e000}", "“\u{e000}” is not among the model's words"),
    ("ｄｏｇ", "“ｄｏｇ” is not among the model's words"),
    ("!!!", "the label “!!!” has no words"),
    ("…", "the label “…” has no words"),
];

fn predict(labels: &str) -> crate::support::Ran {
    run(&[
        "predict",
        &sample("kitten.jpg"),
        "--json",
        "--labels",
        labels,
    ])
}

/// The labels of one line with their scores, in the order of their names.
fn scores(line: &Value) -> Vec<(String, f64)> {
    let labels = line["labels"].as_array().expect("labels");
    let mut scores: Vec<(String, f64)> = labels
        .iter()
        .map(|label| {
            let name = label["label"].as_str().expect("text").to_owned();
            (name, label["score"].as_f64().expect("a number"))
        })
        .collect();
    scores.sort_by(|a, b| a.0.cmp(&b.0));
    scores
}

#[test]
fn labels_of_which_nothing_is_known_are_refused_by_name() {
    // Few at a time, since the sixth would only be counted.
    for some in UNKNOWN.chunks(4) {
        let labels: Vec<&str> = some.iter().map(|(label, _)| *label).collect();
        let ran = predict(&format!("cat; {}", labels.join("; ")));
        assert_eq!(ran.status, Some(1), "{}", ran.err);
        let complaints = ran.complaints();
        assert_eq!(complaints.len(), some.len(), "{}", ran.err);
        for (complaint, (_, said)) in complaints.iter().zip(some) {
            assert!(complaint.contains(said), "{complaint} for {said}");
        }
        let answered = scores(&ran.json()[0]);
        assert_eq!(answered.len(), 1);
        assert_eq!(answered[0].0, "cat");
    }
    let long = "wolf".repeat(26);
    let refusal = predict(&long).one_line_of_refusal();
    assert!(
        refusal.contains("a word of 104 letters, where the model takes 100"),
        "{refusal}"
    );
}

#[test]
fn what_is_left_out_of_a_phrase_is_said_once_and_changes_no_score() {
    let two = [sample("kitten.jpg"), sample("horses.jpg")];
    let labels = "horse 🐶, собака cat, dog\u{e000}, π, 7, 747, café, M&M's!";
    let ran = run(&["predict", &two[0], &two[1], "--json", "--labels", labels]);
    assert_eq!(
        ran.complaints(),
        [
            "the label “horse 🐶” is read without “🐶”, not among the model's words",
            "the label “собака cat” is read without “собака”, in Cyrillic script, where the model reads English",
            "the label “dog\u{e000}” is read without “\u{e000}”, not among the model's words",
        ]
    );
    assert_eq!(ran.status, Some(0), "they have vectors");
    let plain = run(&["predict", &two[0], "--json", "--labels", "horse, cat, dog"]).json();
    let of = |line: &Value, label: &str| {
        let mut found = scores(line).into_iter().filter(|(name, _)| name == label);
        found.next().expect(label).1
    };
    for (part, whole) in [
        ("horse 🐶", "horse"),
        ("собака cat", "cat"),
        ("dog\u{e000}", "dog"),
    ] {
        let difference = of(&ran.json()[0], part) - of(&plain[0], whole);
        // The bundle keeps the vectors of its own labels in half precision.
        assert!(difference.abs() < 1e-3, "{part}: {difference}");
    }
}

#[test]
fn figures_name_the_letters_that_their_font_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let kitten = sample("kitten.jpg");
    for name in ["a.svg", "a.png"] {
        let out = folder.path().join(name);
        let arguments = ["render", &kitten, "--labels", "cat 🐶", "--out", text(&out)];
        let ran = run(&[&arguments[..], &["--variant", "biam", "--width-mm", "60"]].concat());
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        let complaints = ran.complaints();
        assert_eq!(complaints.len(), 2, "{}", ran.err);
        assert!(
            complaints[0].contains("is read without “🐶”"),
            "{}",
            ran.err
        );
        assert!(
            complaints[1].contains("Arimo, has no “🐶” (U+1F436, Common): a PNG has empty boxes"),
            "{}",
            ran.err
        );
        assert!(out.exists());
    }
}

#[test]
fn columns_and_tables_of_labels_are_parted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("labels.txt");
    for content in [
        "dog\ncat\ntraffic light\nzebra\n",
        "dog\r\ncat\r\ntraffic light\r\nzebra",
        "dog\rcat\rtraffic light\rzebra\r",
        "dog;cat;traffic light;zebra",
        "\u{feff}\"dog\";\"cat\"\r\n\"traffic light\";\"zebra\"\r\n",
        "dog\tcat\ntraffic light\tzebra\n",
        "dog\u{2028}cat\u{2028}traffic light\u{2028}zebra",
        "dog，cat、traffic light；zebra",
    ] {
        let expected = ["cat", "dog", "traffic light", "zebra"];
        let answered = |ran: crate::support::Ran| -> Vec<String> {
            assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{content:?}");
            scores(&ran.json()[0])
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        };
        fs::write(&path, content).expect("written");
        let arguments = ["predict", &sample("kitten.jpg"), "--json", "--label-file"];
        assert_eq!(
            answered(run(&[&arguments[..], &[text(&path)]].concat())),
            expected
        );
    }
    let typed = scores(&predict("dog;cat\ttraffic light\nzebra").json()[0]);
    assert_eq!(typed.len(), 4);
}

#[test]
fn a_data_set_with_labels_that_are_not_known_is_refused_with_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("images")).expect("made");
    fs::copy(sample("kitten.jpg"), at("images/kitten.jpg")).expect("copied");
    fs::write(at("val.tsv"), "kitten.jpg\tcat,狗,horse 🐶\n").expect("written");
    let eval = ["eval", "--data", text(folder.path()), "--variant", "biam"];
    let ran = run(&eval);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let last: Vec<&str> = ran.complaints().into_iter().rev().take(3).collect();
    assert!(
        last[0].contains("1 of its 3 labels have no vector; keep the others"),
        "{}",
        ran.err
    );
    assert!(last[1].contains("“狗” is in Chinese script"), "{}", ran.err);
    assert!(
        last[2].contains("“horse 🐶” is read without “🐶”"),
        "{}",
        ran.err
    );
    fs::write(at("keep.txt"), "cat\n").expect("written");
    let kept = run(&[&eval[..], &["--only-labels", text(&at("keep.txt"))]].concat());
    assert_eq!(kept.status, Some(0), "{}", kept.err);
}

/// The checkpoint of the fixture with other word vectors.
fn import(words: &Path, out: &Path) -> crate::support::Ran {
    let fixture = |name: &str| in_repository("tests/reference/foreign").join(name);
    let mut arguments = vec!["import".to_owned()];
    for (option, file) in [
        ("--checkpoint", "published.pth"),
        ("--vgg19", "vgg19.pth"),
        ("--seen", "seen.txt"),
        ("--unseen", "unseen.txt"),
    ] {
        arguments.extend([option.to_owned(), text(&fixture(file)).to_owned()]);
    }
    arguments.extend(["--word-vectors", text(words), "--out", text(out)].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments)
}

#[test]
fn faulty_lines_of_word_vectors_are_told_and_the_others_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = fs::read(in_repository("tests/reference/foreign/words.txt")).expect("the fixture");
    let words = folder.path().join("words.txt");
    let mut file = b"\xef\xbb\xbf".to_vec();
    file.extend_from_slice(&good);
    file.extend_from_slice(b"d\xf6g 1 2 3 4 5 6\nshort 1 2 3\n. . . 1 2 3 4 5 6\n");
    fs::write(&words, file).expect("written");
    let ran = import(&words, &folder.path().join("model"));
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("words that can be typed: 11"),
        "{}",
        ran.out
    );
    for said in [
        "left out: 1 of the word vectors (not UTF-8), the first is line 11: not UTF-8",
        "left out: 1 of the word vectors (no word and its numbers), the first is line 12: 3 numbers where the others have 6",
    ] {
        assert!(ran.err.contains(said), "{said} in {}", ran.err);
    }
}
