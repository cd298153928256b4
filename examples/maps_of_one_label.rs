//! The response maps of one label on one photo, in every network of the model, as text.
//!
//!     cargo run --release --example maps_of_one_label -- assets/photos/rome.jpg bicycle

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use biam_lens::bundle::find_bundle;
use biam_lens::engine::{DeviceChoice, PhotoSource, Session, Wanted, prepare};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let photo = arguments.next().context("name a photo, then a label")?;
    let labels = [arguments.next().context("name a label after the photo")?];

    let mut session = Session::open(&find_bundle(None)?, DeviceChoice::Auto)?;
    let variants = session.facts().variants.clone();
    let photo = prepare(&PhotoSource::File(PathBuf::from(photo)), session.input())?;
    let wanted = Wanted {
        labels: &labels,
        variants: &variants,
        ranking: false,
        ordinary: true,
    };
    let comparison = session
        .compare(&photo, &wanted, &|| false)?
        .context("nobody stopped it")?;
    for refused in &comparison.refused {
        println!("{}: {}", refused.label, refused.reason);
    }
    // No label is left where it was refused.
    for (variant, maps) in comparison.variants.iter().zip(&comparison.maps) {
        for map in maps {
            println!("{variant}: score {:.3}", map.score(comparison.trained_k));
            // σ above ordinary regions where the model has them, else raw responses.
            let shown = map.sigmas().unwrap_or_else(|| map.responses.to_vec());
            for row in shown.chunks(comparison.grid.columns) {
                let row: Vec<String> = row.iter().map(|value| format!("{value:5.1}")).collect();
                println!("{}", row.join(" "));
            }
        }
    }
    Ok(())
}
