//! Losses, optimiser and one whole step; the numbers are made by `tests/reference/training.py`.

use std::collections::{BTreeMap, HashMap};

use biam_lens::backbone::{Covered, RegionFeatures};
use biam_lens::model::dropout::Dropout;
use biam_lens::model::{ModelConfig, VariantId};
use biam_lens::train::adam::Adam;
use biam_lens::train::batches::{Batch, TaughtRegions};
use biam_lens::train::distillation::distillation;
use biam_lens::train::learner::{Learner, Objective};
use biam_lens::train::ranking_loss::{photo_ranking_loss, ranking_loss};
use candle_core::{DType, Device, Result, Tensor, Var};

use crate::{assert_close, configuration, small_config};

struct Fixture(HashMap<String, Tensor>);

impl Fixture {
    fn load() -> Self {
        let path = "tests/reference/training.safetensors";
        Self(candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture"))
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn labels(&self, name: &str) -> Vec<i8> {
        let values = self.get(name).flatten_all().expect(name);
        let values = values.to_vec1::<f32>().expect(name);
        values.into_iter().map(|value| value as i8).collect()
    }

    /// Tensors below a prefix.
    fn below(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let named = self.0.iter();
        named
            .filter_map(|(name, tensor)| {
                Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()))
            })
            .collect()
    }
}

#[test]
fn the_ranking_loss_and_its_gradient_are_pytorchs() -> Result<()> {
    let fixture = Fixture::load();
    let scores = Var::from_tensor(fixture.get("ranking.scores"))?;
    let loss = ranking_loss(&scores, &fixture.labels("ranking.labels"))?;
    let expected = fixture.get("ranking.loss");
    assert_close(&loss.loss.reshape(1)?, expected, 1e-6, "loss");
    let exact = f64::from(expected.to_vec1::<f32>()?[0]);
    assert!((loss.value - exact).abs() < 1e-6 * exact, "{}", loss.value);
    let gradients = loss.loss.backward()?;
    let gradient = gradients.get(&scores).expect("a gradient");
    assert_close(gradient, fixture.get("ranking.gradient"), 1e-6, "gradient");
    Ok(())
}

#[test]
fn the_ranking_of_photos_and_its_gradient_are_pytorchs() -> Result<()> {
    let fixture = Fixture::load();
    let scores = Var::from_tensor(fixture.get("ranking.scores"))?;
    let loss = photo_ranking_loss(&scores, &fixture.labels("ranking.labels"))?;
    let expected = fixture.get("photo_ranking.loss");
    assert_close(&loss.loss.reshape(1)?, expected, 1e-6, "loss");
    let gradients = loss.loss.backward()?;
    let gradient = gradients.get(&scores).expect("a gradient");
    let expected = fixture.get("photo_ranking.gradient");
    assert_close(gradient, expected, 1e-6, "gradient");
    Ok(())
}

#[test]
fn the_distillation_and_its_gradient_are_pytorchs() -> Result<()> {
    let fixture = Fixture::load();
    let responses = Var::from_tensor(fixture.get("distillation.responses"))?;
    let distilled = distillation(&responses, fixture.get("distillation.targets"))?;
    let expected = fixture.get("distillation.loss");
    assert_close(&distilled.loss.reshape(1)?, expected, 1e-6, "loss");
    let gradients = distilled.loss.backward()?;
    let gradient = gradients.get(&responses).expect("a gradient");
    assert_close(
        gradient,
        fixture.get("distillation.gradient"),
        1e-5,
        "gradient",
    );
    Ok(())
}

#[test]
fn ten_steps_of_adam_are_pytorchs() -> Result<()> {
    let fixture = Fixture::load();
    let gradients = fixture.get("adam.gradients");
    for (name, betas) in [("after", [0.9, 0.999]), ("other", [0.5, 0.99])] {
        let weight = Var::from_tensor(fixture.get("adam.start"))?;
        let weights = BTreeMap::from([("weight".to_owned(), weight.clone())]);
        let mut adam = Adam::new(&weights, betas, 0.1)?;
        for step in 0..10 {
            // The gradient of <weight, g> is g.
            let loss = (weight.as_tensor() * gradients.get(step)?)?.sum_all()?;
            adam.step(&weights, &loss.backward()?, 0.01)?;
            let expected = fixture.get(&format!("adam.{name}")).get(step)?;
            assert_close(&weight, &expected, 2e-6, &format!("{name} {step}"));
        }
        assert_eq!(adam.steps(), 10);
    }
    Ok(())
}

fn fixture_batch(fixture: &Fixture) -> Batch {
    let places = fixture.get("step.places").to_dtype(DType::U32);
    Batch {
        photos: RegionFeatures {
            regions: fixture.get("step.regions").clone(),
            global: fixture.get("step.global").clone(),
            covered: Covered::WHOLE,
        },
        labels: fixture.labels("step.labels"),
        taught: Some(TaughtRegions {
            places: places.expect("places"),
            targets: fixture.get("step.targets").clone(),
        }),
    }
}

#[test]
fn one_whole_step_is_pytorchs() -> Result<()> {
    let fixture = Fixture::load();
    let batch = fixture_batch(&fixture);
    let objective = Objective {
        label_vectors: fixture.get("step.label_vectors").clone(),
        teacher_vectors: Some(fixture.get("step.teacher_vectors").clone()),
        photo_ranking: 0.5,
        distillation: 10.0,
    };
    for variant in [VariantId::STANDARD, VariantId::BIAM] {
        let config = ModelConfig {
            shortcut: variant == VariantId::BIAM,
            ..small_config()
        };
        let before = fixture.below(&format!("step.{variant}.before."));
        let optimiser = ([0.9, 0.999], 0.05);
        let configuration = configuration(variant, config);
        let mut learner = Learner::new(&*configuration, &before, optimiser, &Device::Cpu)?;
        let losses = learner.step(&batch, &objective, &mut Dropout::off(), 0.01)?;
        let expected = fixture.get(&format!("step.{variant}.losses"));
        let found = [
            losses.ranking,
            losses.photo_ranking,
            losses.distillation,
            losses.total,
        ];
        let found = Tensor::new(&found.map(|loss| loss as f32), &Device::Cpu)?;
        assert_close(&found, expected, 1e-5, &format!("{variant} losses"));
        // The first moment is a tenth of gradient plus weight decay.
        for (name, [first, _]) in learner.optimiser().moments() {
            let gradient = fixture.get(&format!("step.{variant}.gradient.{name}"));
            let expected = ((gradient + (&before[name] * 0.05)?)? * 0.1)?;
            assert_close(
                first,
                &expected,
                1e-4,
                &format!("{variant} gradient of {name}"),
            );
        }
        let after = fixture.below(&format!("step.{variant}.after."));
        let found = learner.tensors()?;
        assert!(found.keys().eq(after.keys()), "{variant}: other tensors");
        for (name, expected) in &after {
            assert_close(&found[name], expected, 1e-4, &format!("{variant} {name}"));
        }
    }
    Ok(())
}
