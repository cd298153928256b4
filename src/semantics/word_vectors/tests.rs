//! Small files of every format, ordinary and broken.

use std::ops::ControlFlow;
use std::path::PathBuf;

use candle_core::Device;

use super::{
    ConversionProgress, Converted, LeftOut, Skipped, WordEncoder, WordVectorError, WordVectors,
    convert_word_vectors, copy_word_vectors, write_word_vectors,
};
use crate::semantics::LabelEncoder;

const GLOVE: &str = "the 1 0 0\ndog 0 1 0\ntraffic 0 3 4\nlight -3 0 4\nx-ray 0.5 0.5 1e-1\n";

/// A folder with a published file in it.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(case.published(), bytes).unwrap();
        case
    }

    fn published(&self) -> PathBuf {
        self.folder.path().join("published.txt")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("words.bin")
    }

    fn convert(&self) -> Result<Converted, WordVectorError> {
        convert_word_vectors(&self.published(), &self.target(), |_| {
            ControlFlow::Continue(())
        })
    }

    fn open(&self) -> WordVectors {
        self.convert().unwrap();
        WordVectors::open(&self.target()).unwrap()
    }
}

/// Why a file is refused; nothing may be left of the attempt.
fn refusal(bytes: impl AsRef<[u8]>) -> String {
    let case = Case::new(bytes);
    let refusal = case.convert().unwrap_err().to_string();
    assert!(
        refusal.contains("published.txt") && !refusal.contains('\n'),
        "{refusal}"
    );
    assert_eq!(
        std::fs::read_dir(case.folder.path()).unwrap().count(),
        1,
        "{refusal}"
    );
    refusal
}

/// word2vec's binary format.
fn binary(words: &[(&[u8], [f32; 3])], line_feeds: bool) -> Vec<u8> {
    let mut bytes = format!("{} 3\n", words.len()).into_bytes();
    for (word, numbers) in words {
        bytes.extend(*word);
        bytes.push(b' ');
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        if line_feeds {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[test]
fn all_formats_give_the_same_rows() {
    let words = [
        (&b"dog"[..], [0.5, -1.0, 2.0]),
        (b"Z\xc3\xbcrich", [0.25, 0.0, 1.0]),
    ];
    for bytes in [
        b"dog 0.5 -1 2\nZ\xc3\xbcrich 2.5e-1 0 1\n".to_vec(),
        b"dog 0.5 -1 2\r\nZ\xc3\xbcrich 2.5e-1 0 1".to_vec(),
        b"2 3\ndog 0.5 -1 2 \nZ\xc3\xbcrich\t0.25\t0.0\t1.0\n".to_vec(),
        binary(&words, false),
        binary(&words, true),
    ] {
        let case = Case::new(&bytes);
        let converted = Converted {
            words: 2,
            dimension: 3,
            left_out: LeftOut::default(),
        };
        assert_eq!(case.convert().unwrap(), converted);
        let vectors = WordVectors::open(&case.target()).unwrap();
        assert_eq!((vectors.len(), vectors.dimension()), (2, 3));
        for (row, (word, numbers)) in words.iter().enumerate() {
            let word = str::from_utf8(word).unwrap();
            assert_eq!(vectors.word(row), word);
            assert_eq!(vectors.row(word), Some(row));
            assert_eq!(vectors.vector(row).unwrap(), numbers);
        }
        assert_eq!((vectors.row("cat"), vectors.word(2)), (None, ""));
        assert_eq!(vectors.vector(2), None);
    }
}

#[test]
fn more_words_than_a_batch_are_all_found() {
    let lines = (0..5000).map(|i| format!("w{i} {i} {} 1\n", 5000 - i));
    let vectors = Case::new(lines.collect::<String>()).open();
    assert_eq!(vectors.len(), 5000);
    for i in 0..5000 {
        assert_eq!(vectors.row(&format!("w{i}")), Some(i));
    }
    // Halves hold whole numbers up to 2048.
    assert_eq!(vectors.vector(1234).unwrap()[0], 1234.0);
}

#[test]
fn labels_are_normalised_means_of_their_words() {
    let vectors = Case::new(GLOVE).open();
    let expected = [-3.0, 3.0, 8.0f32].map(|number| number / 82f32.sqrt());
    for label in [
        "traffic light",
        "Traffic  Light",
        "traffic-light",
        "traffic_light",
    ] {
        for (number, expected) in vectors.encode(label).unwrap().iter().zip(expected) {
            assert!((number - expected).abs() < 1e-6, "{label}");
        }
    }
    assert_eq!(vectors.encode("traffic").unwrap(), [0.0, 0.6, 0.8]);
    let x_ray = vectors.encode("X-ray").unwrap();
    assert!((x_ray[0] - 0.5 / 0.51f32.sqrt()).abs() < 1e-3);
}

#[test]
fn unknown_words_are_named_with_suggestions() {
    let vectors = Case::new(GLOVE).open();
    let refusal = vectors.encode("trafic lihgt unicorns").unwrap_err();
    let WordVectorError::Unknown { words, .. } = &refusal else {
        panic!("{refusal}");
    };
    assert_eq!(words[0].suggestions, ["traffic"]);
    assert_eq!(words[1].suggestions, ["light"]);
    assert!(words[2].suggestions.is_empty());
    assert_eq!(
        refusal.to_string(),
        "the label “trafic lihgt unicorns” has no vector, type another: “trafic” is not among the \
         model's words; spelled nearly so: traffic; “lihgt” is not among the model's words; spelled \
         nearly so: light; “unicorns” is not among the model's words"
    );
    for label in ["", " - ", "_"] {
        assert!(matches!(
            vectors.encode(label),
            Err(WordVectorError::NoWords(_))
        ));
    }
}

#[test]
fn nearest_words_by_cosine() {
    let vectors = Case::new(GLOVE).open();
    let found = vectors.nearest(&[0.0, 30.0, 40.0], 2);
    assert_eq!((found[0].0, found[1].0), (2, 3));
    assert!((found[0].1 - 1.0).abs() < 1e-6 && (found[1].1 - 0.64).abs() < 1e-6);
    assert_eq!(vectors.nearest(&[0.0, 1.0, 0.0], 99).len(), 5);
    assert!(vectors.nearest(&[1.0], 2).is_empty());
    assert!(
        vectors
            .nearest(&[0.0; 3], 2)
            .iter()
            .all(|found| found.1 == 0.0)
    );
}

#[test]
fn duplicates_zeros_and_words_that_are_no_text_are_left_out_and_counted() {
    let case = Case::new("dog 1 0\ncat 0 1\ndog 0 1\npad 0 0\ncat 5 5\n");
    let skipped = |count, first: &str| Skipped {
        count,
        first: Some(first.to_owned()),
    };
    let left_out = LeftOut {
        duplicates: skipped(2, "line 3: dog"),
        zeros: skipped(1, "line 4: pad"),
        ..LeftOut::default()
    };
    let converted = case.convert().unwrap();
    assert_eq!((converted.words, converted.left_out), (2, left_out));
    let vectors = WordVectors::open(&case.target()).unwrap();
    assert_eq!(vectors.vector(0).unwrap(), [1.0, 0.0]);
    assert_eq!(vectors.row("pad"), None);
    let words = [(&b"a\xff"[..], [1.0; 3]), (b"b", [1.0; 3])];
    let converted = Case::new(binary(&words, false)).convert().unwrap();
    let not_text = skipped(1, "word 1: a\u{fffd}");
    assert_eq!(
        (converted.words, converted.left_out.not_text),
        (1, not_text)
    );
}

#[test]
fn words_with_spaces_keep_them() {
    let lines = [
        "the 1 0\n",
        ". . . 0 1\n",
        "at name@domain.com 1 1\n",
        "to infinity 1 2\n",
    ];
    let plain = lines.concat();
    let first = [lines[1], lines[0], lines[2], lines[3]].concat();
    let counted = format!("4 2\n{first}");
    let tabs = first.replace(" 0 1", "\t0\t1").replace('\n', " \r\n");
    for file in [plain, first, counted, tabs] {
        let vectors = Case::new(&file).open();
        assert_eq!(vectors.len(), 4, "{file}");
        for (word, vector) in [
            ("the", [1.0, 0.0]),
            (". . .", [0.0, 1.0]),
            ("at name@domain.com", [1.0, 1.0]),
            ("to infinity", [1.0, 2.0]),
        ] {
            let row = vectors.row(word).unwrap();
            assert_eq!(vectors.vector(row).unwrap(), vector, "{word}");
        }
    }
}

#[test]
fn faulty_lines_are_left_out_and_told() {
    for (line, kind, what) in [
        (&b"d\xf6g 0 1 0"[..], "not UTF-8", "not UTF-8"),
        (b"\xff\xfe", "not UTF-8", "not UTF-8"),
        (b"dog 0 1", "no word", "2 numbers where the others have 3"),
        (
            b"dog 0 1 0 1",
            "no word",
            "4 numbers where the others have 3",
        ),
        (b"dog 0 x 1", "no word", "“x” is not a number"),
        (b"dog 0 nan 1", "no word", "the number nan is beyond"),
        (b"dog 0 -inf 1", "no word", "the number -inf is beyond"),
        (b"dog 0 7e4 1", "no word", "the number 7e4 is beyond"),
        (b"", "no word", "empty"),
        (b" 0 1 0", "no word", "no word before its numbers"),
        (b"the 1 1 1", "a word that came before", "the"),
        (b"pad 0 0 0", "a vector of zeros", "pad"),
    ] {
        let file = [b"the 1 0 0\ncat 0 1 0\n", line, b"\ncow 0 0 1\n"].concat();
        for (place, head) in [(3, &b""[..]), (4, b"4 3\n")] {
            let case = Case::new([head, &file].concat());
            let converted = case.convert().unwrap();
            assert_eq!(converted.words, 3, "{what}");
            let told = converted.left_out.summary();
            let [told] = &told[..] else {
                panic!("{told:?}")
            };
            assert!(
                told.starts_with(&format!("1 of the word vectors ({kind}")),
                "{told}"
            );
            assert!(
                told.contains(&format!("the first is line {place}: {what}")),
                "{told}"
            );
            let vectors = WordVectors::open(&case.target()).unwrap();
            assert_eq!(vectors.vector(2).unwrap(), [0.0, 0.0, 1.0]);
        }
    }
}

#[test]
fn a_faulty_first_line_does_not_hide_the_others() {
    for first in [&b"d\xf6g 0 1"[..], b"word", b"dog 0 1 1", b""] {
        let file = [first, b"\nthe 1 0\ncat 0 1\n"].concat();
        let converted = Case::new(&file).convert().unwrap();
        assert_eq!((converted.words, converted.dimension), (2, 2));
        assert_eq!(converted.left_out.summary().len(), 1);
    }
}

#[test]
fn empty_lines_at_the_end_are_no_words() {
    for file in ["2 2\nthe 1 0\ndog 0 1\n\n", "the 1 0\ndog 0 1\n\n"] {
        assert_eq!(Case::new(file).convert().unwrap().words, 2);
    }
    let refusal = refusal("4 2\nthe 1 0\ndog 0 1\n\n");
    assert!(refusal.contains("says 4 words, and it has 2"), "{refusal}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_word() {
    for file in [
        "\u{feff}the 1 0\ndog 0 1\n",
        "\u{feff}2 2\nthe 1 0\ndog 0 1\n",
    ] {
        let vectors = Case::new(file).open();
        assert_eq!((vectors.row("the"), vectors.len()), (Some(0), 2));
    }
}

#[test]
fn broken_lines_are_named() {
    for (file, expected) in [
        (
            &b"the 1 0 0\ndog 0 1\n"[..],
            "line 2: 2 numbers where the others have 3",
        ),
        (
            b"the 1 0\ndog 0 1 0\n",
            "line 2: 3 numbers where the others have 2",
        ),
        (b"the 1 0\ndog 0 x\n", "line 2: “x” is not a number"),
        (b"the 1 0\n\n", "line 2: empty"),
        (b"the 1 0\nd\xf6g 0 1\n", "line 2: not UTF-8"),
        (b"d\xf6g 0 1\n", "line 1: not UTF-8"),
        (b"the 1 0\ndog 0 nan\n", "line 2: the number nan is beyond"),
        (b"the 1 0\ndog 0 7e4\n", "line 2: the number 7e4 is beyond"),
        (b"the 1 0\n 0 1\n", "line 2: no word before"),
        (
            b"hello world this is no file\n",
            "line 1: not a word and its numbers",
        ),
        (b"word\n", "line 1: not a word and its numbers"),
        (b"3 2\na 1 0\nb 0 1\n", "says 3 words, and it has 2"),
        (b"1 0\n", "line 1: vectors of 0 numbers"),
        (b"1 9999999\n", "line 1: vectors of 9999999 numbers"),
        (b"pad 0 0\n", "no words in it"),
        (b"PK\x03\x04abc", "unpack it first"),
        (b"\x1f\x8babc", "unpack it first"),
        (b"", "empty"),
    ] {
        let refusal = refusal(file);
        assert!(refusal.contains(expected), "{refusal}");
    }
    let endless = format!("the 1 0\n{}", "a".repeat(1 << 19));
    assert!(refusal(endless).contains("line 2: longer than"));
    let word = format!("the 1 0\n{} 1 0", "a".repeat(2000));
    assert!(refusal(word).contains("line 2: a word of 2000 bytes"));
}

#[test]
fn a_binary_file_cut_anywhere_is_refused() {
    let words = [(&b"dog"[..], [0.5, -1.0, 2.0]), (b"cat", [0.25, 1e-3, 1.0])];
    let whole = binary(&words, false);
    for end in 4..whole.len() {
        refusal(&whole[..end]);
    }
    let huge = b"18446744073709551615 4096\ndog \xff\xff\xff\xff";
    assert!(refusal(huge).contains("cut off"));
    let infinite = binary(&[(&b"dog"[..], [f32::INFINITY, 0.0, 0.0])], false);
    assert!(refusal(infinite).contains("beyond half precision"));
}

#[test]
fn progress_is_told_and_a_stop_leaves_nothing() {
    let case = Case::new(GLOVE);
    let mut told = Vec::new();
    convert_word_vectors(&case.published(), &case.target(), |progress| {
        told.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    let total = GLOVE.len() as u64;
    let read = total;
    let words = 5;
    assert_eq!(told, [ConversionProgress { read, total, words }]);
    let case = Case::new(GLOVE);
    let stopped =
        convert_word_vectors(
            &case.published(),
            &case.target(),
            |_| ControlFlow::Break(()),
        );
    assert!(matches!(stopped, Err(WordVectorError::Stopped(_))));
    assert!(!case.target().exists());
}

#[test]
fn other_files_are_not_opened() {
    let case = Case::new(GLOVE);
    assert!(WordVectors::open(&case.published()).is_err());
    case.convert().unwrap();
    let whole = std::fs::read(case.target()).unwrap();
    for end in 0..whole.len() {
        std::fs::write(case.target(), &whole[..end]).unwrap();
        let refusal = WordVectors::open(&case.target()).unwrap_err().to_string();
        assert!(refusal.contains("words.bin"), "{refusal}");
    }
    // Damage inside is no panic.
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        std::fs::write(case.target(), &damaged).unwrap();
        if let Ok(vectors) = WordVectors::open(&case.target()) {
            let _ = vectors.encode("traffic light and more");
            let _ = vectors.nearest(&vec![1.0; vectors.dimension()], 3);
        }
    }
}

#[test]
fn as_an_encoder_labels_are_rows_and_unknown_words_refusals() {
    let encoder = WordEncoder::new(Case::new(GLOVE).open(), &Device::Cpu);
    let rows = encoder.encode(&["  Traffic  LIGHT", "dog"]).unwrap();
    let rows = rows.to_vec2::<f32>().unwrap();
    // (0, 3, 4) + (-3, 0, 4) is (-3, 3, 8).
    let norm = 82f32.sqrt();
    let expected = [-3.0 / norm, 3.0 / norm, 8.0 / norm];
    for (found, expected) in rows[0].iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{rows:?}");
    }
    assert_eq!(rows[1], [0.0, 1.0, 0.0]);
    assert_eq!(encoder.encode(&[]).unwrap().dims(), [0, 3]);
    let refusal = encoder.encode(&["dog", "dgo"]).unwrap_err();
    assert!(refusal.is_about_a_label());
    assert!(refusal.to_string().ends_with("spelled nearly so: dog"));
    assert!(encoder.encode(&["-"]).unwrap_err().is_about_a_label());
    assert!(encoder.knows("x-ray").unwrap() && !encoder.knows("xylophone").unwrap());
}

#[test]
fn a_damaged_file_is_told_by_its_index_or_by_the_word_that_is_used() {
    let case = Case::new(GLOVE);
    let index = case.open().index_sha256();
    let whole = std::fs::read(case.target()).unwrap();
    let rows = 64..64 + 5 * 3 * 2;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(case.target(), &damaged).unwrap();
        let Ok(vectors) = WordVectors::open(&case.target()) else {
            continue;
        };
        // Two bytes behind the vectors are empty.
        let in_index = at < rows.start || at >= rows.end + 2;
        assert_eq!(vectors.index_sha256() != index, in_index, "{at}");
        if rows.contains(&at) {
            let word = vectors.word((at - rows.start) / 6).to_owned();
            let refusal = vectors.encode(&word).unwrap_err().to_string();
            assert!(
                refusal.contains(&format!("“{word}” have changed")),
                "{refusal}"
            );
        }
    }
}

#[test]
fn a_file_that_is_cut_off_while_it_is_in_use_changes_nothing() {
    let case = Case::new(GLOVE);
    let vectors = case.open();
    let before = (vectors.encode("dog").unwrap(), vectors.sha256());
    let file = std::fs::File::options().write(true).open(case.target());
    file.unwrap().set_len(0).unwrap();
    assert_eq!((vectors.encode("dog").unwrap(), vectors.sha256()), before);
}

#[test]
fn vectors_at_hand_are_written_as_converted_ones_are() {
    let case = Case::new(GLOVE);
    let converted = case.open();
    let rows: Vec<Vec<f32>> = (0..5).map(|row| converted.vector(row).unwrap()).collect();
    let words = rows.iter().enumerate();
    let words = words.map(|(row, vector)| (converted.word(row), vector.as_slice()));
    let (other, copy) = (
        case.folder.path().join("other"),
        case.folder.path().join("copy"),
    );
    write_word_vectors(&other, 3, words).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    copy_word_vectors(&case.target(), &copy, go_on).unwrap();
    let bytes = |path: &std::path::Path| std::fs::read(path).unwrap();
    assert_eq!(bytes(&other), bytes(&case.target()));
    assert_eq!(bytes(&copy), bytes(&case.target()));
    copy_word_vectors(&case.published(), &copy, go_on).unwrap();
    assert_eq!(bytes(&copy), bytes(&case.target()));
}
