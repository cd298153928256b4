//! From records to tensors.

use candle_core::{Device, Tensor};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::store::Store;
use super::{CacheError, Which};

/// Region features of `records`, `[N, C, h, w]` over channels-last memory; see
/// [`super::FeatureCache::gather`].
pub(super) fn regions(
    store: &Store,
    records: &[usize],
    which: Which,
    flips: &[bool],
) -> Result<Tensor, CacheError> {
    let layout = store.facts.record;
    let channels = layout.channels(which);
    check(store, records, which)?;
    if flips.len() != records.len() {
        let reason = format!("{} flips for {} photos", flips.len(), records.len());
        return Err(candle_core::Error::Msg(reason).into());
    }
    let length = layout.regions() * channels;
    let mut values = vec![0f32; records.len() * length];
    values
        .par_chunks_exact_mut(length.max(1))
        .zip(records.par_iter().zip(flips))
        .try_for_each(|(values, (&record, &flip))| {
            let halves = shifted(store, record, layout.halves(which));
            let halves = store.map().halves(halves);
            let halves = halves.ok_or_else(|| not_there(store, "photo", record))?;
            if !flip {
                halves.convert_to_f32_slice(values);
                return Ok(());
            }
            let row = layout.columns * channels;
            for (to, from) in values.chunks_exact_mut(row).zip(halves.chunks_exact(row)) {
                let from = from.chunks_exact(channels).rev();
                for (to, from) in to.chunks_exact_mut(channels).zip(from) {
                    from.convert_to_f32_slice(to);
                }
            }
            Ok::<_, CacheError>(())
        })?;
    let shape = (records.len(), layout.rows, layout.columns, channels);
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
    Ok(tensor.permute((0, 3, 1, 2))?)
}

/// Global features of `records`, `[N, G]`.
pub(super) fn globals(store: &Store, records: &[usize]) -> Result<Tensor, CacheError> {
    let layout = store.facts.record;
    let mut values = Vec::with_capacity(records.len() * layout.global);
    for &record in records {
        let floats = store.map().floats(shifted(store, record, layout.floats()));
        values.extend_from_slice(floats.ok_or_else(|| not_there(store, "photo", record))?);
    }
    let shape = (records.len(), layout.global);
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Appends raw features of some regions of a record; see [`super::FeatureCache::rows`].
pub(super) fn rows(
    store: &Store,
    record: usize,
    regions: &[usize],
    flip: bool,
    rows: &mut Vec<f32>,
) -> Result<(), CacheError> {
    let layout = store.facts.record;
    let (columns, channels) = (layout.columns, layout.raw);
    check(store, &[record], Which::Raw)?;
    let halves = shifted(store, record, layout.halves(Which::Raw));
    let halves = store.map().halves(halves);
    let halves = halves.ok_or_else(|| not_there(store, "photo", record))?;
    let start = rows.len();
    rows.resize(start + regions.len() * channels, 0.0);
    for (to, &region) in rows[start..].chunks_exact_mut(channels).zip(regions) {
        let place = match flip {
            false => region,
            true => region - region % columns + (columns - 1 - region % columns),
        };
        let from = halves.get(place * channels..(place + 1) * channels);
        let from = from.ok_or_else(|| not_there(store, "region", region))?;
        from.convert_to_f32_slice(to);
    }
    Ok(())
}

/// Refuses features that are not kept and records that are not there.
fn check(store: &Store, records: &[usize], which: Which) -> Result<(), CacheError> {
    if store.facts.record.channels(which) == 0 {
        return Err(CacheError::NotKept {
            folder: store.folder.clone(),
            what: match which {
                Which::Raw => "raw",
                Which::Projected => "projected",
            },
        });
    }
    match records.iter().find(|&&record| record >= store.len()) {
        Some(&record) => Err(not_there(store, "photo", record)),
        None => Ok(()),
    }
}

fn not_there(store: &Store, what: &'static str, place: usize) -> CacheError {
    CacheError::NotThere {
        folder: store.folder.clone(),
        what,
        place,
    }
}

/// A range within a record as one of the whole file.
fn shifted(store: &Store, record: usize, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let start = record.saturating_mul(store.facts.record.bytes());
    start.saturating_add(range.start)..start.saturating_add(range.end)
}
