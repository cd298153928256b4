//! The network: latent features, RCB, SCB, fusion, region classifier, top-k pooling.

pub mod biam;
pub mod coarse_grid;
pub mod config;
pub mod dropout;
pub mod layers;
pub mod network;
pub mod pooling;
pub mod rcb;
pub mod region_ablation;
pub mod region_classifier;
pub mod ridge;
pub mod scb;
pub mod silenced;

pub use biam::{Biam, EncodeOptions, Encoded, Trace};
pub use config::{ConfigError, ModelConfig, Preset, Variant};
pub use network::Network;
pub use ridge::Ridge;
pub use silenced::{Block, Filler, SilencedView};
