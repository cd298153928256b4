//! `bundle.toml`: what a model folder says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image_io::Framing;
use crate::model::{Architecture, Configuration, VariantId, registry};

/// The format this program writes. It reads format 1 as well, in which all networks had one
/// configuration, `[model]`.
pub const FORMAT: u32 = 2;

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
    /// What makes label features of vectors, where the networks take these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeaturesEntry>,
}

/// Label features, see [`crate::semantics::LabelFeatures`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeaturesEntry {
    pub file: String,
    /// SHA-256 of the label encoder's file that the anchors were encoded with.
    pub encoder_sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VariantEntry {
    pub id: VariantId,
    /// The architecture's name, where it is another than the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Where its weights are; a view's are the full network's.
    pub file: String,
    /// The tensor of `file` that holds e_f of ordinary regions, `[R, out]`.
    pub ordinary_regions: Option<String>,
    /// What its architecture reads: for the paper's networks a preset and what differs from it.
    pub settings: toml::Table,
}

impl VariantEntry {
    /// A network named after its architecture.
    pub fn new(id: VariantId, file: &str, settings: toml::Table) -> Self {
        Self {
            id,
            architecture: None,
            file: file.to_owned(),
            ordinary_regions: None,
            settings,
        }
    }

    /// The row of its architecture.
    ///
    /// # Errors
    /// An architecture that this program does not know.
    pub fn architecture(&self) -> Result<&'static Architecture, String> {
        let name = self.architecture.as_deref().unwrap_or(self.id.name());
        registry::known(name).map_err(|error| format!("network “{}”: {error}", self.id))
    }

    /// Its settings, read by its architecture.
    ///
    /// # Errors
    /// An unknown architecture; settings that it does not have.
    pub fn configuration(&self) -> Result<Box<dyn Configuration>, String> {
        let configuration = self.architecture()?.configuration;
        configuration(&self.settings).map_err(|error| format!("network “{}”: {error}", self.id))
    }
}

/// A manifest of format 1 as one of format 2: every network takes the one configuration with it.
pub fn upgraded(mut table: toml::Table) -> toml::Table {
    let model = table.remove("model");
    let variants = table.get_mut("variant").and_then(|v| v.as_array_mut());
    for entry in variants
        .into_iter()
        .flatten()
        .filter_map(|v| v.as_table_mut())
    {
        if let Some(name) = entry.remove("name") {
            entry.insert("id".to_owned(), name);
        }
        if let Some(model) = &model {
            entry.insert("settings".to_owned(), model.clone());
        }
    }
    table.insert("format".to_owned(), i64::from(FORMAT).into());
    table
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
                .any(|other| other.id == entry.id)
            {
                return Err(format!("the network “{}” is there twice", entry.id));
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
        files.extend(
            self.labels
                .features
                .as_ref()
                .map(|entry| entry.file.as_str()),
        );
        files.extend(self.variants.iter().map(|entry| entry.file.as_str()));
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn format_1_gives_every_network_the_one_configuration() {
        let text = "format = 1\n[model]\npreset = \"authors\"\ntop-k = 7\n\
                    [[variant]]\nname = \"rcb\"\nfile = \"r\"\n\
                    [[variant]]\nname = \"biam\"\nfile = \"b\"\n";
        let mut table = upgraded(toml::from_str(text).expect("a table"));
        let variants = table.remove("variant").expect("networks");
        let entries: Vec<VariantEntry> = variants.try_into().expect("entries");
        assert_eq!(
            [entries[0].id, entries[1].id],
            [VariantId::RCB, VariantId::BIAM]
        );
        for entry in &entries {
            let configuration = entry.configuration().expect("it reads");
            assert_eq!(configuration.top_k(), Some(7));
        }
        assert!(!table.contains_key("model"));
    }

    #[test]
    fn a_network_of_another_name_says_its_architecture_and_an_unknown_one_is_refused() {
        let text = "id = \"biam-2\"\narchitecture = \"biam\"\nfile = \"b\"\n\
                    settings = { preset = \"paper\" }\n";
        let mut entry: VariantEntry = toml::from_str(text).expect("an entry");
        assert_eq!(entry.architecture().expect("its row").id, "biam");
        entry.architecture = Some("transformer".to_owned());
        let refusal = entry.configuration().expect_err("no such row");
        for word in ["biam-2", "transformer", "standard, rcb"] {
            assert!(refusal.contains(word), "{refusal}");
        }
        entry.architecture = Some("biam".to_owned());
        entry.settings.insert("top-q".to_owned(), 3.into());
        let refusal = entry.configuration().expect_err("no such setting");
        assert!(
            refusal.contains("biam-2") && refusal.contains("top-q"),
            "{refusal}"
        );
    }
}
