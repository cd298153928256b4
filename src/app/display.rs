//! Display settings: the scale, the colours, the overlay; and the colour bar that names the scale.

use egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::commands::Command;
use super::scale_choice::{fixed_range, scale_choice, scale_sentence, sigma_range};
use super::state::AppState;
use super::view::PanelLayout;
use crate::engine::Comparison;
use crate::figure::colour_map::ColourMap;
use crate::figure::interpolation::Interpolation;
use crate::figure::overlay::{self, OverlayStyle};
use crate::figure::scale::{Scale, ScaleMode, ScaleRanges, panel_scale};

/// How response maps are painted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Display {
    pub scale: ScaleMode,
    /// The ends of scales that are given.
    pub ranges: ScaleRanges,
    /// Everything but the threshold, which is kept in [`Display::threshold`].
    pub style: OverlayStyle,
    /// Position on the scale, 0 to 1, below which nothing is painted.
    pub threshold: f32,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            scale: ScaleMode::default(),
            ranges: ScaleRanges::default(),
            style: OverlayStyle::default(),
            threshold: 0.0,
        }
    }
}

impl Display {
    /// Changes to a scale that can be had without ordinary regions.
    pub fn leave_ordinary_regions(&mut self) {
        if self.scale.needs_ordinary_regions() {
            self.scale = ScaleMode::RawPanel;
        }
    }

    /// The style of a panel with this scale: the threshold in the scale's own unit.
    pub fn style_on(&self, scale: &Scale) -> OverlayStyle {
        if scale.difference {
            return OverlayStyle {
                colour_map: ColourMap::Diverging,
                threshold: (self.threshold > 0.0).then_some(self.threshold * scale.high),
                ..self.style
            };
        }
        let threshold = scale.low + self.threshold * (scale.high - scale.low);
        OverlayStyle {
            threshold: (self.threshold > 0.0).then_some(threshold),
            ..self.style
        }
    }
}

impl Display {
    /// The style of a whole figure. A threshold has one unit only where all panels share a scale;
    /// elsewhere none is applied.
    pub fn style_for_all(&self, comparison: &Comparison) -> OverlayStyle {
        let mode = self.scale.available(comparison);
        if mode.is_shared() {
            self.style_on(&panel_scale(comparison, 0, 0, mode, &self.ranges))
        } else {
            self.style
        }
    }
}

/// The row of settings above the comparison.
pub fn show(ui: &mut Ui, state: &mut AppState) {
    // Where it would take a third of the height, one button holds it.
    let rows = (ROW_WIDTH / ui.available_width()).ceil() * ui.spacing().interact_size.y;
    if rows > ui.available_height() / 6.0 {
        let behaviour = egui::containers::menu::MenuConfig::new()
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        let button = egui::containers::menu::MenuButton::new("Display settings").config(behaviour);
        button.ui(ui, |ui| {
            ui.set_max_width(300.0);
            settings(ui, state);
        });
    } else {
        settings(ui, state);
    }
}

/// How wide all settings are side by side, in points.
const ROW_WIDTH: f32 = 1530.0;

fn settings(ui: &mut Ui, state: &mut AppState) {
    let own = (state.layout() == PanelLayout::Difference).then_some(
        "A difference is always shown in σ, from one variant to the other, in colours of its own",
    );
    ui.horizontal_wrapped(|ui| {
        applies(ui, own, |ui| {
            together(ui, 240.0, |ui| scale_choice(ui, state));
            if state.display.scale == ScaleMode::Fixed && own.is_none() {
                fixed_range(ui, &mut state.display.ranges.fixed);
            }
            together(ui, 136.0, |ui| colour_choice(ui, state));
        });
        if state.display.scale == ScaleMode::Sigma || own.is_some() {
            sigma_range(ui, state);
        }
        together(ui, 148.0, |ui| smoothing_choice(ui, state));
        opacity(ui, &mut state.display.style.opacity);
        threshold(ui, &mut state.display);
        let style = &mut state.display.style;
        ui.checkbox(&mut style.contours, "Contours")
            .on_hover_text("Lines of equal value: 2, 3 and 4 σ on the default scale");
        let marks = "Outline the regions that the score is made of";
        applies(
            ui,
            own.and(Some("A difference has no score of its own")),
            |ui| {
                together(ui, 66.0, |ui| {
                    ui.checkbox(&mut style.marks, "Marks").on_hover_text(marks);
                });
            },
        );
        pooled_regions(ui, state);
    });
}

/// Widgets that are greyed where they do not apply, with the reason under the pointer.
fn applies(ui: &mut Ui, reason: Option<&str>, widgets: impl FnOnce(&mut Ui)) {
    let response = ui.add_enabled_ui(reason.is_none(), widgets).response;
    if let Some(reason) = reason {
        response.on_hover_text(reason);
    }
}

fn opacity(ui: &mut Ui, value: &mut f32) {
    let mut percent = *value * 100.0;
    let slider = egui::Slider::new(&mut percent, 0.0..=100.0)
        .fixed_decimals(0)
        .suffix(" %");
    if named_slider(ui, "Opacity", slider).changed() {
        *value = percent / 100.0;
    }
}

fn threshold(ui: &mut Ui, display: &mut Display) {
    // On the default scale the number is in σ, elsewhere the part of the scale that is cut off.
    let (full, unit, decimals) = match display.scale {
        ScaleMode::Sigma => (display.ranges.highest_sigma, " σ", 1),
        _ => (100.0, " %", 0),
    };
    let mut shown = display.threshold * full;
    let slider = egui::Slider::new(&mut shown, 0.0..=full)
        .fixed_decimals(decimals)
        .suffix(unit);
    let response = named_slider(ui, "Threshold", slider)
        .on_hover_text("Regions below this part of the scale show the photo alone");
    if response.changed() {
        display.threshold = shown / full;
    }
}

/// How many regions a score is made of; everything that depends on it follows at once.
fn pooled_regions(ui: &mut Ui, state: &mut AppState) {
    let Some(trained) = state.trained_k() else {
        return;
    };
    // While the next photo is computed the last one's grid keeps the slider as it is.
    let known = state.replies.comparison.as_ref();
    let regions = known.map_or(trained, |known| known.grid.regions());
    let mut k = state.pooled_k();
    together(ui, 228.0, |ui| {
        ui.spacing_mut().slider_width = 60.0;
        let label = ui.label("k");
        let slider = egui::Slider::new(&mut k, 1..=regions.max(1)).logarithmic(true);
        let response = ui.add(slider).labelled_by(label.id).on_hover_text(
            "A score is the mean of a map's k largest responses. Marks and ranking follow at \
             once; the maps do not depend on k.",
        );
        if response.changed() {
            state.k = (k != trained).then_some(k);
        }
        let changed = k != trained;
        let text = format!("trained: {trained}");
        let button = ui.add_enabled(changed, egui::Button::new(text).small());
        if button
            .on_hover_text("Back to the k that the networks were trained with")
            .clicked()
        {
            state.give(Command::TrainedK);
        }
    });
}

fn named_slider(ui: &mut Ui, name: &str, slider: egui::Slider<'_>) -> egui::Response {
    together(ui, 184.0, |ui| {
        ui.spacing_mut().slider_width = 60.0;
        let label = ui.label(name);
        ui.add(slider).labelled_by(label.id)
    })
}

/// A name and its widget: of a known width, so that both move to the next line where they do not
/// fit.
pub fn together<R>(ui: &mut Ui, width: f32, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let size = vec2(width, ui.spacing().interact_size.y);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.allocate_ui_with_layout(size, layout, contents).inner
}

fn colour_choice(ui: &mut Ui, state: &mut AppState) {
    let now = state.display.style.colour_map;
    let label = ui.label("Colours");
    let combo = egui::ComboBox::from_id_salt("colours")
        .selected_text(now.name())
        .width(84.0)
        .height(320.0)
        .show_ui(ui, |ui| {
            for map in ColourMap::ALL {
                if swatch_row(ui, map, map == now).clicked() {
                    state.commands.push_back(Command::Colours(map));
                    ui.close();
                }
            }
        });
    combo.response.labelled_by(label.id);
}

/// A colour map's name beside its colours.
fn swatch_row(ui: &mut Ui, map: ColourMap, selected: bool) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(vec2(170.0, 22.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, map.name()));
    let visuals = ui.style().interact_selectable(&response, selected);
    if selected || response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, 3.0, visuals.weak_bg_fill);
    }
    ui.painter().text(
        rect.left_center() + vec2(6.0, 0.0),
        egui::Align2::LEFT_CENTER,
        map.name(),
        egui::TextStyle::Button.resolve(ui.style()),
        visuals.text_color(),
    );
    let swatch = Rect::from_min_max(
        pos2(rect.left() + 80.0, rect.top() + 5.0),
        pos2(rect.right() - 6.0, rect.bottom() - 5.0),
    );
    paint_colours(ui.painter(), swatch, map);
    response
}

fn smoothing_choice(ui: &mut Ui, state: &mut AppState) {
    let now = state.display.style.interpolation;
    let label = ui.label("Smoothing");
    let combo = egui::ComboBox::from_id_salt("smoothing")
        .selected_text(now.name())
        .width(76.0)
        .show_ui(ui, |ui| {
            for mode in Interpolation::ALL {
                if ui.selectable_label(mode == now, mode.name()).clicked() {
                    state.commands.push_back(Command::Smoothing(mode));
                }
            }
        });
    combo.response.labelled_by(label.id);
}

/// Paints a colour map from left (low) to right (high).
fn paint_colours(painter: &egui::Painter, rect: Rect, map: ColourMap) {
    paint_gradient(painter, rect, 48, |t| map.colour(t));
}

fn paint_gradient(painter: &egui::Painter, rect: Rect, steps: u32, at: impl Fn(f32) -> [u8; 3]) {
    let mut mesh = egui::Mesh::default();
    for step in 0..=steps {
        let t = step as f32 / steps as f32;
        let [red, green, blue] = at(t);
        #[allow(
            clippy::disallowed_methods,
            reason = "a colour of the map, not the window's"
        )]
        let colour = Color32::from_rgb(red, green, blue);
        let x = egui::lerp(rect.x_range(), t);
        mesh.colored_vertex(pos2(x, rect.top()), colour);
        mesh.colored_vertex(pos2(x, rect.bottom()), colour);
        if step > 0 {
            let first = 2 * (step - 1);
            mesh.add_triangle(first, first + 1, first + 2);
            mesh.add_triangle(first + 1, first + 2, first + 3);
        }
    }
    painter.add(mesh);
}

/// Height of the colour bar with its texts, in points.
pub const BAR_HEIGHT: f32 = 34.0;

/// The colour bar: which colour is which value, and of what.
pub fn colour_bar(ui: &mut Ui, state: &AppState) {
    let scale = shown_scale(state);
    let name = match scale {
        Some(scale) => scale.label().to_owned(),
        None => format!("{} (low to high)", state.display.scale.title()),
    };
    let size = vec2(ui.available_width().min(460.0), BAR_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Colour bar: {name}")));
    let font = egui::TextStyle::Small.resolve(ui.style());
    let text_colour = ui.visuals().text_color();
    let painter = ui.painter();
    let title = painter.layout_no_wrap(name, font.clone(), text_colour);
    let bar = Rect::from_min_max(
        rect.min + vec2(4.0, 4.0),
        pos2(rect.right() - title.size().x - 18.0, rect.top() + 16.0),
    );
    paint_bar(painter, bar, &state.display, scale);
    let at = pos2(bar.right() + 12.0, bar.center().y - title.size().y / 2.0);
    painter.galley(at, title, text_colour);
    let outline = egui::Stroke::new(1.0, text_colour);
    for (value, text) in scale.map(|scale| scale.ticks()).unwrap_or_default() {
        let position = scale.map_or(0.0, |scale| scale.position(value));
        let x = egui::lerp(bar.x_range(), position);
        painter.vline(x, bar.bottom()..=bar.bottom() + 3.0, outline);
        let align = match position {
            p if p < 0.02 => egui::Align2::LEFT_TOP,
            p if p > 0.98 => egui::Align2::RIGHT_TOP,
            _ => egui::Align2::CENTER_TOP,
        };
        painter.text(
            pos2(x, bar.bottom() + 3.0),
            align,
            text,
            font.clone(),
            text_colour,
        );
    }
    response.on_hover_text(scale_sentence(state.display.scale));
}

/// The colours as they lie over a photo: fading where the map lets it through.
fn paint_bar(painter: &egui::Painter, rect: Rect, display: &Display, scale: Option<Scale>) {
    let scale = scale.unwrap_or(Scale {
        mode: display.scale,
        low: 0.0,
        high: 1.0,
        difference: false,
    });
    const STEPS: u32 = 128;
    // The paper's grey: a colour bar over the window's background would change with the theme.
    let below = [128; 3];
    let style = display.style_on(&scale);
    let colours = overlay::colour_bar(STEPS + 1, 1, &scale, &style, below);
    paint_gradient(painter, rect, STEPS, |t| {
        let x = ((t * STEPS as f32) as u32).min(STEPS);
        colours.get_pixel(x, 0).0
    });
}

/// The scale of all panels, where they share one.
fn shown_scale(state: &AppState) -> Option<Scale> {
    let Display { scale, ranges, .. } = state.display;
    if state.layout() == PanelLayout::Difference {
        return Some(ranges.difference());
    }
    if !scale.is_shared() {
        return None;
    }
    match state.shown_comparison() {
        Some(comparison) => Some(panel_scale(comparison, 0, 0, scale, &ranges)),
        None => (scale == ScaleMode::Sigma).then(|| ranges.sigma()),
    }
}
