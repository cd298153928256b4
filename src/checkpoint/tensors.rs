//! Which tensors a checkpoint's object has, and where their numbers lie in the file.

use std::collections::BTreeMap;

use super::containers::{Items, described, state_dictionaries};
use super::globals::Name;
use super::pickle::{Object, Value};
use super::storage::{Reference, StorageType};
use super::wrappings::unwrapped;

/// How Python makes a tensor of a class of its own.
const FROM_TYPE: &str = "_rebuild_from_type_v2";

/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 16;

/// A tensor's place in the file. Everything about it has been checked against its storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredTensor {
    pub shape: Vec<usize>,
    /// Numbers from one index to the next, for each dimension.
    pub strides: Vec<usize>,
    pub kind: StorageType,
    /// The file's byte where its first number is.
    pub at: u64,
    /// Numbers from its first to its last, both counted.
    pub span: u64,
}

impl StoredTensor {
    /// Numbers of the tensor.
    pub(super) fn elements(&self) -> usize {
        // A side of 0 may have sides beside it that no product holds.
        match self.shape.contains(&0) {
            true => 0,
            false => self.shape.iter().product(),
        }
    }

    /// Whether its numbers lie one after the other, in C order.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(&side, &stride)| {
                let fits = side == 1 || stride == expected;
                expected *= side;
                fits
            })
    }
}

/// What a checkpoint has.
pub(super) struct Contents {
    /// Tensors by their names, without the wrappings that [`unwrapped`] takes off.
    pub tensors: BTreeMap<String, StoredTensor>,
    /// What lies beside them, each with what it is.
    pub beside: Vec<String>,
}

/// The tensors of a checkpoint, and what else it has.
///
/// # Errors
/// In one line: no tensors, several networks, a name twice, a tensor that its storage cannot have.
pub(super) fn contents(
    object: &Value<'_>,
    starts: &BTreeMap<String, u64>,
) -> Result<Contents, String> {
    let mut networks = Vec::new();
    for found in state_dictionaries(object) {
        let tensors = layouts(&found.items, starts)?;
        // The same network may lie there under two names.
        if !networks.iter().any(|(_, known)| *known == tensors) {
            networks.push((found, tensors));
        }
    }
    let mut networks = networks.into_iter();
    let (found, tensors) = networks.next().ok_or_else(|| {
        format!(
            "no tensors by name in it ({}): save the network's state_dict()",
            described(object)
        )
    })?;
    if let Some((other, _)) = networks.next() {
        return Err(format!(
            "several networks are in it, under “{}” and “{}”: save the state_dict() of one",
            found.path, other.path
        ));
    }
    Ok(Contents {
        tensors: unwrapped(tensors)?,
        beside: found.beside,
    })
}

fn layouts(
    items: &Items<'_, '_>,
    starts: &BTreeMap<String, u64>,
) -> Result<BTreeMap<String, StoredTensor>, String> {
    let mut found = BTreeMap::new();
    for (name, value) in items {
        let (Value::Text(name), true) = (name, is_tensor(value)) else {
            continue;
        };
        let layout = layout(value, starts).map_err(|reason| format!("tensor {name}: {reason}"))?;
        if found.insert(name.to_string(), layout).is_some() {
            return Err(format!(
                "tensor {name} is there twice: fetch the file again"
            ));
        }
    }
    Ok(found)
}

pub(super) fn is_tensor(value: &Value<'_>) -> bool {
    let Value::Object(object) = value else {
        return false;
    };
    let Name { module, name } = object.callable;
    module == "torch._utils" || module == "torch._tensor" && name == FROM_TYPE
}

/// Reads `_rebuild_tensor(storage, first, shape, strides)`, its second version, which has more
/// arguments, or `_rebuild_parameter(tensor, …)`.
fn layout(value: &Value<'_>, starts: &BTreeMap<String, u64>) -> Result<StoredTensor, String> {
    let wrong = || "not described as PyTorch does it: save the file again".to_owned();
    let Value::Object(object) = value else {
        return Err(wrong());
    };
    let Object {
        callable,
        arguments,
        ..
    } = object.as_ref();
    if let "_rebuild_parameter" | "_rebuild_parameter_with_state" = callable.name {
        return layout(arguments.first().ok_or_else(wrong)?, starts);
    }
    // A tensor of a class of its own, or with attributes: how it is made, its class, what of.
    let arguments = match arguments.as_slice() {
        [Value::Global(how), _, Value::Tuple(of), ..] if callable.name == FROM_TYPE => {
            plain_tensor(*how)?;
            of
        }
        _ => {
            plain_tensor(*callable)?;
            arguments
        }
    };
    let [
        Value::Persistent(storage),
        Value::Integer(first),
        shape,
        strides,
        ..,
    ] = arguments.as_slice()
    else {
        return Err(wrong());
    };
    let storage = Reference::new(storage)?;
    let first = u64::try_from(*first).map_err(|_| wrong())?;
    let (shape, strides) = (
        sizes(shape).ok_or_else(wrong)?,
        sizes(strides).ok_or_else(wrong)?,
    );
    if shape.len() != strides.len() || shape.len() > MAX_DIMENSIONS {
        return Err(wrong());
    }
    let start = starts.get(storage.key).ok_or_else(|| {
        format!(
            "its storage {} is not in the file: fetch it again",
            storage.key
        )
    })?;
    let span = span(&shape, &strides)?;
    let (view_first, view_elements) = storage.view;
    let inside = first
        .checked_add(span)
        .is_some_and(|end| end <= view_elements);
    if !inside {
        return Err(format!(
            "reaches beyond its storage {}: fetch the file again",
            storage.key
        ));
    }
    let bytes = storage.kind.bytes() as u64;
    // A tensor without numbers may claim to start anywhere.
    let skipped = if span == 0 { 0 } else { view_first + first };
    Ok(StoredTensor {
        shape,
        strides,
        kind: storage.kind,
        at: start + skipped * bytes,
        span,
    })
}

/// Refuses tensors that are not simply numbers in a storage: sparse, quantised, on a device of their
/// own.
fn plain_tensor(how: Name<'_>) -> Result<(), String> {
    match how.name {
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" => Ok(()),
        other => Err(format!(
            "not a plain tensor ({other}): save dense, unquantised tensors"
        )),
    }
}

/// A tuple of sizes, as such or as `torch.Size`.
fn sizes(value: &Value<'_>) -> Option<Vec<usize>> {
    match value {
        Value::Tuple(sizes) | Value::List(sizes) => sizes
            .iter()
            .map(|size| match size {
                Value::Integer(size) => usize::try_from(*size).ok(),
                _ => None,
            })
            .collect(),
        Value::Object(object) if object.callable.name == "Size" => sizes_of_argument(object),
        _ => None,
    }
}

fn sizes_of_argument(object: &Object<'_>) -> Option<Vec<usize>> {
    match object.arguments.as_slice() {
        [argument @ (Value::Tuple(_) | Value::List(_))] => sizes(argument),
        _ => None,
    }
}

/// Numbers from a tensor's first to its last, both counted; 0 where it has none. Refuses tensors that
/// use a number twice, for their size says nothing of the file's.
fn span(shape: &[usize], strides: &[usize]) -> Result<u64, String> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let mut sides: Vec<(usize, usize)> = strides
        .iter()
        .copied()
        .zip(shape.iter().copied())
        .filter(|&(_, side)| side > 1)
        .collect();
    sides.sort_unstable();
    let mut span = 1u64;
    for (stride, side) in sides {
        if (stride as u64) < span {
            return Err(
                "uses the same number in several places: save a copy of it (clone())".to_owned(),
            );
        }
        span = (stride as u64)
            .checked_mul(side as u64 - 1)
            .and_then(|more| span.checked_add(more))
            .ok_or_else(|| "larger than any storage: fetch the file again".to_owned())?;
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_from_first_to_last() {
        assert_eq!(span(&[2, 3], &[3, 1]), Ok(6));
        assert_eq!(span(&[2, 3], &[1, 2]), Ok(6));
        assert_eq!(span(&[2, 3], &[10, 2]), Ok(15));
        assert_eq!(span(&[], &[]), Ok(1));
        assert_eq!(span(&[4, 0], &[0, 1]), Ok(0));
        // A side of one never takes a step.
        assert_eq!(span(&[1, 3], &[0, 1]), Ok(3));
    }

    #[test]
    fn numbers_used_twice_and_endless_spans_are_refused() {
        assert!(span(&[1 << 30], &[0]).is_err());
        assert!(span(&[2, 3], &[2, 1]).is_err());
        assert!(span(&[usize::MAX, 2], &[usize::MAX, 1]).is_err());
    }
}
