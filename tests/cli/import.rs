//! `import`: parts into a bundle, or nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Ran, in_repository, names, run, sample, text, told_photo};

/// Folders with the parts of the default bundle, as links or copies.
struct Parts {
    folder: tempfile::TempDir,
}

impl Parts {
    fn new() -> Self {
        let parts = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for folder in ["heads", "encoder"] {
            fs::create_dir(parts.at(folder)).expect("made");
        }
        for name in ["backbone", "projection", "standard", "scb"] {
            let name = format!("{name}.safetensors");
            parts.take(&name, &format!("heads/{name}"));
        }
        for name in ["labels.tsv", "teacher.tsv"] {
            parts.take(name, &format!("heads/{name}"));
        }
        parts.take("text_encoder.safetensors", "encoder/model.safetensors");
        parts.take("tokenizer.json", "encoder/tokenizer.json");
        parts
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file of the default bundle into its place.
    fn take(&self, name: &str, place: &str) {
        let (from, to) = (in_repository("weights/default").join(name), self.at(place));
        let _ = fs::remove_file(&to);
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(from, to).expect("copied");
        }
    }

    fn import(&self, out: &Path) -> Ran {
        let (heads, encoder) = (self.at("heads"), self.at("encoder"));
        run(&[
            "import",
            text(&heads),
            "--text-encoder",
            text(&encoder),
            "--out",
            text(out),
        ])
    }

    /// What a failing import says last; it must leave nothing behind.
    #[track_caller]
    fn refusal(&self) -> String {
        let before = names(self.folder.path());
        let ran = self.import(&self.at("bundle"));
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
        assert_eq!(names(self.folder.path()), before);
        let complaints = ran.complaints();
        (*complaints.last().expect("a reason")).to_owned()
    }
}

/// The line of a manifest with a file's hash.
fn hash<'a>(manifest: &'a str, name: &str) -> Option<&'a str> {
    manifest
        .lines()
        .find(|line| line.starts_with(&format!("\"{name}\" = ")))
}

fn json(path: &Path) -> serde_json::Value {
    let bytes = fs::read(path).expect("the file");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn the_parts_of_the_default_bundle_make_it_again() {
    let parts = Parts::new();
    let out = parts.at("new/bundle");
    let ran = parts.import(&out);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    assert_eq!(ran.out, format!("{}: standard, scb\n", text(&out)));
    assert_eq!(names(&parts.at("new")), ["bundle"]);
    let manifest = fs::read_to_string(out.join("bundle.toml")).expect("the manifest");
    let default = in_repository("weights/default");
    let expected = fs::read_to_string(default.join("bundle.toml")).expect("the manifest");
    assert!(manifest.contains("name = \"bundle\""));
    for name in names(&out) {
        match name.as_str() {
            "bundle.toml" => {}
            "CARD.md" => assert!(hash(&manifest, &name).is_some()),
            // Written anew from half precision, which may be rounded a second time.
            "label_vectors.safetensors" => assert!(hash(&manifest, &name).is_some()),
            // The same settings, in whatever order.
            "tokenizer.json" => assert_eq!(json(&out.join(&name)), json(&default.join(&name))),
            _ => assert_eq!(hash(&manifest, &name), hash(&expected, &name), "{name}"),
        }
    }
    let kitten = sample("kitten.jpg");
    let predict = ["predict", &kitten, "--labels", "cat, joy", "--json"];
    // The fullest network is the one that is asked.
    let found = run(&[&predict[..], &["--bundle", text(&out)]].concat()).json();
    let expected = run(&[&predict[..], &["--variant", "scb"]].concat()).json();
    assert_eq!(found[0]["variant"], "scb");
    for place in 0..2 {
        let (found, expected) = (&found[0]["labels"][place], &expected[0]["labels"][place]);
        assert_eq!(found["label"], expected["label"]);
        let score = |label: &serde_json::Value| label["score"].as_f64().expect("a number");
        assert!(
            (score(found) - score(expected)).abs() < 0.01,
            "{found} for {expected}"
        );
    }
    let again = parts.import(&out);
    assert!(again.one_line_of_refusal().contains("exists already"));
}

#[test]
fn parts_that_are_missing_or_damaged_are_named() {
    let parts = Parts::new();
    for (place, name, said) in [
        ("heads", "backbone.safetensors", "no such file"),
        ("heads", "labels.tsv", "no such file"),
        ("heads", "projection.safetensors", "there is no projection"),
        ("encoder", "model.safetensors", "no such file"),
        ("encoder", "tokenizer.json", "no such file"),
    ] {
        let (path, aside) = (parts.at(place).join(name), parts.at("aside"));
        fs::rename(&path, &aside).expect("moved");
        let refusal = parts.refusal();
        assert!(refusal.starts_with(text(&parts.at(place))), "{refusal}");
        assert!(refusal.contains(said), "{refusal}");
        fs::rename(&aside, &path).expect("moved back");
    }
    for (name, place) in [
        ("backbone.safetensors", "heads/backbone.safetensors"),
        ("scb.safetensors", "heads/scb.safetensors"),
        ("text_encoder.safetensors", "encoder/model.safetensors"),
        ("tokenizer.json", "encoder/tokenizer.json"),
    ] {
        let path = parts.at(place);
        let whole = fs::read(&path).expect("a part");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, &whole[..whole.len() / 2]).expect("written");
        let refusal = parts.refusal();
        assert!(refusal.starts_with(text(&path)), "{refusal}");
        parts.take(name, place);
    }
}

#[test]
fn parts_that_do_not_belong_together_make_no_bundle() {
    let parts = Parts::new();
    // A head that is another variant's.
    parts.take("standard.safetensors", "heads/scb.safetensors");
    let refusal = parts.refusal();
    assert!(
        refusal.contains("heads/scb.safetensors") && refusal.contains("scb."),
        "{refusal}"
    );
    // A tokenizer of another kind.
    parts.take("scb.safetensors", "heads/scb.safetensors");
    fs::remove_file(parts.at("encoder/tokenizer.json")).expect("removed");
    fs::write(parts.at("encoder/tokenizer.json"), "{\"model\": {}}").expect("written");
    let refusal = parts.refusal();
    assert!(
        refusal.contains("encoder/tokenizer.json: not the tokenizer"),
        "{refusal}"
    );
    for name in ["standard", "scb"] {
        fs::remove_file(parts.at(&format!("heads/{name}.safetensors"))).expect("removed");
    }
    let refusal = parts.refusal();
    assert!(
        refusal.contains("has none of standard, rcb, scb, biam, ridge"),
        "{refusal}"
    );
}

#[test]
fn ordinary_regions_of_ones_own_photos_take_the_place_of_the_shipped_ones() {
    let folder = crate::bundles::copy();
    let (kitten, told) = (sample("kitten.jpg"), told_photo());
    let model = text(folder.path());
    let ran = run(&["import", model, "--ordinary", &kitten, text(&told)]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    let caution = "colour.jpg: colours taken as sRGB";
    assert_eq!(ran.err.matches(caution).count(), 1, "{}", ran.err);
    assert!(
        ran.out.contains("392 ordinary regions of 2 photos"),
        "{}",
        ran.out
    );
    let bytes = fs::read(folder.path().join("biam.2.safetensors")).expect("the new head");
    let head = safetensors::SafeTensors::deserialize(&bytes).expect("a head");
    // Its blocks were trained alone as well, so it has no views.
    assert!(head.names().iter().all(|name| !name.contains("silenced")));
    let regions = head.tensor("ordinary_regions").expect("regions");
    assert_eq!(regions.shape(), [392, 512]);
    let ran = run(&[
        "predict", &kitten, "--labels", "cat", "--json", "--bundle", model,
    ]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
}
