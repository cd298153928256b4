//! The help window: what the words mean, and every command with its keys.

use egui::{Ui, vec2};

use super::commands;
use super::keys;
use super::state::{AppState, Focus};
use super::theme::status_sentence;
use super::variants::variant_sentence;
use crate::model::VariantId;
use crate::semantics::LabelStatus;

const USE: &str = "Drop photos or folders anywhere. Point at a panel to read its values; Ctrl and \
                   the wheel zoom into it, dragging moves it, a double click shows all. \
                   Click a region to look inside the networks: what its response is the sum of, \
                   where it looks, how scores are pooled, what covering a part of the photo does.";

/// The field's words beyond those of labels and variants.
const WORDS: [(&str, &str); 11] = [
    (
        "σ",
        "How many standard deviations a response lies above the mean of the same label's \
         responses over regions of ordinary photos. Comparable between labels and networks.",
    ),
    (
        "Raw response",
        "What the network says of a label in a region. Each network has a scale of its own: not \
         comparable between networks.",
    ),
    (
        "Region",
        "One square of the grid that the network sees the photo as.",
    ),
    (
        "k",
        "A label's score is the mean of its k strongest regions; Marks outlines them.",
    ),
    (
        "Part of a response",
        "With the pattern of which outputs of the fusion are positive held, a response is a sum of \
         what h_r, RCB, SCB and a shortcut bring and of what is the same for all labels. Each part \
         is a map of its own.",
    ),
    (
        "Attention",
        "Shares, of 100 % together, in which RCB mixes the other regions into one; each head has \
         its own. Low entropy: it looks at few regions.",
    ),
    (
        "Gate r_g",
        "How far SCB opens each channel for this scene: 1 open, 0 closed.",
    ),
    (
        "Occlusion",
        "How far a score falls when a part of the photo is covered with the photo's mean colour.",
    ),
    (
        "Full screen",
        "The maps alone with larger text and a ring about the pointer, for a projector.",
    ),
    (
        "Ordinary photos",
        "Photos of everyday things that come with the model, against which σ and ranks are \
         measured.",
    ),
    (
        "ZSL, GZSL",
        "Zero-shot learning ranks labels without a training photo; generalised, all labels \
         together.",
    ),
];

/// The window, when it is open.
pub fn show(ctx: &egui::Context, state: &mut AppState) {
    let mut open = state.open.help;
    let most = ctx.content_rect().size() - vec2(40.0, 90.0);
    egui::Window::new("Words, commands and keys")
        .open(&mut open)
        .default_size(vec2(500.0, 520.0).min(most))
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(ctx.content_rect().center())
        .collapsible(false)
        .show(ctx, |ui| {
            ui.label(USE);
            ui.separator();
            egui::ScrollArea::vertical().show(ui, |ui| contents(ui, state));
        });
    state.open.help &= open;
    if state.open.help && ctx.input(|input| input.key_pressed(egui::Key::Escape)) {
        state.open.help = false;
    }
}

fn contents(ui: &mut Ui, state: &mut AppState) {
    let words = ui.strong("Words");
    if state.open.focus == Some(Focus::Help) {
        state.open.focus = None;
        words.request_focus();
    }
    for (word, meaning) in WORDS {
        explain(ui, word, meaning);
    }
    for status in [LabelStatus::Seen, LabelStatus::Taught, LabelStatus::Unseen] {
        let (word, meaning) = split_sentence(status_sentence(status));
        explain(ui, word, meaning);
    }
    for variant in VariantId::PAPER {
        explain(ui, variant.title(), variant_sentence(Some(variant)));
    }
    for menu in commands::Menu::ALL {
        ui.add_space(6.0);
        ui.strong(menu.title());
        keys_table(ui, menu);
    }
}

/// `Seen: a label …` as its word and its meaning.
fn split_sentence(sentence: &str) -> (&str, &str) {
    sentence.split_once(": ").unwrap_or(("", sentence))
}

fn explain(ui: &mut Ui, word: &str, meaning: &str) {
    ui.horizontal_wrapped(|ui| {
        ui.strong(word);
        ui.label(meaning);
    });
}

fn keys_table(ui: &mut Ui, menu: commands::Menu) {
    let grid = egui::Grid::new(menu.title())
        .num_columns(2)
        .min_col_width(220.0);
    grid.show(ui, |ui| {
        for entry in commands::entries().iter().filter(|e| e.menu == menu) {
            ui.label(&entry.name);
            let keys = entry
                .shortcut
                .map(|shortcut| keys::keys_text(ui.ctx(), &shortcut));
            ui.monospace(keys.unwrap_or_default());
            ui.end_row();
        }
    });
}
