//! How the window looks: colours, spacing and text sizes, light and dark.

#![allow(clippy::disallowed_methods, reason = "the one place for colours")]

use egui::{Color32, CornerRadius, Stroke, TextStyle, Visuals};

use super::state::Theme;
use crate::semantics::LabelStatus;

/// Space between panels of the comparison and around groups, in points.
pub const GAP: f32 = 8.0;

/// Sets both themes once, when the window opens.
pub fn set_up(ctx: &egui::Context) {
    ctx.set_visuals_of(egui::Theme::Dark, dark());
    ctx.set_visuals_of(egui::Theme::Light, light());
    ctx.all_styles_mut(|style| {
        style.spacing.item_spacing = egui::vec2(8.0, 5.0);
        style.spacing.button_padding = egui::vec2(7.0, 3.0);
        style.spacing.interact_size.y = 22.0;
        style.spacing.menu_margin = egui::Margin::same(6);
        style.interaction.tooltip_delay = 0.3;
        for (text_style, size) in [
            (TextStyle::Small, 11.0),
            (TextStyle::Body, 13.0),
            (TextStyle::Button, 13.0),
            (TextStyle::Heading, 15.0),
        ] {
            style
                .text_styles
                .insert(text_style, egui::FontId::proportional(size));
        }
    });
    // The window has commands of its own for this, so that they are named and listed.
    ctx.options_mut(|options| {
        options.zoom_with_keyboard = false;
        // A turn of the wheel by one notch magnifies by a fifth.
        options.input_options.scroll_zoom_speed = 1.0 / 450.0;
    });
}

/// Brings the context in line with the chosen theme and size.
pub fn apply(ctx: &egui::Context, theme: Theme, zoom: f32) {
    let preference = match theme {
        Theme::System => egui::ThemePreference::System,
        Theme::Light => egui::ThemePreference::Light,
        Theme::Dark => egui::ThemePreference::Dark,
    };
    if ctx.options(|options| options.theme_preference) != preference {
        ctx.set_theme(preference);
    }
    if (ctx.zoom_factor() - zoom).abs() > 1e-3 {
        ctx.set_zoom_factor(zoom);
    }
}

fn dark() -> Visuals {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = Color32::from_gray(24);
    visuals.window_fill = Color32::from_gray(30);
    visuals.extreme_bg_color = Color32::from_gray(15);
    visuals.faint_bg_color = Color32::from_gray(32);
    visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(205);
    visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(215);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, Color32::from_gray(46));
    visuals.widgets.inactive.bg_stroke = Stroke::new(1.0, Color32::from_gray(58));
    visuals.weak_text_color = Some(Color32::from_gray(150));
    visuals.selection.bg_fill = Color32::from_rgb(36, 86, 128);
    visuals.selection.stroke = Stroke::new(1.0, Color32::from_rgb(222, 238, 255));
    visuals.hyperlink_color = Color32::from_rgb(110, 180, 240);
    visuals.error_fg_color = Color32::from_rgb(244, 120, 110);
    visuals.warn_fg_color = Color32::from_rgb(236, 180, 90);
    round(visuals)
}

fn light() -> Visuals {
    let mut visuals = Visuals::light();
    visuals.panel_fill = Color32::from_gray(248);
    visuals.window_fill = Color32::from_gray(252);
    visuals.extreme_bg_color = Color32::WHITE;
    visuals.faint_bg_color = Color32::from_gray(240);
    visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(45);
    visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(40);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, Color32::from_gray(214));
    visuals.widgets.inactive.bg_stroke = Stroke::new(1.0, Color32::from_gray(205));
    visuals.weak_text_color = Some(Color32::from_gray(98));
    visuals.selection.bg_fill = Color32::from_rgb(196, 222, 246);
    visuals.selection.stroke = Stroke::new(1.0, Color32::from_rgb(8, 48, 88));
    visuals.hyperlink_color = Color32::from_rgb(0, 92, 168);
    visuals.error_fg_color = Color32::from_rgb(180, 30, 24);
    visuals.warn_fg_color = Color32::from_rgb(150, 88, 0);
    round(visuals)
}

fn round(mut visuals: Visuals) -> Visuals {
    let radius = CornerRadius::same(4);
    let widgets = &mut visuals.widgets;
    for state in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        state.corner_radius = radius;
        state.expansion = 0.0;
    }
    visuals.window_corner_radius = CornerRadius::same(6);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.slider_trailing_fill = true;
    visuals
}

/// The colour that goes with a label's status; the word always stands beside it.
pub fn status_colour(visuals: &Visuals, status: LabelStatus) -> Color32 {
    match (status, visuals.dark_mode) {
        (LabelStatus::Seen, true) => Color32::from_rgb(120, 190, 140),
        (LabelStatus::Seen, false) => Color32::from_rgb(24, 110, 60),
        (LabelStatus::Taught, true) => Color32::from_rgb(224, 186, 100),
        (LabelStatus::Taught, false) => Color32::from_rgb(138, 92, 0),
        (LabelStatus::Unseen, true) => Color32::from_rgb(190, 160, 240),
        (LabelStatus::Unseen, false) => Color32::from_rgb(100, 60, 170),
    }
}

/// A status in one word.
pub fn status_word(status: LabelStatus) -> &'static str {
    match status {
        LabelStatus::Seen => "seen",
        LabelStatus::Taught => "taught",
        LabelStatus::Unseen => "unseen",
    }
}

/// What a status means, in a sentence.
pub fn status_sentence(status: LabelStatus) -> &'static str {
    match status {
        LabelStatus::Seen => "Seen: a label the networks were trained to rank.",
        LabelStatus::Taught => {
            "Taught: no training label, but the backbone's ImageNet classes know the word."
        }
        LabelStatus::Unseen => "Unseen: neither a training label nor a word the backbone knows.",
    }
}

/// A badge: the status word in its colour, framed. Returns its response for hover texts.
pub fn badge(ui: &mut egui::Ui, status: LabelStatus) -> egui::Response {
    let colour = status_colour(ui.visuals(), status);
    let font = TextStyle::Small.resolve(ui.style());
    let word = status_word(status);
    let text = ui.painter().layout_no_wrap(word.to_owned(), font, colour);
    let size = text.size() + egui::vec2(10.0, 3.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::hover());
    let stroke = Stroke::new(1.0, colour.gamma_multiply(0.6));
    let painter = ui.painter();
    painter.rect_stroke(rect, rect.height() / 2.0, stroke, egui::StrokeKind::Inside);
    painter.galley(rect.center() - text.size() / 2.0, text, colour);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, word));
    response.on_hover_text(status_sentence(status))
}

/// The colour of what raises a value or lowers it: the ends of the diverging map.
pub fn sign_colour(visuals: &Visuals, raises: bool) -> Color32 {
    match (raises, visuals.dark_mode) {
        (true, true) => Color32::from_rgb(220, 110, 96),
        (true, false) => Color32::from_rgb(184, 58, 46),
        (false, true) => Color32::from_rgb(104, 150, 220),
        (false, false) => Color32::from_rgb(50, 96, 178),
    }
}
