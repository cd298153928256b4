//! `fetch`: weights from a server in this process, with all that servers and connections do.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::server::{Behaviour, Server};
use crate::support::{Ran, finish, lens, names, text};

/// The file that is fetched: longer than what is moved at a time.
fn weights() -> Vec<u8> {
    (0..1_000_003u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server with a file, and a folder for it.
struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn new(behaviour: Behaviour) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            server: Server::start(behaviour),
        }
    }

    /// A server that does all as it should.
    fn good() -> Self {
        Self::new(Behaviour::good(weights()))
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("vgg19.safetensors")
    }

    fn command(&self, more: &[&str]) -> Command {
        let (address, target) = (self.server.address(), self.target());
        let mut arguments = vec!["fetch", "vgg19", "--url", &address, "--out", text(&target)];
        arguments.extend(more);
        offline(&arguments)
    }

    fn fetch(&self, more: &[&str]) -> Ran {
        finish(self.command(more))
    }

    /// Fetches and has the right file and nothing beside it; gives what was said.
    #[track_caller]
    fn fetch_well(&self) -> Vec<String> {
        let ran = self.fetch(&["--yes"]);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert_eq!(ran.out, format!("{}\n", self.target().display()));
        assert!(fs::read(self.target()).expect("a file") == self.server.behaviour().content);
        assert_eq!(names(self.folder.path()), ["vgg19.safetensors"]);
        ran.complaints().into_iter().map(str::to_owned).collect()
    }

    /// Fails with one line after the one that says what is going to be fetched.
    #[track_caller]
    fn fetch_badly(&self, more: &[&str]) -> String {
        let ran = self.fetch(&[&["--yes"], more].concat());
        self.failed(&ran)
    }

    #[track_caller]
    fn failed(&self, ran: &Ran) -> String {
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
        assert!(!self.target().exists());
        let [announced, line] = ran.complaints()[..] else {
            panic!("not two lines: {}", ran.err);
        };
        assert!(announced.starts_with("VGG-19, 1.0 MB"), "{announced}");
        line.to_owned()
    }

    /// Bytes of the only part in the folder.
    #[track_caller]
    fn part(&self) -> Vec<u8> {
        let names = names(self.folder.path());
        let [name] = &names[..] else {
            panic!("not one file: {names:?}");
        };
        assert!(name.ends_with(".part"), "{name}");
        fs::read(self.folder.path().join(name)).expect("a part")
    }
}

/// The program without the ways around a network that the environment may name.
fn offline(arguments: &[&str]) -> Command {
    let mut command = lens(arguments);
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

#[test]
fn a_file_is_fetched_checked_and_named() {
    let place = Place::good();
    let said = place.fetch_well();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("1.0 MB, from http://"), "{}", said[0]);
    // The hub's way: first a look, then the whole, each after a redirect.
    let asked = place.server.asked();
    assert_eq!(
        asked,
        [Some("bytes=0-0"), Some("bytes=0-0"), None, None].map(|r| r.map(str::to_owned))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_name_the_file_goes_where_the_users_data_is() {
    let place = Place::good();
    let address = place.server.address();
    let mut command = offline(&["fetch", "vgg19", "--url", &address, "--yes"]);
    command.env("XDG_DATA_HOME", place.folder.path());
    let ran = finish(command);
    let file = place
        .folder
        .path()
        .join("biam-lens/backbones/vgg19.tv_in1k.safetensors");
    assert_eq!(ran.out, format!("{}\n", file.display()), "{}", ran.err);
    assert!(fs::read(file).expect("a file") == weights());
}

#[test]
fn without_leave_nothing_is_fetched() {
    let place = Place::good();
    let said = place.fetch(&[]).one_line_of_refusal();
    assert!(said.contains("1.0 MB") && said.contains("--yes"), "{said}");
    assert!(names(place.folder.path()).is_empty());
    let asked = place.server.asked();
    assert!(
        asked
            .iter()
            .all(|range| range.as_deref() == Some("bytes=0-0"))
    );
}

#[test]
fn a_broken_download_goes_on_where_it_ended() {
    let place = Place::good();
    place
        .server
        .change(|server| server.hang_up_after = Some(600_000));
    let said = place.fetch_badly(&[]);
    assert!(
        said.contains("broke off (the server hung up) after 0.6 MB of 1.0 MB"),
        "{said}"
    );
    assert!(said.contains("go on"), "{said}");
    assert!(place.part() == weights()[..600_000]);
    place.server.change(|server| server.hang_up_after = None);
    let said = place.fetch_well();
    assert!(
        said[0].contains("1.0 MB of which 0.6 MB are there"),
        "{}",
        said[0]
    );
    let asked = place.server.asked();
    assert_eq!(asked.last(), Some(&Some("bytes=600000-".to_owned())));
}

#[test]
fn a_part_that_is_whole_is_only_checked() {
    let place = Place::good();
    place
        .server
        .change(|server| server.hang_up_after = Some(600_000));
    place.fetch_badly(&[]);
    let part = names(place.folder.path()).remove(0);
    fs::write(place.folder.path().join(part), weights()).expect("written");
    let before = place.server.asked().len();
    place.fetch_well();
    // Only the look, with its redirect.
    assert_eq!(place.server.asked().len(), before + 2);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let place = Place::good();
    place.server.change(|server| {
        server.ranges = false;
        server.hang_up_after = Some(600_000);
    });
    place.fetch_badly(&[]);
    assert_eq!(place.part().len(), 600_000);
    place.server.change(|server| server.hang_up_after = None);
    let said = place.fetch_well();
    assert!(said[1].contains("starting over"), "{said:?}");
}

#[test]
fn what_has_another_checksum_is_thrown_away() {
    let place = Place::good();
    let wrong = sha256(b"another file");
    place
        .server
        .change(|server| server.checksum = Some(wrong.clone()));
    let said = place.fetch_badly(&[]);
    assert!(
        said.contains(&wrong) && said.contains(&sha256(&weights())),
        "{said}"
    );
    assert!(names(place.folder.path()).is_empty());
}

#[test]
fn a_part_damaged_on_the_disk_is_found_out() {
    let place = Place::good();
    place
        .server
        .change(|server| server.hang_up_after = Some(600_000));
    place.fetch_badly(&[]);
    let part = place
        .folder
        .path()
        .join(names(place.folder.path()).remove(0));
    fs::write(part, [0; 600_000]).expect("written");
    place.server.change(|server| server.hang_up_after = None);
    let said = place.fetch_badly(&[]);
    assert!(said.contains("damaged"), "{said}");
    assert!(names(place.folder.path()).is_empty());
    place.fetch_well();
}

#[test]
fn the_users_own_checksum_is_what_counts() {
    let place = Place::good();
    let other = sha256(b"another file");
    let ran = place.fetch(&["--yes", "--sha256", &other]);
    let said = ran.one_line_of_refusal();
    assert!(
        said.contains("the server says that its SHA-256 is"),
        "{said}"
    );
    place.server.change(|server| server.checksum = None);
    let said = place.fetch_badly(&["--sha256", &other]);
    assert!(said.contains("thrown away"), "{said}");
    let ran = place.fetch(&["--yes", "--sha256", &sha256(&weights()).to_uppercase()]);
    assert_eq!(
        (ran.status, ran.complaints().len()),
        (Some(0), 1),
        "{}",
        ran.err
    );
}

#[test]
fn a_file_that_cannot_be_checked_is_told() {
    let place = Place::good();
    place.server.change(|server| server.checksum = None);
    let said = place.fetch_well();
    assert!(
        said[1].contains("no SHA-256") && said[1].contains(&sha256(&weights())),
        "{said:?}"
    );
}

#[test]
fn torchvisions_names_are_checked() {
    let place = Place::good();
    place.server.change(|server| server.checksum = None);
    let fetch = |name: &str| {
        let (address, target) = (place.server.address_of(name), place.target());
        let arguments = [
            "fetch",
            "vgg19",
            "--yes",
            "--url",
            &address,
            "--out",
            text(&target),
        ];
        finish(offline(&arguments))
    };
    let said = place.failed(&fetch("vgg19-dcbb9e9d.pth"));
    assert!(said.contains("not dcbb9e9d…"), "{said}");
    let right = format!("vgg19-{}.pth", &sha256(&weights())[..8]);
    let ran = fetch(&right);
    assert_eq!(
        (ran.status, ran.complaints().len()),
        (Some(0), 1),
        "{}",
        ran.err
    );
}

#[test]
fn a_file_that_changed_between_two_attempts_is_fetched_anew() {
    let other: Vec<u8> = weights().into_iter().rev().collect();
    for checksums in [true, false] {
        let place = Place::good();
        place.server.change(|server| {
            server.hang_up_after = Some(600_000);
            server.checksum = server.checksum.take().filter(|_| checksums);
        });
        place.fetch_badly(&[]);
        place.server.change(|server| {
            server.hang_up_after = None;
            server.content.clone_from(&other);
            server.checksum = checksums.then(|| sha256(&other));
            server.version = Some("\"second\"".to_owned());
        });
        let said = place.fetch_well();
        assert!(said[1].contains("has changed since"), "{said:?}");
    }
}

#[test]
fn a_file_that_changes_after_the_look_is_not_mixed() {
    let place = Place::good();
    place
        .server
        .change(|server| server.changes_after_look = true);
    let said = place.fetch_badly(&[]);
    assert!(said.contains("changed while it was fetched"), "{said}");
}

#[test]
fn without_a_version_a_part_is_not_kept() {
    let place = Place::good();
    place.server.change(|server| {
        (server.checksum, server.version) = (None, None);
        server.hang_up_after = Some(600_000);
    });
    let said = place.fetch_badly(&[]);
    assert!(said.ends_with("run the command again"), "{said}");
    assert!(names(place.folder.path()).is_empty());
}

#[test]
fn servers_that_have_no_such_file_are_one_line() {
    for (status, expected) in [
        (404, "is not there (HTTP status 404)"),
        (403, "may not be fetched"),
        (503, "try again later"),
    ] {
        let place = Place::good();
        place.server.change(|server| server.status = Some(status));
        let said = place.fetch(&["--yes"]).one_line_of_refusal();
        assert!(
            said.contains(expected) && said.contains("http://"),
            "{said}"
        );
    }
    let place = Place::good();
    place
        .server
        .change(|server| server.kind = "text/html; charset=utf-8");
    let said = place.fetch(&["--yes"]).one_line_of_refusal();
    assert!(said.contains("a page for people"), "{said}");
    place.server.change(|server| server.says_size = false);
    place
        .server
        .change(|server| server.kind = "application/octet-stream");
    let said = place.fetch(&["--yes"]).one_line_of_refusal();
    assert!(said.contains("no word on its size"), "{said}");
}

#[test]
fn no_server_and_no_address_are_one_line() {
    let place = Place::good();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}/x", free.local_addr().expect("an address"));
    drop(free);
    for (address, expected) in [
        (nobody.as_str(), "cannot be reached (connection refused)"),
        (
            "http://nowhere.invalid/x",
            "cannot be reached (no such host",
        ),
        ("weights.pth", "not an address of the web"),
        ("ftp://example.org/x", "not an address of the web"),
    ] {
        let target = place.target();
        let arguments = [
            "fetch",
            "vgg19",
            "--yes",
            "--url",
            address,
            "--out",
            text(&target),
        ];
        let said = finish(offline(&arguments)).one_line_of_refusal();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let place = Place::good();
    place.fetch_well();
    let said = place.fetch_well();
    assert!(said[0].contains("there already"), "{said:?}");
    fs::write(place.target(), "my own").expect("written");
    let said = place.fetch(&["--yes"]).one_line_of_refusal();
    assert!(said.contains("another file has this name"), "{said}");
    assert_eq!(fs::read(place.target()).expect("a file"), b"my own");
    let nowhere = place.folder.path().join("no/such/file");
    let address = place.server.address();
    let arguments = ["fetch", "vgg19", "--url", &address, "--out", text(&nowhere)];
    let said = finish(offline(&arguments)).one_line_of_refusal();
    assert!(said.contains("create the folder"), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_there_even_when_nothing_comes() {
    let place = Place::good();
    place
        .server
        .change(|server| server.stalls_after = Some(600_000));
    let mut command = place.command(&["--yes"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("started");
    let deadline = Instant::now() + Duration::from_secs(60);
    let arrived = || names(place.folder.path()).len() == 1 && place.part().len() == 600_000;
    while !arrived() {
        assert!(Instant::now() < deadline, "nothing arrives");
        sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let ran = Ran {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    };
    let said = place.failed(&ran);
    assert!(said.starts_with("stopped after 0.6 MB of 1.0 MB"), "{said}");
    place.server.change(|server| server.stalls_after = None);
    place.fetch_well();
}

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_is_one_line() {
    let place = Place::good();
    let whole = place.command(&["--yes"]);
    let mut command = Command::new("sh");
    // A limit on a file's size, in blocks of 512 bytes or 1 kB, that ends in an error, not a signal.
    command.args(["-c", "trap '' XFSZ; ulimit -f 500; exec \"$@\"", "sh"]);
    command.arg(whole.get_program()).args(whole.get_args());
    for (name, value) in whole.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = place.failed(&finish(command));
    assert!(said.contains("cannot be written"), "{said}");
    assert!(place.part().len() >= 256_000);
    place.fetch_well();
}
