//! What a network is made of: one configuration type, two presets, four trained variants and a
//! baseline.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::silenced::{Block, Filler};

/// Which network: one of the separately trained ones (the paper's Table 3), a view of the full one,
/// or the baseline. The order is that of how much there is in them, but for the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Variant {
    /// The full network with one block silenced: a view of it, which was never trained so.
    Silenced(Block, Filler),
    /// Standard region features: h_r straight to the classifier.
    Standard,
    /// Region-contextualised block alone: e_r to the classifier.
    Rcb,
    /// Scene-contextualised block alone: e_g to the classifier.
    Scb,
    /// Both blocks, fused: e_f of Eq. 9.
    Biam,
    /// The baseline that saw no photo: a ridge regression from label vectors to rows of the
    /// backbone's classifier.
    Ridge,
}

impl Variant {
    /// The networks that are trained on photos, in the order the paper compares them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Rcb, Self::Scb, Self::Biam];
    /// Whatever a bundle may have: [`Variant::ALL`], then the baseline.
    pub const WITH_RIDGE: [Self; 5] = [
        Self::Standard,
        Self::Rcb,
        Self::Scb,
        Self::Biam,
        Self::Ridge,
    ];
    /// Every view of the full network.
    pub const VIEWS: [Self; 4] = [
        Self::Silenced(Block::Scb, Filler::Mean),
        Self::Silenced(Block::Rcb, Filler::Mean),
        Self::Silenced(Block::Scb, Filler::Zero),
        Self::Silenced(Block::Rcb, Filler::Zero),
    ];

    /// The name used on the command line, in file names and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silenced(Block::Scb, Filler::Mean) => "biam-scb-silenced-mean",
            Self::Silenced(Block::Scb, Filler::Zero) => "biam-scb-silenced-zero",
            Self::Silenced(Block::Rcb, Filler::Mean) => "biam-rcb-silenced-mean",
            Self::Silenced(Block::Rcb, Filler::Zero) => "biam-rcb-silenced-zero",
            Self::Standard => "standard",
            Self::Rcb => "rcb",
            Self::Scb => "scb",
            Self::Biam => "biam",
            Self::Ridge => "ridge",
        }
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Silenced(Block::Scb, Filler::Mean) => "BiAM, SCB silenced (mean)",
            Self::Silenced(Block::Scb, Filler::Zero) => "BiAM, SCB silenced (zero)",
            Self::Silenced(Block::Rcb, Filler::Mean) => "BiAM, RCB silenced (mean)",
            Self::Silenced(Block::Rcb, Filler::Zero) => "BiAM, RCB silenced (zero)",
            Self::Standard => "Standard",
            Self::Rcb => "RCB",
            Self::Scb => "SCB",
            Self::Biam => "BiAM",
            Self::Ridge => "Ridge",
        }
    }

    /// Whether this network has a region-contextualised block, heard or silenced.
    pub fn has_rcb(self) -> bool {
        matches!(self, Self::Rcb | Self::Biam | Self::Silenced(..))
    }

    /// Whether this network has a scene-contextualised block, heard or silenced.
    pub fn has_scb(self) -> bool {
        matches!(self, Self::Scb | Self::Biam | Self::Silenced(..))
    }

    /// Whether this network fuses both blocks (Eq. 9).
    pub fn fuses(self) -> bool {
        self.has_rcb() && self.has_scb()
    }

    /// Whether this network takes the backbone's own region features, not the projected ones.
    pub fn takes_raw_regions(self) -> bool {
        self == Self::Ridge
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A variant's name that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown variant “{0}”: choose from standard, rcb, scb, biam, ridge, or a view such as \
     biam-scb-silenced-zero"
)]
pub struct UnknownVariant(String);

impl From<Variant> for &'static str {
    fn from(variant: Variant) -> Self {
        variant.name()
    }
}

impl TryFrom<String> for Variant {
    type Error = UnknownVariant;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase();
        Self::WITH_RIDGE
            .into_iter()
            .chain(Self::VIEWS)
            .find(|variant| variant.name() == wanted)
            .ok_or_else(|| UnknownVariant(text.trim().to_owned()))
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

/// Everything that shapes a network but its variant. Sizes are numbers of channels.
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
    fn variants_are_found_by_name_and_unknown_ones_are_named() {
        for variant in Variant::WITH_RIDGE.into_iter().chain(Variant::VIEWS) {
            assert_eq!(
                variant.name().parse::<Variant>().expect("its name"),
                variant
            );
        }
        let refusal = "vgg"
            .parse::<Variant>()
            .expect_err("not a variant")
            .to_string();
        assert!(
            refusal.contains("vgg") && refusal.contains("standard"),
            "{refusal}"
        );
    }

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
