//! Pickled NumPy arrays: label vectors and lists of labels.

use std::path::Path;

use super::pickle::{self, Object, Value};
use super::{CheckpointError, PlainTensor};
use crate::files::{ByteOrder, FloatFormat, from_fortran_order, read_bounded, read_npy};

/// Largest file of label vectors: a hundred times Open Images' 7,586 of 300 numbers.
const VECTORS_LIMIT: u64 = 1 << 30;
/// What a file of NumPy's own format starts with.
const NPY_MAGIC: &[u8] = b"\x93NUMPY";
const NOT_ARRAYS: &str = "not an array of real numbers, nor a list of them";

/// The arrays of real numbers in a pickle (one, or a list of them) or in an `.npy` file, in their
/// order. The authors' label vectors are such a list of two: labels of training, unseen labels.
///
/// # Errors
/// A file that cannot be read or has something else in it.
pub fn read_arrays(path: &Path) -> Result<Vec<PlainTensor>, CheckpointError> {
    let bytes = read_bounded(path, VECTORS_LIMIT)?;
    let arrays = if bytes.starts_with(NPY_MAGIC) {
        read_npy(&bytes).map(|(shape, data)| vec![PlainTensor { shape, data }])
    } else {
        arrays(&bytes)
    };
    arrays.map_err(|reason| CheckpointError::content(path, reason))
}

/// The arrays of real numbers in a pickle.
///
/// # Errors
/// In one line, as [`pickle::read`], or what is no such array.
pub fn arrays(bytes: &[u8]) -> Result<Vec<PlainTensor>, String> {
    let (value, _) = pickle::read(bytes)?;
    let values = match &value {
        Value::List(values) | Value::Tuple(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    // The same bytes may be meant many times.
    let mut left = bytes.len();
    values
        .iter()
        .map(|value| {
            let (dtype, array) = Array::new(value).ok_or(NOT_ARRAYS)?;
            let Dtype::Real(format, order) = dtype else {
                return Err(NOT_ARRAYS.to_owned());
            };
            let array = array.numbers(format, order, left)?;
            left -= array.data.len() * format.bytes();
            Ok(array)
        })
        .collect()
}

/// The strings of the one list in a pickle, plain or as a NumPy array of objects.
///
/// # Errors
/// In one line, as [`pickle::read`], or anything in the list but strings.
pub fn strings(bytes: &[u8]) -> Result<Vec<String>, String> {
    let (value, _) = pickle::read(bytes)?;
    let no_list = || "there is no list of strings in this pickle: save it as a text, one a line";
    let array = Array::new(&value);
    let list = match (&value, &array) {
        (Value::List(list) | Value::Tuple(list), _) => list,
        (
            _,
            Some((
                Dtype::Objects,
                Array {
                    data: Value::List(list),
                    ..
                },
            )),
        ) => list,
        _ => return Err(no_list().to_owned()),
    };
    list.iter()
        .map(|text| match text {
            Value::Text(text) => Ok(text.to_string()),
            _ => Err(
                "something in the list is not a string: save it as a text, one a line".to_owned(),
            ),
        })
        .collect()
}

/// What an array holds.
enum Dtype {
    Real(FloatFormat, ByteOrder),
    Objects,
}

/// What a pickle says of an array.
struct Array<'v, 'a> {
    shape: &'v Value<'a>,
    fortran: bool,
    /// Bytes of numbers, or a list of objects.
    data: &'v Value<'a>,
}

impl<'v, 'a> Array<'v, 'a> {
    /// Reads `_reconstruct(…)` with its state `(version, shape, dtype, Fortran's order, data)`, or
    /// `_frombuffer(data, dtype, shape, order)`.
    fn new(value: &'v Value<'a>) -> Option<(Dtype, Self)> {
        let Value::Object(object) = value else {
            return None;
        };
        if object.callable.is_numpys("_frombuffer") {
            let [data, dtype, shape, Value::Text(order)] = object.arguments.as_slice() else {
                return None;
            };
            let fortran = order == "F";
            return Some((
                self::dtype(dtype)?,
                Self {
                    shape,
                    fortran,
                    data,
                },
            ));
        }
        let Value::Tuple(state) = &object.state else {
            return None;
        };
        let [_, shape, dtype, Value::Bool(fortran), data] = state.as_slice() else {
            return None;
        };
        let array = Self {
            shape,
            fortran: *fortran,
            data,
        };
        object
            .callable
            .is_numpys("_reconstruct")
            .then_some((self::dtype(dtype)?, array))
    }

    /// The numbers, if they are no more than `left` bytes.
    fn numbers(
        &self,
        format: FloatFormat,
        order: ByteOrder,
        left: usize,
    ) -> Result<PlainTensor, String> {
        let wrong = || "an array's numbers do not fill its shape: fetch the file again".to_owned();
        let Value::Tuple(sides) = self.shape else {
            return Err(wrong());
        };
        let shape = sides
            .iter()
            .map(|side| match side {
                Value::Integer(side) => usize::try_from(*side).map_err(|_| wrong()),
                _ => Err(wrong()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let elements = shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side));
        let length = elements.and_then(|elements| elements.checked_mul(format.bytes()));
        let length = length.filter(|&length| length <= left).ok_or_else(wrong)?;
        let bytes = raw_bytes(self.data)
            .filter(|bytes| bytes.len() == length)
            .ok_or_else(wrong)?;
        let mut data = Vec::with_capacity(length / format.bytes());
        format.decode(&bytes, order, &mut data);
        if self.fortran {
            data = from_fortran_order(&shape, &data);
        }
        Ok(PlainTensor { shape, data })
    }
}

/// Reads `dtype(name, …)` with its state `(version, byte order, …)`.
fn dtype(value: &Value<'_>) -> Option<Dtype> {
    let Value::Object(object) = value else {
        return None;
    };
    let Object {
        callable,
        arguments,
        state,
        ..
    } = object.as_ref();
    let (Some(Value::Text(name)), true) = (arguments.first(), callable.is_numpys("dtype")) else {
        return None;
    };
    let order = match state {
        Value::Tuple(state) => match state.get(1) {
            Some(Value::Text(order)) if order == ">" => ByteOrder::HighestFirst,
            _ => ByteOrder::LowestFirst,
        },
        _ => ByteOrder::LowestFirst,
    };
    Some(match name.as_ref() {
        "f2" => Dtype::Real(FloatFormat::Half, order),
        "f4" => Dtype::Real(FloatFormat::Single, order),
        "f8" => Dtype::Real(FloatFormat::Double, order),
        "O" | "O4" | "O8" => Dtype::Objects,
        _ => return None,
    })
}

/// Bytes as such, or as protocol 2 writes them: a text to be encoded in Latin-1.
fn raw_bytes<'v>(value: &'v Value<'_>) -> Option<std::borrow::Cow<'v, [u8]>> {
    match value {
        Value::Bytes(bytes) => Some(bytes.as_ref().into()),
        Value::Text(ascii) if ascii.is_ascii() => Some(ascii.as_bytes().into()),
        Value::Object(object) if object.callable.name == "encode" => {
            let [Value::Text(text), Value::Text(encoding)] = object.arguments.as_slice() else {
                return None;
            };
            let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
            (encoding == "latin1").then_some(bytes?.into())
        }
        _ => None,
    }
}
