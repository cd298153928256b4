//! Which scale maps are coloured by, and where it ends.

use egui::Ui;

use super::commands::Command;
use super::display::together;
use super::panel;
use super::state::AppState;
use crate::engine::ResponseMap;
use crate::figure::scale::{ScaleMode, panel_values, raw_range};

/// The list of scales.
pub fn scale_choice(ui: &mut Ui, state: &mut AppState) {
    let now = state.display.scale;
    let missing = state.no_ordinary_regions();
    let label = ui.label("Scale");
    let response = egui::ComboBox::from_id_salt("scale")
        .selected_text(now.title())
        .width(196.0)
        .height(320.0)
        .show_ui(ui, |ui| {
            for mode in ScaleMode::ALL {
                let reason = missing.filter(|_| mode.needs_ordinary_regions());
                let choice = egui::Button::selectable(mode == now, mode.title());
                let response = ui.add_enabled(reason.is_none(), choice);
                if response.clicked() {
                    state.commands.push_back(Command::Scale(mode));
                }
                match reason {
                    Some(reason) => response.on_disabled_hover_text(reason),
                    None => response.on_hover_text(scale_sentence(mode)),
                };
            }
        })
        .response;
    response
        .labelled_by(label.id)
        .on_hover_text(scale_sentence(now));
}

impl AppState {
    /// Changes the scale; a fixed range begins with the values on screen.
    pub fn choose_scale(&mut self, mode: ScaleMode) {
        if mode == ScaleMode::Fixed
            && self.display.scale != mode
            && let Some([low, high]) = raw_range(self.shown_maps().into_iter())
        {
            // Short numbers that still hold every value.
            let short = |value: f32, round: fn(f32) -> f32| round(value * 100.0) / 100.0;
            self.display.ranges.fixed = [short(low, f32::floor), short(high, f32::ceil)];
        }
        self.display.scale = mode;
    }

    /// Ends the scale of σ at a value; a threshold stays at the σ where it is.
    pub fn set_highest_sigma(&mut self, highest: f32) {
        let [least, most] = SIGMA_ENDS;
        let highest = highest.clamp(least, most);
        let before = std::mem::replace(&mut self.display.ranges.highest_sigma, highest);
        if self.display.scale == ScaleMode::Sigma {
            self.display.threshold = (self.display.threshold * before / highest).min(1.0);
        }
    }

    /// The next half σ above all that is on screen.
    fn highest_sigma_shown(&self) -> Option<f32> {
        let values = |map| panel_values(map, ScaleMode::Sigma);
        let maps = self.shown_maps().into_iter();
        let sigmas = maps
            .filter_map(values)
            .flatten()
            .filter(|sigma| sigma.is_finite());
        sigmas
            .reduce(f32::max)
            .map(|highest| (2.0 * highest).ceil() / 2.0)
    }

    /// The maps that are on screen.
    fn shown_maps(&self) -> Vec<&ResponseMap> {
        let labels = self.shown_labels();
        let of_variant = |variant| {
            let map = move |&label: &usize| self.map(panel::text(self, label), variant);
            labels.iter().filter_map(map)
        };
        self.shown_variants()
            .into_iter()
            .flat_map(of_variant)
            .collect()
    }
}

/// What a scale shows, in a sentence.
pub fn scale_sentence(mode: ScaleMode) -> &'static str {
    match mode {
        ScaleMode::Sigma => {
            "(response - mean) / standard deviation over ordinary regions of training photos: \
             comparable between labels and networks"
        }
        ScaleMode::RawPanel => {
            "Each panel from its own lowest to its own highest response: shows where, not how much"
        }
        ScaleMode::RawLabel => {
            "One range for all networks of a label; raw responses of two networks are not comparable"
        }
        ScaleMode::RawVariant => "One range for all labels of a network",
        ScaleMode::Fixed => "Raw responses between the two values you give",
        ScaleMode::Rank => "The share of ordinary regions that respond less",
    }
}

/// Where the scale of σ may end.
pub const SIGMA_ENDS: [f32; 2] = [1.0, 100.0];

/// Where the scale of σ ends.
pub fn sigma_range(ui: &mut Ui, state: &mut AppState) {
    together(ui, 138.0, |ui| {
        let label = ui.label("σ up to");
        let mut highest = state.display.ranges.highest_sigma;
        let value = egui::DragValue::new(&mut highest)
            .speed(0.05)
            .range(SIGMA_ENDS[0]..=SIGMA_ENDS[1])
            .max_decimals(1)
            .suffix(" σ");
        let response = ui.add(value).labelled_by(label.id);
        if response
            .on_hover_text("Where the scale ends, for every panel and photo alike; usually 5 σ")
            .changed()
        {
            state.set_highest_sigma(highest);
        }
        let known = state.shown_comparison().is_some();
        let fit = ui.add_enabled(known, egui::Button::new("Fit").small());
        let fit = fit.on_hover_text("End it at the highest σ on screen");
        if let (true, Some(highest)) = (fit.clicked(), state.highest_sigma_shown()) {
            state.set_highest_sigma(highest);
        }
    });
}

/// Both ends of a fixed range.
pub fn fixed_range(ui: &mut Ui, fixed: &mut [f32; 2]) {
    let [low, high] = fixed;
    for (value, name) in [(low, "Lowest value"), (high, "Highest value")] {
        ui.name_inputs(name, |ui| {
            ui.add(egui::DragValue::new(value).speed(0.02).max_decimals(3))
                .on_hover_text(name);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_stays_at_its_sigma_where_the_scale_changes() {
        let mut state = AppState::new(Vec::new(), &[], &[]);
        state.display.threshold = 0.4;
        state.set_highest_sigma(10.0);
        assert_eq!(state.display.ranges.highest_sigma, 10.0);
        assert_eq!(state.display.threshold, 0.2, "2 σ both times");
        state.set_highest_sigma(0.0);
        assert_eq!(state.display.ranges.highest_sigma, SIGMA_ENDS[0]);
        assert_eq!(state.display.threshold, 1.0);
    }
}
