//! What the window says of a variant, and its colour.

#![allow(
    clippy::disallowed_methods,
    reason = "the networks' colours, light and dark"
)]

use egui::{Color32, Visuals};

use crate::model::{Block, Filler, Variant};

/// What a column is, in a sentence.
pub fn variant_sentence(variant: Option<Variant>) -> &'static str {
    match variant {
        None => "The photo as it is",
        Some(Variant::Standard) => "Standard region features, without either block",
        Some(Variant::Rcb) => "Region-contextualised block alone: attention between regions",
        Some(Variant::Scb) => "Scene-contextualised block alone: channels gated by the scene",
        Some(Variant::Silenced(Block::Scb, Filler::Mean)) => {
            "A view of the full network, not a network trained so: the scene block's half of the \
             fusion is its mean over ordinary regions"
        }
        Some(Variant::Silenced(Block::Scb, Filler::Zero)) => {
            "A view of the full network, not a network trained so: the scene block's half of the \
             fusion is zero"
        }
        Some(Variant::Silenced(Block::Rcb, Filler::Mean)) => {
            "A view of the full network, not a network trained so: the region block's half of the \
             fusion is its mean over ordinary regions"
        }
        Some(Variant::Silenced(Block::Rcb, Filler::Zero)) => {
            "A view of the full network, not a network trained so: the region block's half of the \
             fusion is zero"
        }
        Some(Variant::Biam) => "Both blocks together: the full network",
        Some(Variant::Ridge) => "Baseline that saw no photo: a regression from words to classes",
    }
}

/// The colour of a variant's bars.
pub fn variant_colour(visuals: &Visuals, variant: Variant) -> Color32 {
    // A view has the colour of the block that is heard in it.
    let variant = match variant {
        Variant::Silenced(Block::Scb, _) => Variant::Rcb,
        Variant::Silenced(Block::Rcb, _) => Variant::Scb,
        variant => variant,
    };
    match (variant, visuals.dark_mode) {
        (Variant::Standard, true) => Color32::from_gray(150),
        (Variant::Standard, false) => Color32::from_gray(120),
        (Variant::Rcb, true) => Color32::from_rgb(230, 159, 80),
        (Variant::Rcb, false) => Color32::from_rgb(196, 116, 20),
        (Variant::Scb, true) => Color32::from_rgb(90, 190, 160),
        (Variant::Scb, false) => Color32::from_rgb(0, 138, 104),
        (Variant::Biam | Variant::Silenced(..), true) => Color32::from_rgb(96, 168, 232),
        (Variant::Biam | Variant::Silenced(..), false) => Color32::from_rgb(20, 100, 180),
        (Variant::Ridge, true) => Color32::from_rgb(200, 140, 200),
        (Variant::Ridge, false) => Color32::from_rgb(150, 80, 150),
    }
}
