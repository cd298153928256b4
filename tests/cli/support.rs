//! Runs the program as a user does and looks at what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A file of the repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A photo whose colour profile lacks a part.
pub fn told_photo() -> PathBuf {
    in_repository("tests/photos/kinds/told_missing_part.colour.jpg")
}

/// One of the sample photos as a path.
pub fn sample(name: &str) -> String {
    let path = in_repository("assets/photos").join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The program with the default bundle and no display.
pub fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_biam-lens"));
    command.args(arguments).stdin(Stdio::null());
    command.env("BIAM_LENS_BUNDLE", in_repository("weights/default"));
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// What a run printed and how it ended.
pub struct Ran {
    /// `None` when a signal ended it.
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs to the end.
pub fn run(arguments: &[&str]) -> Ran {
    finish(lens(arguments))
}

pub fn finish(mut command: Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let ran = Ran {
        status: status.code(),
        out: String::from_utf8(stdout).expect("UTF-8"),
        err: String::from_utf8(stderr).expect("UTF-8"),
    };
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    ran
}

impl Ran {
    /// Asserts success without a word on standard error.
    #[track_caller]
    pub fn quietly_good(self) -> String {
        assert_eq!((self.status, self.err.as_str()), (Some(0), ""));
        self.out
    }

    /// Asserts that the command failed with exactly one line and printed nothing else; gives the
    /// line without the program's name.
    #[track_caller]
    pub fn one_line_of_refusal(self) -> String {
        assert_eq!(self.status, Some(1), "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        let [line] = self.complaints()[..] else {
            panic!("not one line: {}", self.err);
        };
        line.to_owned()
    }

    /// The lines on standard error without the program's name, which each of them must have.
    #[track_caller]
    pub fn complaints(&self) -> Vec<&str> {
        let lines = self.err.lines();
        lines
            .map(|line| line.strip_prefix("biam-lens: ").expect(line))
            .collect()
    }

    /// The lines of `--json`.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

/// The names in a folder, hidden ones too, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// The keys of a JSON object, sorted.
#[track_caller]
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
