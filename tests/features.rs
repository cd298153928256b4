//! The feature cache with the real backbone.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use biam_lens::bundle::Bundle;
use biam_lens::dataset::{Content, FeatureCache, Which};
use biam_lens::image_io::{PhotoLimits, open_photo, squash};
use candle_core::{Device, Tensor};

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar());
    difference.expect("tensors of one shape")
}

#[test]
fn cached_features_are_those_of_the_backbone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bundle = Bundle::open(&root.join("weights/default"), &Device::Cpu).expect("the bundle");
    let photos: Vec<PathBuf> = ["dogs.jpg", "rome.jpg", "coffee.jpg"]
        .map(|name| root.join("assets/photos").join(name))
        .to_vec();
    let folder = tempfile::tempdir().expect("a folder");
    let content = Content {
        raw: true,
        projected: true,
    };
    let mut cache = FeatureCache::open(folder.path(), &bundle, content).expect("a cache");
    let stop = AtomicBool::new(false);
    let report = cache
        .fill(&bundle, &photos, &mut |_| {}, &stop)
        .expect("features");
    assert_eq!((report.added, report.unreadable.len()), (3, 0));

    let side = bundle.input_size() as usize;
    for path in &photos {
        let record = cache.find(path).expect("a record");
        let photo = open_photo(path, PhotoLimits::default()).expect("a photo");
        let pixels = squash(&photo.rgb, side).into_raw();
        let pixels = Tensor::from_vec(pixels, (1, side, side, 3), &Device::Cpu).expect("pixels");
        let raw = bundle.raw_features(&pixels).expect("features");
        let heads = bundle.features(&pixels).expect("features");
        for (which, expected) in [
            (Which::Raw, &raw.regions),
            (Which::Projected, &heads.regions),
        ] {
            let cached = cache.gather(&[record], which, &[false]).expect("regions");
            assert_eq!(cached.dims(), expected.dims());
            let largest = expected
                .abs()
                .and_then(|v| v.flatten_all()?.max(0)?.to_scalar::<f32>());
            // Half precision keeps eleven bits.
            let allowed = largest.expect("a number") / 2048.0;
            assert!(
                largest_difference(&cached, expected) <= allowed,
                "{which:?}"
            );
        }
        let global = cache.globals(&[record]).expect("global features");
        assert_eq!(largest_difference(&global, &heads.global), 0.0);
    }
}
