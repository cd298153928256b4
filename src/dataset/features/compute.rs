//! From photos on the disk to records: decoding, the backbone and writing run side by side.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use candle_core::Tensor;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::cautions::CautionWriter;
use super::layout::RecordLayout;
use super::stamps::{Stamp, StampWriter};
use super::store::{Durable, Hash, Store, Writer};
use super::{CacheError, FeatureSource};
use crate::files::{FileError, read_bounded};
use crate::image_io::{NetworkInput, PhotoFact, PhotoLimits, decode_photo};

/// Photos that are decoded while as many go through the backbone.
const AHEAD: usize = 16;

/// A photo that was read.
struct Read {
    path: PathBuf,
    /// Its absolute path and stamp, where they can be had.
    stamp: Option<(PathBuf, Stamp)>,
    hash: Hash,
    /// The network's input `[S, S, 3]`; `None` where the features are there already.
    pixels: Option<Vec<u8>>,
    /// What is to be told of its pixels.
    cautions: Vec<String>,
}

/// A photo that cannot be read, with the reason in one line.
type Unreadable = (PathBuf, String);

/// What happened to the photos of one step.
pub(super) struct Step {
    /// Photos whose features are in the store or on their way there.
    pub read: Vec<(PathBuf, Hash)>,
    pub unreadable: Vec<Unreadable>,
    /// How many of `read` went through the backbone.
    pub computed: usize,
}

/// What is written at once.
struct Batch {
    records: Vec<(Hash, Vec<u8>)>,
    stamps: Vec<(PathBuf, Stamp, Hash)>,
    cautions: Vec<(Hash, String)>,
}

/// Where all that is kept is written to.
pub(super) struct Writers<F> {
    pub records: Writer<F>,
    pub stamps: StampWriter,
    pub cautions: CautionWriter,
}

/// Computes the features of `photos` and writes those that `store` does not have. `after` is called
/// after every step and says whether to go on.
///
/// # Errors
/// A full disk, a network that fails. What was written before stays.
pub(super) fn compute<F: Durable + Send>(
    source: &dyn FeatureSource,
    store: &Store,
    photos: &[PathBuf],
    writers: Writers<F>,
    after: &mut dyn FnMut(Step) -> bool,
) -> Result<(), CacheError> {
    thread::scope(|scope| {
        // One batch may wait while another is being written.
        let (sender, receiver) = sync_channel(1);
        let writing = scope.spawn(move || write_all(writers, &receiver));
        let computed = compute_all(source, store, photos, &sender, after);
        drop(sender);
        let written = match writing.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // A writer that failed is why nothing more could be sent.
        written?;
        computed
    })
}

fn write_all<F: Durable>(
    mut writers: Writers<F>,
    batches: &Receiver<Batch>,
) -> Result<(), FileError> {
    for batch in batches {
        writers.cautions.append(&batch.cautions)?;
        writers.records.append(&batch.records)?;
        writers.stamps.append(&batch.stamps)?;
    }
    writers.records.finish()
}

fn compute_all(
    source: &dyn FeatureSource,
    store: &Store,
    photos: &[PathBuf],
    sender: &SyncSender<Batch>,
    after: &mut dyn FnMut(Step) -> bool,
) -> Result<(), CacheError> {
    let mut on_their_way = HashSet::new();
    let mut chunks = photos.chunks(AHEAD.max(source.batch()));
    let mut next = read_all(chunks.next().unwrap_or(&[]), source.input(), store);
    while !next.is_empty() {
        let ahead = chunks.next().unwrap_or(&[]);
        let ready = std::mem::take(&mut next);
        let (read, done) = rayon::join(
            || read_all(ahead, source.input(), store),
            || take_step(source, &store.facts.record, ready, &mut on_their_way),
        );
        let (batch, step) = done?;
        let writer_lives = sender.send(batch).is_ok();
        if !writer_lives || !after(step) {
            break;
        }
        next = read;
    }
    Ok(())
}

fn read_all(
    photos: &[PathBuf],
    input: NetworkInput,
    store: &Store,
) -> Vec<Result<Read, Unreadable>> {
    let read =
        |path: &PathBuf| read_photo(path, input, store).map_err(|reason| (path.clone(), reason));
    photos.par_iter().map(read).collect()
}

/// Reads a photo once, so that its hash and its pixels are of the same bytes.
fn read_photo(path: &Path, input: NetworkInput, store: &Store) -> Result<Read, String> {
    // Looked at before the bytes are read: a change in between makes the stamp old, not wrong.
    let stamp = stamp_of(path);
    let limits = PhotoLimits::default();
    let bytes = read_bounded(path, limits.file_bytes).map_err(|error| error.to_string())?;
    let hash: Hash = Sha256::digest(&bytes).into();
    let mut cautions = Vec::new();
    let pixels = match store.place(&hash) {
        Some(_) => None,
        None => {
            let photo = decode_photo(&bytes, &path.display().to_string(), limits)
                .map_err(|error| error.to_string())?;
            cautions.extend(photo.facts.iter().filter_map(PhotoFact::caution));
            Some(input.pixels(&photo.rgb).into_raw())
        }
    };
    Ok(Read {
        path: path.to_owned(),
        stamp,
        hash,
        pixels,
        cautions,
    })
}

/// A photo's absolute path and its stamp, where it is there.
pub(super) fn stamp_of(path: &Path) -> Option<(PathBuf, Stamp)> {
    let stamp = Stamp::of(&fs::metadata(path).ok()?)?;
    Some((std::path::absolute(path).ok()?, stamp))
}

/// Sends photos through the backbone, each content once.
fn take_step(
    source: &dyn FeatureSource,
    layout: &RecordLayout,
    photos: Vec<Result<Read, Unreadable>>,
    on_their_way: &mut HashSet<Hash>,
) -> Result<(Batch, Step), CacheError> {
    let mut step = Step {
        read: Vec::new(),
        unreadable: Vec::new(),
        computed: 0,
    };
    let (mut stamps, mut cautions) = (Vec::new(), Vec::new());
    let mut inputs = Vec::new();
    for photo in photos {
        match photo {
            Err(unreadable) => step.unreadable.push(unreadable),
            Ok(photo) => {
                if let Some(pixels) = photo.pixels
                    && on_their_way.insert(photo.hash)
                {
                    inputs.push((photo.hash, pixels));
                }
                if let Some((path, stamp)) = photo.stamp {
                    stamps.push((path, stamp, photo.hash));
                }
                let of_photo = photo.cautions.into_iter();
                cautions.extend(of_photo.map(|caution| (photo.hash, caution)));
                step.read.push((photo.path, photo.hash));
            }
        }
    }
    step.computed = inputs.len();
    let mut records = Vec::new();
    for batch in inputs.chunks(source.batch().max(1)) {
        records.extend(records_of(source, layout, batch)?);
    }
    let batch = Batch {
        records,
        stamps,
        cautions,
    };
    Ok((batch, step))
}

/// The records of a batch of inputs.
fn records_of(
    source: &dyn FeatureSource,
    layout: &RecordLayout,
    inputs: &[(Hash, Vec<u8>)],
) -> Result<Vec<(Hash, Vec<u8>)>, CacheError> {
    let pixels: Vec<&[u8]> = inputs.iter().map(|(_, pixels)| &pixels[..]).collect();
    let features = source.features(pixels.concat(), inputs.len())?;
    let raw = match layout.raw {
        0 => Vec::new(),
        _ => channels_last(&features.raw.regions)?,
    };
    let projected = match layout.projected {
        0 => Vec::new(),
        _ => channels_last(&features.projected)?,
    };
    let global = features.raw.global.flatten_all()?.to_vec1::<f32>()?;
    let of_photo = |values: &[f32], photo: usize, length: usize| {
        let range = photo * length..(photo + 1) * length;
        values.get(range).map(<[f32]>::to_vec).unwrap_or_default()
    };
    (0..)
        .zip(inputs)
        .map(|(photo, (hash, _))| {
            let regions = layout.regions();
            let record = layout.record(
                &of_photo(&raw, photo, regions * layout.raw),
                &of_photo(&projected, photo, regions * layout.projected),
                &of_photo(&global, photo, layout.global),
            );
            let record = record.ok_or_else(|| {
                candle_core::Error::Msg("the backbone's features changed their size".to_owned())
            })?;
            Ok((*hash, record))
        })
        .collect()
}

/// The values of `[N, C, h, w]`, region by region.
fn channels_last(regions: &Tensor) -> candle_core::Result<Vec<f32>> {
    regions.permute((0, 2, 3, 1))?.flatten_all()?.to_vec1()
}
