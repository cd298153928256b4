//! BiAM and the variants it is compared with: latent features, the blocks, fusion (Eq. 9).
//!
//! Narayan et al., "Discriminative Region-based Multi-Label Zero-Shot Learning", ICCV 2021,
//! <https://arxiv.org/abs/2108.09301>.
//!
//! A network has two halves: [`Biam::encode`] once a photo, everything that needs no label, and
//! [`Biam::respond`] once a label set, one matrix product.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::coarse_grid::coarser;
use super::config::{ModelConfig, RegionContext, Variant};
use super::dropout::Dropout;
use super::layers::{ConvolutionBlock, Mix};
use super::rcb::RegionContextualisedBlock;
use super::region_ablation::RegionAblation;
use super::region_classifier::{self, RegionClassifier};
use super::scb::SceneContextualisedBlock;
use super::silenced::{Block, Filler};
use crate::backbone::{Covered, RegionFeatures};
use crate::kernels::Activation;

/// How to encode a photo.
#[derive(Clone, Debug, Default)]
pub struct EncodeOptions {
    /// Another photo's global feature `[N, G]` in place of the photo's own.
    pub scene: Option<Tensor>,
    /// Replace this block's half of [e_r; e_g] by its mean over ordinary regions, or by zero where
    /// the bundle has no such mean. Only the full network has two halves.
    pub silence: Option<Block>,
}

/// A photo as one network sees it: all that [`Biam::respond`] needs.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// e_f, `[N, P, out]`, regions row by row.
    pub features: Tensor,
    /// Rows and columns of the grid.
    pub grid: (usize, usize),
    pub covered: Covered,
}

/// What happened inside, for inspection.
#[derive(Clone, Debug)]
pub struct Trace {
    /// RCB's attention, `[N, H, P, P]`; none of what an ablation puts in its place.
    pub attention: Option<Tensor>,
    /// SCB's channel gate r_g, `[N, C]`.
    pub gate: Option<Tensor>,
    /// e_r, `[N, P, C]`.
    pub region_contextualised: Option<Tensor>,
    /// e_g, `[N, P, C]`.
    pub scene_contextualised: Option<Tensor>,
    /// e_f, `[N, P, out]`.
    pub fused: Tensor,
}

/// One trained network, of any [`Variant`].
pub struct Biam {
    config: ModelConfig,
    variant: Variant,
    latent: ConvolutionBlock,
    rcb: Option<RegionContextualisedBlock>,
    /// What stands in the place of `rcb`, where the configuration says so.
    ablation: Option<RegionAblation>,
    scb: Option<SceneContextualisedBlock>,
    fuse: Mix,
    /// From x_r itself to e_f.
    shortcut: Option<Mix>,
    /// Mean of [e_r; e_g] over ordinary regions, `[2C]`.
    fuse_input_mean: Option<Tensor>,
    classifier: RegionClassifier,
}

impl Biam {
    /// Reads a variant's tensors, named as the paper's parts: `latent`, `rcb`, `scb`, `fuse`,
    /// `classifier`.
    pub fn new(config: &ModelConfig, variant: Variant, vb: VarBuilder) -> Result<Self> {
        let c = config.channels;
        let fused = if variant.fuses() { 2 * c } else { c };
        let activation = match config.fuse_leaky_slope {
            Some(slope) => Activation::LeakyRelu(slope),
            None => Activation::None,
        };
        let mean_name = "fuse.input_mean";
        Ok(Self {
            latent: ConvolutionBlock::new([config.region_channels, c], vb.pp("latent"))?,
            rcb: (variant.has_rcb() && config.region_context == RegionContext::Attention)
                .then(|| RegionContextualisedBlock::new(config, vb.pp("rcb")))
                .transpose()?,
            ablation: match variant.has_rcb() {
                true => RegionAblation::new(config, vb.pp("rcb"))?,
                false => None,
            },
            scb: variant
                .has_scb()
                .then(|| SceneContextualisedBlock::new(config, vb.pp("scb")))
                .transpose()?,
            fuse: Mix::new(
                [fused, config.out_channels],
                true,
                activation,
                vb.pp("fuse"),
            )?,
            shortcut: config
                .shortcut
                .then(|| {
                    let size = [config.region_channels, config.out_channels];
                    Mix::new(size, true, Activation::None, vb.pp("shortcut"))
                })
                .transpose()?,
            fuse_input_mean: vb
                .contains_tensor(mean_name)
                .then(|| vb.get(fused, mean_name))
                .transpose()?,
            classifier: RegionClassifier::new(config, vb.pp("classifier"))?,
            config: config.clone(),
            variant,
        })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// What stands in the place of a silenced block's half of [e_r; e_g].
    pub fn filler(&self) -> Filler {
        match self.fuse_input_mean {
            Some(_) => Filler::Mean,
            None => Filler::Zero,
        }
    }

    /// The first half: everything about `N` photos that needs no label.
    ///
    /// `regions` is x_r `[N, region_channels, h, w]`, projected where the bundle has a projection.
    ///
    /// # Errors
    /// Shapes that do not fit the configuration, a silenced block in a variant with one branch.
    pub fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded> {
        // Inside the pool no layer has to wake it.
        rayon::scope(|_| {
            let inner = self.blocks(photos, options)?;
            Ok(Encoded {
                features: self.fused(&inner, options)?,
                grid: inner.grid,
                covered: photos.covered,
            })
        })
    }

    /// W(A), `[L, out]`, of label vectors `[L, D]`: what [`Biam::respond`] multiplies e_f with.
    pub fn project_labels(&self, labels: &Tensor) -> Result<Tensor> {
        self.classifier.project_labels(labels)
    }

    /// The second half: response maps m `[N, L, h, w]` of `N` encoded photos to `L` labels given
    /// by [`Biam::project_labels`]. Scores are [`region_classifier::pool`]ed from them.
    pub fn respond(&self, photos: &Encoded, projected_labels: &Tensor) -> Result<Tensor> {
        region_classifier::response_maps(photos, projected_labels)
    }

    /// What happens inside for `N` photos.
    pub fn trace(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Trace> {
        let inner = self.blocks(photos, options)?;
        let global = options.scene.as_ref().unwrap_or(&photos.global);
        let flat = inner.latent.flatten(1, 2)?;
        Ok(Trace {
            attention: self
                .rcb
                .as_ref()
                .map(|rcb| rcb.attention_weights(&flat))
                .transpose()?,
            gate: self
                .scb
                .as_ref()
                .map(|scb| scb.channel_gate(&inner.latent, global))
                .transpose()?,
            fused: self.fused(&inner, options)?,
            region_contextualised: inner.region,
            scene_contextualised: inner.scene,
        })
    }

    /// e_f `[N, P, out]` as training sees it: batch statistics, dropout, gradients; updates the
    /// running statistics of the norms.
    ///
    /// With [`Biam::project_labels_train`] this gives scores ([`region_classifier::pooled`]) and
    /// responses of single regions to any label set (one matrix product).
    ///
    /// # Errors
    /// Shapes that do not fit the configuration.
    pub fn features_train(&self, photos: &RegionFeatures, dropout: &mut Dropout) -> Result<Tensor> {
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

    /// [`Biam::project_labels`] with gradients.
    ///
    /// # Errors
    /// The vectors are not `[L, label_dimension]`.
    pub fn project_labels_train(&self, labels: &Tensor) -> Result<Tensor> {
        self.classifier.project_labels_train(labels)
    }

    /// The 3x3 convolution blocks, whose running statistics training updates, by tensor name.
    pub fn convolution_blocks(&self) -> Vec<(&'static str, &ConvolutionBlock)> {
        let mut blocks = vec![("latent", &self.latent)];
        if let Some(scb) = &self.scb {
            blocks.push(("scb", scb.convolution()));
        }
        blocks
    }

    fn blocks(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Inner> {
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
        if options.silence.is_some() && self.variant != Variant::Biam {
            candle_core::bail!(
                "only the full network has a block to silence, not {}",
                self.variant
            )
        }
        match &inner.shortcut {
            Some(shortcut) => self.fuse.forward_add(&input, shortcut),
            None => self.fuse.forward(&input),
        }
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
