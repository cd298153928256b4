//! Presentation: the maps alone on the whole screen, with large text and a pointer that all see.

use egui::{Color32, Id, LayerId, Order, Stroke};

use super::state::AppState;

/// How much larger everything written is than beside the panels.
const LARGER: f32 = 1.4;
/// The largest text that leaves room for maps.
const LARGEST: f32 = 2.4;
/// Radius of the ring about the pointer, in points.
const RING: f32 = 20.0;

/// Size of everything on screen, 1 is normal.
pub fn zoom(state: &AppState) -> f32 {
    match state.full_screen {
        true => (state.zoom * LARGER).min(LARGEST).max(state.zoom),
        false => state.zoom,
    }
}

/// A ring about the pointer.
pub fn pointer(ctx: &egui::Context, state: &AppState) {
    let Some(at) = ctx.pointer_hover_pos().filter(|_| state.full_screen) else {
        return;
    };
    let painter = ctx.layer_painter(LayerId::new(Order::Tooltip, Id::unique("pointer")));
    let colour = ctx.global_style().visuals.warn_fg_color;
    painter.circle_stroke(at, RING, Stroke::new(5.0, Color32::from_black_alpha(120)));
    painter.circle_stroke(at, RING, Stroke::new(3.0, colour));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_larger_on_the_whole_screen_and_never_smaller_than_chosen() {
        let mut state = AppState::new(Vec::new(), &["a"], &[]);
        assert_eq!(zoom(&state), 1.0);
        state.full_screen = true;
        assert_eq!(zoom(&state), LARGER);
        state.zoom = 2.0;
        assert_eq!(zoom(&state), LARGEST);
    }
}
