//! Pooling, live: a label's score for every k, the regions it is made of, and how the photo's regions
//! stand among ordinary ones.

use std::fmt::Write as _;

use egui::{Ui, Vec2b};
use egui_plot::{Bar, BarChart, Legend, Line, Plot, PlotPoints, VLine};

use crate::app::state::AppState;
use crate::app::variants::variant_colour;
use crate::engine::{OrdinaryResponses, ResponseMap};
use crate::figure::scale::number_text;
use crate::model::VariantId;
use crate::model::pooling::top_regions;

/// Bins of the histogram.
const BINS: usize = 48;
const HEIGHT: f32 = 150.0;

/// The whole tab.
pub fn show(ui: &mut Ui, state: &mut AppState, label: &str) {
    state.inspector.lit = None;
    let curves = curves(state, label);
    if curves.iter().all(|curve| curve.scores.is_empty()) {
        ui.weak(
            "No network on screen pools regions for this label: its score does not depend on k.",
        );
        return;
    }
    switch(ui, state);
    scores_over_k(ui, state, label, &curves);
    let Some(variant) = state.chosen_variant() else {
        return;
    };
    pooled_regions(ui, state, label, variant);
    histogram(ui, state, label, variant);
}

/// A label's score in one network for k = 1, 2, ….
struct Curve {
    variant: VariantId,
    scores: Vec<f32>,
}

/// `σ` where every map on screen knows ordinary regions, so that networks can be compared.
fn unit(state: &AppState, label: &str) -> &'static str {
    let mut shown = state.shown_variants().into_iter();
    let known = shown.all(|variant| {
        let map = state.map(label, variant);
        map.is_none_or(|map| map.ordinary.is_some())
    });
    if known { "σ" } else { "raw" }
}

fn in_unit(map: &ResponseMap, value: f32, unit: &str) -> f32 {
    match (&map.ordinary, unit) {
        (Some(ordinary), "σ") => ordinary.sigma(value),
        _ => value,
    }
}

fn curves(state: &AppState, label: &str) -> Vec<Curve> {
    let unit = unit(state, label);
    let curve = |variant| {
        let map = state.map(label, variant)?;
        let scores = match map.own_score {
            Some(_) => Vec::new(),
            None => over_k(&map.responses),
        };
        let scores = scores.into_iter().map(|score| in_unit(map, score, unit));
        Some(Curve {
            variant,
            scores: scores.collect(),
        })
    };
    state
        .shown_variants()
        .into_iter()
        .filter_map(curve)
        .collect()
}

/// The mean of the k largest responses, for every k.
fn over_k(responses: &[f32]) -> Vec<f32> {
    let mut sum = 0.0f64;
    let sorted = top_regions(responses, responses.len()).into_iter();
    let means = sorted.zip(1u32..).map(|(region, k)| {
        sum += f64::from(responses[region]);
        (sum / f64::from(k)) as f32
    });
    means.collect()
}

/// Region-level against pooled before classification (the paper's Figure 5).
fn switch(ui: &mut Ui, state: &mut AppState) {
    let (Some(trained), Some(comparison)) = (state.trained_k(), state.shown_comparison()) else {
        return;
    };
    let regions = comparison.grid.regions();
    let k = state.pooled_k();
    ui.horizontal_wrapped(|ui| {
        let best = ui.selectable_label(k == trained, format!("{trained} best regions, as trained"));
        if best.clicked() {
            state.k = None;
        }
        let all = ui
            .selectable_label(k == regions, format!("all {regions}: pooled first"))
            .on_hover_text(
                "The mean of all regions: exactly what pooling e_f before the classifier gives, \
                 since a response is linear in e_f (Figure 5 of the paper)",
            );
        if all.clicked() {
            state.k = Some(regions);
        }
    });
}

fn scores_over_k(ui: &mut Ui, state: &mut AppState, label: &str, curves: &[Curve]) {
    let unit = unit(state, label);
    egui::Sides::new().show(
        ui,
        |ui| ui.strong(format!("Score of {label} over k, {unit}")),
        |ui| {
            if ui.small_button("Copy scores as TSV").clicked() {
                ui.copy_text(table(curves, unit));
            }
        },
    );
    let k = state.pooled_k();
    let colours: Vec<_> = curves
        .iter()
        .map(|curve| variant_colour(ui.visuals(), curve.variant))
        .collect();
    let mark = ui.visuals().text_color();
    let shown = plot("score over k")
        .legend(Legend::default())
        .x_axis_label("k")
        .show(ui, |plot| {
            for (curve, colour) in curves.iter().zip(colours) {
                let points = curve.scores.iter().zip(1u32..);
                let points: PlotPoints<'_> = points
                    .map(|(&score, k)| [f64::from(k), f64::from(score)])
                    .collect();
                let title = curve.variant.title();
                plot.line(Line::new(title, points).color(colour).width(1.5));
            }
            plot.vline(VLine::new(format!("k = {k}"), k as f64).color(mark));
            plot.pointer_coordinate().map(|at| at.x)
        });
    let name = format!("Score of {label} over k");
    describe(&shown.response, &name, summary(curves, k, unit));
    let down = shown.response.clicked() || shown.response.dragged();
    if let Some(x) = shown.inner.filter(|_| down) {
        let most = curves
            .iter()
            .map(|curve| curve.scores.len())
            .max()
            .unwrap_or(1);
        let chosen = (x.round().max(1.0) as usize).min(most.max(1));
        state.k = (Some(chosen) != state.trained_k()).then_some(chosen);
    }
    ui.weak("Click or drag in it to choose k.");
}

/// The scores at k, in words.
fn summary(curves: &[Curve], k: usize, unit: &str) -> String {
    let texts: Vec<String> = curves
        .iter()
        .filter_map(|curve| {
            let score = curve.scores.get(k.checked_sub(1)?)?;
            Some(format!(
                "{} {}",
                curve.variant.title(),
                number_text(*score, 2)
            ))
        })
        .collect();
    format!("k = {k}, {unit}: {}", texts.join(", "))
}

/// Scores for every k, a column for each network.
fn table(curves: &[Curve], unit: &str) -> String {
    let mut text = "k".to_owned();
    for curve in curves {
        // Writing to a String cannot fail.
        _ = write!(text, "\t{} ({unit})", curve.variant);
    }
    let most = curves
        .iter()
        .map(|curve| curve.scores.len())
        .max()
        .unwrap_or(0);
    for at in 0..most {
        _ = write!(text, "\n{}", at + 1);
        for curve in curves {
            match curve.scores.get(at) {
                Some(score) => _ = write!(text, "\t{score}"),
                None => text.push('\t'),
            }
        }
    }
    text.push('\n');
    text
}

/// The k regions as bars, the strongest first; the one under the pointer lights up in the panels.
fn pooled_regions(ui: &mut Ui, state: &mut AppState, label: &str, variant: VariantId) {
    let unit = unit(state, label);
    let k = state.pooled_k();
    let Some(map) = state.map(label, variant) else {
        return;
    };
    let regions = map.pooled_regions(k);
    if regions.is_empty() {
        ui.weak(format!("{} does not pool regions.", variant.title()));
        return;
    }
    let value = |&region: &usize| f64::from(in_unit(map, map.responses[region], unit));
    let values: Vec<f64> = regions.iter().map(value).collect();
    ui.add_space(6.0);
    ui.strong(format!(
        "The {} regions in {}, {unit}",
        regions.len(),
        variant.title()
    ));
    let colour = variant_colour(ui.visuals(), variant);
    let shown = plot("pooled regions").show(ui, |plot| {
        let bars = values.iter().zip(1u32..);
        let bars = bars.map(|(&value, place)| Bar::new(f64::from(place), value).width(0.8));
        plot.bar_chart(BarChart::new(variant.title(), bars.collect()).color(colour));
        plot.pointer_coordinate().map(|at| at.x)
    });
    let at = shown.inner.filter(|_| shown.response.hovered());
    let at = at.map(|x| x.round() as usize);
    let lit = at.and_then(|at| regions.get(at.checked_sub(1)?)).copied();
    let best = values.first().copied().unwrap_or_default() as f32;
    let name = format!("Pooled regions of {label} in {}", variant.title());
    describe(
        &shown.response,
        &name,
        format!("best {} {unit}", number_text(best, 1)),
    );
    let columns = state
        .shown_comparison()
        .map_or(1, |comparison| comparison.grid.columns);
    state.inspector.lit = lit.map(|region| [region / columns.max(1), region % columns.max(1)]);
    ui.weak("A bar under the pointer lights up in the maps.");
}

/// How the photo's regions stand among ordinary ones.
fn histogram(ui: &mut Ui, state: &AppState, label: &str, variant: VariantId) {
    ui.add_space(6.0);
    ui.strong(format!("Among ordinary regions, {}", variant.title()));
    let Some(map) = state.map(label, variant) else {
        return;
    };
    let Some(ordinary) = &map.ordinary else {
        let reason = state.no_ordinary_regions();
        ui.weak(reason.unwrap_or("This label's responses over ordinary regions do not vary"));
        return;
    };
    let (usual, own) = (
        shares(ordinary, ordinary.sorted()),
        shares(ordinary, &map.responses),
    );
    let colour = variant_colour(ui.visuals(), variant);
    let grey = ui.visuals().weak_text_color().gamma_multiply(0.6);
    let shown = plot("histogram")
        .legend(Legend::default())
        .x_axis_label("σ above ordinary")
        .show(ui, |plot| {
            for (name, bars, colour) in [
                ("ordinary regions", usual, grey),
                ("this photo’s regions", own, colour.gamma_multiply(0.7)),
            ] {
                plot.bar_chart(BarChart::new(name, bars).color(colour));
            }
        });
    let above = map
        .responses
        .iter()
        .filter(|&&m| ordinary.sigma(m) >= 2.0)
        .count();
    let text = format!("{above} of {} regions lie above 2 σ", map.responses.len());
    describe(
        &shown.response,
        &format!("Histogram of {label}"),
        text.clone(),
    );
    ui.weak(format!(
        "Percent of {} ordinary regions and of this photo’s {}; {text}.",
        ordinary.sorted().len(),
        map.responses.len()
    ));
}

/// Percent of responses in each bin of σ, from −4 to 8; what lies beyond counts in the last ones.
fn shares(ordinary: &OrdinaryResponses, responses: &[f32]) -> Vec<Bar> {
    const LOW: f32 = -4.0;
    const HIGH: f32 = 8.0;
    let width = (HIGH - LOW) / BINS as f32;
    let mut counts = [0u32; BINS];
    for &response in responses {
        let bin = ((ordinary.sigma(response) - LOW) / width).max(0.0) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let all = responses.len().max(1) as f64;
    let bars = counts.into_iter().enumerate().map(|(bin, count)| {
        let middle = f64::from(LOW + width * (bin as f32 + 0.5));
        Bar::new(middle, 100.0 * f64::from(count) / all).width(f64::from(width))
    });
    bars.collect()
}

/// A plot that stays where it is: its axes follow what is in it.
fn plot<'a>(name: &'static str) -> Plot<'a> {
    Plot::new(name)
        .height(HEIGHT)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .auto_bounds(Vec2b::TRUE)
}

/// A plot for those who do not see it.
pub fn describe(response: &egui::Response, name: &str, value: String) {
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, name));
    response
        .ctx
        .accesskit_node_builder(response.id, |node| node.set_value(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_over_k_are_means_of_the_largest() {
        assert_eq!(over_k(&[1.0, 5.0, 3.0]), [5.0, 4.0, 3.0]);
        assert!(over_k(&[]).is_empty());
        let curves = [Curve {
            variant: VariantId::BIAM,
            scores: vec![5.0, 4.0],
        }];
        assert_eq!(table(&curves, "σ"), "k\tbiam (σ)\n1\t5\n2\t4\n");
        assert_eq!(summary(&curves, 2, "σ"), "k = 2, σ: BiAM 4.00");
    }

    #[test]
    fn every_response_falls_into_a_bin() {
        let ordinary = OrdinaryResponses::new(vec![-1.0, 1.0]).expect("they vary");
        let bars = shares(&ordinary, &[-99.0, 0.1, 99.0, 99.0]);
        let sum: f64 = bars.iter().map(|bar| bar.value).sum();
        assert_eq!(sum, 100.0);
        assert_eq!(bars[BINS - 1].value, 50.0);
        assert_eq!(bars[0].value, 25.0);
    }
}
