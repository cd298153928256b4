//! The architectures that this program knows: one row each. Nothing outside this room asks which
//! one a network is of.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::VarBuilder;

use super::biam::Biam;
use super::linear_start::LinearStart;
use super::network::{Network, Takes, Trainable};
use super::{biam_configuration, kernel_baseline, ridge, silenced};

/// One row: an architecture, or a view of one.
pub struct Architecture {
    /// Its name on the command line and in manifests.
    pub id: &'static str,
    /// The name people read.
    pub title: &'static str,
    /// What it is, in a sentence without a full stop.
    pub sentence: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// Red, green and blue of its bars and lines, on a light and on a dark ground.
    pub colours: [[u8; 3]; 2],
    pub training: Training,
    /// Whether it shows another network with a part switched off, with the other's weights.
    pub is_view: bool,
    /// Reads its settings.
    pub configuration: fn(&toml::Table) -> std::result::Result<Box<dyn Configuration>, String>,
    /// The settings that a file with a trained head tells, of its words and its tensors' shapes.
    pub settings_of_head: fn(&HeadFacts<'_>) -> std::result::Result<toml::Table, String>,
}

/// How an architecture comes to its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Training {
    /// By gradients, from labelled photos.
    Gradients,
    /// In closed form, from the rows of the backbone's classifier.
    ClassifierRows,
    /// It has the weights of another.
    None,
}

/// What a file with a trained head says of itself.
pub struct HeadFacts<'a> {
    pub shapes: &'a HashMap<String, Vec<usize>>,
    pub words: &'a HashMap<String, String>,
}

impl HeadFacts<'_> {
    /// A number among the words, or `default` where they do not tell it.
    ///
    /// # Errors
    /// What is told is no number.
    pub fn number(&self, name: &str, default: usize) -> std::result::Result<usize, String> {
        match self.words.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("its metadata has {name} = “{text}”, which is no number")),
        }
    }

    /// One size of a tensor.
    ///
    /// # Errors
    /// The tensor is missing or has fewer dimensions.
    pub fn size(&self, name: &str, axis: usize) -> std::result::Result<usize, String> {
        let shape = self
            .shapes
            .get(name)
            .ok_or_else(|| format!("the tensor `{name}` is missing; choose another file"))?;
        shape
            .get(axis)
            .copied()
            .ok_or_else(|| format!("the tensor `{name}` has too few dimensions"))
    }
}

/// An architecture with its settings: makes networks that answer and networks that learn.
pub trait Configuration: fmt::Debug + Send + Sync {
    /// What its networks take.
    fn takes(&self) -> Takes;

    /// k of the scores, where a score is the mean of a map's k largest responses.
    fn top_k(&self) -> Option<usize>;

    /// The settings that [`Architecture::configuration`] reads, in full.
    fn settings(&self) -> toml::Table;

    /// A network that answers, from a head's weights.
    ///
    /// # Errors
    /// Tensors that are missing or of another shape.
    fn load(&self, head: &HeadFile<'_>) -> Result<Arc<dyn Network>>;

    /// A network that learns; its tensors are asked of `vb`.
    ///
    /// # Errors
    /// Tensors that are missing or of another shape; an architecture that does not learn by
    /// gradients.
    fn trainable(&self, vb: VarBuilder<'_>) -> Result<Box<dyn Trainable>>;

    /// The number of codes with which a new network can start as a linear map from region features to
    /// what labels are multiplied with, where both have `channels`: as the kernel baseline.
    fn linear_codes(&self, _channels: usize) -> Option<usize> {
        None
    }

    /// Lays such a start over the weights of a new network.
    ///
    /// # Errors
    /// Sizes that do not fit; a network that cannot start so.
    fn start_linear(
        &self,
        _start: &LinearStart,
        _weights: &mut BTreeMap<String, Tensor>,
    ) -> Result<()> {
        bail!("this network does not start as a linear map")
    }
}

/// The weights in one file of a bundle. Networks that share a file share them.
pub struct HeadFile<'a> {
    pub(in crate::model) vb: VarBuilder<'a>,
    /// The full network, once it was built: its views look at the same.
    pub(in crate::model) full: Mutex<Option<Arc<Biam>>>,
}

impl<'a> HeadFile<'a> {
    /// The tensors that `vb` gives.
    pub fn new(vb: VarBuilder<'a>) -> Self {
        Self {
            vb,
            full: Mutex::new(None),
        }
    }

    /// Tensors from memory.
    pub fn of_tensors(tensors: HashMap<String, Tensor>, device: &Device) -> Self {
        Self::new(VarBuilder::from_tensors(tensors, DType::F32, device))
    }

    /// A tensor of any shape.
    ///
    /// # Errors
    /// It is missing.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.vb.get_unchecked(name)
    }

    /// The full network, built by `build` when it is asked for first.
    pub(in crate::model) fn full(
        &self,
        build: impl FnOnce(VarBuilder<'_>) -> Result<Biam>,
    ) -> Result<Arc<Biam>> {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(network) = &*full {
            return Ok(network.clone());
        }
        Ok(full.insert(Arc::new(build(self.vb.clone())?)).clone())
    }
}

/// All rows, in the order in which networks are compared: the paper's four, the baseline, views.
static ROWS: [Architecture; 10] = [
    biam_configuration::STANDARD,
    biam_configuration::RCB,
    biam_configuration::SCB,
    biam_configuration::BIAM,
    ridge::RIDGE,
    kernel_baseline::KERNEL,
    silenced::SCB_MEAN,
    silenced::RCB_MEAN,
    silenced::SCB_ZERO,
    silenced::RCB_ZERO,
];

/// The row of that name.
pub fn row(id: &str) -> Option<&'static Architecture> {
    ROWS.iter().find(|row| row.id == id)
}

/// All rows.
pub fn rows() -> &'static [Architecture] {
    &ROWS
}

/// An architecture's name that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown architecture “{id}”; this program has {}",
    names(|_| true)
)]
pub struct UnknownArchitecture {
    pub id: String,
}

/// The row of that name.
///
/// # Errors
/// There is none; the error names those that there are.
pub fn known(id: &str) -> std::result::Result<&'static Architecture, UnknownArchitecture> {
    row(id).ok_or_else(|| UnknownArchitecture { id: id.to_owned() })
}

/// The names of some rows, parted by commas.
pub fn names(wanted: impl Fn(&Architecture) -> bool) -> String {
    let names: Vec<&str> = ROWS
        .iter()
        .filter(|row| wanted(row))
        .map(|row| row.id)
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::VariantId;

    #[test]
    fn every_row_has_a_name_of_its_own_that_reads_back() {
        for (place, row) in rows().iter().enumerate() {
            assert!(rows()[..place].iter().all(|other| other.id != row.id));
            let variant: VariantId = row.id.parse().expect("a name");
            assert_eq!((variant.name(), variant.title()), (row.id, row.title));
            assert!(!row.sentence.is_empty() && !row.sentence.ends_with('.'));
        }
    }

    #[test]
    fn an_unknown_architecture_is_refused_with_those_there_are() {
        let refusal = known("vgg").err().expect("there is none").to_string();
        assert!(
            refusal.contains("“vgg”") && refusal.contains("scb, biam, ridge"),
            "{refusal}"
        );
    }
}
