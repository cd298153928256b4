//! BiAM and the variants it is compared with: latent features, the blocks, fusion (Eq. 9).
//!
//! Narayan et al., "Discriminative Region-based Multi-Label Zero-Shot Learning", ICCV 2021,
//! <https://arxiv.org/abs/2108.09301>.
//!
//! Once encoded a photo is e_f `[N, P, out]`, a label W(a) `[L, out]`; a response is their product.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::coarse_grid::coarser;
use super::config::{Blocks, ModelConfig, RegionContext};
use super::counts::{Counts, head_counts};
use super::dropout::Dropout;
use super::inside::Inside;
use super::layers::{ConvolutionBlock, LinearLayer};
use super::network::{
    Activations, EncodeOptions, Encoded, Network, PreparedLabels, Takes, Trace, Trainable,
};
use super::parts::{FusionInput, Part, ResponseParts};
use super::rcb::RegionContextualisedBlock;
use super::region_ablation::RegionAblation;
use super::region_classifier::{RegionClassifier, pooled};
use super::scb::SceneContextualisedBlock;
use super::silenced::{Block, Filler};
use crate::backbone::RegionFeatures;
use crate::kernels::Activation;

/// One trained network, with any of the [`Blocks`].
pub struct Biam {
    config: ModelConfig,
    blocks: Blocks,
    latent: ConvolutionBlock,
    rcb: Option<RegionContextualisedBlock>,
    /// What stands in the place of `rcb`, where the configuration says so.
    ablation: Option<RegionAblation>,
    scb: Option<SceneContextualisedBlock>,
    fuse: LinearLayer,
    /// From x_r itself to e_f.
    shortcut: Option<LinearLayer>,
    /// Mean of [e_r; e_g] over ordinary regions, `[2C]`.
    fuse_input_mean: Option<Tensor>,
    classifier: RegionClassifier,
}

impl Biam {
    /// Reads a network's tensors, named as the paper's parts: `latent`, `rcb`, `scb`, `fuse`,
    /// `classifier`.
    pub fn new(config: &ModelConfig, blocks: Blocks, vb: VarBuilder) -> Result<Self> {
        let c = config.channels;
        let fused = if blocks == Blocks::Both { 2 * c } else { c };
        let activation = match config.fuse_leaky_slope {
            Some(slope) => Activation::LeakyRelu(slope),
            None => Activation::None,
        };
        let mean_name = "fuse.input_mean";
        Ok(Self {
            latent: ConvolutionBlock::new([config.region_channels, c], vb.pp("latent"))?,
            rcb: (blocks.has_rcb() && config.region_context == RegionContext::Attention)
                .then(|| RegionContextualisedBlock::new(config, vb.pp("rcb")))
                .transpose()?,
            ablation: match blocks.has_rcb() {
                true => RegionAblation::new(config, vb.pp("rcb"))?,
                false => None,
            },
            scb: blocks
                .has_scb()
                .then(|| SceneContextualisedBlock::new(config, vb.pp("scb")))
                .transpose()?,
            fuse: LinearLayer::new(
                [fused, config.out_channels],
                true,
                activation,
                vb.pp("fuse"),
            )?,
            shortcut: config
                .shortcut
                .then(|| {
                    let size = [config.region_channels, config.out_channels];
                    LinearLayer::new(size, true, Activation::None, vb.pp("shortcut"))
                })
                .transpose()?,
            fuse_input_mean: vb
                .contains_tensor(mean_name)
                .then(|| vb.get(fused, mean_name))
                .transpose()?,
            classifier: RegionClassifier::new(config, vb.pp("classifier"))?,
            config: config.clone(),
            blocks,
        })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Which blocks it has.
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// What stands in the place of a silenced block's half of [e_r; e_g].
    pub fn filler(&self) -> Filler {
        match self.fuse_input_mean {
            Some(_) => Filler::Mean,
            None => Filler::Zero,
        }
    }

    /// [e_r; e_g], `[N, P, 2C]`, of a network with both blocks.
    ///
    /// # Errors
    /// A network with one block or none; as [`Network::encode`].
    pub fn fuse_input(&self, photos: &RegionFeatures) -> Result<Tensor> {
        let inner = self.inside(photos, &EncodeOptions::default())?;
        match (&inner.region, &inner.scene) {
            (Some(region), Some(scene)) => Tensor::cat(&[region, scene], 2),
            _ => candle_core::bail!("only the full network fuses two blocks"),
        }
    }

    /// e_f `[N, P, out]` as training sees it: batch statistics, dropout, gradients; updates the
    /// running statistics of the norms.
    ///
    /// # Errors
    /// Shapes that do not fit the configuration.
    pub(in crate::model) fn features_train(
        &self,
        photos: &RegionFeatures,
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        let xs = self.channels_last(photos)?;
        let latent = self.latent.forward_train(&xs)?;
        let flat = latent.flatten(1, 2)?;
        let mut parts = Vec::new();
        if let Some(rcb) = &self.rcb {
            parts.push(rcb.forward_train(&flat, dropout)?);
        }
        if let Some(ablation) = &self.ablation {
            let (_, rows, columns, _) = latent.dims4()?;
            parts.push(ablation.forward(&flat, (rows, columns), dropout)?);
        }
        if let Some(scb) = &self.scb {
            let scene = scb.forward_train(&latent, &photos.global, dropout)?;
            parts.push(scene.flatten(1, 2)?);
        }
        if parts.is_empty() {
            parts.push(flat);
        }
        let fused = self.fuse.forward_train(&Tensor::cat(&parts, 2)?)?;
        match &self.shortcut {
            Some(shortcut) => fused + shortcut.forward_train(&xs.flatten(1, 2)?)?,
            None => Ok(fused),
        }
    }

    /// The region classifier, for training.
    pub(in crate::model) fn classifier(&self) -> &RegionClassifier {
        &self.classifier
    }

    /// The 3x3 convolution blocks, whose running statistics training updates, by tensor name.
    pub(in crate::model) fn convolution_blocks(&self) -> Vec<(&'static str, &ConvolutionBlock)> {
        let mut blocks = vec![("latent", &self.latent)];
        if let Some(scb) = &self.scb {
            blocks.push(("scb", scb.convolution()));
        }
        blocks
    }

    fn inside(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Inner> {
        let xs = self.channels_last(photos)?;
        let (_, rows, columns, _) = xs.dims4()?;
        let latent = self.latent.forward(&xs)?;
        let global = options.scene.as_ref().unwrap_or(&photos.global);
        let region = match (&self.rcb, &self.ablation) {
            (Some(rcb), _) => Some(rcb.forward(&latent.flatten(1, 2)?)?),
            (None, Some(ablation)) => {
                let flat = latent.flatten(1, 2)?;
                Some(ablation.forward(&flat, (rows, columns), &mut Dropout::off())?)
            }
            (None, None) => None,
        };
        let scene = match &self.scb {
            Some(scb) => Some(scb.forward(&latent, global)?.flatten(1, 2)?),
            None => None,
        };
        let shortcut = match &self.shortcut {
            Some(shortcut) => Some(shortcut.forward(&xs.flatten(1, 2)?)?),
            None => None,
        };
        Ok(Inner {
            latent,
            shortcut,
            region,
            scene,
            grid: (rows, columns),
        })
    }

    /// e_f = activation(conv1x1([e_r; e_g])), `[N, P, out]`.
    fn fused(&self, inner: &Inner, options: &EncodeOptions) -> Result<Tensor> {
        let input = match (&inner.region, &inner.scene) {
            (None, None) => inner.latent.flatten(1, 2)?,
            (Some(alone), None) | (None, Some(alone)) => alone.clone(),
            (Some(region), Some(scene)) => {
                let both = [(region, Block::Rcb), (scene, Block::Scb)];
                let halves = both.map(|(half, block)| match options.silence == Some(block) {
                    true => self.silenced(half, block),
                    false => Ok(half.clone()),
                });
                let [region, scene] = halves;
                Tensor::cat(&[region?, scene?], 2)?
            }
        };
        if options.silence.is_some() && self.blocks != Blocks::Both {
            candle_core::bail!("only the full network has a block to silence")
        }
        match &inner.shortcut {
            Some(shortcut) => self.fuse.forward_add(&input, shortcut),
            None => self.fuse.forward(&input),
        }
    }

    /// The parts of one photo's e_f; `latent` is its h_r `[1, P, C]`.
    fn parts(
        &self,
        inner: &Inner,
        latent: &Tensor,
        options: &EncodeOptions,
    ) -> Result<ResponseParts> {
        let mut inputs = Vec::new();
        let mut add = |part, start, values: &Tensor| -> Result<()> {
            let values = values.squeeze(0)?;
            inputs.push(FusionInput {
                part,
                start,
                values,
            });
            Ok(())
        };
        let keeps = self.scb.as_ref().is_none_or(|scb| scb.keeps_latent());
        let branches = [
            (Block::Rcb, Part::Rcb, &inner.region, true),
            (Block::Scb, Part::Scb, &inner.scene, keeps),
        ];
        let mut start = 0;
        for (block, part, branch, keeps_latent) in branches {
            let Some(branch) = branch else { continue };
            if options.silence == Some(block) {
                add(Part::Filler, start, &self.silenced(branch, block)?)?;
            } else if keeps_latent {
                add(Part::Latent, start, latent)?;
                add(part, start, &(branch - latent)?)?;
            } else {
                add(part, start, branch)?;
            }
            start += self.config.channels;
        }
        if start == 0 {
            add(Part::Latent, start, latent)?;
        }
        let shortcut = inner.shortcut.as_ref().map(|shortcut| shortcut.squeeze(0));
        let label_bias = self.classifier.label_bias();
        ResponseParts::new(&self.fuse, inputs, shortcut.transpose()?, label_bias)
    }

    /// Eq. 9 alone: `[N, P, out]` of what the blocks gave, [e_r; e_g] `[N, P, 2C]` in the full
    /// network; e_f where the configuration has no shortcut.
    ///
    /// # Errors
    /// Another width.
    pub fn fuse(&self, input: &Tensor) -> Result<Tensor> {
        self.fuse.forward(input)
    }

    /// What stands for `half` when its block is silenced.
    fn silenced(&self, half: &Tensor, block: Block) -> Result<Tensor> {
        let channels = self.config.channels;
        let start = if block == Block::Rcb { 0 } else { channels };
        match &self.fuse_input_mean {
            Some(mean) => mean
                .narrow(0, start, channels)?
                .broadcast_as(half.shape())?
                .contiguous(),
            None => half.zeros_like(),
        }
    }

    /// x_r as `[N, h, w, C]`, on a coarser grid where the configuration says so: free when the
    /// backbone wrote it so.
    fn channels_last(&self, photos: &RegionFeatures) -> Result<Tensor> {
        let (_, channels, _, _) = photos.regions.dims4()?;
        if channels != self.config.region_channels {
            candle_core::bail!(
                "region features have {channels} channels, the network takes {}",
                self.config.region_channels
            )
        }
        let regions = photos.regions.permute((0, 2, 3, 1))?.contiguous()?;
        match self.config.coarse_grid {
            Some(side) => coarser(&regions, side),
            None => Ok(regions),
        }
    }
}

impl Network for Biam {
    fn takes(&self) -> Takes {
        self.config.takes(self.blocks)
    }

    /// Keeps e_f, `[N, P, out]`.
    fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        // Inside the pool no layer has to wake it.
        rayon::scope(|_| {
            let inner = self.inside(photos, options)?;
            Ok(Encoded {
                tensors: vec![self.fused(&inner, options)?],
                grid: inner.grid,
                covered: photos.covered,
            })
        })
    }

    /// Keeps W(A), `[L, out]`.
    fn prepare_labels(&self, vectors: &Tensor) -> Result<PreparedLabels> {
        let tensors = vec![self.classifier.project_labels(vectors)?];
        Ok(PreparedLabels { tensors })
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.config.top_k)
    }

    /// `h_r`, `e_r`, `e_g` `[N, P, C]`, `e_f` `[N, P, out]`, `attention` `[N, H, P, P]` (row i is where
    /// region i looks; none of what an ablation puts in the block's place) and `gate` `[N, C]`, those
    /// of them that the network has.
    fn trace(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Trace> {
        let inner = self.inside(photos, options)?;
        let flat = inner.latent.flatten(1, 2)?;
        let mut trace = Trace::default();
        if let Some(rcb) = &self.rcb {
            trace.add("attention", &rcb.attention_weights(&flat)?)?;
        }
        if let Some(scb) = &self.scb {
            let global = options.scene.as_ref().unwrap_or(&photos.global);
            trace.add("gate", &scb.channel_gate(&inner.latent, global)?)?;
        }
        trace.add("h_r", &flat)?;
        trace.add("e_f", &self.fused(&inner, options)?)?;
        for (name, branch) in [("e_r", &inner.region), ("e_g", &inner.scene)] {
            if let Some(branch) = branch {
                trace.add(name, branch)?;
            }
        }
        Ok(trace)
    }

    fn look_inside(
        &self,
        photos: &RegionFeatures,
        options: &EncodeOptions,
    ) -> Result<Option<Inside>> {
        let inner = self.inside(photos, options)?;
        let flat = inner.latent.flatten(1, 2)?;
        let global = options.scene.as_ref().unwrap_or(&photos.global);
        let attention = self.rcb.as_ref().map(|rcb| rcb.region_attention(&flat));
        let gate = self
            .scb
            .as_ref()
            .map(|scb| scb.channel_gate(&inner.latent, global)?.squeeze(0));
        Ok(Some(Inside {
            parts: self.parts(&inner, &flat, options)?,
            attention: attention.transpose()?,
            gate: gate.transpose()?,
        }))
    }

    fn cost(&self, regions: usize, labels: usize) -> Counts {
        head_counts(&self.config, self.blocks, regions, labels)
    }

    fn as_full(&self) -> Option<&Biam> {
        (self.blocks == Blocks::Both).then_some(self)
    }
}

/// A network that learns: the same layers, of which only those forwards are used that see weights as
/// they are now.
pub struct BiamLearner(Biam);

impl BiamLearner {
    /// As [`Biam::new`]; tensors that are variables are learnt.
    ///
    /// # Errors
    /// Tensors that are missing or of another shape.
    pub fn new(config: &ModelConfig, blocks: Blocks, vb: VarBuilder) -> Result<Self> {
        Ok(Self(Biam::new(config, blocks, vb)?))
    }
}

impl Trainable for BiamLearner {
    /// e_f, `[N, P, out]`.
    fn forward(&self, photos: &RegionFeatures, dropout: &mut Dropout) -> Result<Activations> {
        Ok(Activations(vec![self.0.features_train(photos, dropout)?]))
    }

    /// W(A), `[L, out]`.
    fn project_labels(&self, vectors: &Tensor) -> Result<Tensor> {
        self.0.classifier().project_labels_train(vectors)
    }

    fn scores(&self, Activations(photos): &Activations, labels: &Tensor) -> Result<Tensor> {
        pooled(&photos[0], labels, self.0.config.top_k)
    }

    fn region_responses(
        &self,
        Activations(photos): &Activations,
        places: &Tensor,
        labels: &Tensor,
    ) -> Result<Option<Tensor>> {
        let regions = photos[0].flatten_to(1)?.index_select(places, 0)?;
        Ok(Some(regions.matmul(&labels.t()?)?))
    }

    fn running_statistics(&self) -> Vec<(String, Tensor)> {
        let blocks = self.0.convolution_blocks().into_iter();
        let named = blocks.flat_map(|(block, convolution)| {
            let (mean, variance) = convolution.running_statistics();
            [("mean", mean), ("var", variance)]
                .map(|(of, tensor)| (format!("{block}.norm.running_{of}"), tensor.clone()))
        });
        named.collect()
    }
}

/// What the blocks gave, before fusion.
struct Inner {
    /// h_r, `[N, h, w, C]`.
    latent: Tensor,
    /// What is added to the fused features, `[N, P, out]`.
    shortcut: Option<Tensor>,
    /// e_r, `[N, P, C]`.
    region: Option<Tensor>,
    /// e_g, `[N, P, C]`.
    scene: Option<Tensor>,
    grid: (usize, usize),
}
