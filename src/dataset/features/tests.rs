//! The cache as training uses it, over a network of a few numbers.

use std::fs;
use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;

use candle_core::{Device, Tensor};
use half::f16;
use tempfile::TempDir;

use super::store::{Durable, Writer};
use super::*;
use crate::backbone::{Covered, RegionFeatures};
use crate::image_io::{Framing, Interpolation, NetworkInput};

const BOTH: Content = Content {
    raw: true,
    projected: true,
};
const PROJECTED: Content = Content {
    raw: false,
    projected: true,
};
const SIDE: usize = 4;

/// Features that are simple functions of the pixels, on a grid of 2 x 4 regions.
struct Fake {
    identity: String,
    computed: AtomicUsize,
}

impl Fake {
    fn new() -> Self {
        Self {
            identity: "ab".repeat(32),
            computed: AtomicUsize::new(0),
        }
    }

    fn computed(&self) -> usize {
        self.computed.swap(0, Ordering::Relaxed)
    }

    /// Raw `[1, 2, 4, 3]` channels-last.
    fn raw(pixels: &Tensor) -> candle_core::Result<Tensor> {
        let pixels = pixels.to_dtype(candle_core::DType::F32)?;
        ((pixels.narrow(1, 1, 2)? + 0.1)? / 7.0)?.contiguous()
    }
}

impl FeatureSource for Fake {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn input(&self) -> NetworkInput {
        NetworkInput {
            side: SIDE as u32,
            interpolation: Interpolation::Bicubic,
            framing: Framing::Squash,
        }
    }

    fn batch(&self) -> usize {
        2
    }

    fn features(&self, pixels: Vec<u8>, photos: usize) -> candle_core::Result<Features> {
        self.computed.fetch_add(photos, Ordering::Relaxed);
        let pixels = Tensor::from_vec(pixels, (photos, SIDE, SIDE, 3), &Device::Cpu)?;
        let raw = Self::raw(&pixels)?;
        let projected = (raw.narrow(3, 0, 2)? * 2.0)?.contiguous()?;
        Ok(Features {
            raw: RegionFeatures {
                regions: raw.permute((0, 3, 1, 2))?,
                global: raw.mean((1, 2))?,
                covered: Covered::WHOLE,
            },
            projected: projected.permute((0, 3, 1, 2))?,
        })
    }
}

/// A folder with photos and a cache.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn photo(&self, name: &str, seed: u8) -> PathBuf {
        let path = self.0.path().join(name);
        let pixel = |x, y| image::Rgb([seed, x as u8 * 50, y as u8 * 60 + seed]);
        let image = image::RgbImage::from_fn(SIDE as u32, SIDE as u32, pixel);
        image.save(&path).unwrap();
        path
    }

    fn open(&self, source: &Fake) -> FeatureCache {
        let cache = FeatureCache::open(&self.cache(), source, BOTH).unwrap();
        // One photo is computed to know the shape.
        source.computed();
        cache
    }

    fn store_files(&self) -> (PathBuf, PathBuf) {
        let folder = self
            .cache()
            .join(format!("{}-both", &"ab".repeat(32)[..16]));
        (folder.join("features.bin"), folder.join("index.bin"))
    }
}

fn fill(cache: &mut FeatureCache, source: &Fake, photos: &[PathBuf]) -> FillReport {
    let stop = AtomicBool::new(false);
    cache.fill(source, photos, &mut |_| {}, &stop).unwrap()
}

/// What the network says of a photo, computed directly: raw, projected, global.
fn direct(source: &Fake, path: &Path) -> (Tensor, Tensor, Tensor) {
    let photo = crate::image_io::open_photo(path, Default::default()).unwrap();
    let pixels = crate::image_io::squash(&photo.rgb, SIDE).into_raw();
    let features = source.features(pixels, 1).unwrap();
    source.computed();
    (
        features.raw.regions,
        features.projected,
        features.raw.global,
    )
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Values as half precision leaves them.
fn halved(tensor: &Tensor) -> Vec<f32> {
    let half = |&value: &f32| f16::from_f32(value).to_f32();
    values(tensor).iter().map(half).collect()
}

/// Every photo's cached features are those of its content.
fn check(cache: &FeatureCache, source: &Fake, photos: &[PathBuf]) {
    for path in photos {
        let record = cache.find(path).expect("a record");
        let (raw, projected, global) = direct(source, path);
        let gathered = |which| cache.gather(&[record], which, &[false]).unwrap();
        assert_eq!(values(&gathered(Which::Raw)), halved(&raw));
        assert_eq!(values(&gathered(Which::Projected)), halved(&projected));
        assert_eq!(values(&cache.globals(&[record]).unwrap()), values(&global));
    }
}

#[test]
fn features_are_computed_once_per_content() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [
        place.photo("a.png", 1),
        place.photo("b.png", 2),
        place.photo("c.png", 1),
    ];
    let mut cache = place.open(&source);
    let mut sizes = Vec::new();
    let stop = AtomicBool::new(false);
    let report = cache
        .fill(&source, &photos, &mut |now| sizes.push(now), &stop)
        .unwrap();
    assert_eq!((report.added, report.reused, source.computed()), (2, 1, 2));
    assert_eq!(sizes[0].bytes, 3 * cache.record_bytes());
    assert_eq!(
        (sizes[0].done, sizes[0].total, sizes[0].seconds_left),
        (0, 3, None)
    );
    let last = sizes.last().unwrap();
    assert_eq!(
        (last.done, last.bytes, last.seconds_left),
        (3, 0, Some(0.0))
    );
    assert_eq!(cache.find(&photos[0]), cache.find(&photos[2]));
    check(&cache, &source, &photos);

    let mut again = place.open(&source);
    let report = fill(&mut again, &source, &photos);
    assert_eq!((report.added, report.reused, source.computed()), (0, 3, 0));
    check(&again, &source, &photos);
}

#[test]
fn a_flip_reverses_the_columns() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1), place.photo("b.png", 2)];
    let mut cache = place.open(&source);
    fill(&mut cache, &source, &photos);
    let records: Vec<usize> = photos
        .iter()
        .map(|photo| cache.find(photo).unwrap())
        .collect();
    let both = cache.gather(&records, Which::Raw, &[false, true]).unwrap();
    assert_eq!(both.dims(), [2, 3, 2, 4]);
    let memory = both.permute((0, 2, 3, 1)).unwrap();
    assert!(memory.is_contiguous());
    let plain = cache.gather(&records, Which::Raw, &[false, false]).unwrap();
    let (flipped, plain) = (both.get(1).unwrap(), plain.get(1).unwrap());
    let columns: Vec<u32> = vec![3, 2, 1, 0];
    let columns = Tensor::new(columns, &Device::Cpu).unwrap();
    let expected = plain
        .contiguous()
        .unwrap()
        .index_select(&columns, 2)
        .unwrap();
    assert_eq!(values(&flipped), values(&expected));

    let memory = values(&memory.get(1).unwrap());
    let mut rows = vec![-1.0];
    cache.rows(records[1], &[5, 0], true, &mut rows).unwrap();
    assert_eq!(rows[1..], [&memory[15..18], &memory[0..3]].concat());
    let mut rows = Vec::new();
    cache.rows(records[1], &[5], false, &mut rows).unwrap();
    assert_eq!(rows[..], memory[18..21]);
}

#[test]
fn what_is_not_there_is_an_error() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1)];
    let mut cache = FeatureCache::open(&place.cache(), &source, PROJECTED).unwrap();
    fill(&mut cache, &source, &photos);
    assert_eq!(
        (cache.channels(Which::Raw), cache.channels(Which::Projected)),
        (None, Some(2))
    );
    assert_eq!(
        (cache.grid(), cache.global_channels(), cache.len()),
        ([2, 4], 3, 1)
    );
    let raw = cache
        .gather(&[0], Which::Raw, &[false])
        .unwrap_err()
        .to_string();
    assert!(raw.contains("keeps no raw features"), "{raw}");
    let record = cache
        .gather(&[1], Which::Projected, &[false])
        .unwrap_err()
        .to_string();
    assert!(record.contains("there is no photo 1"), "{record}");
    assert!(
        cache
            .gather(&[usize::MAX], Which::Projected, &[false])
            .is_err()
    );
    assert!(cache.globals(&[1]).is_err());
    assert!(cache.gather(&[0], Which::Projected, &[]).is_err());
    let mut both = place.open(&source);
    fill(&mut both, &source, &photos);
    let region = both
        .rows(0, &[8], false, &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert!(region.contains("there is no region 8"), "{region}");
}

#[test]
fn a_cache_that_keeps_more_serves_too() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1)];
    fill(&mut place.open(&source), &source, &photos);
    let mut cache = FeatureCache::open(&place.cache(), &source, PROJECTED).unwrap();
    assert_eq!(fill(&mut cache, &source, &photos).added, 0);
    assert_eq!(cache.channels(Which::Raw), Some(3));
}

#[test]
fn another_backbone_has_features_of_its_own() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1)];
    let mut cache = place.open(&source);
    fill(&mut cache, &source, &photos);
    let other = Fake {
        identity: "cd".repeat(32),
        ..Fake::new()
    };
    assert_eq!(fill(&mut place.open(&other), &other, &photos).added, 1);
    let stop = AtomicBool::new(false);
    let error = cache
        .fill(&other, &photos, &mut |_| {}, &stop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("of another backbone"), "{error}");
}

/// However a killed process left the files, the cache opens, has what is whole and computes the rest.
#[test]
fn a_cut_at_any_byte_costs_only_what_was_cut() {
    let (place, source) = (Place::new(), Fake::new());
    let photos: Vec<PathBuf> = (1..4)
        .map(|i| place.photo(&format!("{i}.png"), i))
        .collect();
    let mut cache = place.open(&source);
    fill(&mut cache, &source, &photos);
    let (data, index) = place.store_files();
    let (whole_data, whole_index) = (fs::read(&data).unwrap(), fs::read(&index).unwrap());
    let (record, entry) = (cache.record_bytes() as usize, whole_index.len() / 3);
    drop(cache);
    let ends = [
        0,
        1,
        record - 1,
        record,
        record + 1,
        2 * record,
        3 * record - 1,
        3 * record,
    ];
    let cuts = ends.iter().map(|&end| (end, whole_index.len()));
    let cuts = cuts.chain((0..=whole_index.len()).map(|end| (whole_data.len(), end)));
    for (data_end, index_end) in cuts {
        fs::write(&data, &whole_data[..data_end]).unwrap();
        fs::write(&index, &whole_index[..index_end]).unwrap();
        let mut cache = place.open(&source);
        let left = (data_end / record).min(index_end / entry);
        assert_eq!(cache.len(), left, "{data_end} {index_end}");
        let report = fill(&mut cache, &source, &photos);
        assert_eq!((report.added, source.computed()), (3 - left, 3 - left));
        assert_eq!(cache.len(), 3);
        check(&cache, &source, &photos);
        assert_eq!(fs::read(&data).unwrap().len(), whole_data.len());
    }
}

#[test]
fn what_a_power_cut_filled_with_zeros_is_dropped() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1), place.photo("b.png", 2)];
    fill(&mut place.open(&source), &source, &photos);
    let (_, index) = place.store_files();
    let mut bytes = fs::read(&index).unwrap();
    let entry = bytes.len() / 2;
    bytes[entry..].fill(0);
    fs::write(&index, &bytes).unwrap();
    let mut cache = place.open(&source);
    assert_eq!(cache.len(), 1);
    fill(&mut cache, &source, &photos);
    check(&cache, &source, &photos);
}

/// A disk that is full after some bytes.
struct Full {
    file: File,
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.file.write(&bytes[..bytes.len().min(self.left)])?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Durable for Full {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[test]
fn a_disk_that_fills_up_leaves_whole_records() {
    let (place, source) = (Place::new(), Fake::new());
    let photos: Vec<PathBuf> = (1..=40)
        .map(|i| place.photo(&format!("{i}.png"), i))
        .collect();
    let record = place.open(&source).record_bytes() as usize;
    let (data, index) = place.store_files();
    // Somewhere in the third batch of sixteen photos, then within its index entries.
    for (data_left, index_left) in [(35 * record + 7, usize::MAX), (usize::MAX, 35 * 40 + 7)] {
        for file in [&data, &index] {
            let _ = fs::remove_file(file);
        }
        let mut cache = place.open(&source);
        let full = |path: &Path, left| Full {
            file: File::create(path).unwrap(),
            left,
        };
        let records: Writer<Full> = cache
            .store
            .writer()
            .unwrap()
            .over(full(&data, data_left), full(&index, index_left));
        let writers = Writers {
            records,
            stamps: StampWriter::open(&place.cache().join(STAMPS)).unwrap(),
            cautions: CautionWriter::open(&place.cache().join(CAUTIONS)).unwrap(),
        };
        let error = compute::compute(&source, &cache.store, &photos, writers, &mut |_| true);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no space left"), "{error}");
        source.computed();
        cache.reload().unwrap();
        let left = cache.len();
        assert!((32..40).contains(&left), "{left}");
        let report = fill(&mut cache, &source, &photos);
        assert_eq!((report.added, source.computed()), (40 - left, 40 - left));
        check(&cache, &source, &photos);
    }
}

#[test]
fn a_changed_photo_is_computed_again_and_a_vanished_one_named() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1), place.photo("b.png", 2)];
    let mut cache = place.open(&source);
    fill(&mut cache, &source, &photos);
    place.photo("a.png", 9);
    fs::remove_file(&photos[1]).unwrap();
    let report = fill(&mut cache, &source, &photos);
    assert_eq!((report.added, report.unreadable.len()), (1, 1));
    let (path, reason) = &report.unreadable[0];
    assert_eq!(path, &photos[1]);
    assert!(reason.contains("no such file"), "{reason}");
    assert_eq!((cache.find(&photos[1]), cache.len()), (None, 3));
    check(&cache, &source, &photos[..1]);
}

#[test]
fn a_photo_that_is_none_is_named_and_the_others_go_on() {
    let (place, source) = (Place::new(), Fake::new());
    let broken = place.0.path().join("broken.jpg");
    fs::write(&broken, "no photo").unwrap();
    let photos = [broken, place.photo("b.png", 2)];
    let mut cache = place.open(&source);
    let report = fill(&mut cache, &source, &photos);
    assert_eq!((report.added, report.unreadable.len()), (1, 1));
    check(&cache, &source, &photos[1..]);
}

#[test]
fn a_stop_keeps_what_is_done() {
    let (place, source) = (Place::new(), Fake::new());
    let photos: Vec<PathBuf> = (1..=40)
        .map(|i| place.photo(&format!("{i}.png"), i))
        .collect();
    let mut cache = place.open(&source);
    let stop = AtomicBool::new(true);
    let report = cache.fill(&source, &photos, &mut |_| {}, &stop).unwrap();
    assert!(report.stopped);
    assert_eq!((report.added, cache.len(), source.computed()), (16, 16, 16));
    let report = fill(&mut cache, &source, &photos);
    assert_eq!(
        (report.added, report.reused, report.stopped),
        (24, 16, false)
    );
    check(&cache, &source, &photos);
}

#[test]
fn only_one_process_fills_a_cache() {
    let (place, source) = (Place::new(), Fake::new());
    let photos = [place.photo("a.png", 1)];
    let mut cache = place.open(&source);
    let lock = place.open(&source).lock().unwrap();
    let stop = AtomicBool::new(false);
    let error = cache
        .fill(&source, &photos, &mut |_| {}, &stop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("another process is filling"), "{error}");
    drop(lock);
    fill(&mut cache, &source, &photos);
    // Who finds everything there needs no lock.
    let _lock = place.open(&source).lock().unwrap();
    wait_until_settled();
    drop(_lock);
    fill(&mut cache, &source, &photos);
    let _lock = place.open(&source).lock().unwrap();
    assert_eq!(fill(&mut place.open(&source), &source, &photos).reused, 1);
}

/// Nobody can set the time of status change, so a test has to wait for it to become old.
fn wait_until_settled() {
    std::thread::sleep(std::time::Duration::from_millis(2100));
}

#[cfg(unix)]
#[test]
fn a_photo_replaced_by_one_of_the_same_length_and_time_is_noticed() {
    let (place, source) = (Place::new(), Fake::new());
    // The pixels of a bitmap do not change its length.
    let photos = [place.photo("a.bmp", 1)];
    let replacement = place.photo("b.bmp", 9);
    wait_until_settled();
    let mut cache = place.open(&source);
    assert_eq!(fill(&mut cache, &source, &photos).added, 1);
    let before = fs::metadata(&photos[0]).unwrap();
    let file = File::options().write(true).open(&replacement).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    fs::rename(&replacement, &photos[0]).unwrap();
    let after = fs::metadata(&photos[0]).unwrap();
    assert_eq!(before.len(), after.len());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    let mut cache = place.open(&source);
    assert_eq!(fill(&mut cache, &source, &photos).added, 1);
    check(&cache, &source, &photos);
    // Written over where it lies, too.
    wait_until_settled();
    fill(&mut cache, &source, &photos);
    let third = fs::read(place.photo("c.bmp", 5)).unwrap();
    fs::write(&photos[0], third).unwrap();
    let file = File::options().write(true).open(&photos[0]).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    let mut cache = place.open(&source);
    assert_eq!(fill(&mut cache, &source, &photos).added, 1);
    check(&cache, &source, &photos);
}

#[test]
fn foreign_files_are_refused() {
    let (place, source) = (Place::new(), Fake::new());
    place.open(&source);
    let facts = place.store_files().0.with_file_name("cache.toml");
    let good = fs::read_to_string(&facts).unwrap();
    for text in ["nonsense", &good.replace("format = 1", "format = 2"), ""] {
        fs::write(&facts, text).unwrap();
        assert!(
            FeatureCache::open(&place.cache(), &source, BOTH).is_err(),
            "{text}"
        );
    }
    fs::write(&facts, good.replace("global = 3", "global = 99999999999")).unwrap();
    let error = FeatureCache::open(&place.cache(), &source, BOTH).map(|_| ());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("not a feature cache of this program"),
        "{error}"
    );
}
