//! Where a checkpoint keeps the tensors of a network when other things lie beside them.

use super::pickle::Value;
use super::tensors::is_tensor;

/// Usual names of a dictionary of tensors.
const NESTS: [&str; 23] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model_dict",
    "model",
    "net",
    "net_state_dict",
    "net_dict",
    "network",
    "network_state_dict",
    "weights",
    "model_weights",
    "params",
    "parameters",
    "module",
    "state",
    "ema",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema_model",
    "params_ema",
    "shadow",
];
/// Nests within nests.
const MAX_NESTS: usize = 4;
/// Things that a message names before it says how many more.
const NAMED: usize = 6;
/// Longest name in a message.
const NAME_CHARS: usize = 60;

pub(super) type Items<'v, 'a> = Vec<(&'v Value<'a>, &'v Value<'a>)>;

/// A dictionary with tensors in it.
pub(super) struct Found<'v, 'a> {
    /// The names that lead to it.
    pub path: String,
    pub items: Items<'v, 'a>,
    /// What lies beside the tensors and on the way to them.
    pub beside: Vec<String>,
}

/// The dictionaries of tensors: those under usual names, or else this one itself.
pub(super) fn state_dictionaries<'v, 'a>(object: &'v Value<'a>) -> Vec<Found<'v, 'a>> {
    let mut found = Vec::new();
    collect(object, "", &[], MAX_NESTS, &mut found);
    found
}

fn collect<'v, 'a>(
    object: &'v Value<'a>,
    path: &str,
    above: &[String],
    nests: usize,
    found: &mut Vec<Found<'v, 'a>>,
) {
    let Some(items) = dictionary(object) else {
        return;
    };
    let before = found.len();
    for (at, (key, value)) in items.iter().enumerate() {
        let (Value::Text(key), true) = (key, nests > 0) else {
            continue;
        };
        if !NESTS.iter().any(|nest| key.eq_ignore_ascii_case(nest)) {
            continue;
        }
        let others = items.iter().enumerate().filter(|(other, _)| *other != at);
        let beside = others.map(|(_, (key, value))| named(key, value));
        let beside: Vec<String> = above.iter().cloned().chain(beside).collect();
        let inner = match path {
            "" => key.to_string(),
            path => format!("{path}.{key}"),
        };
        collect(value, &inner, &beside, nests - 1, found);
    }
    let has_tensor = items
        .iter()
        .any(|(key, value)| matches!(key, Value::Text(_)) && is_tensor(value));
    if found.len() > before || !has_tensor {
        return;
    }
    let others = items
        .iter()
        .filter(|(key, value)| !(matches!(key, Value::Text(_)) && is_tensor(value)));
    let others = others.map(|(key, value)| named(key, value));
    found.push(Found {
        path: path.to_owned(),
        beside: above.iter().cloned().chain(others).collect(),
        items,
    });
}

/// Keys and values of a dictionary, ordered or not.
fn dictionary<'v, 'a>(value: &'v Value<'a>) -> Option<Items<'v, 'a>> {
    match value {
        Value::Dict(items) => Some(items.iter().map(|(key, value)| (key, value)).collect()),
        Value::Object(object) if object.callable.name == "OrderedDict" => {
            let mut items = Vec::new();
            // Python 2 gives the items as an argument: a list of pairs.
            if let [Value::List(pairs)] = object.arguments.as_slice() {
                for pair in pairs {
                    match pair {
                        Value::List(pair) | Value::Tuple(pair) => match pair.as_slice() {
                            [key, value] => items.push((key, value)),
                            _ => return None,
                        },
                        _ => return None,
                    }
                }
            }
            items.extend(object.items.iter().map(|(key, value)| (key, value)));
            Some(items)
        }
        // A class of dictionary of one's own, or one that counts or has defaults.
        Value::Object(object) if !object.items.is_empty() => Some(
            object
                .items
                .iter()
                .map(|(key, value)| (key, value))
                .collect(),
        ),
        _ => None,
    }
}

/// What a checkpoint is that has no tensors by name.
pub(super) fn described(object: &Value<'_>) -> String {
    let Some(items) = dictionary(object) else {
        return format!("it is {}", kind(object));
    };
    let mut names: Vec<String> = items
        .iter()
        .take(NAMED)
        .map(|(key, value)| named(key, value))
        .collect();
    if let Some(more @ 1..) = items.len().checked_sub(NAMED) {
        names.push(format!("{more} more"));
    }
    match names.is_empty() {
        true => "it is empty".to_owned(),
        false => format!("it has {}", names.join(", ")),
    }
}

/// A thing's name and what it is: `epoch (a number)`.
fn named(key: &Value<'_>, value: &Value<'_>) -> String {
    let key = match key {
        Value::Text(key) => key.chars().take(NAME_CHARS).collect(),
        Value::Integer(key) => key.to_string(),
        _ => "something without a name".to_owned(),
    };
    format!("{key} ({})", kind(value))
}

fn kind(value: &Value<'_>) -> String {
    let kind = match value {
        Value::None => "nothing",
        Value::Bool(_) => "true or false",
        Value::Integer(_) | Value::LongInteger(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Tuple(_) => "a tuple",
        Value::Dict(_) => "a dictionary",
        Value::Persistent(_) => "a storage",
        Value::Global(name) => return name.to_string().chars().take(NAME_CHARS).collect(),
        value if is_tensor(value) => "a tensor",
        Value::Object(object) => {
            // Python's helpers are given the class of what they make.
            let class = match object.arguments.first() {
                Some(Value::Global(class)) if object.callable.module.starts_with("copy") => *class,
                _ => object.callable,
            };
            let class: String = class.to_string().chars().take(NAME_CHARS).collect();
            return format!("a {class}");
        }
    };
    kind.to_owned()
}
