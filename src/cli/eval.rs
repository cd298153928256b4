//! `biam-lens eval`: measures a bundle's networks on labelled photos.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use super::{Outcome, common};
use crate::bundle::{Bundle, find_bundle};
use crate::dataset::Dataset;
use crate::eval::answers::{Answers, answer_photos};
use crate::eval::cost::{Cost, Measured, measure};
use crate::eval::protocol::Protocol;
use crate::eval::report::{Report, VariantReport};
use crate::eval::split::{LabelSets, label_vectors};
use crate::eval::{per_label, table};
use crate::files::{check_target, one_line, write_atomically};
use crate::model::Variant;
use crate::train::ridge::{LAMBDA, ridge_network};

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    data: super::dataset::DatasetArguments,
    /// What to rank: unseen labels, all labels, seen labels, or each in turn
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// How many best labels F1 looks at, separated by commas
    #[arg(long, value_name = "K", value_delimiter = ',', default_value = "3,5",
        value_parser = clap::value_parser!(u16).range(1..))]
    k: Vec<u16>,
    /// Networks to measure, separated by commas (default: all that the bundle has)
    #[arg(long, value_delimiter = ',')]
    variant: Vec<Variant>,
    /// Also measure the ridge baseline, which sees no photo: computed from the bundle's teacher
    #[arg(long)]
    ridge: bool,
    /// Also tell parameters, multiply-adds, time and memory of each network
    #[arg(long)]
    cost: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Write a CSV with one row for each network and label
    #[arg(long, value_name = "FILE")]
    per_label: Option<PathBuf>,
    /// Measure what this network costs, alone in a program: what --cost starts
    #[arg(long, hide = true)]
    cost_of: Option<Variant>,
    #[command(flatten)]
    engine: common::Engine,
}
