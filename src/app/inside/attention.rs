//! Where the chosen region looks: the mean of the heads, who looks at it, each head by itself.

use std::sync::Arc;

use egui::Ui;

use super::small_maps;
use crate::app::layer::{Layer, Look};
use crate::app::state::AppState;
use crate::app::textures::Textures;
use crate::engine::{Looks, RegionLooks};
use crate::figure::scale::number_text;
use crate::model::pooling::top_regions;
use crate::model::{Part, VariantId};

/// Arrows lead to this many regions.
const ARROWS: usize = 3;
/// Heads side by side.
const ACROSS: usize = 4;

/// The attention of a region, or why there is none.
pub fn show(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    label: &str,
    variant: VariantId,
    region: usize,
) {
    ui.add_space(6.0);
    ui.strong("Where the region looks");
    let looks = state.looks().map(Arc::clone);
    let Some(looks) = looks
        .as_deref()
        .and_then(|looks| of_network(looks, variant))
    else {
        ui.weak(reason(state, variant));
        return;
    };
    let about = (label, variant);
    let mean = looks.mean_from();
    ui.weak(format!(
        "RCB’s attention, mean of {} heads; arrows to the {ARROWS} regions it looks at most, {} of \
         its look together",
        looks.from.len(),
        percent(top_regions(&mean, ARROWS).iter().map(|&to| mean[to]).sum())
    ));
    let size = small_maps::size(ui, state, 2);
    ui.horizontal_top(|ui| {
        for look in [Look::From, Look::To] {
            ui.vertical(|ui| {
                let name = name(look, region, variant);
                let layer = Layer::Attention(look);
                let shown =
                    small_maps::show(ui, state, textures, about, layer, size, &name, percent);
                if look == Look::From {
                    let others = top_regions(&mean, ARROWS + 1).into_iter();
                    let others = others.filter(|&to| to != region).take(ARROWS);
                    small_maps::arrows(ui, state, shown.rect, &others.collect::<Vec<_>>());
                }
                ui.label(format!(
                    "{}: to {}",
                    look.title(),
                    highest(state, about, layer)
                ));
            });
        }
    });
    heads(ui, state, textures, about, region, looks);
}

/// Each head as a small map, with its entropy.
fn heads(
    ui: &mut Ui,
    state: &mut AppState,
    textures: &Textures,
    about: (&str, VariantId),
    region: usize,
    looks: &Looks,
) {
    let regions = looks.from.first().map_or(1, Vec::len).max(1);
    ui.weak(format!(
        "Each head, all to {}; entropy in bits, {} for a look at all regions alike",
        highest(state, about, Layer::Attention(Look::Head(0))),
        number_text((regions as f32).log2(), 1)
    ));
    let size = small_maps::size(ui, state, ACROSS);
    let entropies = looks.entropies();
    egui::Grid::new("heads").num_columns(ACROSS).show(ui, |ui| {
        for (head, entropy) in entropies.into_iter().enumerate() {
            ui.vertical(|ui| {
                let look = Look::Head(head);
                let name = name(look, region, about.1);
                let layer = Layer::Attention(look);
                small_maps::show(ui, state, textures, about, layer, size, &name, percent);
                let text = format!("{} · {}", head + 1, number_text(entropy, 1));
                ui.small(text)
                    .on_hover_text(format!("Head {}: {entropy:.2} bits", head + 1));
            });
            if head % ACROSS == ACROSS - 1 {
                ui.end_row();
            }
        }
    });
}

fn of_network(looks: &RegionLooks, variant: VariantId) -> Option<&Looks> {
    looks.network(variant)
}

fn name(look: Look, region: usize, variant: VariantId) -> String {
    format!(
        "Region {}, {}, {}",
        region + 1,
        look.title(),
        variant.title()
    )
}

fn percent(value: f32) -> String {
    format!("{} %", number_text(100.0 * value, 1))
}

/// The value of the strongest colour.
fn highest(state: &AppState, (label, variant): (&str, VariantId), layer: Layer) -> String {
    let scale = state.layer_scale(label, variant, layer);
    scale.map_or(String::new(), |scale| percent(scale.high))
}

/// Why there is no attention to show.
fn reason(state: &AppState, variant: VariantId) -> String {
    let title = variant.title();
    let Some(network) = state.inside().and_then(|inside| inside.network(variant)) else {
        return "computing…".to_owned();
    };
    let parts = network.parts.as_deref().unwrap_or_default();
    match (network.attends, parts.iter().any(|of| of.part == Part::Rcb)) {
        (true, _) => "computing…".to_owned(),
        (false, true) => format!(
            "{title} lets regions see each other in another way than the paper's attention: there \
             are no heads to show"
        ),
        (false, false) => format!("{title} has no region block: no region looks at another"),
    }
}
