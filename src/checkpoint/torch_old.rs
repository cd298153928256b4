//! The format of `torch.save` from PyTorch 0.4 to 1.5: pickles one after the other (a magic number,
//! the format's version, facts about the writer, the object, the keys of its storages), then for
//! each key a count in 64 bits and the numbers themselves.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::pickle::{self, Value};
use super::source::{Problem, Source};
use super::storage::references;

/// 0x1950A86A20F9469CFC6C.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;
/// The pickles must be within so many bytes; the numbers come after them.
const PICKLES_LIMIT: u64 = 64 << 20;

/// Whether a file that starts so is in this format.
pub(super) fn is_old(head: &[u8]) -> bool {
    let magic = head
        .get(2..)
        .and_then(|rest| rest.strip_prefix(&[0x8a, 10]));
    head.first() == Some(&0x80) && magic.is_some_and(|magic| magic.starts_with(&MAGIC))
}

/// The pickles' bytes, and all that may follow.
pub(super) fn pickles<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<u8>, Problem> {
    source.bytes(0, source.length().min(PICKLES_LIMIT))
}

/// The object in `bytes` (see [`pickles`]) and where each of its storages' numbers start.
pub(super) fn read<'a, R: Read + Seek>(
    source: &mut Source<R>,
    bytes: &'a [u8],
) -> Result<(Value<'a>, BTreeMap<String, u64>), Problem> {
    let mut at = 0;
    let mut next = || -> Result<Value<'a>, String> {
        let (value, used) = pickle::read(bytes.get(at..).unwrap_or_default())?;
        at += used;
        Ok(value)
    };
    if next()? != Value::LongInteger(&MAGIC) {
        return Err("not a file of torch.save: its magic number is wrong"
            .to_owned()
            .into());
    }
    if next()? != Value::Integer(VERSION) {
        let reason =
            format!("a version of torch.save's old format other than {VERSION}: save it again");
        return Err(reason.into());
    }
    refuse_other_byte_order(&next()?)?;
    let object = next()?;
    let keys = next()?;
    let Value::List(keys) = keys else {
        return Err("its storages have no list of keys: fetch it again"
            .to_owned()
            .into());
    };
    let starts = starts(source, &object, &keys, at as u64)?;
    Ok((object, starts))
}

fn refuse_other_byte_order(facts: &Value<'_>) -> Result<(), String> {
    let little = match facts {
        Value::Dict(facts) => facts
            .iter()
            .any(|(key, value)| *key == text("little_endian") && *value == Value::Bool(true)),
        _ => false,
    };
    match little {
        true => Ok(()),
        false => {
            Err("written on a computer of another byte order: save it again on this one".to_owned())
        }
    }
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(text.into())
}

/// Where the numbers of each storage start, the first of them at `at`.
fn starts<R: Read + Seek>(
    source: &mut Source<R>,
    object: &Value<'_>,
    keys: &[Value<'_>],
    mut at: u64,
) -> Result<BTreeMap<String, u64>, Problem> {
    let references = references(object)?;
    let mut starts = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else {
            return Err("the key of a storage is no text: fetch it again"
                .to_owned()
                .into());
        };
        let reference = references
            .get(key.as_ref())
            .ok_or_else(|| format!("no tensor says what storage {key} holds: fetch it again"))?;
        let count = source.bytes(at, 8)?.try_into().map(u64::from_le_bytes);
        if count != Ok(reference.elements) {
            return Err(format!(
                "storage {key} does not have the {} numbers that a tensor says: fetch it again",
                reference.elements
            )
            .into());
        }
        let start = at + 8;
        if starts.insert(key.to_string(), start).is_some() {
            return Err(format!("storage {key} is there twice: fetch it again").into());
        }
        let end = start.checked_add(reference.bytes()?);
        at = end
            .filter(|&end| end <= source.length())
            .ok_or_else(super::source::early_end)?;
    }
    Ok(starts)
}
