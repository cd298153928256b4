//! Gradients of every parameter against PyTorch, through the whole network.
//! The numbers are made by `tests/reference/gradients.py`.

use std::collections::HashMap;

use biam_lens::backbone::{Covered, RegionFeatures};
use biam_lens::model::dropout::Dropout;
use biam_lens::model::network::Trainable;
use biam_lens::model::{BiamLearner, Blocks, ModelConfig, Preset};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;

const K: usize = 4;
/// The reference is computed in 64 bits.
const TOLERANCE: f32 = 2e-5;
const CASES: [(Preset, &str, Blocks); 5] = [
    (Preset::Authors, "authors.standard", Blocks::Neither),
    (Preset::Authors, "authors.rcb", Blocks::Rcb),
    (Preset::Authors, "authors.scb", Blocks::Scb),
    (Preset::Authors, "authors.biam", Blocks::Both),
    (Preset::Paper, "paper.biam", Blocks::Both),
];

type Tensors = HashMap<String, Tensor>;

fn load(name: &str) -> Tensors {
    let path = format!("tests/reference/{name}.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture")
}

/// A network whose weights are variables.
fn network(fixture: &Tensors, preset: Preset, prefix: &str, blocks: Blocks) -> Result<Trained> {
    let mut variables = HashMap::new();
    for (key, tensor) in fixture {
        if let Some(name) = key.strip_prefix(&format!("{prefix}.")) {
            variables.insert(name.to_owned(), Var::from_tensor(tensor)?);
        }
    }
    let tensors = variables
        .iter()
        .map(|(name, variable)| (name.clone(), variable.as_tensor().clone()))
        .collect();
    let config = ModelConfig {
        region_channels: 12,
        global_channels: 24,
        channels: 16,
        out_channels: 20,
        label_dimension: 10,
        heads: 4,
        top_k: K,
        ..ModelConfig::preset(preset)
    };
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    Ok(Trained {
        network: BiamLearner::new(&config, blocks, vb)?,
        variables,
    })
}

struct Trained {
    network: BiamLearner,
    variables: HashMap<String, Var>,
}

impl Trained {
    fn loss(
        &self,
        fixture: &Tensors,
        reference: &Tensors,
        dropout: &mut Dropout,
    ) -> Result<Tensor> {
        let photos = RegionFeatures {
            regions: fixture["regions"].clone(),
            global: fixture["global"].clone(),
            covered: Covered::WHOLE,
        };
        let photos = self.network.forward(&photos, dropout)?;
        let labels = self.network.project_labels(&fixture["labels"])?;
        let scores = self.network.scores(&photos, &labels)?;
        let sampled = &reference["sampled"];
        let responses = self.network.region_responses(&photos, sampled, &labels)?;
        let responses = responses.expect("a network with responses of regions");
        let teacher = &reference["teacher"];
        let product = (&responses * teacher)?.sum_all()?;
        let length = |tensor: &Tensor| tensor.sqr()?.sum_all()?.sqrt();
        let cosine = product.div(&(length(&responses)? * length(teacher)?)?)?;
        scores.sqr()?.sum_all()? + ((1.0 - cosine)? * 10.0)?
    }
}

fn largest(tensor: &Tensor) -> Result<f32> {
    tensor.abs()?.max_all()?.to_scalar()
}

#[test]
fn every_gradient_equals_the_reference() -> Result<()> {
    let (fixture, reference) = (load("network"), load("gradients"));
    for (preset, prefix, blocks) in CASES {
        let trained = network(&fixture, preset, prefix, blocks)?;
        let loss = trained.loss(&fixture, &reference, &mut Dropout::off())?;
        let expected = reference[&format!("loss.{prefix}")].to_vec1::<f32>()?[0];
        assert!((loss.to_scalar::<f32>()? - expected).abs() < 1e-4 * expected.abs());
        let gradients = loss.backward()?;
        let mut compared = 0;
        for (key, expected) in &reference {
            let Some(name) = key.strip_prefix(&format!("{prefix}.")) else {
                continue;
            };
            let found = gradients.get(&trained.variables[name]).expect(key);
            // A key's bias has no gradient but rounding: a weight's beside it gives the measure.
            let measure = match key.strip_suffix("key.bias") {
                Some(rcb) if rcb.ends_with("rcb.") => &reference[&format!("{rcb}key.weight")],
                _ => expected,
            };
            let relative = largest(&(found - expected)?)? / largest(measure)?;
            assert!(relative <= TOLERANCE, "{key}: off by {relative:e}");
            compared += 1;
        }
        let trainable = trained
            .variables
            .keys()
            .filter(|name| !name.contains("running_") && *name != "fuse.input_mean");
        assert_eq!(compared, trainable.count(), "{prefix}");
    }
    Ok(())
}

#[test]
fn a_step_repeats_to_the_bit() -> Result<()> {
    let (fixture, reference) = (load("network"), load("gradients"));
    let run = || -> Result<Vec<(String, Vec<f32>)>> {
        let trained = network(&fixture, Preset::Authors, "authors.biam", Blocks::Both)?;
        let loss = trained.loss(&fixture, &reference, &mut Dropout::seeded(5))?;
        let gradients = loss.backward()?;
        let mut values = Vec::new();
        for (name, variable) in &trained.variables {
            if let Some(gradient) = gradients.get(variable) {
                values.push((name.clone(), gradient.flatten_all()?.to_vec1()?));
            }
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(values)
    };
    assert_eq!(run()?, run()?);
    Ok(())
}
