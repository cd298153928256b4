//! Letters that come in the same frame as the key that moves the keyboard to another field: they
//! wait for the next frame, in which that field has it, so that fast typing loses none.

use egui::{Event, Key};

/// What waits for the next frame.
#[derive(Default)]
pub struct Typing {
    waiting: Vec<Event>,
}

impl Typing {
    /// Leaves this frame the events up to the first key that moves the keyboard, if text follows.
    pub fn one_field_a_frame(&mut self, ctx: &egui::Context) {
        ctx.input_mut(|input| {
            let mut events = std::mem::take(&mut self.waiting);
            events.append(&mut input.events);
            self.waiting = split(&mut events);
            input.events = events;
        });
        if !self.waiting.is_empty() {
            ctx.request_repaint();
        }
    }
}

/// Takes off what follows the first key that moves the keyboard, where text is among that.
fn split(events: &mut Vec<Event>) -> Vec<Event> {
    let is_text = |event: &Event| matches!(event, Event::Text(_));
    match events.iter().position(moves_keyboard) {
        Some(at) if events[at..].iter().any(is_text) => events.split_off(at + 1),
        _ => Vec::new(),
    }
}

/// Enter, Escape, Tab and the shortcuts; those with Alt may send a letter of their own, which
/// belongs to them.
fn moves_keyboard(event: &Event) -> bool {
    match event {
        Event::Key {
            key,
            pressed: true,
            modifiers,
            ..
        } => modifiers.command || matches!(key, Key::Enter | Key::Escape | Key::Tab),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::Modifiers;

    fn key(key: Key, modifiers: Modifiers) -> Event {
        Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers,
        }
    }

    #[test]
    fn text_after_a_key_that_moves_the_keyboard_waits() {
        let text = |text: &str| Event::Text(text.to_owned());
        let mut events = vec![
            key(Key::L, Modifiers::COMMAND),
            text("dog"),
            key(Key::Enter, Modifiers::NONE),
            text("cat"),
        ];
        let mut rest = split(&mut events);
        assert_eq!(events, [key(Key::L, Modifiers::COMMAND)]);
        let last = split(&mut rest);
        assert_eq!(rest, [text("dog"), key(Key::Enter, Modifiers::NONE)]);
        assert_eq!(last, [text("cat")]);
        for whole in [
            vec![text("a"), key(Key::Enter, Modifiers::NONE)],
            vec![key(Key::Num3, Modifiers::ALT), text("3")],
        ] {
            let mut events = whole.clone();
            assert!(split(&mut events).is_empty());
            assert_eq!(events, whole);
        }
    }
}
