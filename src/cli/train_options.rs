//! The options of `train` that are settings, laid over a recipe or a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::model::config::{RegionContext, SceneGate};
use crate::train::schedule::WarmUp;
use crate::train::{Recipe, TrainSettings};

/// Settings on the command line.
#[derive(Clone, Debug, Args)]
pub struct SettingsArguments {
    /// The recipe that settings start from
    #[arg(long, value_enum, default_value = "few-photos")]
    preset: Recipe,
    /// TOML file with settings, laid over the recipe; options here are laid over both
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// How often every photo is seen
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Photos of one step
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Adam's largest learning rate
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Steps over which the learning rate rises
    #[arg(long, value_name = "STEPS")]
    warm_up: Option<usize>,
    /// L2 added to the gradient
    #[arg(long, value_name = "WEIGHT")]
    weight_decay: Option<f64>,
    /// Weight of the ranking loss across the photos of a label, beside that across the labels of a
    /// photo; 0 turns it off
    #[arg(long, value_name = "WEIGHT")]
    photo_ranking: Option<f64>,
    /// Weight of the distillation from the backbone's classifier; 0 turns it off
    #[arg(long, value_name = "WEIGHT")]
    distillation: Option<f64>,
    /// Random regions of each photo that the distillation looks at
    #[arg(long, value_name = "N")]
    distillation_regions: Option<usize>,
    /// Never mirror a photo
    #[arg(long)]
    no_flips: bool,
    /// Start of all random numbers
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How much of the weights that a network started from is mixed into those it ends with, from 0
    #[arg(long, value_name = "PART")]
    start_share: Option<f64>,
    /// Stop when F1@5 on photos kept aside has not risen for so many epochs
    #[arg(long, value_name = "EPOCHS")]
    early_stop: Option<usize>,
    /// Channels of the latent features
    #[arg(long, value_name = "C")]
    channels: Option<usize>,
    /// Channels that the region classifier multiplies with
    #[arg(long, value_name = "N")]
    out_channels: Option<usize>,
    /// Attention heads
    #[arg(long, value_name = "H")]
    heads: Option<usize>,
    /// A label's score is the mean of its K largest responses; 196 is spatial pooling
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// How regions look at others
    #[arg(long, value_enum)]
    region_context: Option<RegionContext>,
    /// What opens and closes the channels of the scene block
    #[arg(long, value_enum)]
    scene_gate: Option<SceneGate>,
    /// Average the regions to a grid of SIDE x SIDE first
    #[arg(long, value_name = "SIDE")]
    coarse_grid: Option<usize>,
    /// Whether networks take label features, which are made of the bundle's teacher, in place of the
    /// label encoder's vectors
    #[arg(long, value_name = "true|false")]
    label_features: Option<bool>,
}

impl SettingsArguments {
    /// The settings that recipe, file and options make.
    pub fn read(&self) -> Result<TrainSettings> {
        let mut settings = match &self.settings {
            Some(path) => TrainSettings::read(path, self.preset)?,
            None => TrainSettings::of(self.preset),
        };
        take(&mut settings.epochs, self.epochs);
        take(&mut settings.batch, self.batch);
        take(&mut settings.learning_rate, self.learning_rate);
        take(&mut settings.warm_up, self.warm_up.map(WarmUp::Steps));
        take(&mut settings.weight_decay, self.weight_decay);
        take(&mut settings.photo_ranking, self.photo_ranking);
        take(&mut settings.distillation, self.distillation);
        take(
            &mut settings.distillation_regions,
            self.distillation_regions,
        );
        take(&mut settings.flips, self.no_flips.then_some(false));
        take(&mut settings.seed, self.seed);
        take(&mut settings.start_share, self.start_share);
        take(&mut settings.early_stop, self.early_stop);
        take(&mut settings.model.channels, self.channels);
        take(&mut settings.model.out_channels, self.out_channels);
        take(&mut settings.model.heads, self.heads);
        take(&mut settings.model.top_k, self.top_k);
        take(&mut settings.model.region_context, self.region_context);
        take(&mut settings.model.scene_gate, self.scene_gate);
        take(&mut settings.model.coarse_grid, self.coarse_grid.map(Some));
        take(&mut settings.label_features, self.label_features);
        settings.check()?;
        Ok(settings)
    }
}

fn take<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
