//! Views of the full network in which one block is silenced.
//!
//! A view is not the network that was trained with the other block alone: fusion and classifier still
//! expect both. It shows what each block brings to a network of which there is only the full one.

use std::sync::Arc;

use candle_core::Result;

use super::biam::{Biam, EncodeOptions, Encoded};
use super::config::Variant;
use crate::backbone::RegionFeatures;

/// A block of the full network that can be switched off to see what the other one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    Rcb,
    Scb,
}

/// What stands in the place of a silenced block's half of [e_r; e_g].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filler {
    /// Its mean over ordinary regions.
    Mean,
    /// Zero, where no such mean is known.
    Zero,
}

/// The full network with one block silenced.
pub struct SilencedView {
    network: Arc<Biam>,
    block: Block,
}

impl SilencedView {
    /// A view of `network`, which must be the full one to encode anything.
    pub fn new(network: Arc<Biam>, block: Block) -> Self {
        Self { network, block }
    }

    /// Which view it is.
    pub fn variant(&self) -> Variant {
        Variant::Silenced(self.block, self.network.filler())
    }

    /// The network that is looked at.
    pub fn network(&self) -> &Biam {
        &self.network
    }

    /// As [`Biam::encode`].
    ///
    /// # Errors
    /// Options that silence a block themselves, and as [`Biam::encode`].
    pub fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        if options.silence.is_some_and(|other| other != self.block) {
            candle_core::bail!("a view with one block silenced has no other to silence")
        }
        let options = EncodeOptions {
            silence: Some(self.block),
            ..options.clone()
        };
        self.network.encode(photos, &options)
    }
}
