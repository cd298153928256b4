//! What PyTorch and training loops put around the names of a network's tensors.

use std::collections::BTreeMap;

/// Parts of names that only say that something was wrapped: spread over devices, compiled, sharded.
/// They may be anywhere in a name, since parts of a network may be wrapped by themselves.
const INERT: [&str; 4] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];
/// What others call a network that they hold; taken off where all names begin with it.
const HOLDERS: [&str; 7] = [
    "model",
    "net",
    "network",
    "backbone",
    "ema",
    "ema_model",
    "averaged_model",
];

/// Tensors by their names without wrappings.
///
/// # Errors
/// Two names that would be one: then nobody knows which is meant.
pub(super) fn unwrapped<T>(tensors: BTreeMap<String, T>) -> Result<BTreeMap<String, T>, String> {
    let mut bare: BTreeMap<String, (String, T)> = BTreeMap::new();
    for (name, tensor) in tensors {
        let parts: Vec<&str> = name
            .split('.')
            .filter(|part| !INERT.contains(part))
            .collect();
        let short = parts.join(".");
        let short = if short.is_empty() {
            name.clone()
        } else {
            short
        };
        if let Some((other, _)) = bare.insert(short, (name.clone(), tensor)) {
            return Err(format!(
                "tensors {other} and {name} are of two networks or of one twice: save the \
                 state_dict() of one"
            ));
        }
    }
    let mut taken = 0;
    while let Some(length) = held(bare.keys().map(|name| &name[taken..])) {
        taken += length;
    }
    let short = bare.into_iter();
    Ok(short
        .map(|(name, (_, tensor))| (name[taken..].to_owned(), tensor))
        .collect())
}

/// The length of the holder's name that all names begin with.
fn held<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    let first = names.clone().next()?;
    let holder = HOLDERS
        .into_iter()
        .find(|holder| begins_with(first, holder))?;
    let all = names.clone().all(|name| begins_with(name, holder));
    all.then_some(holder.len() + 1)
}

fn begins_with(name: &str, holder: &str) -> bool {
    let rest = name
        .strip_prefix(holder)
        .and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// What stands before the names of the one network that has a tensor called `mark`; `None` where none
/// has.
///
/// # Errors
/// Several networks that have it.
pub(super) fn place_of<'a>(
    names: impl Iterator<Item = &'a str>,
    mark: &str,
) -> Result<Option<&'a str>, String> {
    let mut places = names.filter_map(|name| {
        let place = name.strip_suffix(mark)?;
        (place.is_empty() || place.ends_with('.')).then_some(place)
    });
    let first = places.next();
    match (first, places.next()) {
        (Some(first), Some(second)) => Err(format!(
            "several networks are in it, with {first}{mark} and {second}{mark}: save the \
             state_dict() of one"
        )),
        _ => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Result<Vec<String>, String> {
        let tensors = names.iter().map(|name| ((*name).to_owned(), ())).collect();
        Ok(unwrapped(tensors)?.into_keys().collect())
    }

    #[test]
    fn wrappings_come_off_in_any_order() {
        for before in [
            "",
            "module.",
            "_orig_mod.",
            "model.",
            "net.",
            "network.",
            "backbone.",
            "module._orig_mod.",
            "_orig_mod.module.",
            "model._orig_mod.module.",
            "module.model.net.",
            "_orig_mod.model._fsdp_wrapped_module.module.network.",
            "ema_model.module.",
        ] {
            let wrapped = ["W.weight", "conv_1X1.body.bias"].map(|name| format!("{before}{name}"));
            let found = names(&wrapped.each_ref().map(String::as_str)).unwrap();
            assert_eq!(found, ["W.weight", "conv_1X1.body.bias"], "{before}");
        }
        let parts = [
            "features.module.0.weight",
            "model._orig_mod.conv.bias",
            "net.x",
        ];
        let expected = ["features.0.weight", "model.conv.bias", "net.x"];
        assert_eq!(names(&parts).unwrap(), expected);
        // A name is never taken off whole.
        assert_eq!(names(&["model.net"]).unwrap(), ["net"]);
        assert_eq!(names(&["module"]).unwrap(), ["module"]);
    }

    #[test]
    fn two_networks_are_refused_by_name() {
        let both = names(&["W.weight", "module.W.weight"]).unwrap_err();
        assert!(
            both.contains("tensors W.weight and module.W.weight"),
            "{both}"
        );
        let mark = "W.weight";
        assert_eq!(
            place_of(["a", "x.W.weight"].into_iter(), mark),
            Ok(Some("x."))
        );
        assert_eq!(
            place_of(["W.weight", "xW.weight"].into_iter(), mark),
            Ok(Some(""))
        );
        assert_eq!(place_of(["a"].into_iter(), mark), Ok(None));
        let both = place_of(["student.W.weight", "teacher.W.weight"].into_iter(), mark);
        assert!(
            both.unwrap_err()
                .contains("student.W.weight and teacher.W.weight")
        );
    }
}
