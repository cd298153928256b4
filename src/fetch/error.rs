//! What can go wrong with a download.

use std::path::PathBuf;

use super::Checksum;
use crate::files::{FileError, megabytes, one_line, shown};

/// Why a file was not fetched: one line that says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("this system names no folder for a program's data: name a file with --out")]
    NoFolder,
    #[error("{}: not an address of the web: write it as https://…", one_line(.0))]
    Address(String),
    #[error("{}: cannot be reached ({reason}): look at the network, or name another address with --url", one_line(.address))]
    Unreachable { address: String, reason: String },
    #[error("{}: {}", one_line(.address), refusal(*.status))]
    Refused { address: String, status: u16 },
    #[error("{}: leads on to no address that can be followed: name another with --url", one_line(.0))]
    Redirect(String),
    #[error("{}: the server sends {what}: name another address with --url", one_line(.address))]
    NotTheFile { address: String, what: &'static str },
    #[error("{}: the server says that its SHA-256 is {found}, not {expected}: name the address of the right file with --url", one_line(.address))]
    OtherFile {
        address: String,
        found: Checksum,
        expected: Checksum,
    },
    #[error("{}: another file has this name already: move it away, or name another with --out", shown(.0))]
    Exists(PathBuf),
    #[error("{}: the download needs {} more and the disk has {}: free some, or name a file on another disk with --out", shown(.folder), megabytes(*.needed), megabytes(*.free))]
    NoRoom {
        folder: PathBuf,
        needed: u64,
        free: u64,
    },
    #[error("{}: the file on the server changed while it was fetched: run the command again", one_line(.0))]
    Changed(String),
    #[error("{}: the connection broke off ({reason}) after {} of {}: {}", one_line(.address), megabytes(*.done), megabytes(*.total), go_on(*.kept))]
    Broken {
        address: String,
        reason: String,
        done: u64,
        total: u64,
        kept: bool,
    },
    #[error("stopped after {} of {}: {}", megabytes(*.done), megabytes(*.total), go_on(*.kept))]
    Stopped { done: u64, total: u64, kept: bool },
    #[error("{}: what arrived is damaged or another file (its SHA-256 is {found}, not {expected}) and was thrown away: run the command again, or name another address with --url", one_line(.address))]
    Damaged {
        address: String,
        found: Checksum,
        expected: Checksum,
    },
}

fn refusal(status: u16) -> String {
    let (what, way_out) = match status {
        401 | 403 => ("may not be fetched", "name another address with --url"),
        404 | 410 => (
            "is not there",
            "check the address, or name another with --url",
        ),
        429 => ("was asked for too often", "try again later"),
        500.. => ("the server is in trouble", "try again later"),
        _ => ("the server refuses", "name another address with --url"),
    };
    format!("{what} (HTTP status {status}): {way_out}")
}

fn go_on(kept: bool) -> &'static str {
    match kept {
        true => "run the command again to go on from there",
        false => "run the command again",
    }
}
