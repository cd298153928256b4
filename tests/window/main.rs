//! The window, driven by the names of its widgets, against an engine that is made up.

mod desk;
#[path = "../fake_engine/mod.rs"]
mod fake_engine;
mod fake_window;
mod first_use;
mod inside;
mod labels;
mod layouts;
mod pictures;
mod settings;
