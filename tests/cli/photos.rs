//! Photos that cannot be read, and outputs that nobody reads.

use std::fs;
use std::process::Stdio;

use crate::support::{finish, in_repository, lens, run, sample, text};

/// A PNG that claims 60000 x 60000 pixels, made of chunks with right checksums.
fn claiming_png() -> Vec<u8> {
    let header = [0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 2, 0, 0, 0];
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", &[]), (b"IEND", &[])] {
        bytes.extend((data.len() as u32).to_be_bytes());
        let chunk = [kind, data].concat();
        let checksum = chunk.iter().fold(!0u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        });
        bytes.extend(chunk);
        bytes.extend((!checksum).to_be_bytes());
    }
    bytes
}

#[test]
fn bad_photos_are_named_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let kitten = fs::read(sample("kitten.jpg")).expect("a sample");
    fs::write(at("1.jpg"), &kitten).expect("written");
    fs::write(at("2.jpg"), "Buy milk.").expect("written");
    fs::write(at("3.jpg"), &kitten[..kitten.len() / 2]).expect("written");
    fs::write(at("4.png"), claiming_png()).expect("written");
    fs::write(at("5.png"), b"").expect("written");
    fs::copy(in_repository("tests/photos/one_pixel.png"), at("9.png")).expect("copied");
    fs::write(at("10.jpg"), &kitten).expect("written");
    fs::write(at("notes.txt"), "Not looked at.").expect("written");
    fs::create_dir(at("album.jpg")).expect("made");
    let arguments = [
        "predict",
        text(folder.path()),
        "no such.jpg",
        "--labels",
        "cat",
        "--json",
    ];
    let ran = run(&arguments);
    assert_eq!(ran.status, Some(1));
    let photos: Vec<String> = ran
        .json()
        .iter()
        .map(|line| line["photo"].as_str().expect("text").to_owned())
        .collect();
    let good = ["1.jpg", "9.png", "10.jpg"].map(|name| text(&at(name)).to_owned());
    assert_eq!(photos, good);
    let complaints = ran.complaints();
    let expected = [
        ("2.jpg", "a text, not a photo"),
        ("3.jpg", "damaged JPEG, only 65 % of it could be read"),
        ("4.png", "60000 x 60000 pixels"),
        ("5.png", "the file is empty"),
    ];
    assert_eq!(complaints.len(), expected.len() + 1);
    for (complaint, (name, said)) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(text(&at(name))), "{complaint}");
        assert!(complaint.contains(said), "{complaint}");
    }
    assert_eq!(complaints[4], "no such.jpg: no such file: check the name");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe.jpg"))
        .status();
    assert!(made.expect("mkfifo").success());
    symlink(at("gone"), at("link.jpg")).expect("a link");
    symlink(at("loop.jpg"), at("loop.jpg")).expect("a link");
    fs::write(at("secret.jpg"), b"x").expect("written");
    fs::set_permissions(at("secret.jpg"), fs::Permissions::from_mode(0o000)).expect("set");
    // The superuser reads everything.
    let secret = match fs::File::open(at("secret.jpg")) {
        Ok(_) => "a text",
        Err(_) => "permission denied",
    };
    let names = ["pipe.jpg", "link.jpg", "loop.jpg", "secret.jpg", "a\nb.jpg"].map(at);
    let mut arguments = vec!["predict", "/dev/zero"];
    arguments.extend(names.iter().map(|path| text(path)));
    let ran = run(&arguments);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    let said = [
        "a device",
        "a pipe",
        "a link to a file that is not there",
        "a link that leads back to itself",
        secret,
        "no such file",
    ];
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), said.len());
    for (complaint, said) in complaints.iter().zip(said) {
        assert!(complaint.contains(said), "{complaint}");
    }
}

#[test]
fn folders_without_photos_need_no_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let refusal =
        run(&["predict", text(folder.path()), "--bundle", "nowhere"]).one_line_of_refusal();
    assert!(refusal.contains("no photos in this folder"), "{refusal}");
}

/// A folder of photos that all are missing: many messages, no work.
#[cfg(unix)]
fn many_dangling(folder: &std::path::Path) {
    for number in 0..3000 {
        let link = folder.join(format!("{number}.jpg"));
        std::os::unix::fs::symlink("gone", link).expect("a link");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_standard_error_is_no_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    many_dangling(folder.path());
    let mut command = lens(&["predict", text(folder.path())]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_closed_pipe_ends_the_work_quietly() {
    let kitten = sample("kitten.jpg");
    let mut command = lens(&["predict", &kitten, &kitten, &kitten, "--labels", "cat"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_written_are_a_failure() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("opened");
    let kitten = sample("kitten.jpg");
    let mut command = lens(&["predict", &kitten, "--labels", "cat"]);
    let child = command
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.starts_with("biam-lens: the results cannot be written"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn help_and_version_need_nothing() {
    let mut command = lens(&["--help"]);
    command.env_clear();
    let help = finish(command).quietly_good();
    for name in ["view", "predict", "render", "import", "eval", "bench"] {
        assert!(help.contains(name));
        let of_command = run(&[name, "--help"]).quietly_good();
        let example = format!("Example: biam-lens {name} ");
        assert!(of_command.contains(&example), "{of_command}");
    }
    let version = run(&["--version"]).quietly_good();
    assert_eq!(
        version,
        format!("biam-lens {}\n", env!("CARGO_PKG_VERSION"))
    );
}
