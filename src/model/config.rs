//! What BiAM and the networks it is compared with are made of: one configuration type, two presets.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which of the two blocks a network has: the separately trained networks of the paper's Table 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocks {
    /// Standard region features: h_r straight to the classifier.
    Neither,
    /// Region-contextualised block alone: e_r to the classifier.
    Rcb,
    /// Scene-contextualised block alone: e_g to the classifier.
    Scb,
    /// Both blocks, fused: e_f of Eq. 9.
    Both,
}

impl Blocks {
    /// All four, in the order the paper compares them.
    pub const ALL: [Self; 4] = [Self::Neither, Self::Rcb, Self::Scb, Self::Both];

    /// Whether there is a region-contextualised block.
    pub fn has_rcb(self) -> bool {
        matches!(self, Self::Rcb | Self::Both)
    }

    /// Whether there is a scene-contextualised block.
    pub fn has_scb(self) -> bool {
        matches!(self, Self::Scb | Self::Both)
    }
}

/// Where the scene-contextualised block takes its values v_g and its query q_g from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SceneValue {
    /// The latent features h_r themselves (the paper's Eq. 6).
    Latent,
    /// One 1x1 convolution with LeakyReLU(0.2) of h_r, shared by both (the authors' code).
    SharedConvolution,
}

/// What the scene-contextualised block adds to its 3x3 convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SceneResidual {
    /// The latent features h_r (the paper's Eq. 8).
    Latent,
    /// The gated features α_g (the authors' code).
    Gated,
}

/// How regions look at others (rows of the paper's Table 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RegionContext {
    /// The paper's region-contextualised block.
    #[default]
    Attention,
    /// The same with layer norms.
    LayerNorm,
    /// The same with a sigmoid in the place of the softmax.
    Sigmoid,
    /// A non-local block.
    NonLocal,
    /// Criss-cross attention.
    CrissCross,
}

impl RegionContext {
    /// All but the paper's own.
    pub const ABLATIONS: [Self; 4] = [
        Self::LayerNorm,
        Self::Sigmoid,
        Self::NonLocal,
        Self::CrissCross,
    ];
}

/// What opens and closes the channels of the scene-contextualised block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SceneGate {
    /// Each channel by itself (the paper's Eq. 7).
    #[default]
    Sigmoid,
    /// Channels against each other.
    Softmax,
}

/// A named starting point for [`ModelConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// As the paper writes it.
    Paper,
    /// As the authors' published code does it.
    Authors,
}

impl Preset {
    /// The name used on the command line and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Authors => "authors",
        }
    }
}

/// Everything that shapes a network but which blocks it has. Sizes are numbers of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelConfig {
    /// Channels of the region features x_r that the head takes.
    pub region_channels: usize,
    /// Size of the global feature x_g.
    pub global_channels: usize,
    /// d_r, channels of the latent features h_r.
    pub channels: usize,
    /// Channels of e_f, which the region classifier multiplies with.
    pub out_channels: usize,
    /// Size of a label vector.
    pub label_dimension: usize,
    /// H, attention heads of the region-contextualised block.
    pub heads: usize,
    /// k: a label's score is the mean of its k largest responses.
    pub top_k: usize,
    pub scene_value: SceneValue,
    pub scene_residual: SceneResidual,
    /// Slope of a LeakyReLU after the fusion (Eq. 9); none in the paper.
    pub fuse_leaky_slope: Option<f32>,
    /// Whether label vectors meet a linear layer with bias (the authors) or W_a alone (Eq. 1).
    pub classifier_bias: bool,
    pub region_context: RegionContext,
    pub scene_gate: SceneGate,
    /// Rows and columns of a coarser grid, to which x_r is averaged first; none keeps the
    /// backbone's.
    pub coarse_grid: Option<usize>,
    /// Whether a linear map of x_r itself is added to e_f; neither the paper nor its authors have it.
    pub shortcut: bool,
}

/// A configuration that no network can have.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the model configuration has {name} = {value}; it must be at least 1")]
    Zero { name: &'static str, value: usize },
    #[error("{channels} channels cannot be shared evenly by {heads} attention heads")]
    Heads { channels: usize, heads: usize },
}

impl ModelConfig {
    /// The settings of a preset with the sizes of the paper's VGG-19 and GloVe set-up.
    pub fn preset(preset: Preset) -> Self {
        let paper = Self {
            region_channels: 512,
            global_channels: 4096,
            channels: 512,
            out_channels: 512,
            label_dimension: 300,
            heads: 8,
            top_k: 10,
            scene_value: SceneValue::Latent,
            scene_residual: SceneResidual::Latent,
            fuse_leaky_slope: None,
            classifier_bias: false,
            region_context: RegionContext::Attention,
            scene_gate: SceneGate::Sigmoid,
            coarse_grid: None,
            shortcut: false,
        };
        match preset {
            Preset::Paper => paper,
            Preset::Authors => Self {
                channels: 256,
                top_k: 6,
                scene_value: SceneValue::SharedConvolution,
                scene_residual: SceneResidual::Gated,
                fuse_leaky_slope: Some(0.2),
                classifier_bias: true,
                ..paper
            },
        }
    }

    /// Refuses sizes that no network can have.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("region-channels", self.region_channels),
            ("global-channels", self.global_channels),
            ("channels", self.channels),
            ("out-channels", self.out_channels),
            ("label-dimension", self.label_dimension),
            ("heads", self.heads),
            ("top-k", self.top_k),
            ("coarse-grid", self.coarse_grid.unwrap_or(1)),
        ];
        if let Some(&(name, value)) = sizes.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero { name, value });
        }
        if !self.channels.is_multiple_of(self.heads) {
            return Err(ConfigError::Heads {
                channels: self.channels,
                heads: self.heads,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_no_network_has_are_refused() {
        let config = ModelConfig::preset(Preset::Authors);
        assert!(config.check().is_ok());
        let uneven = ModelConfig {
            heads: 7,
            ..config.clone()
        };
        assert!(matches!(uneven.check(), Err(ConfigError::Heads { .. })));
        let nothing = ModelConfig { top_k: 0, ..config };
        assert!(matches!(
            nothing.check(),
            Err(ConfigError::Zero { name: "top-k", .. })
        ));
    }
}
