//! `biam-lens`: parses the command line and hands over.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    biam_lens::cli::run(biam_lens::cli::Arguments::parse())
}
