//! The network: latent features, RCB, SCB, fusion, region classifier, top-k pooling.

pub mod config;
pub mod pooling;

pub use config::Variant;
