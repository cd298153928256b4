//! Networks. [`network`] is the door through which all others know them, [`registry`] lists them; then
//! come BiAM's parts: latent features, RCB, SCB, fusion, region classifier, top-k pooling.

pub mod biam;
pub mod biam_configuration;
pub mod coarse_grid;
pub mod config;
pub mod counts;
pub mod dropout;
pub mod inside;
pub mod kernel_baseline;
pub mod layers;
pub mod linear_start;
pub mod network;
pub mod ordinary_regions;
pub mod parts;
pub mod pooling;
pub mod rcb;
pub mod region_ablation;
pub mod region_attention;
pub mod region_classifier;
pub mod registry;
pub mod ridge;
pub mod scb;
pub mod silenced;
pub mod variant_id;

pub use biam::{Biam, BiamLearner};
pub use biam_configuration::PresetConfig;
pub use config::{Blocks, ConfigError, ModelConfig, Preset};
pub use inside::Inside;
pub use kernel_baseline::{KernelBaseline, KernelConfig};
pub use linear_start::LinearStart;
pub use network::{EncodeOptions, Encoded, Network, PreparedLabels, Responses, Takes, Trace};
pub use parts::{Part, ResponseParts};
pub use region_attention::RegionAttention;
pub use registry::{Architecture, Configuration, HeadFile, Training};
pub use ridge::Ridge;
pub use silenced::{Block, Filler, SilencedView};
pub use variant_id::VariantId;
