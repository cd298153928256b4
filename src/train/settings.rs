//! Everything that a run can be told, with three recipes to start from.

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::schedule::WarmUp;
use crate::bundle::HeadSizes;
use crate::files::{one_line, read_bounded};
use crate::model::config::{RegionContext, SceneGate};
use crate::model::{ModelConfig, Preset, PresetConfig};

/// Largest settings file, in bytes.
const LIMIT: u64 = 1 << 20;

/// A named starting point for [`TrainSettings`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// For some thousand photos on a CPU, with distillation.
    #[default]
    FewPhotos,
    /// As the paper writes it (NUS-WIDE).
    Paper,
    /// As the authors' published code does it (NUS-WIDE).
    Authors,
}

/// Settings of a training run. In a TOML file names are written-with-hyphens; what is not there
/// comes from the recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainSettings {
    pub recipe: Recipe,
    pub epochs: usize,
    /// Photos of one step.
    pub batch: usize,
    /// Adam's largest learning rate.
    pub learning_rate: f64,
    /// `{ steps = 200 }` or `{ epochs = 3.0 }`.
    pub warm_up: WarmUp,
    /// The last learning rate as a fraction of the largest.
    pub final_rate: f64,
    /// L2 added to the gradient.
    pub weight_decay: f64,
    pub betas: [f64; 2],
    /// Whether networks take label features (see [`crate::semantics::LabelFeatures`]) in place of the
    /// label encoder's vectors; they are made of the bundle's teacher.
    pub label_features: bool,
    /// Weight of the distillation beside the ranking loss; 0 turns it off.
    pub distillation: f64,
    /// Weight of the ranking loss across the photos of a label, beside that across the labels of a
    /// photo (Eq. 10); 0 turns it off.
    pub photo_ranking: f64,
    /// Random regions of each photo that the teacher speaks about.
    pub distillation_regions: usize,
    /// Whether half of the photos come mirrored left to right.
    pub flips: bool,
    pub seed: u64,
    /// How much of the weights that a network started from is mixed into those it ends with, 0 to 1
    /// (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022): a network that starts
    /// as the kernel baseline keeps more of what that knows of other words.
    pub start_share: f64,
    /// Ends the run when F1@5 of seen labels on a twentieth of the training photos, which are kept
    /// aside for it, has not risen for so many epochs; 0 never does, and keeps none aside.
    pub early_stop: usize,
    /// The network: a preset and what differs from it.
    pub model: ModelSettings,
}

/// What shapes the networks and does not come from the bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelSettings {
    pub preset: Preset,
    /// d_r.
    pub channels: usize,
    /// Channels of e_f.
    pub out_channels: usize,
    /// H.
    pub heads: usize,
    /// k; as many as there are regions is spatial pooling, more are clamped.
    pub top_k: usize,
    /// How regions look at others (the paper's Table 4).
    pub region_context: RegionContext,
    pub scene_gate: SceneGate,
    /// Rows and columns of a coarser grid, where there is one.
    #[serde(default)]
    pub coarse_grid: Option<usize>,
}

impl ModelSettings {
    fn of(preset: Preset) -> Self {
        let config = ModelConfig::preset(preset);
        Self {
            preset,
            channels: config.channels,
            out_channels: config.out_channels,
            heads: config.heads,
            top_k: config.top_k,
            region_context: config.region_context,
            scene_gate: config.scene_gate,
            coarse_grid: config.coarse_grid,
        }
    }

    /// The networks' settings behind features and labels of the sizes in `sizes`, on the backbone's
    /// `grid` or a coarser one, as every architecture reads them.
    ///
    /// # Errors
    /// Sizes that no network can have.
    pub fn table(&self, sizes: &HeadSizes, grid: [usize; 2]) -> Result<toml::Table, TrainError> {
        let config = self.config(sizes, grid)?;
        Ok(PresetConfig::of(self.preset, config).table())
    }

    fn config(
        &self,
        sizes: &HeadSizes,
        [rows, columns]: [usize; 2],
    ) -> Result<ModelConfig, TrainError> {
        if let Some(side) = self.coarse_grid.filter(|&side| side > rows.min(columns)) {
            return Err(TrainError::Setting {
                name: "coarse-grid",
                value: side.to_string(),
                hint: "give at most the rows and columns of the backbone's grid",
            });
        }
        let regions = self.coarse_grid.map_or(rows * columns, |side| side * side);
        let config = ModelConfig {
            region_channels: sizes.region_channels,
            global_channels: sizes.global_channels,
            label_dimension: sizes.label_dimension,
            channels: self.channels,
            out_channels: self.out_channels,
            heads: self.heads,
            top_k: self.top_k.min(regions.max(1)),
            region_context: self.region_context,
            scene_gate: self.scene_gate,
            coarse_grid: self.coarse_grid,
            ..ModelConfig::preset(self.preset)
        };
        config.check()?;
        Ok(config)
    }
}

impl TrainSettings {
    /// The settings of a recipe.
    pub fn of(recipe: Recipe) -> Self {
        let published = Self {
            recipe,
            epochs: 40,
            batch: 32,
            learning_rate: 1e-3,
            warm_up: WarmUp::Epochs(3.0),
            final_rate: 0.5,
            weight_decay: 5e-4,
            betas: [0.9, 0.999],
            label_features: false,
            distillation: 0.0,
            photo_ranking: 0.0,
            distillation_regions: 24,
            flips: false,
            seed: 1,
            start_share: 0.0,
            early_stop: 0,
            model: ModelSettings::of(Preset::Authors),
        };
        match recipe {
            Recipe::Authors => published,
            Recipe::Paper => Self {
                betas: [0.5, 0.999],
                model: ModelSettings::of(Preset::Paper),
                ..published
            },
            Recipe::FewPhotos => Self {
                epochs: 4,
                warm_up: WarmUp::Steps(200),
                final_rate: 0.02,
                weight_decay: 5e-5,
                photo_ranking: 1.0,
                label_features: true,
                distillation: 10.0,
                flips: true,
                model: ModelSettings {
                    channels: 384,
                    top_k: 30,
                    ..ModelSettings::of(Preset::Paper)
                },
                ..published
            },
        }
    }

    /// Settings from a TOML file laid over its recipe, or over `recipe` where the file names none.
    ///
    /// # Errors
    /// A file that cannot be read, with the line that is not understood.
    pub fn read(path: &Path, recipe: Recipe) -> Result<Self, TrainError> {
        let refuse = |reason: String| TrainError::Settings {
            path: path.to_owned(),
            reason,
        };
        let text = String::from_utf8(read_bounded(path, LIMIT)?)
            .map_err(|_| refuse("not a text in UTF-8; save it as UTF-8".to_owned()))?;
        let described = |error: toml::de::Error| {
            let line = error.span().and_then(|span| text.get(..span.start));
            let line = line.map(|before| before.matches('\n').count() + 1);
            let at = line.map_or(String::new(), |line| format!("line {line}: "));
            refuse(format!("{at}{}", one_line(&error.message())))
        };
        let over: toml::Table = toml::from_str(&text).map_err(described)?;
        let recipe = match over.get("recipe") {
            Some(name) => name.clone().try_into().map_err(described)?,
            None => recipe,
        };
        let mut table =
            toml::Table::try_from(Self::of(recipe)).map_err(|error| refuse(one_line(&error)))?;
        lay_over(&mut table, over);
        let settings: Self = table.try_into().map_err(described)?;
        settings.check()?;
        Ok(settings)
    }

    /// Refuses numbers that make no sense.
    ///
    /// # Errors
    /// The first of them, with what it should be.
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse = |name, value: String, hint| Err(TrainError::Setting { name, value, hint });
        let positive = |value: f64| value > 0.0 && value.is_finite();
        for (name, value) in [("epochs", self.epochs), ("batch", self.batch)] {
            if value == 0 {
                return refuse(name, value.to_string(), "give at least 1");
            }
        }
        if !positive(self.learning_rate) {
            let value = self.learning_rate.to_string();
            return refuse(
                "learning-rate",
                value,
                "give a number above 0, such as 0.001",
            );
        }
        for (name, value) in [
            ("weight-decay", self.weight_decay),
            ("photo-ranking", self.photo_ranking),
            ("distillation", self.distillation),
            ("final-rate", self.final_rate),
        ] {
            if value != 0.0 && !positive(value) {
                return refuse(name, value.to_string(), "give 0 or a number above 0");
            }
        }
        if self.distillation > 0.0 && self.distillation_regions == 0 {
            let hint = "give at least 1, or turn it off with distillation = 0";
            return refuse("distillation-regions", "0".to_owned(), hint);
        }
        if !(0.0..1.0).contains(&self.start_share) {
            let hint = "give a number from 0 to below 1";
            return refuse("start-share", self.start_share.to_string(), hint);
        }
        if let WarmUp::Epochs(epochs) = self.warm_up
            && epochs != 0.0
            && !positive(epochs)
        {
            return refuse("warm-up", epochs.to_string(), "give 0 epochs or more");
        }
        for beta in self.betas {
            if !(0.0..1.0).contains(&beta) {
                return refuse("betas", beta.to_string(), "give numbers from 0 to below 1");
            }
        }
        Ok(())
    }
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self::of(Recipe::default())
    }
}

/// Replaces what `over` has; tables within it entry by entry, but a choice (such as the warm-up's
/// steps or epochs) as a whole.
fn lay_over(table: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(value)) if key == "model" => {
                lay_over(inner, value);
            }
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TrainSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.toml");
        std::fs::write(&path, text).unwrap();
        TrainSettings::read(&path, Recipe::FewPhotos).map_err(|error| {
            let text = error.to_string();
            text.rsplit_once("train.toml: ")
                .map_or(text.clone(), |(_, reason)| reason.to_owned())
        })
    }

    #[test]
    fn a_file_is_laid_over_its_recipe() {
        let settings = read("recipe = \"paper\"\nepochs = 7\n[model]\ntop-k = 196\n").unwrap();
        assert_eq!((settings.epochs, settings.model.top_k), (7, 196));
        assert_eq!(settings.betas, [0.5, 0.999]);
        assert_eq!(settings.model.channels, 512);
        let settings = read("warm-up = { epochs = 0.5 }").unwrap();
        assert_eq!(settings.warm_up, WarmUp::Epochs(0.5));
        assert_eq!(settings.distillation, 10.0);
    }

    #[test]
    fn every_recipe_survives_a_file() {
        for recipe in [Recipe::FewPhotos, Recipe::Paper, Recipe::Authors] {
            let settings = TrainSettings::of(recipe);
            let text = toml::to_string(&settings).unwrap();
            assert_eq!(read(&text).unwrap(), settings);
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(read("epocs = 3").unwrap_err().contains("epocs"));
        assert!(read("epochs = 0").unwrap_err().contains("epochs = 0"));
        assert!(
            read("a = 1\nepochs = = 2")
                .unwrap_err()
                .starts_with("line 2: ")
        );
        assert!(
            read("learning-rate = nan")
                .unwrap_err()
                .contains("learning-rate")
        );
        assert!(
            read("betas = [0.9, 1.0]")
                .unwrap_err()
                .contains("betas = 1")
        );
    }

    #[test]
    fn k_is_clamped_to_the_regions_and_odd_heads_are_refused() {
        let sizes = HeadSizes {
            region_channels: 512,
            global_channels: 4096,
            label_dimension: 300,
        };
        let mut model = TrainSettings::default().model;
        model.top_k = 999;
        let grid = [14, 14];
        assert_eq!(model.config(&sizes, grid).unwrap().top_k, 196);
        model.coarse_grid = Some(4);
        assert_eq!(model.config(&sizes, grid).unwrap().top_k, 16);
        model.coarse_grid = Some(15);
        assert!(model.config(&sizes, grid).is_err());
        model.coarse_grid = None;
        model.heads = 7;
        assert!(model.config(&sizes, grid).is_err());
    }
}
