//! What a network is made of: one configuration type, two presets, four trained variants.

use serde::{Deserialize, Serialize};

/// Which of the separately trained networks (the paper's Table 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Standard region features: h_r straight to the classifier.
    Standard,
    /// Region-contextualised block alone: e_r to the classifier.
    Rcb,
    /// Scene-contextualised block alone: e_g to the classifier.
    Scb,
    /// Both blocks, fused: e_f of Eq. 9.
    Biam,
}

impl Variant {
    /// All variants in the order the paper compares them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Rcb, Self::Scb, Self::Biam];

    /// The name used on the command line, in file names and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Rcb => "rcb",
            Self::Scb => "scb",
            Self::Biam => "biam",
        }
    }

    /// The name people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Rcb => "RCB",
            Self::Scb => "SCB",
            Self::Biam => "BiAM",
        }
    }

    /// Whether this network has a region-contextualised block.
    pub fn has_rcb(self) -> bool {
        matches!(self, Self::Rcb | Self::Biam)
    }

    /// Whether this network has a scene-contextualised block.
    pub fn has_scb(self) -> bool {
        matches!(self, Self::Scb | Self::Biam)
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A variant's name that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown variant “{0}”: choose from standard, rcb, scb, biam")]
pub struct UnknownVariant(String);

impl std::str::FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == wanted)
            .ok_or_else(|| UnknownVariant(text.trim().to_owned()))
    }
}
