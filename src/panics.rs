//! Turning the panic of a library that should have returned an error into an error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; should it panic, its message (one line) comes back and nothing is printed.
///
/// Only for calls into libraries that panic on bad input: what they leave half done must be
/// dropped with them. Panics elsewhere print as ever.
///
/// # Errors
/// The first line of the panic's message.
pub fn quietly_caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CATCHING.get() {
                loud(info);
            }
        }));
    });
    let nested = CATCHING.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(nested);
    outcome.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = match payload.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => payload.downcast_ref::<&str>().copied().unwrap_or(""),
    };
    text.lines().next().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(quietly_caught(|| 3), Ok(3));
        let caught = quietly_caught::<()>(|| panic!("decoder bug {}\nat line 3", 7));
        assert_eq!(caught, Err("decoder bug 7".to_owned()));
        assert!(!CATCHING.get());
    }

    #[test]
    fn calls_may_nest() {
        let caught = quietly_caught(|| {
            let inner = quietly_caught::<()>(|| panic!("inner"));
            assert!(CATCHING.get());
            inner
        });
        assert_eq!(caught, Ok(Err("inner".to_owned())));
        assert!(!CATCHING.get());
    }
}
