//! `bundle.toml`: what a model folder says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image_io::Framing;
use crate::model::{ModelConfig, Preset, Variant};

/// The format this program writes and reads.
pub const FORMAT: u32 = 1;

/// The whole manifest of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    pub format: u32,
    pub name: String,
    pub backbone: BackboneEntry,
    pub projection: Option<ProjectionEntry>,
    pub label_encoder: LabelEncoderEntry,
    pub labels: LabelsEntry,
    pub model: ModelEntry,
    #[serde(rename = "variant")]
    pub variants: Vec<VariantEntry>,
    /// SHA-256 of every other file of the folder, in hexadecimal.
    pub sha256: BTreeMap<String, String>,
    /// Where the weights come from: data, commit, metrics; free text by topic.
    #[serde(default)]
    pub provenance: BTreeMap<String, String>,
}

/// Kinds of backbone this program can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneKind {
    EfficientnetLite2,
    Vgg19,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BackboneEntry {
    pub kind: BackboneKind,
    /// Side of the square input in pixels.
    pub input_size: usize,
    /// Rows and columns of regions.
    pub grid: [usize; 2],
    pub file: String,
    /// Channels of VGG-19's five stages, where they are not the published ones.
    pub widths: Option<[usize; 5]>,
    /// Outputs of VGG-19's fc6 and fc7, where they are not the published ones.
    pub hidden: Option<usize>,
    /// How photos are brought to the square.
    #[serde(default, skip_serializing_if = "Framing::is_default")]
    pub resize: Framing,
}

/// A first layer of every head, stored once: x_r = weight · region feature + bias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProjectionEntry {
    pub file: String,
}

/// Kinds of label encoder this program can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelEncoderKind {
    #[serde(rename = "all-MiniLM-L6-v2")]
    AllMiniLmL6V2,
    /// A vector for each word (GloVe, word2vec) in this program's own file, which is mapped.
    WordVectors,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LabelEncoderEntry {
    pub kind: LabelEncoderKind,
    pub file: String,
    /// The file that says how a text encoder splits labels; word vectors have none.
    pub tokenizer: Option<String>,
    /// SHA-256 of the words' index, which is checked in place of the whole file of word vectors; see
    /// [`crate::semantics::WordVectors::index_sha256`].
    pub index_sha256: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LabelsEntry {
    /// The labels with seen or unseen.
    pub file: String,
    /// Their vectors (tensor `vectors`), so that a program that starts need not encode them all.
    pub vectors: String,
    /// The semantic teacher's classes.
    pub teacher: Option<String>,
}

/// A preset with everything that differs from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelEntry {
    pub preset: Preset,
    #[serde(flatten)]
    pub overrides: toml::Table,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VariantEntry {
    pub name: Variant,
    /// Where its weights are; a view's are the full network's.
    pub file: String,
    /// The tensor of `file` that holds e_f of ordinary regions, `[R, out]`.
    pub ordinary_regions: Option<String>,
}

impl ModelEntry {
    /// `config` as its difference to `preset`.
    pub fn new(preset: Preset, config: &ModelConfig) -> Result<Self, toml::ser::Error> {
        let base = toml::Table::try_from(ModelConfig::preset(preset))?;
        let mut overrides = toml::Table::try_from(config)?;
        overrides.retain(|key, value| base.get(key) != Some(value));
        Ok(Self { preset, overrides })
    }

    /// The preset with the overrides laid over it.
    pub fn config(&self) -> Result<ModelConfig, toml::de::Error> {
        let mut table = toml::Table::try_from(ModelConfig::preset(self.preset))
            .map_err(serde::de::Error::custom)?;
        table.extend(self.overrides.clone());
        table.try_into()
    }
}

impl Manifest {
    /// That the networks are there, each once.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.variants.is_empty() {
            return Err("it names no network (no [[variant]])".to_owned());
        }
        let encoder = &self.label_encoder;
        match encoder.kind {
            LabelEncoderKind::AllMiniLmL6V2 if encoder.tokenizer.is_none() => {
                return Err("its label encoder has no tokenizer".to_owned());
            }
            LabelEncoderKind::WordVectors if encoder.index_sha256.is_none() => {
                return Err("its label encoder has no index-sha256".to_owned());
            }
            _ => {}
        }
        for (row, entry) in self.variants.iter().enumerate() {
            if self.variants[..row]
                .iter()
                .any(|other| other.name == entry.name)
            {
                return Err(format!("the network “{}” is there twice", entry.name));
            }
        }
        Ok(())
    }

    /// Every file the manifest names besides itself.
    pub fn files(&self) -> Vec<&str> {
        let mut files = vec![
            self.backbone.file.as_str(),
            &self.label_encoder.file,
            &self.labels.file,
            &self.labels.vectors,
        ];
        files.extend(self.label_encoder.tokenizer.as_deref());
        files.extend(self.projection.as_ref().map(|entry| entry.file.as_str()));
        files.extend(self.labels.teacher.as_deref());
        files.extend(self.variants.iter().map(|entry| entry.file.as_str()));
        files
    }
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
        let entry = ModelEntry::new(Preset::Authors, &config).expect("it serialises");
        assert_eq!(entry.overrides.len(), 2);
        assert_eq!(entry.config().expect("it reads back"), config);
    }

    #[test]
    fn a_backbone_says_how_photos_are_resized_or_squashes_them() {
        let text = "kind = \"vgg19\"\ninput-size = 224\ngrid = [14, 14]\nfile = \"b\"\n";
        let mut entry: BackboneEntry = toml::from_str(text).expect("an entry");
        assert_eq!(entry.resize, Framing::Squash);
        assert_eq!(toml::to_string(&entry).expect("it serialises"), text);
        let cropped = format!("{text}resize = \"centre-crop\"\n");
        entry = toml::from_str(&cropped).expect("an entry");
        assert_eq!(entry.resize, Framing::CentreCrop);
        assert_eq!(toml::to_string(&entry).expect("it serialises"), cropped);
    }

    #[test]
    fn an_unknown_override_is_refused() {
        let text = "preset = \"paper\"\ntop-q = 3";
        let entry: ModelEntry = toml::from_str(text).expect("a table");
        let refusal = entry.config().expect_err("no such setting").to_string();
        assert!(refusal.contains("top-q"), "{refusal}");
    }
}
