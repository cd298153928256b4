//! `biam-lens render`: response maps into a picture file, without a display.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{Outcome, common};
use crate::engine::{PhotoSource, Session, Wanted, prepare};
use crate::figure::colour_map::ColourMap;
use crate::figure::display_list::DisplayList;
use crate::figure::figure_style::FigureStyle;
use crate::figure::file_format::FileFormat;
use crate::figure::layout::comparison_figure;
use crate::figure::missing_letters;
use crate::figure::overlay::OverlayStyle;
use crate::figure::scale::{ScaleMode, ScaleRanges};
use crate::files::{check_target, shown, write_atomically};
use crate::model::VariantId;

/// Options of `render`.
#[derive(Debug, Args)]
pub struct Options {
    /// Photos; several are put below each other
    #[arg(value_name = "PHOTO", required = true)]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    labels: common::Labels,
    /// Networks to show, separated by commas (default: all of the bundle's)
    #[arg(long, value_delimiter = ',')]
    variant: Vec<VariantId>,
    /// The file to write: .png or .svg
    #[arg(long, value_name = "FIG.{png,svg}")]
    out: PathBuf,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
    /// Width in millimetres
    #[arg(long, default_value_t = FigureStyle::default().width_mm, value_parser = within::<20, 2000>)]
    width_mm: f32,
    /// Pixels an inch
    #[arg(long, default_value_t = FigureStyle::default().dpi, value_parser = within::<36, 2400>)]
    dpi: f32,
    /// What colours mean: sigma, raw-panel, raw-label, raw-variant or rank
    #[arg(long, default_value = "sigma")]
    scale: ScaleMode,
    /// Where the scale of sigma ends
    #[arg(long, value_name = "SIGMA", default_value_t = ScaleRanges::default().highest_sigma,
        value_parser = within::<1, 100>)]
    highest_sigma: f32,
    /// viridis, magma, inferno, plasma, cividis, turbo or grey
    #[arg(long, default_value = "viridis")]
    colour_map: ColourMap,
    /// How much the strongest responses cover the photo, 0 to 1
    #[arg(long, default_value_t = OverlayStyle::default().opacity, value_parser = within::<0, 1>)]
    opacity: f32,
    /// Draw contour lines
    #[arg(long)]
    contours: bool,
    /// Outline the regions that each score is made of
    #[arg(long)]
    marks: bool,
    /// Letter the panels: (a), (b), …
    #[arg(long)]
    letters: bool,
    #[command(flatten)]
    engine: common::Engine,
}

/// A number from `LEAST` to `MOST`.
fn within<const LEAST: u16, const MOST: u16>(text: &str) -> Result<f32, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| (f32::from(LEAST)..=f32::from(MOST)).contains(number))
        .ok_or_else(|| format!("a number from {LEAST} to {MOST} is needed"))
}

/// Draws the comparison of every photo into one file.
pub fn run(options: &Options) -> Result<Outcome> {
    let format = FileFormat::of(&options.out)?;
    check_target(&options.out)?;
    if options.out.exists() && !options.force {
        bail!(
            "{}: there is such a file already; --force replaces it",
            shown(&options.out)
        );
    }
    let typed = options.labels.read()?.context(common::NO_LABELS)?;
    let (photos, all_listed) = common::photos(&options.photos)?;
    let mut session = options.engine.open()?;
    let typed = common::known_labels(&mut session, typed)?;
    let mut all_good = all_listed && typed.complete;
    let variants = common::variants(&options.variant, &session, true)?;
    if options.scale.needs_ordinary_regions() {
        tell_of_missing_regions(&session, &variants);
    }
    let wanted = Wanted {
        labels: &typed.labels,
        variants: &variants,
        ranking: false,
        ordinary: true,
    };
    let mut pages = Vec::new();
    for path in photos {
        let photo = match prepare(&PhotoSource::File(path), session.input()) {
            Ok(photo) => photo,
            Err(error) => {
                common::print_note(&error);
                all_good = false;
                continue;
            }
        };
        common::print_cautions(&photo.photo);
        if let Some(comparison) = session.compare(&photo, &wanted, &|| false)? {
            let (overlay, style) = styles(options);
            pages.push(comparison_figure(
                &comparison,
                &overlay,
                options.scale,
                &style,
            ));
        }
    }
    let page =
        DisplayList::stacked(pages).context("no photo could be read, so nothing is drawn")?;
    if let Some(note) = missing_letters::note(&page) {
        common::print_note(&note);
    }
    let bytes = format.draw(&page, options.dpi)?;
    write_atomically(&options.out, |writer| writer.write_all(&bytes))?;
    Ok(Outcome::complete_if(all_good))
}

/// Says why colours will not mean what was asked for.
fn tell_of_missing_regions(session: &Session, variants: &[VariantId]) {
    let bundle = session.bundle();
    let missing = variants.iter().find(|&&variant| {
        let trained = bundle.variant(variant);
        trained.is_some_and(|trained| trained.ordinary_regions.is_none())
    });
    if let Some(variant) = missing {
        common::print_note(&format!(
            "the network “{variant}” has no ordinary regions to compare with, so every panel is \
             coloured by its own raw responses; biam-lens import {} --ordinary PHOTOS computes them",
            shown(&bundle.folder)
        ));
    }
}

fn styles(options: &Options) -> (OverlayStyle, FigureStyle) {
    let overlay = OverlayStyle {
        colour_map: options.colour_map,
        opacity: options.opacity,
        contours: options.contours,
        marks: options.marks,
        ..OverlayStyle::default()
    };
    let style = FigureStyle {
        width_mm: options.width_mm,
        dpi: options.dpi,
        letters: options.letters,
        ranges: ScaleRanges {
            highest_sigma: options.highest_sigma,
            ..ScaleRanges::default()
        },
        ..FigureStyle::default()
    };
    (overlay, style)
}
