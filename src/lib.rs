//! BiAM Lens: see where a multi-label zero-shot network looks.
//!
//! The network is BiAM (Narayan et al., "Discriminative Region-based Multi-Label Zero-Shot
//! Learning", ICCV 2021). One photo goes through the rooms from top to bottom:
//!
//! ```text
//! photo ─ image_io ─► backbone ─ (x_r, x_g) ─► model: latent → RCB ┐
//!                                                      └──► SCB ┴► fuse → e_f ─► region classifier ─ m ─► scores
//! typed label ─ semantics ─────────────────────────────────────── label vectors A ──┘
//! ```
//!
//! [`engine`] owns the loaded networks and every cache; [`app`] and [`cli`] only send it requests
//! and show its replies; [`figure`] turns replies into pictures.

// Not for tests, whose messages are their failures. What `Cargo.toml` says holds for both.
#![cfg_attr(
    not(test),
    deny(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod app;
pub mod backbone;
pub mod bundle;
pub mod checkpoint;
pub mod cli;
pub mod dataset;
pub mod engine;
pub mod eval;
pub mod fetch;
pub mod figure;
pub mod files;
pub mod image_io;
pub mod kernels;
pub mod model;
pub mod panics;
pub mod semantics;
pub mod train;
