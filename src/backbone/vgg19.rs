//! VGG-19 (Simonyan and Zisserman, ICLR 2015, configuration E): the paper's own backbone.
//!
//! Sixteen 3x3 convolutions with ReLU in five stages, a 2x2 maximum after each. Region features are
//! relu5_4, the global feature is fc7 after its ReLU, in the file's half precision. The layers are
//! named as in the original network (`conv1_1` … `conv5_4`, `fc6`, `fc7`); the classifier after them
//! is left out.

use super::{Backbone, Covered, RegionFeatures};
use crate::kernels::{Activation, Conv3x3, HalfLinear, max_of_squares};
use candle_core::{DType, Result, Tensor};
use candle_nn::{Init, VarBuilder};

/// Convolutions of each stage.
const CONVOLUTIONS: [usize; 5] = [2, 2, 4, 4, 4];
/// Mean and standard deviation of ImageNet's red, green and blue between 0 and 1.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];
/// Pixels between two regions.
pub const STRIDE: usize = 16;

/// The architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Side of the square input in pixels, a multiple of 32.
    pub input_size: usize,
    /// Channels of each stage's convolutions.
    pub widths: [usize; 5],
    /// Outputs of fc6 and fc7.
    pub hidden: usize,
}

impl Config {
    /// VGG-19 for photos of 224 x 224 pixels, which gives 14 x 14 regions of 512 channels and a
    /// global feature of 4096.
    #[must_use]
    pub fn vgg19() -> Self {
        Self {
            input_size: 224,
            widths: [64, 128, 256, 512, 512],
            hidden: 4096,
        }
    }

    /// The architecture whose stages and hidden layers have the widths of these tensors, by the names
    /// of a bundle; `None` where a tensor that tells is missing.
    pub fn of_shapes<'s>(shape: impl Fn(&str) -> Option<&'s [usize]>) -> Option<Self> {
        let outputs = |name: &str| shape(name)?.first().copied();
        let mut widths = [0; 5];
        for (width, stage) in widths.iter_mut().zip(1..) {
            *width = outputs(&format!("conv{stage}_1.weight"))?;
        }
        Some(Self {
            widths,
            hidden: outputs("fc7.weight")?,
            ..Self::vgg19()
        })
    }

    /// Channels of the region features.
    #[must_use]
    pub fn region_channels(&self) -> usize {
        self.widths[4]
    }

    /// The convolutions in their order.
    pub fn convolutions(&self) -> impl Iterator<Item = Convolution> {
        (0..CONVOLUTIONS.len()).flat_map(move |stage| {
            (0..CONVOLUTIONS[stage]).map(move |place| Convolution {
                name: format!("conv{}_{}", stage + 1, place + 1),
                inputs: match (stage, place) {
                    (0, 0) => 3,
                    (_, 0) => self.widths[stage - 1],
                    _ => self.widths[stage],
                },
                outputs: self.widths[stage],
                side: self.input_size >> stage,
                first_of_stage: place == 0,
            })
        })
    }

    /// The linear layers after them: name, inputs, outputs.
    #[must_use]
    pub fn linears(&self) -> [(&'static str, usize, usize); 2] {
        let pooled = self.input_size / (2 * STRIDE);
        [
            ("fc6", self.widths[4] * pooled * pooled, self.hidden),
            ("fc7", self.hidden, self.hidden),
        ]
    }

    /// Name and shape of every tensor, as a bundle has them. fc6 takes its input channel by channel,
    /// as PyTorch's tensors lie.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let convolutions = self
            .convolutions()
            .map(|layer| (layer.name, vec![layer.outputs, layer.inputs, 3, 3]));
        let linears = self
            .linears()
            .map(|(name, inputs, outputs)| (name.to_owned(), vec![outputs, inputs]));
        convolutions
            .chain(linears)
            .flat_map(|(name, shape)| {
                let bias = vec![shape[0]];
                [
                    (format!("{name}.weight"), shape),
                    (format!("{name}.bias"), bias),
                ]
            })
            .collect()
    }
}

/// One of the 3x3 convolutions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// Side of its input and output in pixels.
    pub side: usize,
    /// Whether it starts a stage; in all but the first a maximum comes before it.
    pub first_of_stage: bool,
}

/// A VGG-19 with its weights.
pub struct Vgg19 {
    input_size: usize,
    /// Stages of convolutions.
    stages: Vec<Vec<Conv3x3>>,
    linears: [HalfLinear; 2],
    /// 1 / (255 σ) and -μ / σ of the three colours.
    scale: Tensor,
    shift: Tensor,
}

impl Vgg19 {
    /// Reads the weights, in any float type. The convolutions are computed in f32; the linear
    /// layers, nine tenths of the network, keep their weights in f16.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn new(config: &Config, weights: VarBuilder) -> Result<Self> {
        let mut stages: Vec<Vec<Conv3x3>> = Vec::new();
        for layer in config.convolutions() {
            let weights = weights.pp(&layer.name);
            let convolution = Conv3x3::in_large_tiles(
                &weights.get((layer.outputs, layer.inputs, 3, 3), "weight")?,
                Some(&weights.get(layer.outputs, "bias")?),
                Activation::Relu,
            )?;
            match stages.last_mut() {
                Some(stage) if !layer.first_of_stage => stage.push(convolution),
                _ => stages.push(vec![convolution]),
            }
        }
        let [fc6, fc7] = config.linears();
        let linear = |(name, inputs, outputs): (&str, usize, usize)| {
            let weights = weights.pp(name);
            // Not through single precision: fc6 would take 411 MB more.
            let half = |shape: &[usize], part| {
                weights.get_with_hints_dtype(shape, part, Init::Const(0.0), DType::F16)
            };
            let weight = half(&[outputs, inputs], "weight")?;
            HalfLinear::new(&weight, &half(&[outputs], "bias")?, Activation::Relu)
        };
        let colours = |of: [f64; 3]| Tensor::new(of.map(|x| x as f32).as_slice(), weights.device());
        Ok(Self {
            input_size: config.input_size,
            stages,
            linears: [linear(fc6)?, linear(fc7)?],
            scale: colours(DEVIATION.map(|deviation| 1.0 / (255.0 * deviation)))?,
            shift: colours([0, 1, 2].map(|colour| -MEAN[colour] / DEVIATION[colour]))?,
        })
    }

    fn forward(&self, pixels: &Tensor) -> Result<RegionFeatures> {
        let mut xs = pixels
            .to_dtype(DType::F32)?
            .broadcast_mul(&self.scale)?
            .broadcast_add(&self.shift)?;
        for (index, stage) in self.stages.iter().enumerate() {
            if index > 0 {
                xs = max_of_squares(&xs)?;
            }
            for convolution in stage {
                xs = convolution.forward(&xs)?;
            }
        }
        let mut global = max_of_squares(&xs)?
            .permute((0, 3, 1, 2))?
            .contiguous()?
            .flatten_from(1)?;
        for linear in &self.linears {
            global = linear.forward(&global)?;
        }
        Ok(RegionFeatures {
            regions: xs.permute((0, 3, 1, 2))?,
            global,
            covered: Covered::WHOLE,
        })
    }
}

impl Backbone for Vgg19 {
    fn input_size(&self) -> usize {
        self.input_size
    }

    fn features(&self, pixels: &Tensor) -> Result<RegionFeatures> {
        super::check_pixels(pixels, self.input_size)?;
        // On a thread of the pool, so that no layer has to wake one first.
        rayon::scope(|_| self.forward(pixels))
    }

    fn classify(&self, _global: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }

    fn classifier_rows(&self) -> Option<&Tensor> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_configuration_e() {
        let config = Config::vgg19();
        let layers: Vec<_> = config.convolutions().collect();
        assert_eq!(layers.len(), 16);
        assert_eq!(layers[0].name, "conv1_1");
        assert_eq!(layers[15].name, "conv5_4");
        assert_eq!((layers[15].inputs, layers[15].side), (512, 14));
        assert_eq!(config.linears()[0], ("fc6", 25_088, 4096));
        let tensors = config.tensors();
        let parameters: usize = tensors
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        // Published: 143,667,240, of which 4,097,000 are the classifier's.
        assert_eq!(parameters, 143_667_240 - 4_097_000);
        assert_eq!(tensors.len(), 36);
    }
}
