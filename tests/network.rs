//! The network against PyTorch: both presets, all variants, evaluation and training.
//! The numbers are made by `tests/reference/network.py`.

use std::collections::HashMap;
use std::sync::Arc;

use biam_lens::backbone::{Covered, RegionFeatures};
use biam_lens::model::config::{SceneResidual, SceneValue};
use biam_lens::model::dropout::Dropout;
use biam_lens::model::network::{Array, Trainable};
use biam_lens::model::ordinary_regions::Sampler;
use biam_lens::model::silenced::view;
use biam_lens::model::{
    Biam, BiamLearner, Block, Blocks, EncodeOptions, Filler, ModelConfig, Network, Part, Preset,
    SilencedView,
};
use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const K: usize = 4;
/// The reference is computed in 64 bits; single precision differs by some 1e-6.
const TOLERANCE: f32 = 1e-5;

struct Fixture(HashMap<String, Tensor>);

impl Fixture {
    fn load() -> Self {
        let path = "tests/reference/network.safetensors";
        Self(candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture"))
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn photos(&self) -> RegionFeatures {
        RegionFeatures {
            regions: self.get("regions").clone(),
            global: self.get("global").clone(),
            covered: Covered::WHOLE,
        }
    }

    fn network(&self, preset: Preset, blocks: Blocks, config: &ModelConfig) -> Biam {
        Biam::new(config, blocks, self.tensors(preset, blocks)).expect("a network")
    }

    fn tensors(&self, preset: Preset, blocks: Blocks) -> VarBuilder<'static> {
        let prefix = format!("{}.{}.", name(preset), named(blocks));
        let tensors = self.0.iter().filter_map(|(key, tensor)| {
            // The shortcut stands by itself.
            let own = key.starts_with("shortcut.").then_some(key.as_str());
            let name = key.strip_prefix(&prefix).or(own)?;
            Some((name.to_owned(), tensor.clone()))
        });
        VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu)
    }
}

/// The fixture's name of a network.
fn named(blocks: Blocks) -> &'static str {
    match blocks {
        Blocks::Neither => "standard",
        Blocks::Rcb => "rcb",
        Blocks::Scb => "scb",
        Blocks::Both => "biam",
    }
}

fn name(preset: Preset) -> &'static str {
    match preset {
        Preset::Paper => "paper",
        Preset::Authors => "authors",
    }
}

fn config(preset: Preset) -> ModelConfig {
    ModelConfig {
        region_channels: 12,
        global_channels: 24,
        channels: 16,
        out_channels: 20,
        label_dimension: 10,
        heads: 4,
        top_k: K,
        ..ModelConfig::preset(preset)
    }
}

/// The largest difference over the largest value.
fn assert_close(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let largest = |tensor: &Tensor| {
        let flat = tensor.abs().and_then(|t| t.flatten_all()).expect(what);
        flat.max(D::Minus1)
            .and_then(|t| t.to_scalar::<f32>())
            .expect(what)
    };
    let difference = (found - expected).expect(what);
    let relative = largest(&difference) / largest(expected);
    assert!(relative <= TOLERANCE, "{what}: off by {relative:e}");
}

/// `[N, P, C]` as the reference stores it, `[N, C, h, w]`.
fn channels_first(regions: &Tensor, like: &Tensor) -> Result<Tensor> {
    regions.transpose(1, 2)?.reshape(like.shape())
}

fn check_maps(fixture: &Fixture, network: &Biam, options: &EncodeOptions, key: &str) {
    let encoded = network.encode(&fixture.photos(), options).expect(key);
    let labels = network.prepare_labels(fixture.get("labels")).expect(key);
    let answer = network.respond(&encoded, &labels).expect(key);
    let maps = answer.maps.expect(key);
    assert_close(
        &maps,
        fixture.get(&format!("{key}.maps")),
        &format!("{key}.maps"),
    );
    let pooled = network.pool(&maps, K).expect(key).expect("a pooled map");
    for scores in [answer.scores, pooled] {
        assert_close(
            &scores,
            fixture.get(&format!("{key}.scores")),
            &format!("{key}.scores"),
        );
    }
}

/// The parts of all photos' responses, added up, are the reference's maps; so says their number.
fn check_parts(
    fixture: &Fixture,
    network: &dyn Network,
    options: &EncodeOptions,
    key: &str,
) -> Vec<Part> {
    let photos = fixture.photos();
    let labels = network.prepare_labels(fixture.get("labels")).expect(key);
    let expected = fixture.get(&format!("{key}.maps"));
    let mut names = Vec::new();
    for photo in 0..expected.dim(0).expect(key) {
        let one = RegionFeatures {
            regions: photos.regions.narrow(0, photo, 1).expect(key),
            global: photos.global.narrow(0, photo, 1).expect(key),
            covered: photos.covered,
        };
        let inside = network.look_inside(&one, options).expect(key);
        let parts = inside.expect(key).parts.of_labels(&labels).expect(key);
        let sum = parts
            .iter()
            .skip(1)
            .fold(parts[0].1.clone(), |sum, (_, part)| {
                (sum + part).expect("one shape")
            });
        let maps = expected.get(photo).and_then(|maps| maps.flatten_from(1));
        assert_close(&sum, &maps.expect(key), &format!("{key}: sum of parts"));
        names = parts.into_iter().map(|(part, _)| part).collect();
    }
    names
}

fn every(check: impl Fn(&Fixture, Preset, Blocks)) {
    let fixture = Fixture::load();
    for preset in [Preset::Paper, Preset::Authors] {
        for variant in Blocks::ALL {
            check(&fixture, preset, variant);
        }
    }
}

#[test]
fn maps_and_scores_equal_the_reference() {
    every(|fixture, preset, variant| {
        let network = fixture.network(preset, variant, &config(preset));
        let key = format!("eval.{}.{}", name(preset), named(variant));
        check_maps(fixture, &network, &EncodeOptions::default(), &key);
    });
}

#[test]
fn traces_equal_the_reference() {
    every(|fixture, preset, variant| {
        let network = fixture.network(preset, variant, &config(preset));
        let key = format!("eval.{}.{}", name(preset), named(variant));
        let trace = network
            .trace(&fixture.photos(), &EncodeOptions::default())
            .expect(&key);
        for part in ["e_f", "e_r", "e_g", "attention", "gate"] {
            let key = format!("{key}.{part}");
            let found = trace.arrays.get(part);
            assert_eq!(found.is_some(), fixture.0.contains_key(&key), "{key}");
            let Some(Array { shape, values }) = found else {
                continue;
            };
            let expected = fixture.get(&key);
            let found = Tensor::from_vec(values.clone(), &shape[..], &Device::Cpu).expect(&key);
            let found = match part.starts_with("e_") {
                true => channels_first(&found, expected).expect(&key),
                false => found,
            };
            assert_close(&found, expected, &key);
        }
        let latent = &trace.arrays["h_r"];
        assert_eq!(latent.shape[2], config(preset).channels);
    });
}

#[test]
fn training_uses_batch_statistics_and_updates_the_running_ones() {
    every(|fixture, preset, variant| {
        let tensors = fixture.tensors(preset, variant);
        let network = BiamLearner::new(&config(preset), variant, tensors).expect("a learner");
        let key = format!("train.{}.{}", name(preset), named(variant));
        let photos = network
            .forward(&fixture.photos(), &mut Dropout::off())
            .expect(&key);
        let labels = network.project_labels(fixture.get("labels")).expect(&key);
        let expected = fixture.get(&format!("{key}.maps"));
        let (count, labels_count, rows, columns) = expected.dims4().expect(&key);
        let places: Vec<u32> = (0..(count * rows * columns) as u32).collect();
        let places = Tensor::new(places, &Device::Cpu).expect(&key);
        let of_regions = network.region_responses(&photos, &places, &labels);
        let of_regions = of_regions.expect(&key).expect("responses of regions");
        let maps = of_regions
            .reshape((count, rows * columns, labels_count))
            .and_then(|maps| maps.transpose(1, 2)?.reshape(expected.shape()))
            .expect(&key);
        assert_close(&maps, expected, &key);
        let scores = network.scores(&photos, &labels).expect(&key);
        assert_close(&scores, fixture.get(&format!("{key}.scores")), &key);
        for (name, found) in network.running_statistics() {
            let key = format!("{key}.{name}");
            assert_close(&found, fixture.get(&key), &key);
        }
    });
}

#[test]
fn a_silenced_block_is_its_mean_over_ordinary_regions_or_zero() {
    let fixture = Fixture::load();
    for preset in [Preset::Paper, Preset::Authors] {
        let network = fixture.network(preset, Blocks::Both, &config(preset));
        for (block, branch) in [(Block::Rcb, "region"), (Block::Scb, "scene")] {
            let options = EncodeOptions {
                silence: Some(block),
                ..EncodeOptions::default()
            };
            let key = format!("silenced.{}.{branch}", name(preset));
            check_maps(&fixture, &network, &options, &format!("{key}.mean"));
        }
    }
    let mut without_mean = Fixture::load();
    without_mean
        .0
        .retain(|key, _| !key.ends_with("fuse.input_mean"));
    let network = without_mean.network(Preset::Paper, Blocks::Both, &config(Preset::Paper));
    for (block, branch) in [(Block::Rcb, "region"), (Block::Scb, "scene")] {
        let options = EncodeOptions {
            silence: Some(block),
            ..EncodeOptions::default()
        };
        check_maps(
            &without_mean,
            &network,
            &options,
            &format!("silenced.paper.{branch}.zero"),
        );
    }
}

#[test]
fn the_parts_of_a_response_add_up_to_the_reference() {
    every(|fixture, preset, variant| {
        let network = fixture.network(preset, variant, &config(preset));
        let key = format!("eval.{}.{}", name(preset), named(variant));
        let parts = check_parts(fixture, &network, &EncodeOptions::default(), &key);
        assert_eq!(parts.contains(&Part::Rcb), variant.has_rcb(), "{key}");
        assert_eq!(parts.contains(&Part::Scb), variant.has_scb(), "{key}");
        let has_bias = config(preset).classifier_bias;
        assert_eq!(parts.contains(&Part::LabelIndependent), has_bias, "{key}");
        // The authors' scene block hands no h_r on.
        let hands_on = variant != Blocks::Scb || preset == Preset::Paper;
        assert_eq!(parts.contains(&Part::Latent), hands_on, "{key}");
    });
    let fixture = Fixture::load();
    for preset in [Preset::Paper, Preset::Authors] {
        let network = Arc::new(fixture.network(preset, Blocks::Both, &config(preset)));
        for (block, branch) in [(Block::Rcb, "region"), (Block::Scb, "scene")] {
            let view = SilencedView::new(network.clone(), block);
            let key = format!("silenced.{}.{branch}.mean", name(preset));
            let parts = check_parts(&fixture, &view, &EncodeOptions::default(), &key);
            assert!(parts.contains(&Part::Filler), "{key}");
        }
    }
    let config = ModelConfig {
        shortcut: true,
        ..config(Preset::Authors)
    };
    let network = fixture.network(Preset::Authors, Blocks::Both, &config);
    let parts = check_parts(&fixture, &network, &EncodeOptions::default(), "shortcut");
    assert!(parts.contains(&Part::Shortcut));
}

#[test]
fn the_attention_of_one_region_is_a_row_of_the_reference() {
    let fixture = Fixture::load();
    let photos = fixture.photos();
    for blocks in [Blocks::Rcb, Blocks::Both] {
        let network = fixture.network(Preset::Authors, blocks, &config(Preset::Authors));
        let whole = fixture.get(&format!("eval.authors.{}.attention", named(blocks)));
        for photo in 0..2 {
            let one = RegionFeatures {
                regions: photos.regions.narrow(0, photo, 1).expect("one"),
                global: photos.global.narrow(0, photo, 1).expect("one"),
                covered: photos.covered,
            };
            let inside = network.look_inside(&one, &EncodeOptions::default());
            let inside = inside.expect("fits").expect("blocks");
            let attention = inside.attention.expect("a region block");
            let whole = whole.get(photo).expect("a photo");
            for region in [0, 13, 29] {
                let tensor = |rows: Vec<Vec<f32>>| Tensor::new(rows, &Device::Cpu).expect("rows");
                let from = tensor(attention.from_region(region).expect("a row"));
                let row = whole.narrow(1, region, 1).and_then(|row| row.squeeze(1));
                assert_close(&from, &row.expect("a row"), "from");
                let to = tensor(attention.to_region(region).expect("a column"));
                let column = whole
                    .narrow(2, region, 1)
                    .and_then(|column| column.squeeze(2));
                assert_close(&to, &column.expect("a column"), "to");
            }
        }
    }
}

/// Rows `[R, C]` in an order of their own.
fn sorted_rows(rows: &Tensor) -> Vec<Vec<f32>> {
    let mut rows = rows.to_vec2::<f32>().expect("rows");
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    rows
}

#[test]
fn ordinary_regions_of_a_view_are_what_the_view_says_of_them() {
    let mut fixture = Fixture::load();
    let authors = config(Preset::Authors);
    let network = fixture.network(Preset::Authors, Blocks::Both, &authors);
    let photos = fixture.photos();
    let (count, _, rows, columns) = photos.regions.dims4().expect("regions");
    let random = StdRng::seed_from_u64(1);
    let mut sampler = Sampler::new(&network, count, rows * columns, random);
    sampler.add(&photos).expect("features that fit");
    let sample = sampler.finish().expect("a sample");
    let of_view = |options: &EncodeOptions, network: &dyn Network| {
        let encoded = network.encode(&photos, options).expect("encoded");
        let features = network.region_features(&encoded).expect("features");
        features.flatten_to(1).expect("rows")
    };
    // So few regions are all taken.
    let all = of_view(&EncodeOptions::default(), &network);
    assert_eq!(sorted_rows(&sample.ordinary), sorted_rows(&all));
    let full = sample.full.expect("the full network");
    let mean = "authors.biam.fuse.input_mean".to_owned();
    fixture.0.insert(mean, full.input_mean);
    let network = Arc::new(fixture.network(Preset::Authors, Blocks::Both, &authors));
    assert_eq!(full.views.len(), 2);
    for (variant, regions) in full.views {
        let mut blocks = [Block::Rcb, Block::Scb].into_iter();
        let block = blocks.find(|block| view(*block, Filler::Mean) == variant);
        let block = block.expect("a view with the mean");
        let view = SilencedView::new(network.clone(), block);
        let all = of_view(&EncodeOptions::default(), &view);
        for (found, expected) in sorted_rows(&regions).iter().zip(sorted_rows(&all)) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{variant}");
            }
        }
    }
}

#[test]
fn only_the_full_network_has_a_block_to_silence() {
    let fixture = Fixture::load();
    let network = fixture.network(Preset::Paper, Blocks::Rcb, &config(Preset::Paper));
    let options = EncodeOptions {
        silence: Some(Block::Rcb),
        ..EncodeOptions::default()
    };
    let refusal = network
        .encode(&fixture.photos(), &options)
        .expect_err("one branch");
    assert!(refusal.to_string().contains("silence"), "{refusal}");
}

#[test]
fn every_setting_can_be_overridden_alone() {
    let fixture = Fixture::load();
    let authors = config(Preset::Authors);
    let overrides = [
        (
            "scb_value",
            ModelConfig {
                scene_value: SceneValue::Latent,
                ..authors.clone()
            },
        ),
        (
            "scb_residual",
            ModelConfig {
                scene_residual: SceneResidual::Latent,
                ..authors.clone()
            },
        ),
        (
            "fuse_activation",
            ModelConfig {
                fuse_leaky_slope: None,
                ..authors.clone()
            },
        ),
        (
            "classifier_bias",
            ModelConfig {
                classifier_bias: false,
                ..authors.clone()
            },
        ),
    ];
    for (setting, config) in overrides {
        let network = fixture.network(Preset::Authors, Blocks::Both, &config);
        check_maps(
            &fixture,
            &network,
            &EncodeOptions::default(),
            &format!("override.{setting}"),
        );
    }
}

#[test]
fn a_shortcut_is_added_to_the_fused_features() {
    let fixture = Fixture::load();
    let config = ModelConfig {
        shortcut: true,
        ..config(Preset::Authors)
    };
    let network = fixture.network(Preset::Authors, Blocks::Both, &config);
    check_maps(&fixture, &network, &EncodeOptions::default(), "shortcut");
}

#[test]
fn region_features_of_the_wrong_width_are_refused() {
    let fixture = Fixture::load();
    let wide = ModelConfig {
        region_channels: 12,
        ..config(Preset::Paper)
    };
    let network = fixture.network(Preset::Paper, Blocks::Neither, &wide);
    let mut photos = fixture.photos();
    photos.regions = photos.regions.narrow(1, 0, 8).expect("narrower");
    let refusal = network
        .encode(&photos, &EncodeOptions::default())
        .expect_err("8 channels");
    assert!(refusal.to_string().contains("8 channels"), "{refusal}");
}
