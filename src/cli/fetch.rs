//! `biam-lens fetch`: published weights from the network, with the user's leave.

use std::fs;
use std::io::{self, BufRead, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::progress::ProgressLine;
use super::{Outcome, common};
use crate::fetch::{Checksum, Offer, Published, Step};
use crate::files::{check_target, megabytes, one_line, shown};

/// Options of `fetch`.
#[derive(Debug, Args)]
pub struct Options {
    /// What to fetch
    #[arg(value_enum)]
    what: Published,
    /// Address of the same file on another server
    #[arg(long, value_name = "ADDRESS")]
    url: Option<String>,
    /// SHA-256 that the file must have (default: the one that the server names)
    #[arg(long, value_name = "DIGITS")]
    sha256: Option<Checksum>,
    /// File to make (default: one in your folder for programs' data)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Says how large the file is, asks, fetches it, and prints its path.
pub fn run(options: Options) -> Result<Outcome> {
    let address = match options.url.as_deref() {
        Some(address) => address,
        None => options.what.address(),
    };
    let target = match &options.out {
        Some(file) => {
            check_target(file)?;
            file.clone()
        }
        None => options.what.default_file(address)?,
    };
    let offer = Offer::look(address, options.sha256)?;
    if offer.is_there(&target)? {
        common::print_note(&"it is there already; nothing was fetched");
        return print_path(&target);
    }
    let kept = offer.kept(&target)?;
    let name = options.what.name();
    let size = size(offer.size(), kept);
    let question = format!(
        "{name}, {size}, from {} to {}",
        one_line(&address),
        shown(&target)
    );
    if !options.yes && !io::stdin().is_terminal() {
        bail!("{question}: there is no terminal to ask on; give --yes to fetch it");
    }
    common::print_note(&question);
    if !options.yes && !leave(&mut io::stdin().lock())? {
        bail!("nothing was fetched");
    }
    if options.out.is_none() {
        make_folder(&target)?;
    }
    fetch(&offer, &target, kept)?;
    print_path(&target)
}

/// `575 MB`, and what of it is there from before.
fn size(size: u64, kept: u64) -> String {
    let whole = megabytes(size);
    match kept {
        0 => whole,
        kept => format!("{whole} of which {} are there", megabytes(kept)),
    }
}

/// Whether the user says yes. No answer is no.
fn leave(input: &mut impl BufRead) -> Result<bool> {
    // Where standard error is closed nobody reads the question.
    let _ = write!(io::stderr(), "Fetch it? [y/N] ");
    let mut answer = String::new();
    input
        .read_line(&mut answer)
        .context("your answer cannot be read; give --yes to fetch without a question")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn make_folder(target: &Path) -> Result<()> {
    let Some(folder) = target.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| {
        format!(
            "{}: the folder cannot be made; name a file elsewhere with --out",
            shown(folder)
        )
    })
}

fn fetch(offer: &Offer, target: &Path, kept: u64) -> Result<()> {
    let stop = common::stop_on_request()?;
    let mut receiving = Some(ProgressLine::bytes("Fetching", offer.size(), kept));
    let mut checking = None;
    let fetched = offer.download(target, &stop, |step| match step {
        Step::Outdated => {
            common::print_note(
                &"the file on the server has changed since the last time: starting over",
            );
        }
        Step::StartingOver => {
            common::print_note(&"the server cannot go on where it stopped: starting over");
            receiving = Some(ProgressLine::bytes("Fetching", offer.size(), 0));
        }
        Step::Received(done) => {
            if let Some(line) = &mut receiving {
                line.show_bytes(done);
            }
        }
        Step::Checked(done) => {
            receiving = None;
            checking
                .get_or_insert_with(|| ProgressLine::bytes("Checking", offer.size(), 0))
                .show_bytes(done);
        }
    });
    drop((receiving, checking));
    let fetched = fetched?;
    if !fetched.checked {
        common::print_note(&format!(
            "the server names no SHA-256 to check the file with; it is {}",
            fetched.checksum
        ));
    }
    Ok(())
}

fn print_path(target: &Path) -> Result<Outcome> {
    common::print(&format!("{}\n", shown(target)))?;
    Ok(Outcome::Complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, expected) in [
            ("y\n", true),
            ("Yes\r\n", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yeah", false),
        ] {
            assert_eq!(leave(&mut answer.as_bytes()).unwrap(), expected, "{answer}");
        }
    }

    #[test]
    fn the_size_says_what_is_there() {
        assert_eq!(size(575_000_000, 0), "575 MB");
        let resumed = size(575_000_000, 120_000_000);
        assert_eq!(resumed, "575 MB of which 120 MB are there");
    }
}
