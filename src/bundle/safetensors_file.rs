//! Safetensors whose bytes depend on nothing but what is in them.

use std::collections::BTreeMap;

use candle_core::{Error, Result, Tensor};

/// A safetensors file with `metadata` in its header, in the order of the names: the crate would write
/// it in another order each time.
///
/// # Errors
/// Tensors on a device that fails.
pub fn safetensors_bytes(
    tensors: &BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let file = safetensors::serialize(tensors, None).map_err(Error::wrap)?;
    let (length, rest) = file
        .split_first_chunk()
        .ok_or_else(|| Error::msg("a safetensors file without a header"))?;
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(Error::wrap)?;
    let metadata = serde_json::to_value(metadata).map_err(Error::wrap)?;
    header.insert("__metadata__".to_owned(), metadata);
    let mut header = serde_json::to_vec(&header).map_err(Error::wrap)?;
    // The numbers behind it lie aligned.
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok([&(header.len() as u64).to_le_bytes(), &header[..], data].concat())
}
