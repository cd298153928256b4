//! BiAM and the three networks that the paper compares it with, as rows of the registry: the same
//! layers with both blocks, one of them or neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::biam::{Biam, BiamLearner};
use super::config::{Blocks, ModelConfig, Preset};
use super::linear_start::LinearStart;
use super::network::{Network, Takes, Trainable};
use super::registry::{Architecture, Configuration, HeadFacts, HeadFile, Training};
use crate::files::one_line;

/// Where all four were published.
pub(in crate::model) const PAPER: &str = "https://arxiv.org/abs/2108.09301";

pub(in crate::model) const STANDARD: Architecture = Architecture {
    id: "standard",
    title: "Standard",
    sentence: "Standard region features, without either block",
    paper: PAPER,
    colours: [[120; 3], [150; 3]],
    training: Training::Gradients,
    is_view: false,
    configuration: |settings| configuration(Blocks::Neither, settings),
    settings_of_head: |head| settings_of_head(Blocks::Neither, head),
};

pub(in crate::model) const RCB: Architecture = Architecture {
    id: "rcb",
    title: "RCB",
    sentence: "Region-contextualised block alone: attention between regions",
    colours: [[196, 116, 20], [230, 159, 80]],
    configuration: |settings| configuration(Blocks::Rcb, settings),
    settings_of_head: |head| settings_of_head(Blocks::Rcb, head),
    ..STANDARD
};

pub(in crate::model) const SCB: Architecture = Architecture {
    id: "scb",
    title: "SCB",
    sentence: "Scene-contextualised block alone: channels gated by the scene",
    colours: [[0, 138, 104], [90, 190, 160]],
    configuration: |settings| configuration(Blocks::Scb, settings),
    settings_of_head: |head| settings_of_head(Blocks::Scb, head),
    ..STANDARD
};

pub(in crate::model) const BIAM: Architecture = Architecture {
    id: "biam",
    title: "BiAM",
    sentence: "Both blocks together: the full network",
    colours: [[20, 100, 180], [96, 168, 232]],
    configuration: |settings| configuration(Blocks::Both, settings),
    settings_of_head: |head| settings_of_head(Blocks::Both, head),
    ..STANDARD
};

/// A preset with everything that differs from it, as manifests and heads hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetConfig {
    pub preset: Preset,
    pub config: ModelConfig,
}

#[derive(Serialize, Deserialize)]
struct Written {
    preset: Preset,
    #[serde(flatten)]
    overrides: toml::Table,
}

impl PresetConfig {
    /// `config`, told as its difference to `preset`.
    pub fn of(preset: Preset, config: ModelConfig) -> Self {
        Self { preset, config }
    }

    /// Reads a table with a preset and what is laid over it.
    ///
    /// # Errors
    /// A setting that there is not, a value of another kind, sizes that no network can have.
    pub fn read(table: &toml::Table) -> std::result::Result<Self, String> {
        let Written { preset, overrides } = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| one_line(&error.message()))?;
        let mut all = plain(&ModelConfig::preset(preset));
        all.extend(overrides);
        let config: ModelConfig = all
            .try_into()
            .map_err(|error: toml::de::Error| one_line(&error.message()))?;
        config.check().map_err(|error| error.to_string())?;
        Ok(Self { preset, config })
    }

    /// The table that [`PresetConfig::read`] reads.
    pub fn table(&self) -> toml::Table {
        let base = plain(&ModelConfig::preset(self.preset));
        let mut overrides = plain(&self.config);
        overrides.retain(|key, value| base.get(key) != Some(value));
        let preset = self.preset;
        plain(&Written { preset, overrides })
    }
}

/// A value that always is a table, since its fields have names.
fn plain(value: &impl Serialize) -> toml::Table {
    toml::Table::try_from(value).unwrap_or_default()
}

/// Settings, and which blocks they are for.
#[derive(Clone, Debug)]
struct BiamConfiguration {
    settings: PresetConfig,
    blocks: Blocks,
}

fn configuration(
    blocks: Blocks,
    settings: &toml::Table,
) -> std::result::Result<Box<dyn Configuration>, String> {
    Ok(Box::new(BiamConfiguration {
        settings: PresetConfig::read(settings)?,
        blocks,
    }))
}

impl Configuration for BiamConfiguration {
    fn takes(&self) -> Takes {
        self.settings.config.takes(self.blocks)
    }

    fn top_k(&self) -> Option<usize> {
        Some(self.settings.config.top_k)
    }

    fn settings(&self) -> toml::Table {
        self.settings.table()
    }

    fn load(&self, head: &HeadFile<'_>) -> Result<Arc<dyn Network>> {
        let config = &self.settings.config;
        if self.blocks == Blocks::Both {
            return Ok(head.full(|vb| Biam::new(config, self.blocks, vb))?);
        }
        Ok(Arc::new(Biam::new(config, self.blocks, head.vb.clone())?))
    }

    fn trainable(&self, vb: VarBuilder<'_>) -> Result<Box<dyn Trainable>> {
        let learner = BiamLearner::new(&self.settings.config, self.blocks, vb)?;
        Ok(Box::new(learner))
    }

    fn linear_codes(&self, channels: usize) -> Option<usize> {
        let config = &self.settings.config;
        config
            .starts_linear(channels)
            .then_some(config.channels / 2)
    }

    fn start_linear(
        &self,
        start: &LinearStart,
        weights: &mut BTreeMap<String, Tensor>,
    ) -> Result<()> {
        start.lay_over(weights)
    }
}

impl ModelConfig {
    /// What a network of this configuration takes.
    pub fn takes(&self, blocks: Blocks) -> Takes {
        Takes {
            raw_regions: false,
            region_channels: Some(self.region_channels),
            global_channels: blocks.has_scb().then_some(self.global_channels),
            label_dimension: self.label_dimension,
        }
    }
}

/// Sizes from the tensors' shapes, settings from the words.
fn settings_of_head(
    blocks: Blocks,
    head: &HeadFacts<'_>,
) -> std::result::Result<toml::Table, String> {
    let preset = match head.words.get("preset").map(String::as_str) {
        Some("paper") => Preset::Paper,
        Some("authors") | None => Preset::Authors,
        Some(other) => return Err(format!("unknown preset “{other}”; paper and authors exist")),
    };
    let base = match head.words.get("settings") {
        None => ModelConfig::preset(preset),
        Some(text) => overridden(preset, text)?,
    };
    let config = ModelConfig {
        region_channels: head.size("latent.conv.weight", 1)?,
        global_channels: match blocks.has_scb() {
            true => head.size("scb.global_key.weight", 1)?,
            false => base.global_channels,
        },
        channels: head.size("latent.conv.weight", 0)?,
        out_channels: head.size("classifier.weight", 0)?,
        label_dimension: head.size("classifier.weight", 1)?,
        heads: head.number("heads", base.heads)?,
        top_k: head.number("top_k", base.top_k)?,
        ..base
    };
    Ok(PresetConfig { preset, config }.table())
}

/// A preset with what a head's metadata lays over it, a TOML table.
fn overridden(preset: Preset, text: &str) -> std::result::Result<ModelConfig, String> {
    let refuse = |error: &dyn std::fmt::Display| {
        format!("its metadata has settings that are not understood ({error}); choose another file")
    };
    let mut table: toml::Table = toml::from_str(text).map_err(|error| refuse(&error))?;
    table.insert("preset".to_owned(), preset.name().into());
    let settings = PresetConfig::read(&table).map_err(|error| refuse(&error))?;
    Ok(settings.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_as_preset_and_overrides() {
        let config = ModelConfig {
            top_k: 10,
            label_dimension: 384,
            ..ModelConfig::preset(Preset::Authors)
        };
        let settings = PresetConfig::of(Preset::Authors, config);
        let table = settings.table();
        // The preset's name and two differences.
        assert_eq!(table.len(), 3);
        assert_eq!(PresetConfig::read(&table), Ok(settings));
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let table = toml::from_str("preset = \"paper\"\ntop-q = 3").expect("a table");
        let refusal = PresetConfig::read(&table).expect_err("no such setting");
        assert!(refusal.contains("top-q"), "{refusal}");
    }
}
