//! The commands, one file each. Results go to standard output, messages to standard error.

mod bench;
mod common;
mod data;
mod eval;
mod fetch;
mod import;
mod photo_names;
mod predict;
mod progress;
mod render;
mod train;
mod train_networks;
mod train_options;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// See where a multi-label zero-shot network looks.
///
/// Without a command the window opens, on the photos and folders that are named.
#[derive(Debug, Parser)]
#[command(
    name = "biam-lens",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Example: biam-lens holiday.jpg"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    view: view::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the window (what happens without a command, too)
    #[command(after_help = "Example: biam-lens view --labels \"dog, traffic light\" street.jpg")]
    View(view::Options),
    /// Rank labels for photos, and write their response maps
    #[command(
        after_help = "Example: biam-lens predict photos/ --labels \"dog, traffic light, joy\" --json\n\nWithout --labels the bundle's own labels are ranked."
    )]
    Predict(predict::Options),
    /// Draw response maps into a picture file
    #[command(
        after_help = "Example: biam-lens render street.jpg --labels \"car, traffic light\" --out figure.png"
    )]
    Render(render::Options),
    /// Make a model's folder from its parts or from a foreign checkpoint; compute ordinary regions
    #[command(
        after_help = "Example: biam-lens import --checkpoint biam.pth --vgg19 vgg19.pth --word-vectors glove.6B.300d.txt --seen TagList1k.txt --unseen Concepts81.txt --out weights/authors\n\nThe authors' model. Without --ordinary PHOTOS it has no σ scale; biam-lens import weights/authors --ordinary photos/ adds it later. From parts: biam-lens import heads/ --text-encoder all-MiniLM-L6-v2/ --out weights/mine"
    )]
    Import(import::Options),
    /// Fetch weights that others publish; nothing else here uses the network
    #[command(
        after_help = "Example: biam-lens fetch vgg19\n\nAsks the server how large the file is (575 MB), then you, and fetches it only with your leave. The file's SHA-256 is checked before it takes its name. When it was stopped (Ctrl-C) or the connection broke, the same command goes on where it ended. The file's path is printed on standard output."
    )]
    Fetch(fetch::Options),
    /// Measure the networks on labelled photos: mAP, F1, localisation, cost
    #[command(
        after_help = "Example: biam-lens eval --data flickr8k --part val --unseen unseen.txt --per-label labels.csv\n\nmAP and F1@K for the unseen labels (zero-shot), all labels (generalised zero-shot) and the seen labels (standard classification); pointing game and energy in box where photos have boxes."
    )]
    Eval(eval::Options),
    /// Train networks of your own on labelled photos, and make a bundle of them
    #[command(
        after_help = "Example: biam-lens train --data photos/mine --unseen unseen.txt --cache features --out weights/mine\n\nphotos/mine holds images/, train.tsv (file name, tab, labels parted by commas) and vocabulary.txt (the labels that were looked for). Backbone, projection and label encoder are those of --bundle. Stop with Ctrl-C, go on with --resume."
    )]
    Train(Box<train::Options>),
    /// Time every stage of the warm program
    #[command(after_help = "Example: biam-lens bench street.jpg --runs 50 --json")]
    Bench(bench::Options),
}

/// Runs a command. Anything that failed has been said on standard error when this returns.
pub fn run(arguments: Arguments) -> ExitCode {
    // Nothing but where RUST_LOG asks for it: `RUST_LOG=biam_lens=debug`.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("off")).init();
    let done = match arguments.command {
        None => view::run(arguments.view),
        Some(Command::View(options)) => view::run(options),
        Some(Command::Predict(options)) => predict::run(&options),
        Some(Command::Render(options)) => render::run(&options),
        Some(Command::Import(options)) => import::run(options),
        Some(Command::Fetch(options)) => fetch::run(options),
        Some(Command::Eval(options)) => eval::run(&options),
        Some(Command::Train(options)) => train::run(&options),
        Some(Command::Bench(options)) => bench::run(&options),
    };
    match done {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::FAILURE,
        // The reader of a pipe has seen enough: no failure worth a word.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        // Every error says all by itself; those below it would say it again.
        Err(error) => {
            common::print_note(&error);
            ExitCode::FAILURE
        }
    }
}

/// How a command ended when it could run at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Complete,
    /// Some photos or labels were no good; each has been named.
    Incomplete,
}

impl Outcome {
    fn complete_if(all_good: bool) -> Self {
        match all_good {
            true => Self::Complete,
            false => Self::Incomplete,
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
