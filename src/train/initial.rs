//! Weights to start from: PyTorch's defaults for its layers, from a seed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::Init;
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use rand::Rng as _;

use super::random::generator;
use crate::model::Configuration;

/// Layers that PyTorch calls linear: their weights have two dimensions, those of convolutions four.
const LINEAR: [&str; 2] = ["classifier.weight", "scb.global_key.weight"];

/// The weights and running statistics of a new network, by name.
///
/// A convolution's or linear layer's weights and bias lie evenly in ±1/√(inputs of one output)
/// (Kaiming uniform with a = √5, PyTorch's default); batch norms start as 1 and 0. Each tensor has a
/// generator of its own, made from the seed and its name: networks that share a part start alike in
/// it.
///
/// # Errors
/// A configuration that no network can have.
pub fn initial_weights(
    configuration: &dyn Configuration,
    seed: u64,
) -> Result<BTreeMap<String, Tensor>> {
    let made = Mutex::default();
    let asked = Asked { seed, made: &made };
    let vb = VarBuilder::from_backend(Box::new(asked), DType::F32, Device::Cpu);
    configuration.trainable(vb)?;
    Ok(made
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .weights)
}

#[derive(Default)]
struct Made {
    weights: BTreeMap<String, Tensor>,
    /// Inputs of one output, by the name of the layer.
    inputs: HashMap<String, usize>,
}

/// Makes each tensor when the network asks for it, so that the network alone knows its parts.
struct Asked<'a> {
    seed: u64,
    made: &'a Mutex<Made>,
}

impl Asked<'_> {
    fn make(&self, shape: &Shape, name: &str, inputs: usize) -> Result<Tensor> {
        let bound = 1.0 / (inputs as f32).sqrt();
        let mut generator = generator(self.seed, name, 0);
        let values: Vec<f32> = (0..shape.elem_count())
            .map(|_| generator.random_range(-bound..bound))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }
}

impl SimpleBackend for Asked<'_> {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, device: &Device) -> Result<Tensor> {
        let (layer, part) = name.rsplit_once('.').unwrap_or(("", name));
        if LINEAR.contains(&name) && shape.rank() == 4 {
            bail!("{name} has two dimensions")
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_norm = layer
            .rsplit('.')
            .next()
            .is_some_and(|l| l.ends_with("norm"));
        let tensor = match (is_norm, part) {
            (true, "weight" | "running_var") => Tensor::ones(&shape, DType::F32, device)?,
            (true, _) => Tensor::zeros(&shape, DType::F32, device)?,
            (false, "weight") => {
                let inputs = shape.dims().iter().skip(1).product::<usize>().max(1);
                made.inputs.insert(layer.to_owned(), inputs);
                self.make(&shape, name, inputs)?
            }
            // The factor of criss-cross attention starts at 0, as its authors have it.
            (false, "gamma") => Tensor::zeros(&shape, DType::F32, device)?,
            (false, _) => match made.inputs.get(layer) {
                Some(&inputs) => self.make(&shape, name, inputs)?,
                None => bail!("{name} is made before the weight it belongs to"),
            },
        };
        made.weights.insert(name.to_owned(), tensor.clone());
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("cannot find tensor {name}")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Preset, PresetConfig, VariantId, registry};

    fn configuration(variant: VariantId) -> Box<dyn Configuration> {
        let config = ModelConfig {
            region_channels: 12,
            global_channels: 20,
            channels: 16,
            out_channels: 24,
            label_dimension: 10,
            heads: 4,
            ..ModelConfig::preset(Preset::Authors)
        };
        let settings = PresetConfig::of(Preset::Authors, config).table();
        let row = registry::row(variant.name()).unwrap();
        (row.configuration)(&settings).unwrap()
    }

    fn values(weights: &BTreeMap<String, Tensor>, name: &str) -> Vec<f32> {
        weights[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn names_and_shapes_are_those_of_a_bundles_heads() {
        let weights = initial_weights(&*configuration(VariantId::BIAM), 1).unwrap();
        assert_eq!(weights["latent.conv.weight"].dims(), [16, 12, 3, 3]);
        assert_eq!(weights["rcb.expand.weight"].dims(), [32, 16, 1, 1]);
        assert_eq!(weights["scb.global_key.weight"].dims(), [16, 20]);
        assert_eq!(weights["classifier.weight"].dims(), [24, 10]);
        assert_eq!(weights["fuse.weight"].dims(), [24, 32, 1, 1]);
        assert_eq!(weights.len(), 32);
    }

    #[test]
    fn values_fill_pytorchs_bounds() {
        let weights = initial_weights(&*configuration(VariantId::BIAM), 1).unwrap();
        let bound = 1.0 / (12.0 * 9.0_f32).sqrt();
        for name in ["latent.conv.weight", "latent.conv.bias"] {
            let values = values(&weights, name);
            let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!(
                largest <= bound && largest > 0.8 * bound,
                "{name}: {largest}"
            );
        }
        assert_eq!(values(&weights, "latent.norm.weight"), [1.0; 16]);
        assert_eq!(values(&weights, "scb.norm.running_var"), [1.0; 16]);
        assert_eq!(values(&weights, "scb.norm.bias"), [0.0; 16]);
    }

    #[test]
    fn a_seed_repeats_them_and_variants_share_what_they_share() {
        let of = |variant, seed| initial_weights(&*configuration(variant), seed).unwrap();
        let (biam, rcb) = (of(VariantId::BIAM, 7), of(VariantId::RCB, 7));
        let name = "latent.conv.weight";
        assert_eq!(values(&biam, name), values(&of(VariantId::BIAM, 7), name));
        assert_eq!(values(&biam, name), values(&rcb, name));
        assert_ne!(values(&biam, name), values(&of(VariantId::BIAM, 8), name));
    }
}
