//! `import --checkpoint`: the paper's model from its authors' files, held against PyTorch; what is
//! typed into it; its ordinary regions.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

use crate::maps::read_npy;
use crate::support::{Ran, in_repository, names, run, sample, text};

/// The views of a model that has the full network alone.
const VIEWS: [&str; 3] = ["biam-scb-silenced-zero", "biam-rcb-silenced-zero", "biam"];

fn fixture(name: &str) -> String {
    let path = in_repository("tests/reference/foreign").join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// What PyTorch computed.
struct Expected(Vec<u8>);

impl Expected {
    fn read() -> Self {
        Self(fs::read(fixture("expected.safetensors")).expect("the fixture"))
    }

    fn numbers(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).expect("the fixture");
        let bytes = file.tensor(name).expect(name).data();
        let numbers = bytes.chunks_exact(4);
        numbers
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect()
    }

    fn labels(&self, entry: &str) -> Vec<String> {
        let (_, header) = SafeTensors::read_metadata(&self.0).expect("the fixture");
        let words = header.metadata().as_ref().expect("metadata");
        serde_json::from_str(&words[entry]).expect("JSON")
    }
}

/// A folder for bundles.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Imports the checkpoint of a scheme with more options.
    fn import(&self, scheme: &str, more: &[&str]) -> Ran {
        let (checkpoint, vgg19) = (fixture(&format!("{scheme}.pth")), fixture("vgg19.pth"));
        let (seen, unseen, out) = (fixture("seen.txt"), fixture("unseen.txt"), self.at("model"));
        let mut arguments = vec![
            "import",
            "--checkpoint",
            &checkpoint,
            "--vgg19",
            &vgg19,
            "--seen",
            &seen,
            "--unseen",
            &unseen,
            "--out",
            text(&out),
        ];
        arguments.extend(more);
        run(&arguments)
    }

    /// With the words, which must succeed.
    fn with_words(&self) -> Ran {
        let ran = self.import("published", &["--word-vectors", &fixture("words.txt")]);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        ran
    }

    /// `predict` on the fixture's photo.
    fn predict(&self, more: &[&str]) -> Ran {
        let (photo, model) = (fixture("photo.png"), self.at("model"));
        let arguments = ["predict", &photo, "--json", "--bundle", text(&model)];
        run(&[&arguments[..], more].concat())
    }
}

/// Asserts that numbers agree within 1e-4 of the largest expected one.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let apart = (found - expected).abs();
        assert!(
            apart <= 1e-4 * largest,
            "{what} {place}: {found} for {expected}"
        );
    }
}

/// Asserts that maps and scores of all views are PyTorch's.
fn assert_is_pytorchs(place: &Place, scheme: &str, labels: &[String]) {
    let expected = Expected::read();
    let maps = place.at("maps");
    let ran = place.predict(&[
        "--labels",
        &labels.join(","),
        "--variant",
        &VIEWS.join(","),
        "--top",
        "100",
        "--maps",
        text(&maps),
    ]);
    let lines = ran.json();
    ran.quietly_good();
    assert_eq!(lines.len(), VIEWS.len());
    for (view, line) in VIEWS.iter().zip(&lines) {
        assert_eq!(line["variant"], *view);
        let (shape, found) = read_npy(&maps.join(format!("photo.{view}.npy")));
        assert_eq!(shape, [labels.len(), 14, 14]);
        let what = format!("{scheme}.{view}");
        assert_close(&found, &expected.numbers(&format!("{what}.maps")), &what);
        let score = |label: &String| {
            let ranked = line["labels"].as_array().expect("labels");
            let mut found = ranked.iter().filter(|one| one["label"] == label.as_str());
            found.next().expect(label)["score"]
                .as_f64()
                .expect("a score") as f32
        };
        let found: Vec<f32> = labels.iter().map(score).collect();
        assert_close(&found, &expected.numbers(&format!("{what}.scores")), &what);
    }
}

#[test]
fn the_published_scheme_with_words_answers_as_pytorch_does() {
    let place = Place::new();
    let ran = place.with_words();
    let said = [
        "biam-scb-silenced-zero, biam-rcb-silenced-zero, biam\n",
        "8 channels, 8 heads, k = 6",
        "applied: 32 tensors, none is missing",
        "rcb.query.weight   region_context_block.w_q.weight",
        "unused: none",
        "labels: 3 seen, 3 unseen, 0 left out",
        "words that can be typed: 10",
        "no ordinary regions",
    ];
    for said in said {
        assert!(ran.out.contains(said), "{said} in {}", ran.out);
    }
    let expected = Expected::read();
    let labels = [expected.labels("labels"), expected.labels("typed")].concat();
    assert_is_pytorchs(&place, "published", &labels);
}

#[test]
fn the_earlier_scheme_with_published_label_vectors_answers_as_pytorch_does() {
    let place = Place::new();
    let ran = place.import("earlier", &["--label-vectors", &fixture("vectors.pkl")]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.out.contains("applied: 30 tensors"), "{}", ran.out);
    assert_is_pytorchs(&place, "earlier", &Expected::read().labels("labels"));
    // Its words are the labels of one word.
    let lines = place.predict(&["--labels", "dog x-ray"]).json();
    assert_eq!(lines[0]["labels"][0]["status"], "unseen");
}

#[test]
fn a_word_without_a_vector_is_told_and_the_others_go_on() {
    let place = Place::new();
    place.with_words();
    let ran = place.predict(&["--labels", "dog, gras, flurb fox"]);
    assert_eq!(ran.status, Some(1));
    let told = [
        "the label “gras” has no vector, type another: “gras” is not among the model's words; spelled nearly so: grass",
        "the label “flurb fox” has no vector, type another: “flurb” is not among the model's words",
    ];
    assert_eq!(ran.complaints(), told);
    let lines = ran.json();
    let labels = lines[0]["labels"].as_array().expect("labels");
    assert_eq!(labels.len(), 1);
    assert_eq!(labels[0]["label"], "dog");
    let alone = place.predict(&["--labels", "gras"]).one_line_of_refusal();
    assert!(alone.contains("grass"), "{alone}");
    let (photo, model, out) = (fixture("photo.png"), place.at("model"), place.at("a.svg"));
    let render = [
        "render",
        &photo,
        "--bundle",
        text(&model),
        "--out",
        text(&out),
    ];
    let ran = run(&[&render[..], &["--labels", "gras"]].concat());
    assert!(ran.one_line_of_refusal().contains("grass"));
    assert!(!out.exists());
}

#[test]
fn ordinary_regions_come_from_photos_and_views_then_have_means() {
    let place = Place::new();
    place.with_words();
    let (photo, model, out) = (fixture("photo.png"), place.at("model"), place.at("a.svg"));
    let render = [
        "render",
        &photo,
        "--bundle",
        text(&model),
        "--labels",
        "dog",
    ];
    let render = [&render[..], &["--out", text(&out), "--force"]].concat();
    let without = run(&render);
    assert_eq!(without.status, Some(0), "{}", without.err);
    let [line] = without.complaints()[..] else {
        panic!("{}", without.err)
    };
    assert!(
        line.contains("no ordinary regions") && line.contains("--ordinary"),
        "{line}"
    );
    let figure = fs::read_to_string(&out).expect("a figure");
    assert!(figure.contains("SCB silenced (zero)") && !figure.contains('σ'));

    let before = place
        .predict(&["--labels", "dog", "--variant", "biam"])
        .json();
    let photos = in_repository("assets/photos");
    let broken = place.at("broken.jpg");
    fs::write(&broken, b"no photo").expect("written");
    let ran = run(&[
        "import",
        text(&model),
        "--ordinary",
        text(&photos),
        text(&broken),
    ]);
    assert_eq!(ran.status, Some(1), "{}", ran.err);
    assert!(
        ran.complaints()
            .iter()
            .any(|line| line.contains("broken.jpg"))
    );
    assert!(
        ran.out.contains("ordinary regions of 9 photos"),
        "{}",
        ran.out
    );
    let files = names(&model);
    assert_eq!(
        files
            .iter()
            .filter(|name| name.starts_with("biam."))
            .count(),
        1
    );
    assert!(files.iter().all(|name| !name.starts_with('.')), "{files:?}");

    assert_eq!(
        place
            .predict(&["--labels", "dog", "--variant", "biam"])
            .json()[0]["labels"],
        before[0]["labels"]
    );
    run(&render).quietly_good();
    let figure = fs::read_to_string(&out).expect("a figure");
    assert!(figure.contains("SCB silenced (mean)") && figure.contains('σ'));
    // Once more, with fewer photos: the old ones are replaced.
    let (kitten, room) = (sample("kitten.jpg"), sample("room.jpg"));
    let again = run(&["import", text(&model), "--ordinary", &kitten, &room]);
    assert_eq!(again.status, Some(0), "{}", again.err);
    assert!(
        again.out.contains("392 ordinary regions of 2 photos"),
        "{}",
        again.out
    );
    run(&render).quietly_good();
    let one = run(&["import", text(&model), "--ordinary", &kitten]);
    assert!(
        one.complaints()
            .last()
            .expect("a line")
            .contains("2 are the least")
    );
    run(&render).quietly_good();
}

#[test]
fn ordinary_regions_can_come_with_the_import() {
    let place = Place::new();
    let photos = in_repository("assets/photos");
    let words = fixture("words.txt");
    let more = ["--word-vectors", &words, "--ordinary", text(&photos)];
    let ran = place.import("published", &more);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert!(ran.out.contains("biam-scb-silenced-mean"), "{}", ran.out);
    let lines = place
        .predict(&["--variant", "biam-scb-silenced-mean"])
        .json();
    assert_eq!(lines[0]["labels"].as_array().map(Vec::len), Some(6));
}

/// What an import says last that must leave nothing behind.
#[track_caller]
fn refusal(place: &Place, ran: &Ran) -> String {
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(!place.at("model").exists());
    let left = names(&place.at(""));
    assert!(
        left.iter().all(|name| !name.contains("unfinished")),
        "{left:?}"
    );
    (*ran.complaints().last().expect("a reason")).to_owned()
}

#[test]
fn parts_that_are_missing_or_of_another_model_make_nothing() {
    let place = Place::new();
    let none = place.import("published", &[]);
    assert!(refusal(&place, &none).contains("--word-vectors or --label-vectors"));
    let words = place.at("words.txt");
    fs::write(&words, "dog 1 2 3\n").expect("written");
    let short = place.import("published", &["--word-vectors", text(&words)]);
    assert!(refusal(&place, &short).contains("vectors of 3 numbers, the network takes 6"));
    fs::write(&words, "banana 1 2 3 4 5 6\n").expect("written");
    let others = place.import("published", &["--word-vectors", text(&words)]);
    assert!(refusal(&place, &others).contains("none of its labels"));
    let heads = ["--word-vectors", &fixture("words.txt"), "--heads", "3"];
    let heads = place.import("published", &heads);
    assert!(refusal(&place, &heads).contains("8 channels cannot be shared evenly by 3"));
    let (seen, vectors) = (fixture("seen.txt"), fixture("vectors.pkl"));
    let arguments = |checkpoint: &str, seen: &str| {
        run(&[
            "import",
            "--checkpoint",
            checkpoint,
            "--vgg19",
            &fixture("vgg19.pth"),
            "--seen",
            seen,
            "--label-vectors",
            &vectors,
            "--out",
            text(&place.at("model")),
        ])
    };
    let ran = arguments(&fixture("published.pth"), &seen);
    assert!(refusal(&place, &ran).contains("4 and 3 rows"));
    let ran = arguments(&fixture("vgg19.pth"), &seen);
    assert!(refusal(&place, &ran).contains("not a checkpoint of the authors' network"));
    let ran = arguments(&fixture("published.pth"), &fixture("photo.png"));
    assert!(refusal(&place, &ran).contains("photo.png line 1: the text is not UTF-8"));
}

#[test]
fn a_file_of_words_that_has_changed_is_told() {
    let place = Place::new();
    place.with_words();
    let path = place.at("model/word_vectors.bin");
    let whole = fs::read(&path).expect("the words");
    let damage = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).expect("written");
    };
    // In a word's text.
    damage(whole.len() - 2);
    let refusal = place.predict(&["--labels", "fox"]).one_line_of_refusal();
    assert!(
        refusal.contains("word_vectors.bin: truncated or changed"),
        "{refusal}"
    );
    // In the first word's vector, which is noticed when the word is used.
    damage(65);
    assert_eq!(place.predict(&["--labels", "fox"]).status, Some(0));
    let refusal = place.predict(&["--labels", "the"]).one_line_of_refusal();
    assert!(
        refusal.contains("the numbers of “the” have changed"),
        "{refusal}"
    );
    fs::write(&path, &whole[..whole.len() - 9]).expect("written");
    let refusal = place.predict(&["--labels", "fox"]).one_line_of_refusal();
    assert!(refusal.contains("import them again"), "{refusal}");
}

#[test]
fn words_that_were_converted_before_serve_again() {
    let place = Place::new();
    place.with_words();
    let (words, out) = (place.at("model/word_vectors.bin"), place.at("again"));
    fs::rename(place.at("model"), &out).expect("moved");
    let words = words_in(&out, &words);
    let ran = place.import("published", &["--word-vectors", text(&words)]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let bytes = |folder: &Path| fs::read(folder.join("word_vectors.bin")).expect("the words");
    assert_eq!(bytes(&out), bytes(&place.at("model")));
}

fn words_in(folder: &Path, words: &Path) -> PathBuf {
    folder.join(words.file_name().expect("a name"))
}

#[test]
fn views_are_named_where_a_variant_is_missing() {
    let place = Place::new();
    place.with_words();
    let refusal = place
        .predict(&["--labels", "dog", "--variant", "rcb"])
        .one_line_of_refusal();
    assert!(refusal.contains("biam-scb-silenced-zero"), "{refusal}");
    let lines: Vec<Value> = place.predict(&["--labels", "dog"]).json();
    assert_eq!(lines[0]["variant"], "biam");
}
