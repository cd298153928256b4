//! The sixteen 3x3 convolutions of VGG-19 at 224 x 224 pixels, one photo. Run with
//! `cargo bench --bench vgg_convolutions -- [--repeats 5]`; prints JSON with the least and the median
//! milliseconds of each layer and of all together, without the maxima between the stages.
//! `compare_vgg_onnxruntime.py` runs it in turn with the same layers in ONNX Runtime.

use std::time::Instant;

use biam_lens::backbone::vgg19::Config;
use biam_lens::kernels::{Activation, Conv3x3};
use candle_core::{Device, Result, Tensor};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--repeats");
    let repeats = arguments
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(5);
    let mut layers = Vec::new();
    for plan in Config::vgg19().convolutions() {
        let random =
            |shape: &[usize], deviation| Tensor::randn(0f32, deviation, shape, &Device::Cpu);
        let weight = random(&[plan.outputs, plan.inputs, 3, 3], 0.02)?;
        let bias = random(&[plan.outputs], 0.1)?;
        let layer = Conv3x3::in_large_tiles(&weight, Some(&bias), Activation::Relu)?;
        let input = random(&[1, plan.side, plan.side, plan.inputs], 1.0)?;
        layers.push((plan.name, layer, input));
    }
    let mut times = vec![Vec::new(); layers.len()];
    let mut together = Vec::new();
    // The first run finds no memory to work in.
    for repeat in 0..=repeats {
        let start = Instant::now();
        for ((_, layer, input), times) in layers.iter().zip(&mut times) {
            let start = Instant::now();
            // On a thread of the pool, as the backbone runs it.
            rayon::scope(|_| layer.forward(input))?;
            if repeat > 0 {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        if repeat > 0 {
            together.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let layers: serde_json::Map<_, _> = layers
        .into_iter()
        .zip(times)
        .map(|((name, _, _), times)| (name, summary(times)))
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "threads": rayon::current_num_threads(),
            "milliseconds": summary(together),
            "layers": layers,
        })
    );
    Ok(())
}

/// The least and the median.
fn summary(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or(f64::NAN);
    serde_json::json!({ "min": at(0), "median": at(times.len() / 2) })
}
