//! Files that PyTorch and NumPy wrote (see tests/reference/checkpoints.py), and damaged ones.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::names::{Mapping, Scheme};
use super::{CheckpointError, PlainTensor, StateDict, numpy};
use crate::model::config::SceneValue;
use crate::model::{ModelConfig, Preset};

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/checkpoints");
    folder.join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// The numbers of tensor `n`, as the script makes them.
fn numbers(n: usize, count: usize) -> Vec<f32> {
    let number = |i| ((31 * n + 7 * i) % 127) as f32 - 63.0;
    (0..count).map(|i| number(i) / 32.0).collect()
}

fn all(name: &str) -> BTreeMap<String, PlainTensor> {
    let mut checkpoint = StateDict::open(&path(name)).unwrap();
    let names: Vec<_> = checkpoint
        .shapes()
        .map(|(name, _)| name.to_owned())
        .collect();
    names
        .into_iter()
        .map(|name| (name.clone(), checkpoint.tensor(&name).unwrap()))
        .collect()
}

fn read(bytes: &[u8]) -> Result<StateDict<Cursor<&[u8]>>, CheckpointError> {
    StateDict::read(Path::new("hostile.pth"), Cursor::new(bytes))
}

fn refusal(bytes: &[u8]) -> String {
    let refusal = read(bytes).unwrap_err().to_string();
    assert!(
        refusal.starts_with("hostile.pth: ") && !refusal.contains('\n'),
        "{refusal}"
    );
    refusal
}

/// `bytes` with the first `from` replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn every_type_and_every_view_in_both_formats() {
    for file in ["kinds_old.pth", "kinds_zip.pth"] {
        let tensors = all(file);
        let is = |name: &str, shape: &[usize], data: &[f32]| {
            let expected = PlainTensor {
                shape: shape.to_vec(),
                data: data.to_vec(),
            };
            assert_eq!(tensors[name], expected, "{file} {name}");
        };
        for (n, name) in ["float16", "bfloat16", "float32", "float64"]
            .iter()
            .enumerate()
        {
            is(name, &[2, 3], &numbers(n, 6));
        }
        let whole = numbers(4, 24);
        is("whole", &[4, 6], &whole);
        let at = |row: usize, column: usize| whole[6 * row + column];
        let transposed: Vec<f32> = (0..24).map(|i| at(i % 4, i / 4)).collect();
        is("transposed", &[6, 4], &transposed);
        is("column", &[4], &[at(0, 2), at(1, 2), at(2, 2), at(3, 2)]);
        let block = [at(1, 1), at(1, 3), at(1, 5), at(2, 1), at(2, 3), at(2, 5)];
        is("block", &[2, 3], &block);
        let cube = numbers(5, 24);
        let permuted: Vec<f32> = (0..24)
            .map(|i| cube[12 * (i / 3 % 2) + 4 * (i % 3) + i / 6])
            .collect();
        is("permuted", &[4, 2, 3], &permuted);
        is("scalar", &[], &numbers(6, 1));
        is("empty", &[0, 3], &[]);
        is("parameter", &[3], &numbers(7, 3));
        assert_eq!(tensors.len(), 12, "{file}");
    }
}

#[test]
fn counters_are_listed_apart_and_not_decoded() {
    let mut checkpoint = StateDict::open(&path("kinds_old.pth")).unwrap();
    let counters: Vec<_> = checkpoint.counters().collect();
    assert_eq!(counters, [("count", &[3][..]), ("mask", &[2][..])]);
    let refusal = checkpoint.tensor("count").unwrap_err().to_string();
    assert!(refusal.contains("count has whole numbers"), "{refusal}");
    assert!(checkpoint.tensor("none").is_err());
}

#[test]
fn storages_that_are_parts_of_another() {
    let tensors = all("views_old.pth");
    assert_eq!(tensors["start"].data, numbers(0, 6)[..2]);
    assert_eq!(tensors["end"].data, numbers(0, 6)[2..]);
    let beyond = replaced(
        &bytes("views_old.pth"),
        b"K\x02K\x04\x87",
        b"K\x02K\x05\x87",
    );
    assert!(refusal(&beyond).contains("not described"));
}

#[test]
fn both_name_schemes_find_every_tensor() {
    for (file, scheme) in [
        ("published_old.pth", Scheme::Published),
        ("published_zip.pth", Scheme::Published),
        ("earlier_old.pth", Scheme::Earlier),
        ("earlier_zip.pth", Scheme::Earlier),
    ] {
        let mut checkpoint = StateDict::open(&path(file)).unwrap();
        let mapping = Mapping::new(&checkpoint).unwrap();
        let published = scheme == Scheme::Published;
        assert_eq!(mapping.scheme, scheme, "{file}");
        let expected = ModelConfig {
            region_channels: 6,
            global_channels: 10,
            channels: 8,
            out_channels: 5,
            label_dimension: 4,
            scene_value: match published {
                true => SceneValue::SharedConvolution,
                false => SceneValue::Latent,
            },
            ..ModelConfig::preset(Preset::Authors)
        };
        assert_eq!(mapping.config, expected, "{file}");
        assert_eq!(mapping.applied.len(), if published { 32 } else { 30 });
        assert!(mapping.unused.is_empty(), "{file}: {:?}", mapping.unused);
        assert_eq!(checkpoint.counters().count(), 2, "{file}");
        // The script's numbers of the last layer it makes, and of one whose shape changes.
        let tensor = |own: &str, checkpoint: &mut StateDict| {
            let applied = mapping
                .applied
                .iter()
                .find(|applied| applied.own == own)
                .unwrap();
            mapping.tensor(applied, checkpoint).unwrap()
        };
        let query = tensor("rcb.query.weight", &mut checkpoint);
        assert_eq!(
            (query.shape, query.data),
            (vec![8, 8], numbers(7, 64)),
            "{file}"
        );
        let fuse = tensor("fuse.weight", &mut checkpoint);
        let n = if published { 32 } else { 21 };
        assert_eq!(
            (fuse.shape, fuse.data),
            (vec![5, 16], numbers(n, 80)),
            "{file}"
        );
    }
}

#[test]
fn what_is_missing_or_of_another_shape_is_named() {
    let file = bytes("earlier_old.pth");
    let open = |bytes: &[u8]| Mapping::new(&read(bytes).unwrap()).unwrap_err().to_string();
    let missing = open(&replaced(&file, b"linear1.bias", b"linearX.bias"));
    assert!(missing.contains("linear1.bias are missing"), "{missing}");
    let other = open(&replaced(
        &file,
        b"conv_layer1.body.weight",
        b"conv_layerX.body.weight",
    ));
    assert!(
        other.contains("not a checkpoint of the authors' network"),
        "{other}"
    );
    let kinds = open(&bytes("kinds_old.pth"));
    assert!(
        kinds.contains("bfloat16") && kinds.contains("more"),
        "{kinds}"
    );
    // A kernel of 3x3 where 8 x 6 x 3 x 3 is 8 x 6 x 9 x 1.
    let shape = replaced(&file, b"K\x08K\x06K\x03K\x03t", b"K\x08K\x06K\x09K\x01t");
    let shape = replaced(&shape, b"K6K\x09K\x03K\x01t", b"K6K\x09K\x01K\x01t");
    let shape = open(&shape);
    assert!(
        shape.contains("conv_layer1.body.weight") && shape.contains("[8, 6, 3, 3]"),
        "{shape}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let file = bytes("earlier_old.pth");
    // The count of the first tensor's numbers, then the first of them.
    let count = (8u64 * 6 * 9).to_le_bytes();
    let start = [&count[..], &numbers(0, 1)[0].to_le_bytes()].concat();
    let broken = [&count[..], &f32::NAN.to_le_bytes()].concat();
    let file = replaced(&file, &start, &broken);
    let mut checkpoint = read(&file).unwrap();
    let mapping = Mapping::new(&checkpoint).unwrap();
    let refusal = mapping
        .tensor(&mapping.applied[0], &mut checkpoint)
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("conv_layer1.body.weight") && refusal.contains("finite"),
        "{refusal}"
    );
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for file in ["kinds_old.pth", "views_old.pth", "kinds_zip.pth"] {
        let whole = bytes(file);
        for end in 0..whole.len() {
            refusal(&whole[..end]);
        }
    }
}

#[test]
fn numbers_used_twice_and_tensors_beyond_their_storage_are_refused() {
    let expanded = refusal(&bytes("expanded.pth"));
    assert!(
        expanded.contains("same number in several places"),
        "{expanded}"
    );
    let file = bytes("kinds_old.pth");
    // The block of 2 x 3 numbers that starts at 7: at 200 instead.
    let beyond = replaced(&file, b"K\x07K\x02K\x03\x86", b"K\xc8K\x02K\x03\x86");
    let beyond = refusal(&beyond);
    assert!(beyond.contains("block: reaches beyond"), "{beyond}");
}

#[test]
fn unknown_globals_are_named() {
    let file = replaced(
        &bytes("kinds_old.pth"),
        b"ctorch\nHalfStorage\n",
        b"cposix\nsystem\n",
    );
    assert!(refusal(&file).contains("posix.system"));
}

#[test]
fn storages_of_another_size_are_refused() {
    // The count before the numbers of 2 x 3 halves.
    let file = bytes("kinds_old.pth");
    let first = half::f16::from_f32(-63.0 / 32.0).to_le_bytes();
    let count = [&6u64.to_le_bytes()[..], &first].concat();
    for wrong in [5, 7, u64::MAX] {
        let wrong = replaced(&file, &count, &[&wrong.to_le_bytes()[..], &first].concat());
        assert!(refusal(&wrong).contains("does not have the 6 numbers"));
    }
}

#[test]
fn compressed_and_overlapping_members_are_refused() {
    let file = bytes("kinds_zip.pth");
    let entry = file
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    let mut compressed = file.clone();
    compressed[entry + 10] = 8;
    assert!(refusal(&compressed).contains("compressed"));
    // The second file lies where the first does.
    let next = entry
        + 4
        + file[entry + 4..]
            .windows(4)
            .position(|w| w == b"PK\x01\x02")
            .unwrap();
    let mut shared = file.clone();
    shared.copy_within(entry + 42..entry + 46, next + 42);
    let shared = refusal(&shared);
    assert!(
        shared.contains("share bytes") || shared.contains("damaged"),
        "{shared}"
    );
}

#[test]
fn other_files_are_told_apart() {
    assert!(refusal(b"not a checkpoint at all").contains("not a checkpoint"));
    assert!(refusal(b"\x80\x02N.").contains("not a checkpoint"));
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pth");
    std::fs::write(&empty, b"").unwrap();
    assert!(
        StateDict::open(&empty)
            .unwrap_err()
            .to_string()
            .contains("empty")
    );
    assert!(
        StateDict::open(folder.path())
            .unwrap_err()
            .to_string()
            .contains("a folder")
    );
}

#[test]
fn arrays_of_every_protocol() {
    for protocol in 0..6 {
        let vectors = numpy::read_arrays(&path(&format!("vectors_{protocol}.pkl"))).unwrap();
        assert_eq!(vectors[0].shape, [5, 4]);
        assert_eq!(vectors[0].data, numbers(0, 20), "protocol {protocol}");
        assert_eq!(vectors[1].shape, [3, 4]);
        assert_eq!(vectors[1].data, numbers(1, 12), "protocol {protocol}");
        let arrays = numpy::read_arrays(&path(&format!("arrays_{protocol}.pkl"))).unwrap();
        for (n, array) in arrays.iter().enumerate() {
            let count = if n < 4 { 6 } else { 4 };
            assert_eq!(
                array.data,
                numbers(n, count),
                "protocol {protocol}, array {n}"
            );
        }
        let names = numpy::strings(&bytes(&format!("names_{protocol}.pkl"))).unwrap();
        assert_eq!(
            names,
            ["/m/0a", "Zürich", "it's\n", "/m/0b"],
            "protocol {protocol}"
        );
    }
}

#[test]
fn npy_files_are_arrays_too() {
    for name in ["vectors.npy", "fortran.npy"] {
        let arrays = numpy::read_arrays(&path(name)).unwrap();
        assert_eq!(arrays.len(), 1);
        assert_eq!(
            (&arrays[0].shape[..], &arrays[0].data),
            (&[5, 4][..], &numbers(0, 20))
        );
    }
}

#[test]
fn arrays_that_share_bytes_past_the_file_are_refused() {
    // The second array is the first one again, without its bytes being there again.
    let mut file = b"](".to_vec();
    let array =
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x40\x85cnumpy\ndtype\nX\x02\0\0\0f4\
        \x85R\x89C\0";
    let array = [&array[..array.len() - 2], b"B\0\x01\0\0", &[0; 256], b"tb"].concat();
    file.extend(&array);
    file.extend(b"q\x00");
    file.extend(b"h\x00".repeat(100));
    file.extend(b"e.");
    assert!(numpy::arrays(&file).unwrap_err().contains("do not fill"));
}

#[test]
fn what_is_no_array_is_refused() {
    for name in ["names_2.pkl", "names_5.pkl"] {
        let refusal = numpy::read_arrays(&path(name)).unwrap_err().to_string();
        assert!(
            refusal.contains("not an array of real numbers"),
            "{refusal}"
        );
    }
    assert!(
        numpy::strings(&bytes("vectors_3.pkl"))
            .unwrap_err()
            .contains("not a string")
    );
    for end in 0..bytes("vectors_2.pkl").len() {
        assert!(numpy::arrays(&bytes("vectors_2.pkl")[..end]).is_err());
    }
}
