//! One training step of the BiAM head, and its parts, forward and backward. Run with
//! `cargo bench --bench training_step -- [--repeats 5]`; prints JSON. `compare_pytorch.py` runs it
//! in turn with the same step in PyTorch.

use std::time::Instant;

use biam_lens::backbone::{Covered, RegionFeatures};
use biam_lens::kernels::Activation;
use biam_lens::model::dropout::Dropout;
use biam_lens::model::layers::{ConvolutionBlock, LinearLayer};
use biam_lens::model::network::Trainable;
use biam_lens::model::rcb::RegionContextualisedBlock;
use biam_lens::model::region_classifier::pooled;
use biam_lens::model::scb::SceneContextualisedBlock;
use biam_lens::model::{BiamLearner, Blocks, ModelConfig, Preset};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};

const PHOTOS: usize = 32;
const SIDE: usize = 14;
const REGIONS: usize = SIDE * SIDE;
const LABELS: usize = 442;
const TEACHER_CLASSES: usize = 1308;
const SAMPLED: usize = 24;
const K: usize = 10;
const DISTILLATION_WEIGHT: f64 = 10.0;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--repeats");
    let repeats = arguments
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(5);
    let config = ModelConfig {
        region_channels: 512,
        global_channels: 1280,
        channels: 256,
        out_channels: 512,
        label_dimension: 384,
        heads: 8,
        top_k: K,
        ..ModelConfig::preset(Preset::Authors)
    };
    let before = resident_mib("VmRSS");
    let mut lines = vec![step(&config, repeats)?];
    let peak = resident_mib("VmHWM") - before;
    lines.extend(parts(&config, repeats)?);
    let times: serde_json::Map<_, _> = lines
        .into_iter()
        .map(|(name, milliseconds)| (name.to_owned(), milliseconds.into()))
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "threads": rayon::current_num_threads(),
            "peak_mib": peak,
            "milliseconds": times,
        })
    );
    Ok(())
}

/// The median time of `work`, after one round that is not counted.
fn timed<T>(
    name: &'static str,
    repeats: usize,
    mut work: impl FnMut() -> Result<T>,
) -> Result<(&'static str, f64)> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..repeats {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((name, times[times.len() / 2]))
}

/// A line of /proc/self/status in MiB; 0 where there is none.
fn resident_mib(line: &str) -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.split_whitespace().nth(1))
        .and_then(|kib| kib.parse::<i64>().ok())
        .map_or(0, |kib| kib / 1024)
}

fn random(shape: &[usize]) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
}

/// Gives every variable random values of a trained network's size.
fn randomise(variables: &VarMap) -> Result<()> {
    for variable in variables.all_vars() {
        let inputs = variable.elem_count() / variable.dim(0)?;
        let spread = (inputs as f64).powf(-0.5);
        let values = if variable.rank() == 1 {
            variable.ones_like()?
        } else {
            (random(variable.dims())? * spread)?
        };
        variable.set(&values)?;
    }
    Ok(())
}

/// A layer of fresh variables.
fn fresh<T>(build: impl FnOnce(VarBuilder) -> Result<T>) -> Result<T> {
    let variables = VarMap::new();
    let layer = build(VarBuilder::from_varmap(
        &variables,
        DType::F32,
        &Device::Cpu,
    ))?;
    randomise(&variables)?;
    Ok(layer)
}

/// What the distillation compares with: label vectors and responses at sampled regions.
struct Teacher {
    vectors: Tensor,
    regions: Tensor,
    responses: Tensor,
}

impl Teacher {
    fn new() -> Result<Self> {
        let sampled: Vec<u32> = (0..PHOTOS * SAMPLED)
            .map(|i| (i / SAMPLED * REGIONS + i % SAMPLED * 7) as u32)
            .collect();
        Ok(Self {
            vectors: (random(&[TEACHER_CLASSES, 384])? * 0.05)?,
            regions: Tensor::new(sampled, &Device::Cpu)?,
            responses: random(&[PHOTOS * SAMPLED, TEACHER_CLASSES])?,
        })
    }

    /// 1 - <S, T> / (|S| |T|), all regions and classes as one vector.
    fn loss(&self, responses: &Tensor) -> Result<Tensor> {
        let product = (responses * &self.responses)?.sum_all()?;
        let lengths =
            (responses.sqr()?.sum_all()?.sqrt()? * self.responses.sqr()?.sum_all()?.sqrt()?)?;
        1.0 - product.div(&lengths)?
    }
}

fn step(config: &ModelConfig, repeats: usize) -> Result<(&'static str, f64)> {
    let network = fresh(|vb| BiamLearner::new(config, Blocks::Both, vb))?;
    let teacher = Teacher::new()?;
    let regions = random(&[PHOTOS, SIDE, SIDE, 512])?;
    let photos = RegionFeatures {
        regions: regions.permute((0, 3, 1, 2))?,
        global: random(&[PHOTOS, 1280])?.abs()?,
        covered: Covered::WHOLE,
    };
    let labels = (random(&[LABELS, 384])? * 0.05)?;
    let mut dropout = Dropout::seeded(1);
    timed("whole step", repeats, || {
        let photos = network.forward(&photos, &mut dropout)?;
        let scores = network.scores(&photos, &network.project_labels(&labels)?)?;
        let taught = network.project_labels(&teacher.vectors)?;
        let responses = network.region_responses(&photos, &teacher.regions, &taught)?;
        let responses = responses.unwrap_or_else(|| unreachable!("BiAM has region responses"));
        let distillation = teacher.loss(&responses)?;
        let loss = (scores.sqr()?.mean_all()? + (distillation * DISTILLATION_WEIGHT)?)?;
        loss.backward()
    })
}

fn parts(config: &ModelConfig, repeats: usize) -> Result<Vec<(&'static str, f64)>> {
    let photos = random(&[PHOTOS, SIDE, SIDE, 512])?;
    let latent = Var::from_tensor(&random(&[PHOTOS, SIDE, SIDE, 256])?)?;
    let both = Var::from_tensor(&random(&[PHOTOS, REGIONS, 512])?)?;
    let global = random(&[PHOTOS, 1280])?;
    let [labels, classes] = [LABELS, TEACHER_CLASSES]
        .map(|count| random(&[count, 512]).and_then(|tensor| Var::from_tensor(&tensor)));
    let (labels, classes) = (labels?, classes?);
    let teacher = Teacher::new()?;
    let first = fresh(|vb| ConvolutionBlock::new([512, 256], vb))?;
    let second = fresh(|vb| ConvolutionBlock::new([256, 256], vb))?;
    let rcb = fresh(|vb| RegionContextualisedBlock::new(config, vb))?;
    let scb = fresh(|vb| SceneContextualisedBlock::new(config, vb))?;
    let fuse = fresh(|vb| LinearLayer::new([512, 512], true, Activation::LeakyRelu(0.2), vb))?;
    let mut dropout = Dropout::seeded(1);
    let flat = latent.flatten(1, 2)?;
    Ok(vec![
        timed("latent 3x3 block", repeats, || {
            first.forward_train(&photos)?.backward()
        })?,
        timed("scene 3x3 block", repeats, || {
            second.forward_train(&latent)?.backward()
        })?,
        timed("RCB", repeats, || {
            rcb.forward_train(&flat, &mut dropout)?.backward()
        })?,
        timed("SCB", repeats, || {
            scb.forward_train(&latent, &global, &mut dropout)?
                .backward()
        })?,
        timed("fusion", repeats, || {
            fuse.forward_train(both.as_tensor())?.backward()
        })?,
        timed("scores", repeats, || {
            pooled(both.as_tensor(), labels.as_tensor(), K)?.backward()
        })?,
        timed("distillation", repeats, || {
            let regions = both.as_tensor().flatten(0, 1)?;
            let regions = regions.index_select(&teacher.regions, 0)?;
            let responses = regions.matmul(&classes.as_tensor().t()?)?;
            teacher.loss(&responses)?.backward()
        })?,
    ])
}
