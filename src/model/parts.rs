//! Where a response comes from, exactly.
//!
//! With the activation pattern of the fusion held (which of its outputs were positive), e_f is linear
//! in what enters the fusion. So e_f is a sum of parts, and so is every response: what passed both
//! blocks unchanged, what each block added, what goes around them, and what no block has a say in.

use candle_core::{Result, Tensor, bail};

use super::layers::LinearLayer;
use super::network::PreparedLabels;
use crate::kernels::Activation;

/// One summand of a response, in the order in which a photo passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// From x_r around the blocks, where the network has a shortcut.
    Shortcut,
    /// From h_r, as it passes the residual connections of the blocks unchanged.
    Latent,
    /// What the region-contextualised block adds to h_r: W(e_r - h_r).
    Rcb,
    /// What the scene-contextualised block adds: W(e_g - h_r) where its residual is h_r, all of W e_g
    /// where it is the gated values.
    Scb,
    /// What stands in the place of a silenced block.
    Filler,
    /// The bias of the fusion.
    FusionBias,
    /// What is the same for every label: e_f times the bias of the label projection.
    LabelIndependent,
}

impl Part {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::Shortcut,
        Self::Latent,
        Self::Rcb,
        Self::Scb,
        Self::Filler,
        Self::FusionBias,
        Self::LabelIndependent,
    ];

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Shortcut => "shortcut",
            Self::Latent => "h_r itself",
            Self::Rcb => "RCB’s part",
            Self::Scb => "SCB’s part",
            Self::Filler => "silenced block",
            Self::FusionBias => "fusion bias",
            Self::LabelIndependent => "same for all labels",
        }
    }

    /// What it is, in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Shortcut => "What a linear map of x_r adds to e_f, around both blocks",
            Self::Latent => "What h_r brings through the blocks' residual connections, unchanged",
            Self::Rcb => "What the region block adds to h_r by looking at other regions",
            Self::Scb => "What the scene block adds by opening and closing channels",
            Self::Filler => "What stands in the place of the silenced block",
            Self::FusionBias => "The bias of the fusion: no region's own",
            Self::LabelIndependent => "What the region brings to every label alike",
        }
    }
}

/// Values `[P, c]` that enter the fusion at its inputs from `start` on.
pub(in crate::model) struct FusionInput {
    pub part: Part,
    pub start: usize,
    pub values: Tensor,
}

/// The parts of one photo's e_f.
#[derive(Clone, Debug)]
pub struct ResponseParts {
    /// Their sum is e_f, `[P, out]` each.
    features: Vec<(Part, Tensor)>,
    /// The bias of the label projection, `[out]`.
    label_bias: Option<Tensor>,
}

impl ResponseParts {
    /// From what enters `fuse`, what is added behind it (`[P, out]`) and the bias of the label
    /// projection.
    pub(in crate::model) fn new(
        fuse: &LinearLayer,
        inputs: Vec<FusionInput>,
        shortcut: Option<Tensor>,
        label_bias: Option<&Tensor>,
    ) -> Result<Self> {
        let (weight, bias, activation) = fuse.terms();
        let mut features: Vec<(Part, Tensor)> = Vec::new();
        for input in inputs {
            let width = input.values.dim(1)?;
            let columns = weight.narrow(1, input.start, width)?.contiguous()?;
            let product = input.values.contiguous()?.matmul(&columns.t()?)?;
            match features.iter_mut().find(|(part, _)| *part == input.part) {
                Some((_, sum)) => *sum = (&*sum + product)?,
                None => features.push((input.part, product)),
            }
        }
        if let (Some(bias), Some((_, like))) = (bias, features.first()) {
            let bias = bias.broadcast_as(like.shape())?.contiguous()?;
            features.push((Part::FusionBias, bias));
        }
        if let Some(slope) = slope(activation)? {
            let pattern = pattern(&sum(&features)?, slope)?;
            for (_, part) in &mut features {
                *part = (&*part * &pattern)?;
            }
        }
        if let Some(shortcut) = shortcut {
            features.push((Part::Shortcut, shortcut));
        }
        features.sort_by_key(|(part, _)| *part);
        Ok(Self {
            features,
            label_bias: label_bias.cloned(),
        })
    }

    /// Each part of the responses of `labels`, `[L, P]`; their sum is the responses.
    ///
    /// # Errors
    /// Labels of another network.
    pub fn of_labels(&self, labels: &PreparedLabels) -> Result<Vec<(Part, Tensor)>> {
        let Some(projected) = labels.tensors.first() else {
            bail!("labels of a network that is not made of parts")
        };
        let own = match &self.label_bias {
            Some(bias) => projected.broadcast_sub(bias)?,
            None => projected.clone(),
        };
        let mut parts = Vec::with_capacity(self.features.len() + 1);
        for (part, features) in &self.features {
            parts.push((*part, own.matmul(&features.t()?)?));
        }
        if let Some(bias) = &self.label_bias {
            let all = bias.unsqueeze(0)?.matmul(&sum(&self.features)?.t()?)?;
            let shape = (projected.dim(0)?, all.dim(1)?);
            parts.push((
                Part::LabelIndependent,
                all.broadcast_as(shape)?.contiguous()?,
            ));
        }
        Ok(parts)
    }
}

/// The slope below zero of what can be held as a pattern; `None` where everything passes.
fn slope(activation: Activation) -> Result<Option<f32>> {
    match activation {
        Activation::None => Ok(None),
        Activation::Relu => Ok(Some(0.0)),
        Activation::LeakyRelu(slope) => Ok(Some(slope)),
        Activation::Relu6 => bail!("a response behind a clamped fusion is no sum of parts"),
    }
}

/// 1 where the fusion's output is positive, elsewhere the slope.
fn pattern(outputs: &Tensor, slope: f32) -> Result<Tensor> {
    let positive = outputs.gt(0f32)?.to_dtype(outputs.dtype())?;
    positive.affine(f64::from(1.0 - slope), f64::from(slope))
}

fn sum(features: &[(Part, Tensor)]) -> Result<Tensor> {
    let mut parts = features.iter().map(|(_, part)| part);
    let Some(first) = parts.next() else {
        bail!("nothing enters the fusion")
    };
    parts.try_fold(first.clone(), |sum, part| sum + part)
}
