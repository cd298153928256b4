//! Views of the full network in which one block is silenced.
//!
//! A view is not the network that was trained with the other block alone: fusion and classifier still
//! expect both. It shows what each block brings to a network of which there is only the full one.

use std::sync::Arc;

use candle_core::{Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::biam::Biam;
use super::biam_configuration::{BIAM, PresetConfig};
use super::config::Blocks;
use super::counts::Counts;
use super::inside::Inside;
use super::network::{EncodeOptions, Encoded, Network, PreparedLabels, Takes, Trace, Trainable};
use super::registry::{self, Architecture, Configuration, HeadFile, Training};
use super::variant_id::VariantId;
use crate::backbone::RegionFeatures;

/// A block of the full network that can be switched off to see what the other one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    Rcb,
    Scb,
}

/// What stands in the place of a silenced block's half of [e_r; e_g].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filler {
    /// Its mean over ordinary regions.
    Mean,
    /// Zero, where no such mean is known.
    Zero,
}

pub(in crate::model) const SCB_MEAN: Architecture = Architecture {
    id: "biam-scb-silenced-mean",
    title: "BiAM, SCB silenced (mean)",
    sentence: "A view of the full network, not a network trained so: the scene block's half of the \
               fusion is its mean over ordinary regions",
    // The colour of the block that is heard.
    colours: super::biam_configuration::RCB.colours,
    training: Training::None,
    is_view: true,
    configuration: |settings| configuration(Block::Scb, Filler::Mean, settings),
    settings_of_head: |_| Err("a view has no file of its own".to_owned()),
    ..BIAM
};

pub(in crate::model) const SCB_ZERO: Architecture = Architecture {
    id: "biam-scb-silenced-zero",
    title: "BiAM, SCB silenced (zero)",
    sentence: "A view of the full network, not a network trained so: the scene block's half of the \
               fusion is zero",
    configuration: |settings| configuration(Block::Scb, Filler::Zero, settings),
    ..SCB_MEAN
};

pub(in crate::model) const RCB_MEAN: Architecture = Architecture {
    id: "biam-rcb-silenced-mean",
    title: "BiAM, RCB silenced (mean)",
    sentence: "A view of the full network, not a network trained so: the region block's half of the \
               fusion is its mean over ordinary regions",
    colours: super::biam_configuration::SCB.colours,
    configuration: |settings| configuration(Block::Rcb, Filler::Mean, settings),
    ..SCB_MEAN
};

pub(in crate::model) const RCB_ZERO: Architecture = Architecture {
    id: "biam-rcb-silenced-zero",
    title: "BiAM, RCB silenced (zero)",
    sentence: "A view of the full network, not a network trained so: the region block's half of the \
               fusion is zero",
    configuration: |settings| configuration(Block::Rcb, Filler::Zero, settings),
    ..RCB_MEAN
};

/// The name of a view.
pub const fn view(block: Block, filler: Filler) -> VariantId {
    VariantId::known(match (block, filler) {
        (Block::Scb, Filler::Mean) => SCB_MEAN.id,
        (Block::Scb, Filler::Zero) => SCB_ZERO.id,
        (Block::Rcb, Filler::Mean) => RCB_MEAN.id,
        (Block::Rcb, Filler::Zero) => RCB_ZERO.id,
    })
}

impl VariantId {
    /// Every view of the full network.
    pub const VIEWS: [Self; 4] = [
        view(Block::Scb, Filler::Mean),
        view(Block::Rcb, Filler::Mean),
        view(Block::Scb, Filler::Zero),
        view(Block::Rcb, Filler::Zero),
    ];

    /// Whether it is a view of another network, with that one's weights.
    pub fn is_view(self) -> bool {
        registry::row(self.name()).is_some_and(|row| row.is_view)
    }

    /// The view that silences the same block with its mean over ordinary regions.
    pub fn with_mean(self) -> Self {
        let of = |block| [Filler::Mean, Filler::Zero].map(|filler| view(block, filler));
        let pairs = [Block::Scb, Block::Rcb].map(of);
        let pair = pairs.iter().find(|pair| pair.contains(&self));
        pair.map_or(self, |[mean, _]| *mean)
    }
}

/// The full network's settings, and what is silenced in it.
#[derive(Clone, Debug)]
struct SilencedConfiguration {
    settings: PresetConfig,
    block: Block,
    filler: Filler,
}

fn configuration(
    block: Block,
    filler: Filler,
    settings: &toml::Table,
) -> std::result::Result<Box<dyn Configuration>, String> {
    Ok(Box::new(SilencedConfiguration {
        settings: PresetConfig::read(settings)?,
        block,
        filler,
    }))
}

impl Configuration for SilencedConfiguration {
    fn takes(&self) -> Takes {
        self.settings.config.takes(Blocks::Both)
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.settings.config.top_k)
    }

    fn settings(&self) -> toml::Table {
        self.settings.table()
    }

    fn load(&self, head: &HeadFile<'_>) -> Result<Arc<dyn Network>> {
        let full = head.full(|vb| Biam::new(&self.settings.config, Blocks::Both, vb))?;
        let (wanted, found) = (view(self.block, self.filler), full.filler());
        if found != self.filler {
            let found = view(self.block, found);
            bail!("it makes the view “{found}”, bundle.toml says “{wanted}”")
        }
        Ok(Arc::new(SilencedView::new(full, self.block)))
    }

    fn trainable(&self, _: VarBuilder<'_>) -> Result<Box<dyn Trainable>> {
        bail!("a view has the weights of the full network; train that")
    }
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

    fn options(&self, options: &EncodeOptions) -> Result<EncodeOptions> {
        if options.silence.is_some_and(|other| other != self.block) {
            bail!("a view with one block silenced has no other to silence")
        }
        Ok(EncodeOptions {
            silence: Some(self.block),
            ..options.clone()
        })
    }
}

impl Network for SilencedView {
    fn takes(&self) -> Takes {
        self.network.takes()
    }

    fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        self.network.encode(photos, &self.options(options)?)
    }

    fn prepare_labels(&self, vectors: &Tensor) -> Result<PreparedLabels> {
        self.network.prepare_labels(vectors)
    }

    fn top_k(&self) -> Option<usize> {
        self.network.top_k()
    }

    fn trace(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Trace> {
        self.network.trace(photos, &self.options(options)?)
    }

    fn look_inside(
        &self,
        photos: &RegionFeatures,
        options: &EncodeOptions,
    ) -> Result<Option<Inside>> {
        self.network.look_inside(photos, &self.options(options)?)
    }

    fn cost(&self, regions: usize, labels: usize) -> Counts {
        self.network.cost(regions, labels)
    }
}
