//! PyTorch's storages: the flat runs of numbers that tensors are views of.

use std::collections::BTreeMap;

use super::pickle::Value;
use crate::files::FloatFormat;

/// What a storage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageType {
    Float(FloatFormat),
    /// Whole numbers of so many bytes: counters, which no network here needs.
    Whole(usize),
    /// Something else of so many bytes: complex or quantised numbers, or bytes of any type.
    Other(usize),
}

impl StorageType {
    /// The type that PyTorch calls so.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HalfStorage" => Self::Float(FloatFormat::Half),
            "BFloat16Storage" => Self::Float(FloatFormat::BrainHalf),
            "FloatStorage" => Self::Float(FloatFormat::Single),
            "DoubleStorage" => Self::Float(FloatFormat::Double),
            "ByteStorage" | "CharStorage" | "BoolStorage" => Self::Whole(1),
            "ShortStorage" => Self::Whole(2),
            "IntStorage" => Self::Whole(4),
            "LongStorage" => Self::Whole(8),
            "ComplexDoubleStorage" => Self::Other(16),
            "ComplexFloatStorage" => Self::Other(8),
            "QInt32Storage" => Self::Other(4),
            "QInt8Storage" | "QUInt8Storage" | "UntypedStorage" => Self::Other(1),
            _ => return None,
        })
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Float(format) => format.bytes(),
            Self::Whole(bytes) | Self::Other(bytes) => bytes,
        }
    }
}

/// A storage as a tensor refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub key: &'a str,
    pub kind: StorageType,
    /// Numbers in the whole storage.
    pub elements: u64,
    /// The first number of this view of it, and how many it has.
    pub view: (u64, u64),
}

impl<'a> Reference<'a> {
    /// Reads `("storage", type, key, place, numel)`, to which the old format adds `None` or `(key of
    /// the view, first, numel)`.
    pub(super) fn new(id: &'a Value<'a>) -> Result<Self, String> {
        let wrong =
            || "a storage is not described as PyTorch does it: save the file again".to_owned();
        let Value::Tuple(fields) = id else {
            return Err(wrong());
        };
        let (
            Value::Text(storage),
            Value::Global(kind),
            Value::Text(key),
            Value::Integer(elements),
            view,
        ) = (match fields.as_slice() {
            [storage, kind, key, _place, elements] => (storage, kind, key, elements, None),
            [storage, kind, key, _place, elements, view] => {
                (storage, kind, key, elements, Some(view))
            }
            _ => return Err(wrong()),
        })
        else {
            return Err(wrong());
        };
        let kind = StorageType::named(kind.name).ok_or_else(wrong)?;
        let elements = u64::try_from(*elements).map_err(|_| wrong())?;
        let view = match view {
            None | Some(Value::None) => (0, elements),
            Some(Value::Tuple(view)) => match view.as_slice() {
                [_, Value::Integer(first), Value::Integer(count)] => {
                    let first = u64::try_from(*first).map_err(|_| wrong())?;
                    let count = u64::try_from(*count).map_err(|_| wrong())?;
                    (first, count)
                }
                _ => return Err(wrong()),
            },
            Some(_) => return Err(wrong()),
        };
        let inside = view
            .0
            .checked_add(view.1)
            .is_some_and(|end| end <= elements);
        match storage == "storage" && inside {
            true => Ok(Self {
                key,
                kind,
                elements,
                view,
            }),
            false => Err(wrong()),
        }
    }

    /// Bytes of the whole storage.
    pub(super) fn bytes(&self) -> Result<u64, String> {
        self.elements
            .checked_mul(self.kind.bytes() as u64)
            .ok_or_else(|| {
                format!(
                    "storage {} is said to have {} numbers, more than any file",
                    self.key, self.elements
                )
            })
    }
}

/// Every storage that a value refers to, by its key. What is kept elsewhere and is no storage is
/// passed over: the tensors that need it say so.
pub(super) fn references<'a>(
    value: &'a Value<'a>,
) -> Result<BTreeMap<&'a str, Reference<'a>>, String> {
    let mut found = BTreeMap::new();
    collect(value, &mut found)?;
    Ok(found)
}

fn collect<'a>(
    value: &'a Value<'a>,
    found: &mut BTreeMap<&'a str, Reference<'a>>,
) -> Result<(), String> {
    match value {
        Value::List(values) | Value::Tuple(values) => {
            values.iter().try_for_each(|value| collect(value, found))
        }
        Value::Dict(items) => collect_items(items, found),
        Value::Object(object) => {
            object
                .arguments
                .iter()
                .try_for_each(|value| collect(value, found))?;
            collect(&object.state, found)?;
            let mut appended = object.appended.iter();
            appended.try_for_each(|value| collect(value, found))?;
            collect_items(&object.items, found)
        }
        Value::Persistent(id) => {
            let Ok(new) = Reference::new(id) else {
                return Ok(());
            };
            let known = found.entry(new.key).or_insert_with(|| new.clone());
            match known.kind == new.kind && known.elements == new.elements {
                true => Ok(()),
                false => Err(format!(
                    "storage {} is described in two ways: fetch the file again",
                    new.key
                )),
            }
        }
        _ => Ok(()),
    }
}

fn collect_items<'a>(
    items: &'a [(Value<'a>, Value<'a>)],
    found: &mut BTreeMap<&'a str, Reference<'a>>,
) -> Result<(), String> {
    items.iter().try_for_each(|(key, value)| {
        collect(key, found)?;
        collect(value, found)
    })
}
