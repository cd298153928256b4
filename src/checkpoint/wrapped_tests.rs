//! Checkpoints as training loops write them, in the old format, made here opcode by opcode: networks
//! within other names, beside other things, several at once.

use std::io::Cursor;
use std::path::Path;

use super::names::Mapping;
use super::{CheckpointError, StateDict};

fn text(text: &str) -> Vec<u8> {
    [
        b"X",
        &(text.len() as u32).to_le_bytes()[..],
        text.as_bytes(),
    ]
    .concat()
}

/// A vector of two numbers in a storage of its own.
fn tensor(key: &str) -> Vec<u8> {
    let storage = [
        &b"("[..],
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text(key),
        &text("cpu"),
        b"K\x02tQ",
    ];
    let storage = storage.concat();
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n("[..],
        &storage,
        b"K\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR",
    ]
    .concat()
}

fn dictionary(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items = items
        .iter()
        .flat_map(|(key, value)| [text(key), value.clone()].concat());
    [b"}(".to_vec(), items.collect(), b"u".to_vec()].concat()
}

/// A whole file, whose storages `keys` hold 0, 1 and 2, 3 and so on.
fn file(object: &[u8], keys: &[&str]) -> Vec<u8> {
    let mut file =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend([b"\x80\x02}", &text("little_endian")[..], b"\x88s."].concat());
    file.extend([b"\x80\x02", object, b"."].concat());
    let names: Vec<u8> = keys.iter().flat_map(|key| text(key)).collect();
    file.extend([b"\x80\x02](", &names[..], b"e."].concat());
    for key in 0..keys.len() {
        file.extend(2u64.to_le_bytes());
        for number in [2 * key, 2 * key + 1] {
            file.extend((number as f32).to_le_bytes());
        }
    }
    file
}

fn read(object: &[u8], keys: &[&str]) -> Result<StateDict<Cursor<Vec<u8>>>, CheckpointError> {
    StateDict::read(Path::new("loop.pth"), Cursor::new(file(object, keys)))
}

fn refusal(object: &[u8], keys: &[&str]) -> String {
    let refusal = read(object, keys).unwrap_err().to_string();
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

/// A network of two tensors, with this before their names.
fn network(before: &str, keys: [&str; 2]) -> Vec<u8> {
    let names = ["W.weight", "W.bias"].map(|name| format!("{before}{name}"));
    dictionary(&[(&names[0], tensor(keys[0])), (&names[1], tensor(keys[1]))])
}

#[test]
fn networks_are_found_in_every_container() {
    for container in [
        "state_dict",
        "model_state_dict",
        "model",
        "net",
        "network",
        "weights",
        "params",
        "ema",
        "state_dict_ema",
        "MODEL",
    ] {
        let outer = dictionary(&[
            ("epoch", b"K\x07".to_vec()),
            ("loss", tensor("c")),
            (container, network("module.", ["a", "b"])),
        ]);
        for (object, expected) in [
            (outer.clone(), ["epoch (a number)", "loss (a tensor)"]),
            (
                dictionary(&[("model", outer)]),
                ["epoch (a number)", "loss (a tensor)"],
            ),
        ] {
            let mut checkpoint = read(&object, &["a", "b", "c"]).unwrap();
            let names: Vec<_> = checkpoint
                .shapes()
                .map(|(name, _)| name.to_owned())
                .collect();
            assert_eq!(names, ["W.bias", "W.weight"], "{container}");
            assert_eq!(checkpoint.tensor("W.bias").unwrap().data, [2.0, 3.0]);
            assert_eq!(checkpoint.beside(), expected, "{container}");
        }
    }
}

#[test]
fn what_lies_beside_is_passed_over_and_listed() {
    let with_state =
        |class: &[u8]| [class, &dictionary(&[("lr", b"K\x01".to_vec())]), b"b"].concat();
    let optimizer = dictionary(&[
        (
            "state",
            [
                b"}K\x00",
                &dictionary(&[("exp_avg", tensor("c"))])[..],
                b"s",
            ]
            .concat(),
        ),
        ("param_groups", b"]".to_vec()),
    ]);
    for (name, thing, told) in [
        ("optimizer", optimizer, "optimizer (a dictionary)"),
        (
            "args",
            with_state(b"cargparse\nNamespace\n)\x81"),
            "args (a argparse.Namespace)",
        ),
        (
            "config",
            with_state(b"cmy.code\nConfig\n)\x81"),
            "config (a my.code.Config)",
        ),
        (
            "config",
            with_state(b"ccopy_reg\n_reconstructor\n(cmy.code\nConfig\nc__builtin__\nobject\nNtR"),
            "config (a my.code.Config)",
        ),
        (
            "path",
            [b"cpathlib\nPosixPath\n(", &text("/")[..], &text("a"), b"tR"].concat(),
            "path (a pathlib.PosixPath)",
        ),
        (
            "when",
            b"cdatetime\ndatetime\nC\x0a\x07\xea\x01\x01\0\0\0\0\0\0\x85R".to_vec(),
            "when (a datetime.datetime)",
        ),
        (
            "kind",
            b"ctorch\nfloat32\n".to_vec(),
            "kind (torch.float32)",
        ),
        (
            "last",
            b"ccollections\ndeque\n)RK\x01a".to_vec(),
            "last (a collections.deque)",
        ),
        (
            "many",
            b"cmy.code\nMany\n)}\x92".to_vec(),
            "many (a my.code.Many)",
        ),
        (
            "rule",
            [
                b"c__builtin__\ngetattr\n(cmy.code\nRules\n",
                &text("step")[..],
                b"tR)R",
            ]
            .concat(),
            "rule (a __builtin__.getattr)",
        ),
    ] {
        let uses_more = name == "optimizer";
        let object = dictionary(&[(name, thing), ("state_dict", network("", ["a", "b"]))]);
        let keys = ["a", "b", "c"];
        let mut checkpoint = read(&object, &keys[..2 + usize::from(uses_more)]).unwrap();
        assert_eq!(checkpoint.shapes().count(), 2, "{told}");
        assert_eq!(checkpoint.tensor("W.weight").unwrap().data, [0.0, 1.0]);
        assert_eq!(checkpoint.beside(), [told]);
    }
}

#[test]
fn what_acts_on_the_computer_is_refused_wherever_it_lies() {
    for global in [
        "os\nsystem",
        "posix\nsystem",
        "builtins\neval",
        "subprocess\nPopen",
        "torch.hub\nload",
    ] {
        let call = [b"c", global.as_bytes(), b"\n", &text("x")[..], b"\x85R"].concat();
        let object = dictionary(&[("args", call), ("state_dict", network("", ["a", "b"]))]);
        let refused = refusal(&object, &["a", "b"]);
        assert!(refused.contains(&global.replace('\n', ".")), "{refused}");
    }
}

#[test]
fn several_networks_are_refused_and_one_twice_is_one() {
    let keys = ["a", "b", "c", "d"];
    let object = dictionary(&[
        ("model", network("", ["a", "b"])),
        ("ema", network("", ["c", "d"])),
    ]);
    let refused = refusal(&object, &keys);
    assert!(
        refused.contains("several networks are in it, under “model” and “ema”"),
        "{refused}"
    );
    let same = dictionary(&[
        ("model", network("", ["a", "b"])),
        ("state_dict", network("", ["a", "b"])),
    ]);
    assert!(read(&same, &keys[..2]).is_ok());
    let both = dictionary(&[("W.weight", tensor("a")), ("module.W.weight", tensor("b"))]);
    let refused = refusal(&both, &keys[..2]);
    assert!(
        refused.contains("W.weight and module.W.weight"),
        "{refused}"
    );
}

#[test]
fn files_without_a_network_say_what_they_have() {
    let object = dictionary(&[
        ("epoch", b"K\x07".to_vec()),
        ("encoder", network("", ["a", "b"])),
    ]);
    let refused = refusal(&object, &["a", "b"]);
    assert!(
        refused
            .contains("no tensors by name in it (it has epoch (a number), encoder (a dictionary))"),
        "{refused}"
    );
    let whole = refusal(b"cmy.code\nNet\n)\x81}b", &[]);
    assert!(whole.contains("it is a my.code.Net"), "{whole}");
}

#[test]
fn tensors_of_other_kinds_are_named() {
    let odd = b"ctorch._utils\n_rebuild_sparse_tensor\n(K\x01K\x02tR".to_vec();
    let object = dictionary(&[("W.weight", tensor("a")), ("W.bias", odd)]);
    let refused = refusal(&object, &["a"]);
    assert!(
        refused.contains("tensor W.bias: not a plain tensor (_rebuild_sparse_tensor)"),
        "{refused}"
    );
    // One with attributes of its own is plain.
    let plain = tensor("b");
    let inner = &plain[b"ctorch._utils\n_rebuild_tensor_v2\n".len()..plain.len() - 1];
    let typed = [
        &b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n"[..],
        inner,
        b"}tR",
    ]
    .concat();
    let object = dictionary(&[("W.weight", tensor("a")), ("W.bias", typed)]);
    let mut checkpoint = read(&object, &["a", "b"]).unwrap();
    assert_eq!(checkpoint.tensor("W.bias").unwrap().data, [2.0, 3.0]);
}

#[test]
fn the_authors_network_is_found_beside_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/checkpoints");
    let bytes = std::fs::read(folder.join("earlier_old.pth")).unwrap();
    let checkpoint = StateDict::read(Path::new("x.pth"), Cursor::new(bytes)).unwrap();
    let shapes: Vec<(String, Vec<usize>)> = checkpoint
        .shapes()
        .map(|(name, shape)| (format!("student.{name}"), shape.to_vec()))
        .chain([("loss.weight".to_owned(), vec![4])])
        .collect();
    let shapes = |place: &str| -> Vec<(String, Vec<usize>)> {
        let renamed = shapes
            .iter()
            .map(|(name, shape)| (name.replace("student.", place), shape.clone()));
        renamed.collect()
    };
    let map = |shapes: &[(String, Vec<usize>)]| {
        let shapes = shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), shape.as_slice()));
        Mapping::of_shapes(&shapes.collect())
    };
    for place in ["student.", "model.", "a.b.", ""] {
        let mapping = map(&shapes(place)).unwrap();
        assert_eq!(mapping.applied.len(), 30);
        assert_eq!(mapping.unused, ["loss.weight"], "{place}");
        assert!(
            mapping
                .applied
                .iter()
                .all(|applied| applied.foreign.starts_with(place))
        );
    }
    let both = [shapes("student."), shapes("teacher.")].concat();
    let refused = map(&both).unwrap_err();
    assert!(
        refused.contains("student.conv_layer1.body.weight and teacher.conv_layer1.body.weight"),
        "{refused}"
    );
}
