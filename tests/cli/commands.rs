//! `bench`, `view` and the options that all commands share.

use crate::support::{finish, in_repository, keys, lens, run, sample, text};

#[test]
fn bench_times_every_stage() {
    let ran = run(&["bench", "--json", "--runs", "1"]);
    let lines = ran.json();
    ran.quietly_good();
    assert_eq!(lines.len(), 1);
    let report = &lines[0];
    assert_eq!(keys(report), ["device", "runs", "stages", "threads"]);
    assert_eq!(report["runs"], 1);
    assert!(report["threads"].as_u64() >= Some(1));
    let mut expected: Vec<String> = [
        "backbone",
        "decode",
        "photo_to_maps",
        "resize",
        "start",
        "text",
        "typed_label",
    ]
    .map(str::to_owned)
    .into();
    for variant in ["standard", "rcb", "scb", "biam"] {
        expected.extend(["encode", "respond"].map(|stage| format!("{stage}.{variant}")));
    }
    expected.sort();
    assert_eq!(keys(&report["stages"]), expected);
    for times in report["stages"].as_object().expect("stages").values() {
        assert_eq!(keys(times), ["median_ms", "min_ms"]);
        let (median, least) = (times["median_ms"].as_f64(), times["min_ms"].as_f64());
        assert!(least > Some(0.0) && median >= least, "{times}");
    }
}

#[test]
fn bench_refuses_what_it_cannot_time() {
    let refusal = run(&["bench", "no such.jpg"]).one_line_of_refusal();
    assert_eq!(refusal, "no such.jpg: no such file: check the name");
    assert_eq!(run(&["bench", "--runs", "0"]).status, Some(2));
    assert_eq!(run(&["bench", "a.jpg", "b.jpg"]).status, Some(2));
}

#[test]
fn without_a_display_the_other_commands_are_named() {
    for arguments in [&[][..], &["view", "x.jpg"], &["x.jpg", "--labels", "cat"]] {
        let refusal = run(arguments).one_line_of_refusal();
        assert!(refusal.contains("DISPLAY"), "{refusal}");
        assert!(refusal.contains("biam-lens predict"), "{refusal}");
        assert!(refusal.contains("biam-lens render"), "{refusal}");
    }
    let ran = run(&["--labels", " , "]);
    assert_eq!(ran.status, Some(1));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn devices_are_had_or_refused() {
    let kitten = sample("kitten.jpg");
    let with = |device| run(&["predict", &kitten, "--labels", "cat", "--device", device]);
    let auto = with("auto").quietly_good();
    assert_eq!(auto, with("cpu").quietly_good());
    let refusal = with("cuda").one_line_of_refusal();
    assert!(refusal.starts_with("no CUDA device 0: "), "{refusal}");
    assert!(
        refusal.contains("--features cuda") && refusal.contains("--device cpu"),
        "{refusal}"
    );
    assert!(
        with("cuda:3")
            .one_line_of_refusal()
            .contains("no CUDA device 3")
    );
    assert_eq!(with("gpu").status, Some(2));
}

/// Results do not depend on where the program is started or how the photo is named.
#[test]
fn relative_names_work_from_anywhere() {
    let mut command = lens(&["predict", "kitten.jpg", "--labels", "cat"]);
    command.current_dir(in_repository("assets/photos"));
    let relative = finish(command).quietly_good();
    let whole = in_repository("assets/photos/kitten.jpg");
    let absolute = run(&["predict", text(&whole), "--labels", "cat"]).quietly_good();
    assert_eq!(relative.replace("kitten.jpg", text(&whole)), absolute);
}

#[test]
fn what_the_engine_does_is_told_where_it_is_asked_for() {
    let kitten = sample("kitten.jpg");
    let told = |filter: &str| {
        let mut command = lens(&["predict", &kitten, "--labels", "cat"]);
        command.env("RUST_LOG", filter);
        let ran = finish(command);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        ran.err
    };
    let stages = told("biam_lens=debug");
    assert!(stages.contains("encode.biam: "), "{stages}");
    let opened = told("biam_lens=info");
    assert!(
        opened.contains("default: open on ") && !opened.contains("encode.biam"),
        "{opened}"
    );
    assert_eq!(told("off"), "");
}
