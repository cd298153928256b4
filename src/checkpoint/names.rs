//! The authors' names for a network's tensors, and this program's.

use std::collections::{BTreeMap, BTreeSet};

use super::wrappings::place_of;
use super::{CheckpointError, PlainTensor, StateDict};
use crate::model::config::SceneValue;
use crate::model::{ModelConfig, Preset};

/// Names in a message before it says how many more.
const SHOWN_NAMES: usize = 4;

/// Which of the authors' programs wrote a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Their published code.
    Published,
    /// The code of their run on Open Images, before it was tidied.
    Earlier,
}

/// A layer's name there and here.
type Layer = (&'static str, &'static str);

const PUBLISHED: [Layer; 14] = [
    ("conv_3X3.body", "latent.conv"),
    ("conv_3X3.bn", "latent.norm"),
    ("region_context_block.w_q", "rcb.query"),
    ("region_context_block.w_k", "rcb.key"),
    ("region_context_block.w_v", "rcb.value"),
    ("region_context_block.w_o", "rcb.output"),
    ("region_context_block.sub_network.conv1", "rcb.expand"),
    ("region_context_block.sub_network.conv2", "rcb.reduce"),
    ("scene_context_block.w_g", "scb.global_key"),
    ("scene_context_block.channel_conv.body", "scb.channel"),
    ("scene_context_block.gcff.body", "scb.conv"),
    ("scene_context_block.gcff.bn", "scb.norm"),
    ("conv_1X1.body", "fuse"),
    ("W", "classifier"),
];

/// Without a convolution before the scene's gate: value and query are the latent features.
const EARLIER: [Layer; 13] = [
    ("conv_layer1.body", "latent.conv"),
    ("conv_layer1.bn", "latent.norm"),
    ("self_attn1.query_conv", "rcb.query"),
    ("self_attn1.key_conv", "rcb.key"),
    ("self_attn1.value_conv", "rcb.value"),
    ("self_attn1.out", "rcb.output"),
    ("ff1.conv1", "rcb.expand"),
    ("ff1.conv2", "rcb.reduce"),
    ("linear1", "scb.global_key"),
    ("gcff.body", "scb.conv"),
    ("gcff.bn", "scb.norm"),
    ("conv_layer2.body", "fuse"),
    ("W1", "classifier"),
];

impl Scheme {
    fn layers(self) -> &'static [Layer] {
        match self {
            Self::Published => &PUBLISHED,
            Self::Earlier => &EARLIER,
        }
    }

    /// The layer whose name only this scheme has.
    fn mark(self) -> &'static str {
        match self {
            Self::Published => "conv_3X3.body.weight",
            Self::Earlier => "conv_layer1.body.weight",
        }
    }

    /// The authors' name of one of this program's tensors.
    fn foreign(self, own: &str) -> Option<String> {
        let (layer, part) = own.rsplit_once('.')?;
        let (foreign, _) = self.layers().iter().find(|(_, own)| *own == layer)?;
        Some(format!("{foreign}.{part}"))
    }
}

/// A tensor that has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub own: String,
    pub foreign: String,
    /// As this program has it: matrices of 1x1 convolutions are matrices.
    pub shape: Vec<usize>,
}

/// How a checkpoint becomes a full network. Every tensor of the network is among those applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    pub scheme: Scheme,
    /// The authors' preset with the sizes of the checkpoint. Heads and k are not in it: they are the
    /// preset's.
    pub config: ModelConfig,
    pub applied: Vec<Applied>,
    /// What the checkpoint has and the network does not: counters left out, which are always there.
    pub unused: Vec<String>,
    /// What lies beside the tensors, each with what it is.
    pub beside: Vec<String>,
}

impl Mapping {
    /// Finds scheme, sizes and every tensor's place.
    ///
    /// # Errors
    /// A checkpoint of neither scheme, a tensor that is missing or of another shape.
    pub fn new<R: std::io::Read + std::io::Seek>(
        checkpoint: &StateDict<R>,
    ) -> Result<Self, CheckpointError> {
        let shapes = checkpoint.shapes().collect();
        let mapping = mapping(&shapes);
        let mapping =
            mapping.map_err(|reason| CheckpointError::content(checkpoint.path(), reason))?;
        Ok(Self {
            beside: checkpoint.beside().to_vec(),
            ..mapping
        })
    }

    /// The same from names and shapes alone.
    #[cfg(test)]
    pub(super) fn of_shapes(shapes: &Shapes<'_>) -> Result<Self, String> {
        mapping(shapes)
    }

    /// Reads one of the tensors that are applied.
    ///
    /// # Errors
    /// As [`StateDict::tensor`], or numbers that are not finite in single precision.
    pub fn tensor<R: std::io::Read + std::io::Seek>(
        &self,
        applied: &Applied,
        checkpoint: &mut StateDict<R>,
    ) -> Result<PlainTensor, CheckpointError> {
        let tensor = checkpoint.tensor(&applied.foreign)?;
        if !tensor.data.iter().all(|number| number.is_finite()) {
            let reason = format!(
                "tensor {} has numbers that are not finite: use a checkpoint from before training broke",
                applied.foreign
            );
            return Err(CheckpointError::content(checkpoint.path(), reason));
        }
        Ok(PlainTensor {
            shape: applied.shape.clone(),
            data: tensor.data,
        })
    }
}

pub(super) type Shapes<'a> = BTreeMap<&'a str, &'a [usize]>;

fn mapping(all: &Shapes<'_>) -> Result<Mapping, String> {
    let (scheme, place) = network(all)?;
    // The network may lie beside others: a loss with weights, a network that was not trained.
    let shapes: &Shapes<'_> = &all
        .iter()
        .filter_map(|(name, shape)| Some((name.strip_prefix(place)?, *shape)))
        .collect();
    let expected: Vec<_> = expected_tensors(scheme);
    let missing: Vec<_> = expected
        .iter()
        .filter(|(_, foreign)| !shapes.contains_key(foreign.as_str()))
        .map(|(_, foreign)| foreign.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "the network's tensors {} are missing: save the whole state_dict()",
            listed(missing.into_iter())
        ));
    }
    let config = config(scheme, shapes)?;
    let mut applied = Vec::with_capacity(expected.len());
    for (own, foreign) in expected {
        let expected = shape(&own, &config);
        let found = shapes.get(foreign.as_str()).copied().unwrap_or_default();
        if matrix(found) != expected {
            return Err(format!(
                "tensor {foreign} is {found:?}, where this network has {expected:?}: not the authors' \
                 network"
            ));
        }
        applied.push(Applied {
            own,
            foreign: format!("{place}{foreign}"),
            shape: expected,
        });
    }
    let used: BTreeSet<&str> = applied
        .iter()
        .map(|applied| applied.foreign.as_str())
        .collect();
    let unused = all.keys().filter(|name| !used.contains(*name));
    Ok(Mapping {
        scheme,
        config,
        unused: unused.map(|name| (*name).to_owned()).collect(),
        beside: Vec::new(),
        applied,
    })
}

/// The scheme of the one network that is there, and what stands before its names.
fn network<'a>(shapes: &Shapes<'a>) -> Result<(Scheme, &'a str), String> {
    let mut found = Vec::new();
    for scheme in [Scheme::Published, Scheme::Earlier] {
        let place = place_of(shapes.keys().copied(), scheme.mark())?;
        found.extend(place.map(|place| (scheme, place)));
    }
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!(
            "not a checkpoint of the authors' network: it has {}, and neither {} nor {}",
            listed(shapes.keys().copied()),
            Scheme::Published.mark(),
            Scheme::Earlier.mark()
        )),
        _ => Err(format!(
            "several networks are in it, with {} and {}: save the state_dict() of one",
            Scheme::Published.mark(),
            Scheme::Earlier.mark()
        )),
    }
}

/// This program's and the authors' names of everything a full network has.
fn expected_tensors(scheme: Scheme) -> Vec<(String, String)> {
    let mut tensors = Vec::new();
    for (foreign, own) in scheme.layers() {
        let parts: &[_] = match own.ends_with("norm") {
            true => &["weight", "bias", "running_mean", "running_var"],
            false => &["weight", "bias"],
        };
        tensors.extend(
            parts
                .iter()
                .map(|part| (format!("{own}.{part}"), format!("{foreign}.{part}"))),
        );
    }
    tensors
}

/// The configuration whose sizes the checkpoint has.
fn config(scheme: Scheme, shapes: &Shapes<'_>) -> Result<ModelConfig, String> {
    let sides = |own: &str| -> Result<[usize; 2], String> {
        let foreign = scheme.foreign(own).unwrap_or_default();
        match shapes.get(foreign.as_str()).copied() {
            Some(&[outputs, inputs, ..]) => Ok([outputs, inputs]),
            _ => Err(format!(
                "tensor {foreign} is no matrix: not the authors' network"
            )),
        }
    };
    let [channels, region_channels] = sides("latent.conv.weight")?;
    let [_, global_channels] = sides("scb.global_key.weight")?;
    let [out_channels, label_dimension] = sides("classifier.weight")?;
    let authors = ModelConfig::preset(Preset::Authors);
    let config = ModelConfig {
        region_channels,
        global_channels,
        channels,
        out_channels,
        label_dimension,
        scene_value: match scheme {
            Scheme::Published => SceneValue::SharedConvolution,
            Scheme::Earlier => SceneValue::Latent,
        },
        ..authors
    };
    config.check().map_err(|error| error.to_string())?;
    Ok(config)
}

/// The shape of one of a full network's tensors.
fn shape(own: &str, config: &ModelConfig) -> Vec<usize> {
    let c = config.channels;
    // A tensor without numbers may claim any size.
    let wide = c.saturating_mul(2);
    let (layer, part) = own.rsplit_once('.').unwrap_or_default();
    let (outputs, inputs) = match layer {
        "rcb.expand" => (wide, c),
        "rcb.reduce" => (c, wide),
        "scb.global_key" => (c, config.global_channels),
        "fuse" => (config.out_channels, wide),
        "classifier" => (config.out_channels, config.label_dimension),
        "latent.conv" => (c, config.region_channels),
        _ => (c, c),
    };
    match (part, layer) {
        ("weight", "latent.conv" | "scb.conv") => vec![outputs, inputs, 3, 3],
        ("weight", "latent.norm" | "scb.norm") => vec![outputs],
        ("weight", _) => vec![outputs, inputs],
        _ => vec![outputs],
    }
}

/// A shape without the two last sides of a 1x1 convolution.
fn matrix(shape: &[usize]) -> &[usize] {
    match shape {
        [outputs @ .., 1, 1] if outputs.len() == 2 => outputs,
        shape => shape,
    }
}

/// The first names, and how many more there are.
pub(super) fn listed<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first: Vec<_> = names.by_ref().take(SHOWN_NAMES).collect();
    match (first.as_slice(), names.count()) {
        ([], _) => "no tensors".to_owned(),
        (first, 0) => first.join(", "),
        (first, more) => format!("{} and {more} more", first.join(", ")),
    }
}
