//! Hostile and ordinary pickles, written by hand.

use super::pickle::{Value, read};

fn refusal(bytes: &[u8]) -> String {
    let refusal = read(bytes).unwrap_err();
    assert!(!refusal.contains('\n') && refusal.len() < 400, "{refusal}");
    refusal
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

#[test]
fn numbers_of_every_protocol() {
    for (bytes, expected) in [
        (&b"K\xff."[..], 255),
        (b"M\x01\x02.", 513),
        (b"J\xff\xff\xff\xff.", -1),
        (b"\x8a\x00.", 0),
        (b"\x8a\x01\x80.", -128),
        (b"\x8a\x02\xff\x00.", 255),
        (b"\x8b\x03\0\0\0\x00\x00\x80.", -(1 << 23)),
        (b"I-42\n.", -42),
        (b"L77L\n.", 77),
    ] {
        assert_eq!(
            read(bytes).unwrap().0,
            Value::Integer(expected),
            "{bytes:?}"
        );
    }
    assert_eq!(read(b"I01\n.").unwrap().0, Value::Bool(true));
    assert_eq!(read(b"F-0.5\n.").unwrap().0, Value::Float(-0.5));
    assert_eq!(
        read(b"G\x3f\xe0\0\0\0\0\0\0.").unwrap().0,
        Value::Float(0.5)
    );
    let long = b"\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09.";
    assert_eq!(read(long).unwrap().0, Value::LongInteger(&long[2..11]));
}

#[test]
fn texts_of_every_protocol() {
    assert_eq!(read(b"X\x02\0\0\0\xc3\xbc.").unwrap().0, text("ü"));
    assert_eq!(read(b"\x8c\x01a.").unwrap().0, text("a"));
    assert_eq!(read(b"U\x01a.").unwrap().0, text("a"));
    assert_eq!(
        read(b"Va\xfc\\u00e4\\U0001f436\n.").unwrap().0,
        text("aüä🐶")
    );
    assert_eq!(read(b"S'a\\'\\n\\x41'\n.").unwrap().0, text("a'\nA"));
    assert_eq!(
        read(b"S'\\xff'\n.").unwrap().0,
        Value::Bytes(vec![0xff].into())
    );
    assert_eq!(
        read(b"C\x02\xff\x00.").unwrap().0,
        Value::Bytes(vec![0xff, 0].into())
    );
}

#[test]
fn containers_and_the_bytes_that_follow() {
    let (value, used) = read(b"\x80\x02}q\x00(K\x01]q\x01(K\x02K\x03eK\x04\x89\x85u.rest").unwrap();
    let list = Value::List(vec![Value::Integer(2), Value::Integer(3)]);
    let tuple = Value::Tuple(vec![Value::Bool(false)]);
    let items = vec![(Value::Integer(1), list), (Value::Integer(4), tuple)];
    assert_eq!(value, Value::Dict(items));
    assert_eq!(used, 23);
}

#[test]
fn nothing_is_run_and_what_is_wanted_is_named() {
    let system = refusal(b"cos\nsystem\nX\x06\0\0\0rm -rf\x85R.");
    assert!(system.contains("os.system"), "{system}");
    let eval = refusal(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.");
    assert!(eval.contains("builtins.eval"), "{eval}");
    let nested = refusal(b"ctorch\nhub.load\n.");
    assert!(nested.contains("torch.hub.load"), "{nested}");
    let mut endless = b"c".to_vec();
    endless.extend([b'a'; 4000]);
    endless.extend(b"\nb\n.");
    assert!(refusal(&endless).len() < 400);
}

#[test]
fn cycles_are_refused() {
    assert!(refusal(b"]q\x00h\x00a.").contains("cycle"));
    assert!(refusal(b"}q\x00K\x01h\x00s.").contains("cycle"));
    assert!(refusal(b"]q\x00]q\x01h\x00ah\x01a.").contains("cycle"));
    let object = b"ccollections\nOrderedDict\n)Rq\x00h\x00b.";
    assert!(refusal(object).contains("cycle"));
}

/// Lists of two of the list before, each written once: 2^levels values.
fn bomb(levels: u8) -> Vec<u8> {
    let mut bytes = b"]q\x00".to_vec();
    for level in 0..levels {
        bytes.extend([b']', b'q', level + 1, b'(', b'h', level, b'h', level, b'e']);
    }
    bytes.push(b'.');
    bytes
}

#[test]
fn memo_bombs_are_refused() {
    assert!(read(&bomb(5)).is_ok());
    assert!(refusal(&bomb(50)).contains("far larger"));
    // One long text that is not borrowed, meant often.
    let mut bytes = b"(V\\u0061".to_vec();
    bytes.extend([b'a'; 100_000]);
    bytes.extend(b"\nq\x00");
    bytes.extend(b"h\x00".repeat(10_000));
    bytes.extend(b"t.");
    assert!(refusal(&bytes).contains("far larger"));
}

#[test]
fn deep_nesting_is_refused() {
    let deep =
        |levels: usize| [b"]".repeat(levels), b"a".repeat(levels - 1), b".".to_vec()].concat();
    assert!(read(&deep(60)).is_ok());
    assert!(refusal(&deep(100_000)).contains("nested"));
    assert!(refusal(&b"(".repeat(100_000)).contains("nested"));
    let tuples = [b")".to_vec(), b"\x85".repeat(100_000), b".".to_vec()].concat();
    assert!(refusal(&tuples).contains("nested"));
}

#[test]
fn huge_counts_allocate_nothing() {
    for bytes in [
        &b"X\xff\xff\xff\xffa."[..],
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa.",
        b"\x96\x00\x00\x00\x00\x00\x01\x00\x00a.",
        b"\x8b\xff\xff\xff\x7fa.",
        b"B\xff\xff\xff\xffa.",
    ] {
        assert!(refusal(bytes).contains("ends early"), "{bytes:?}");
    }
    assert!(refusal(b"Nr\xff\xff\xff\xff.").contains("memo"));
    assert!(refusal(b"Nj\xff\xff\xff\xff.").contains("remembered"));
    assert!(refusal(&b"N".repeat(3 << 20)).contains("values"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for bytes in [
        &b"."[..],
        b"0.",
        b"2.",
        b"t.",
        b"(.",
        b"}(K\x01u.",
        b"Na.",
        b"NNs.",
        b"}(Nu.",
        b"NNR.",
        b"ccollections\nOrderedDict\nNR.",
        b"Nb.",
        b"N\x85Nb.",
        b"\x93.",
        b"K\x01K\x01\x93.",
        b"I1.5\n.",
        b"Fx\n.",
        b"S'a\n.",
        b"S'\\q'\n.",
        b"Va\\u12\n.",
        b"X\x01\0\0\0\xff.",
        b"]\x81.",
        b"\xff.",
        b"",
    ] {
        refusal(bytes);
    }
    // Nothing is taken from below a mark.
    assert!(read(b"]K\x01(a.").is_err());
}
