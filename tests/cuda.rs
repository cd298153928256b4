//! The GPU against the CPU, with the shipped bundle; skipped with a message where no GPU works.
#![cfg(feature = "cuda")]

use std::path::Path;

use biam_lens::engine::{DeviceChoice, PhotoSource, Session, Wanted, prepare, samples};
use biam_lens::model::VariantId;

#[test]
fn maps_on_a_gpu_equal_those_on_the_cpu() {
    let folder = Path::new("weights/default");
    let mut on_gpu = match Session::open(folder, DeviceChoice::Cuda(0)) {
        Ok(session) => session,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let mut on_cpu = Session::open(folder, DeviceChoice::Cpu).expect("the CPU is always there");
    let labels = samples::first_labels();
    let wanted = Wanted {
        labels: &labels,
        variants: &VariantId::PAPER,
        ranking: false,
        ordinary: false,
    };
    for name in samples::names() {
        let photo = prepare(&PhotoSource::Sample(name), on_cpu.input()).expect(name);
        let maps = |session: &mut Session| {
            let found = session.compare(&photo, &wanted, &|| false).expect(name);
            found.expect("not stopped").maps
        };
        let (gpu, cpu) = (maps(&mut on_gpu), maps(&mut on_cpu));
        for (variant, (gpu, cpu)) in VariantId::PAPER.iter().zip(gpu.iter().zip(&cpu)) {
            let pairs = || {
                let maps = gpu.iter().zip(cpu);
                maps.flat_map(|(gpu, cpu)| gpu.responses.iter().zip(cpu.responses.iter()))
            };
            let largest = pairs().map(|(_, cpu)| cpu.abs()).fold(0.0, f32::max);
            let difference = pairs()
                .map(|(gpu, cpu)| (gpu - cpu).abs())
                .fold(0.0, f32::max);
            assert!(
                difference <= 1e-3 * largest,
                "{name}, {variant}: off by {difference} of {largest}"
            );
        }
    }
}
