//! What the window says of a network, and its colour.

#![allow(
    clippy::disallowed_methods,
    reason = "the networks' colours, light and dark"
)]

use egui::{Color32, Visuals};

use crate::model::{VariantId, registry};

/// What a column is, in a sentence.
pub fn variant_sentence(variant: Option<VariantId>) -> &'static str {
    match variant {
        None => "The photo as it is",
        Some(variant) => registry::row(variant.name())
            .map_or("A network that only this bundle has", |row| row.sentence),
    }
}

/// The colour of a variant's bars.
pub fn variant_colour(visuals: &Visuals, variant: VariantId) -> Color32 {
    let row = registry::row(variant.name());
    let [light, dark] = row.map_or([[90; 3], [190; 3]], |row| row.colours);
    let [red, green, blue] = if visuals.dark_mode { dark } else { light };
    Color32::from_rgb(red, green, blue)
}
