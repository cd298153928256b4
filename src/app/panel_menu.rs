//! The menu of a panel, by the other mouse button.

use egui::{Id, Response, Ui};

use super::panel::{self, Act, Look, Subject};
use super::read_out;
use super::state::Pointed;

/// Opens the menu of a panel when it is asked for.
pub fn show(response: &Response, look: Look<'_>, subject: Subject, acts: &mut Vec<Act>) {
    let id = response.id.with("menu place");
    if response.secondary_clicked() {
        // While the menu is open the pointer is in it, no longer in the panel.
        response
            .ctx
            .data_mut(|data| data.insert_temp(id, look.pointed));
    }
    response.context_menu(|ui| contents(ui, id, look, subject, acts));
}

fn contents(ui: &mut Ui, id: Id, look: Look<'_>, subject: Subject, acts: &mut Vec<Act>) {
    let state = look.state;
    let Subject { label, variant, .. } = subject;
    let pointed: Option<Pointed> = ui.data(|data| data.get_temp(id)).flatten();
    let text = pointed.and_then(|pointed| read_out::sentence_at(state, pointed));
    let copy = ui.add_enabled(text.is_some(), egui::Button::new("Copy this value"));
    if copy.clicked() {
        ui.copy_text(text.unwrap_or_default());
        ui.close();
    }
    let save = egui::Button::new("Save this panel…");
    if subject.less.is_none() && ui.add_enabled(state.is_current(), save).clicked() {
        acts.push(Act::Save(label, variant));
        ui.close();
    }
    ui.separator();
    if ui.button("Make large").clicked() {
        acts.push(Act::MakeLarge(label, variant));
        ui.close();
    }
    let variants = state.shown_variants().len();
    let compare = egui::Button::new("Compare A/B with the next variant");
    if ui.add_enabled(variants > 1, compare).clicked() {
        acts.push(Act::CompareWithNext(label, variant));
        ui.close();
    }
    ui.separator();
    let hide = egui::Button::new(format!("Hide {}", variant.title()));
    let hide = ui.add_enabled(variants > 1 || state.show_input, hide);
    if hide.clicked() {
        acts.push(Act::HideVariant(variant));
        ui.close();
    }
    let hide = format!("Hide the label {}", panel::text(state, label));
    let several = state.shown_labels().len() > 1;
    if ui.add_enabled(several, egui::Button::new(hide)).clicked() {
        acts.push(Act::HideLabel(label));
        ui.close();
    }
}
