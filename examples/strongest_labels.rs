//! The labels of the model that photos answer to most, in the last of its networks (the default has the
//! full one there).
//!
//!     cargo run --release --example strongest_labels -- assets/photos/*.jpg

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use biam_lens::bundle::find_bundle;
use biam_lens::engine::{DeviceChoice, PhotoSource, Session, Wanted, prepare};

/// Labels that are named for each photo.
const NAMED: usize = 5;

fn main() -> Result<()> {
    let mut session = Session::open(&find_bundle(None)?, DeviceChoice::Auto)?;
    let variants = session.facts().variants.clone();
    let network = variants.last().context("a model has networks")?;
    let wanted = Wanted {
        labels: &[],
        variants: std::slice::from_ref(network),
        ranking: true,
        ordinary: false,
    };
    for photo in std::env::args().skip(1) {
        let source = PhotoSource::File(PathBuf::from(&photo));
        let prepared = prepare(&source, session.input())?;
        let ranking = session
            .compare(&prepared, &wanted, &|| false)?
            .and_then(|comparison| comparison.ranking)
            .context("a ranking was wanted")?;
        let mut ranked: Vec<_> = ranking.labels.iter().zip(&ranking.scores[0]).collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        println!("{photo}");
        for ((label, status), score) in ranked.into_iter().take(NAMED) {
            println!("  {score:7.3}  {label} ({status:?})");
        }
    }
    Ok(())
}
