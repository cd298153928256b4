//! The menu of a panel, by the other mouse button.

use egui::{Id, Response, Ui};

use super::layer::Layer;
use super::panel::{self, Look, PanelAction, Subject};
use super::read_out;
use super::state::HoveredRegion;

/// Opens the menu of a panel when it is asked for.
pub fn show(response: &Response, look: Look<'_>, subject: Subject, actions: &mut Vec<PanelAction>) {
    let id = response.id.with("menu place");
    if response.secondary_clicked() {
        // While the menu is open the pointer is in it, no longer in the panel.
        response
            .ctx
            .data_mut(|data| data.insert_temp(id, look.hovered));
    }
    response.context_menu(|ui| contents(ui, id, look, subject, actions));
}

fn contents(ui: &mut Ui, id: Id, look: Look<'_>, subject: Subject, actions: &mut Vec<PanelAction>) {
    let state = look.state;
    let Subject { label, variant, .. } = subject;
    let hovered: Option<HoveredRegion> = ui.data(|data| data.get_temp(id)).flatten();
    let text = hovered.and_then(|hovered| read_out::sentence_at(state, hovered));
    let copy = ui.add_enabled(text.is_some(), egui::Button::new("Copy this value"));
    if copy.clicked() {
        ui.copy_text(text.unwrap_or_default());
        ui.close();
    }
    let save = egui::Button::new("Save this panel…");
    if subject.layer == Layer::Response && ui.add_enabled(state.is_current(), save).clicked() {
        actions.push(PanelAction::Save(label, variant));
        ui.close();
    }
    ui.separator();
    if ui.button("Make large").clicked() {
        actions.push(PanelAction::MakeLarge(label, variant));
        ui.close();
    }
    let variants = state.shown_variants().len();
    let compare = egui::Button::new("Compare A/B with the next variant");
    if ui.add_enabled(variants > 1, compare).clicked() {
        actions.push(PanelAction::CompareWithNext(label, variant));
        ui.close();
    }
    ui.separator();
    let hide = egui::Button::new(format!("Hide {}", variant.title()));
    let hide = ui.add_enabled(variants > 1 || state.show_input, hide);
    if hide.clicked() {
        actions.push(PanelAction::HideVariant(variant));
        ui.close();
    }
    let hide = format!("Hide the label {}", panel::text(state, label));
    let several = state.shown_labels().len() > 1;
    if ui.add_enabled(several, egui::Button::new(hide)).clicked() {
        actions.push(PanelAction::HideLabel(label));
        ui.close();
    }
}
