//! Bundles that are missing, damaged or of another kind: one line that says which file and what
//! to do.

use std::fs;
use std::path::Path;

use crate::support::{finish, in_repository, lens, names, run, sample, text};

/// A copy of the default bundle, as links to its files.
pub fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = in_repository("weights/default");
    for name in names(&bundle) {
        let (from, to) = (bundle.join(&name), folder.path().join(&name));
        // A link across file systems cannot be.
        if name == "bundle.toml" || fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).expect("copied");
        }
    }
    folder
}

/// Opens a bundle that is no good; what is said without the path of its folder.
#[track_caller]
fn refusal(folder: &Path) -> String {
    let arguments = [
        "predict",
        &sample("kitten.jpg"),
        "--labels",
        "cat",
        "--bundle",
    ];
    let refusal = run(&[&arguments[..], &[text(folder)]].concat()).one_line_of_refusal();
    let inside = refusal
        .strip_prefix(text(folder))
        .expect("the folder's name");
    inside.trim_start_matches('/').to_owned()
}

/// Replaces a file, never the one that it is a link to.
fn replace(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join(name);
    fs::remove_file(&path).expect("it was there");
    fs::write(path, content).expect("written");
}

#[test]
fn every_missing_file_is_named() {
    let folder = copy();
    let bundle = in_repository("weights/default");
    let manifest = fs::read_to_string(bundle.join("bundle.toml")).expect("the manifest");
    let parts = names(&bundle).into_iter().filter(|name| {
        // The card is for people.
        name != "CARD.md" && name != "bundle.toml"
    });
    for name in parts {
        assert!(manifest.contains(&format!("\"{name}\" = ")));
        let (path, aside) = (folder.path().join(&name), folder.path().join("aside"));
        fs::rename(&path, &aside).expect("moved");
        assert_eq!(
            refusal(folder.path()),
            format!("{name}: no such file: check the name")
        );
        fs::rename(&aside, &path).expect("moved back");
    }
}

#[test]
fn truncated_and_changed_files_are_named() {
    let folder = copy();
    for name in ["labels.tsv", "rcb.safetensors", "tokenizer.json"] {
        let whole = fs::read(in_repository("weights/default").join(name)).expect("a part");
        replace(folder.path(), name, &whole[..whole.len() / 2]);
        let said = refusal(folder.path());
        assert!(
            said.starts_with(&format!("{name}: truncated or changed")),
            "{said}"
        );
        assert!(said.contains("fetch the bundle again"), "{said}");
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        replace(folder.path(), name, &changed);
        assert!(refusal(folder.path()).starts_with(&format!("{name}: truncated or changed")));
        replace(folder.path(), name, b"");
        assert!(refusal(folder.path()).starts_with(&format!("{name}: the file is empty")));
        replace(folder.path(), name, &whole);
    }
}

#[test]
fn manifests_that_are_none_are_refused_with_their_line() {
    let folder = copy();
    let whole = fs::read_to_string(folder.path().join("bundle.toml")).expect("the manifest");
    let variants = whole.find("[[variant]]").expect("variants");
    let hashes = whole.find("[sha256]").expect("hashes");
    let without = format!("variant = []\n{}{}", &whole[..variants], &whole[hashes..]);
    let file = "file = \"biam.safetensors\"";
    for (content, said) in [
        (
            whole.replace("format = 2", "format = 3"),
            "bundle format 3, this program reads 2",
        ),
        (
            whole.replace("format = 2", "format = -1"),
            "bundle format -1",
        ),
        (whole.replace("format = 2\n", ""), "it has no `format`"),
        ("format = 2\nthis is no toml".into(), "line 2: "),
        ("\u{1}\u{2}".into(), "not a manifest"),
        (
            whole.replace("name = \"default\"", "colour = 3"),
            "line 2: unknown field `colour`",
        ),
        (
            whole.replace("top-k = 30", "top-q = 10"),
            "unknown field `top-q`",
        ),
        (
            whole.replace("top-k = 30", "top-k = 0"),
            "top-k = 0; it must be at least 1",
        ),
        (
            whole.replace("top-k = 30", "top-k = 197"),
            "more than the 196 regions",
        ),
        (
            whole.replace("= 448", "= 450"),
            "input-size = 450 is no multiple of 32",
        ),
        (
            whole.replace("= 448", "= 99999968"),
            "is no multiple of 32 up to 2048",
        ),
        (whole.replace("= 448", "= 0"), "input-size = 0"),
        (
            whole.replace("[14, 14]", "[7, 7]"),
            "input-size = 448 gives [14, 14]",
        ),
        (
            whole.replace("= 1280", "= 100"),
            "a global feature of 100 channels",
        ),
        (
            whole.replace("efficientnet-lite2\"", "vgg19\""),
            "input-size = 448, but this backbone takes 224",
        ),
        (
            whole.replace("lite2\"", "lite9\""),
            "unknown variant `efficientnet-lite9`",
        ),
        (
            whole.replace("id = \"rcb\"", "id = \"scb\""),
            "“scb” is there twice",
        ),
        (
            whole.replace("id = \"rcb\"", "id = \"transformer\""),
            "unknown architecture “transformer”; this program has standard, rcb, scb, biam, ridge",
        ),
        (
            whole.replace("id = \"rcb\"", "id = \"two words\""),
            "“two words” is no name of a network",
        ),
        (without, "it names no network"),
        (
            whole.replace(file, "file = \"../x\""),
            "“../x”, which is not a plain file name",
        ),
        (
            whole.replace(file, "file = \"/etc/passwd\""),
            "“/etc/passwd”, which is not a plain",
        ),
        (
            whole.replace(file, "file = \"..\""),
            "“..”, which is not a plain file name",
        ),
        (
            whole.replace(file, "file = \"\""),
            "“”, which is not a plain file name",
        ),
    ] {
        assert_ne!(content, whole, "{said}");
        replace(folder.path(), "bundle.toml", content.as_bytes());
        let refusal = refusal(folder.path());
        assert!(
            refusal.starts_with("bundle.toml: ") && refusal.contains(said),
            "{refusal}"
        );
    }
    replace(folder.path(), "bundle.toml", b"format = 2 \xff");
    assert!(refusal(folder.path()).contains("it is not text"));
}

/// What `predict --json` says of a photo with the bundle in `folder`.
fn predicted(folder: &Path, variants: &str) -> crate::support::Ran {
    let photo = sample("kitten.jpg");
    let arguments = ["predict", &photo, "--labels", "cat, dog", "--json"];
    let which = ["--variant", variants, "--bundle", text(folder)];
    run(&[&arguments[..], &which].concat())
}

#[test]
fn a_bundle_of_format_1_answers_as_before() {
    let folder = copy();
    let answer = || -> Vec<serde_json::Value> {
        let answers = predicted(folder.path(), "standard,biam").json();
        answers
            .iter()
            .map(|answer| answer["labels"].clone())
            .collect()
    };
    let now = answer();
    assert_eq!(now.len(), 2);
    let before = fs::read(in_repository("tests/reference/bundle_format_1.toml"));
    replace(folder.path(), "bundle.toml", &before.expect("the manifest"));
    assert_eq!(answer(), now);
}

#[test]
fn a_network_may_have_another_name_than_its_architecture() {
    let folder = copy();
    let whole = fs::read_to_string(folder.path().join("bundle.toml")).expect("the manifest");
    let named = "id = \"biam-seed-2\"\narchitecture = \"biam\"";
    let whole = whole.replace("id = \"biam\"", named);
    replace(folder.path(), "bundle.toml", whole.as_bytes());
    let answers = predicted(folder.path(), "biam-seed-2,scb").json();
    let variants: Vec<_> = answers.iter().map(|answer| &answer["variant"]).collect();
    assert_eq!(variants, ["biam-seed-2", "scb"]);
    let said = predicted(folder.path(), "lesa").one_line_of_refusal();
    let has = "no network “lesa”; it has standard, rcb, scb, biam-seed-2";
    assert!(said.contains(has), "{said}");
}

#[test]
fn a_bundle_may_see_only_the_middle_of_a_photo() {
    let folder = copy();
    let whole = fs::read_to_string(folder.path().join("bundle.toml")).expect("the manifest");
    let file = "file = \"backbone.safetensors\"";
    let cropped = whole.replace(file, &format!("{file}\nresize = \"centre-crop\""));
    replace(folder.path(), "bundle.toml", cropped.as_bytes());
    let arguments = [
        "predict",
        "--json",
        &sample("coffee.jpg"),
        "--labels",
        "cup",
    ];
    let bundle = ["--bundle", text(folder.path())];
    let ran = run(&[&arguments[..], &bundle].concat());
    let lines = ran.json();
    ran.quietly_good();
    // 600 x 400 pixels, of which the middle 400 columns are seen.
    let covered = lines[0]["covered"].as_array().expect("a rectangle");
    let expected = [1.0 / 6.0, 0.0, 5.0 / 6.0, 1.0];
    for (found, expected) in covered.iter().zip(expected) {
        let found = found.as_f64().expect("a fraction");
        assert!((found - expected).abs() < 1e-6, "{covered:?}");
    }
}

#[test]
fn weights_that_do_not_fit_the_manifest_are_refused() {
    let folder = copy();
    let whole = fs::read_to_string(folder.path().join("bundle.toml")).expect("the manifest");
    let projection = whole.find("[projection]").expect("a projection");
    let after = whole.find("[label-encoder]").expect("an encoder");
    let unprojected = whole[..projection].to_owned() + &whole[after..];
    let regions = "ordinary-regions = \"ordinary_regions\"";
    let hash = whole
        .lines()
        .find(|line| line.starts_with("\"rcb.safetensors\""))
        .expect("a hash");
    for (content, said) in [
        (unprojected, "bundle.toml: "),
        (
            whole.replacen(regions, "ordinary-regions = \"none\"", 1),
            "standard.safetensors: ",
        ),
        (
            whole.replace("= 384", "= 300"),
            "“standard” takes label vectors of 300, the label encoder gives 384",
        ),
        (
            whole.replace(hash, ""),
            "rcb.safetensors: bundle.toml has no SHA-256 of it",
        ),
    ] {
        assert_ne!(content, whole, "{said}");
        replace(folder.path(), "bundle.toml", content.as_bytes());
        let refusal = refusal(folder.path());
        assert!(
            refusal.contains(said) && refusal.contains("fetch the bundle again"),
            "{refusal}"
        );
    }
    // A bundle without ordinary regions is a bundle.
    replace(
        folder.path(),
        "bundle.toml",
        whole.replace(regions, "").as_bytes(),
    );
    let arguments = [
        "predict",
        &sample("kitten.jpg"),
        "--labels",
        "cat",
        "--bundle",
    ];
    run(&[&arguments[..], &[text(folder.path())]].concat()).quietly_good();
}

#[test]
fn bundles_are_found_or_the_places_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let kitten = sample("kitten.jpg");
    let predict = ["predict", &kitten, "--labels", "cat", "--top", "1"];
    let named = run(&[&predict[..], &["--bundle", "no where"]].concat()).one_line_of_refusal();
    assert!(
        named.starts_with("no where: no model here") && named.contains("--bundle"),
        "{named}"
    );
    let mut command = lens(&predict);
    command.env("BIAM_LENS_BUNDLE", folder.path());
    let refusal = finish(command).one_line_of_refusal();
    assert!(refusal.starts_with(text(folder.path())), "{refusal}");
    let homeless = |working: &Path| {
        let mut command = lens(&predict);
        command.env_remove("BIAM_LENS_BUNDLE").current_dir(working);
        command
            .env("HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path().join("data"));
        finish(command)
    };
    let refusal = homeless(folder.path()).one_line_of_refusal();
    let (places, way_out) = refusal.split_once("; ").expect("a way out");
    assert_eq!(places.matches("weights/default").count(), 3, "{refusal}");
    let own = places.rsplit(", ").next().expect("a place");
    assert!(
        own.starts_with(text(folder.path())) && way_out.contains(&format!(" to {own},")),
        "{refusal}"
    );
    // As after `cargo install`: what it says is what helps.
    let copied = copy().keep();
    fs::create_dir_all(Path::new(own).parent().expect("a folder")).expect("made");
    fs::rename(copied, own).expect("moved");
    homeless(folder.path()).quietly_good();
    fs::remove_dir_all(own).expect("the copy goes");
    homeless(Path::new(env!("CARGO_MANIFEST_DIR"))).quietly_good();
    // An option counts before the variable.
    let mut command = lens(&[&predict[..], &["--bundle"]].concat());
    command
        .arg(in_repository("weights/default"))
        .env("BIAM_LENS_BUNDLE", folder.path());
    finish(command).quietly_good();
}
