//! `biam-lens import`: parts into a bundle.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Outcome, common};
use crate::bundle::import::{Parts, assemble};
use crate::files::shown;

/// Options of `import`.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with backbone, projection, heads (standard|rcb|scb|biam.safetensors), labels.tsv and
    /// teacher.tsv
    #[arg(value_name = "PARTS")]
    heads: PathBuf,
    /// Folder with all-MiniLM-L6-v2: model.safetensors and tokenizer.json
    #[arg(long, value_name = "DIR")]
    text_encoder: PathBuf,
    /// Text for the bundle's card: data, licences, what the model is bad at
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Where the weights come from, such as "data=Flickr8k"; may be given several times
    #[arg(long, value_name = "TOPIC=TEXT", value_parser = topic)]
    provenance: Vec<(String, String)>,
    /// The bundle's name (default: the folder's)
    #[arg(long)]
    name: Option<String>,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Assembles the bundle and says what is in it.
pub fn run(options: Options) -> Result<Outcome> {
    let name = match options.name {
        Some(name) => name,
        None => options
            .out
            .file_name()
            .context("--out names no folder")?
            .to_string_lossy()
            .into_owned(),
    };
    let parts = Parts {
        heads: options.heads,
        text_encoder: options.text_encoder,
        name,
        notes: options.notes,
        provenance: options.provenance.into_iter().collect(),
        out: options.out,
    };
    let manifest = assemble(&parts, |doing| common::complain(&doing))?;
    let variants: Vec<&str> = manifest
        .variants
        .iter()
        .map(|entry| entry.name.name())
        .collect();
    common::print(&format!("{}: {}\n", shown(&parts.out), variants.join(", ")))?;
    Ok(Outcome::Complete)
}

fn topic(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((topic, words)) if !topic.trim().is_empty() => {
            Ok((topic.trim().to_owned(), words.trim().to_owned()))
        }
        _ => Err("write it as TOPIC=TEXT".to_owned()),
    }
}
