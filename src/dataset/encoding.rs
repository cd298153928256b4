//! The encoding of a text: what its first bytes show, or what XML declares.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// So many bytes of a text show whether it is UTF-16.
pub(super) const HEAD: usize = 4;

/// Said of a text in another encoding.
pub(super) const NOT_UTF8: &str = "the text is not UTF-8; save it as UTF-8";
const UTF32: &str = "the text is UTF-32; save it as UTF-8";
const ZEROS: &str = "the text has zero bytes, as no text has; save it as UTF-8";
pub(super) const BROKEN_UTF16: &str = "the text is damaged UTF-16; save it as UTF-8";

/// How far into a file an XML declaration is looked for, in bytes.
const DECLARATION: usize = 256;
/// Names that Python's writers put into a declaration, and what the rest of the world calls them.
const ALIASES: [(&str, &str); 8] = [
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("latin-1", "latin1"),
    ("latin_1", "latin1"),
    ("utf-8-sig", "utf-8"),
    ("utf_8", "utf-8"),
];

/// The UTF-16 that a text begins in, with or without its mark, by its first [`HEAD`] bytes: what a
/// data set writes begins with an ASCII character, half of which is a zero byte there.
///
/// # Errors
/// A text in UTF-32.
pub(super) fn utf16(head: &[u8]) -> Result<Option<&'static Encoding>, &'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [0, 0, 0, 1..=255, ..]
        | [1..=255, 0, 0, 0, ..] => Err(UTF32),
        [0xff, 0xfe, ..] | [1..=255, 0, ..] => Ok(Some(UTF_16LE)),
        [0xfe, 0xff, ..] | [0, 1..=255, ..] => Ok(Some(UTF_16BE)),
        _ => Ok(None),
    }
}

/// A text in UTF-8 or UTF-16, without its byte-order mark.
///
/// # Errors
/// The line where it is neither, and why.
pub(super) fn decode_text(bytes: Vec<u8>) -> Result<String, (usize, &'static str)> {
    if let Some(encoding) = utf16(&bytes).map_err(|reason| (1, reason))? {
        return decode(encoding, &bytes).ok_or((1, BROKEN_UTF16));
    }
    let line_of = |bytes: &[u8], at: usize| 1 + bytes[..at].iter().filter(|&&b| b == b'\n').count();
    if let Some(zero) = bytes.iter().position(|&byte| byte == 0) {
        return Err((line_of(&bytes, zero), ZEROS));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        (line_of(error.as_bytes(), valid), NOT_UTF8)
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The text of an XML file in the encoding that its mark shows or its declaration names, UTF-8 where
/// neither does.
///
/// # Errors
/// In one line: an encoding that is not known, or that the text is not in.
pub(super) fn decode_xml(bytes: &[u8]) -> Result<String, String> {
    if let Some(encoding) = utf16(bytes)? {
        return decode(encoding, bytes).ok_or_else(|| BROKEN_UTF16.to_owned());
    }
    let marked = bytes.starts_with(&[0xef, 0xbb, 0xbf]);
    let declared = declared(bytes).filter(|_| !marked);
    let Some(name) = declared else {
        return decode(UTF_8, bytes).ok_or_else(|| NOT_UTF8.to_owned());
    };
    let lower = name.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == lower);
    let label = alias.map_or(lower.as_str(), |(_, label)| label);
    let known = Encoding::for_label_no_replacement(label.as_bytes());
    let known = known.ok_or_else(|| {
        format!("it declares the encoding “{name}”, which is not known here; save it as UTF-8")
    })?;
    // Bytes that are no UTF-16 were meant to be UTF-8: some programs change the encoding when they
    // write a text, and leave what it declares.
    let encoding = match known == UTF_16LE || known == UTF_16BE {
        true => UTF_8,
        false => known,
    };
    let is_ascii = matches!(lower.as_str(), "ascii" | "us-ascii");
    let text = decode(encoding, bytes).filter(|text| !is_ascii || text.is_ascii());
    text.ok_or_else(|| {
        format!("it declares the encoding “{name}”, but is not in it; save it as UTF-8")
    })
}

/// The text without its byte-order mark; `None` where bytes mean nothing in the encoding.
fn decode(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    let (text, malformed) = encoding.decode_with_bom_removal(bytes);
    (!malformed).then(|| text.into_owned())
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION)]);
    let declaration = head.trim_start().strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = value[1..].split_once(quote)?.0.trim();
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{BIG5, EUC_KR, GBK, SHIFT_JIS, WINDOWS_1252};

    fn utf16_bytes(text: &str, lowest_first: bool) -> Vec<u8> {
        let unit = |unit: u16| match lowest_first {
            true => unit.to_le_bytes(),
            false => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        for lowest_first in [true, false] {
            for text in ["\u{feff}dog\n猫\n", "dog\n猫\n"] {
                let bytes = utf16_bytes(text, lowest_first);
                assert_eq!(decode_text(bytes.clone()).unwrap(), "dog\n猫\n");
                let xml = utf16_bytes(
                    "\u{feff}<?xml version='1.0' encoding='utf-16'?><a>猫</a>",
                    lowest_first,
                );
                assert!(decode_xml(&xml).unwrap().ends_with("<a>猫</a>"));
            }
        }
        let cut = utf16_bytes("\u{feff}dog", true);
        assert_eq!(
            decode_text(cut[..cut.len() - 1].to_vec()),
            Err((1, BROKEN_UTF16))
        );
        let wide = "dog".chars().flat_map(|c| (c as u32).to_le_bytes());
        assert_eq!(decode_text(wide.collect()), Err((1, UTF32)));
        assert_eq!(decode_text(b"dog\nc\0at".to_vec()), Err((2, ZEROS)));
        assert_eq!(decode_text(b"dog\ncaf\xe9\n".to_vec()), Err((2, NOT_UTF8)));
    }

    #[test]
    fn what_xml_declares_is_honoured() {
        for (name, encoding, label) in [
            ("GB2312", GBK, "猫"),
            ("gbk", GBK, "猫"),
            ("cp936", GBK, "猫"),
            ("Shift_JIS", SHIFT_JIS, "猫"),
            ("shift-jis", SHIFT_JIS, "ネコ"),
            ("EUC-KR", EUC_KR, "고양이"),
            ("Big5", BIG5, "貓"),
            ("ISO-8859-1", WINDOWS_1252, "bébé"),
            ("windows-1252", WINDOWS_1252, "bébé"),
            ("latin-1", WINDOWS_1252, "bébé"),
            ("UTF-8", UTF_8, "猫"),
            // A writer that changed the encoding and left the declaration.
            ("utf-16", UTF_8, "猫"),
        ] {
            let text =
                format!("<?xml version=\"1.0\" encoding = \"{name}\" ?><name>{label}</name>");
            let (bytes, _, lost) = encoding.encode(&text);
            assert!(!lost, "{name}");
            assert_eq!(decode_xml(&bytes).unwrap(), text, "{name}");
        }
        assert_eq!(decode_xml("<a>猫</a>".as_bytes()).unwrap(), "<a>猫</a>");
        let marked = b"\xef\xbb\xbf<?xml version='1.0' encoding='gbk'?><a>\xc3\xa8</a>";
        assert!(decode_xml(marked).unwrap().ends_with("<a>è</a>"));
    }

    #[test]
    fn what_is_not_in_its_encoding_is_refused_by_name() {
        for (bytes, expected) in [
            (
                &b"<?xml version='1.0' encoding='ebcdic-x'?><a/>"[..],
                "“ebcdic-x”, which is not known",
            ),
            (
                b"<?xml version='1.0' encoding='hz-gb-2312'?><a/>",
                "which is not known",
            ),
            (
                b"<?xml version='1.0' encoding='utf-8'?><a>\xc3</a>",
                "“utf-8”, but is not in it",
            ),
            (
                b"<?xml version='1.0' encoding='us-ascii'?><a>\xc3\xa8</a>",
                "“us-ascii”, but is not",
            ),
            (
                b"<?xml version='1.0' encoding='utf-16'?><a>\xe9</a>",
                "“utf-16”, but is not in it",
            ),
            (b"<a>\xe9</a>", NOT_UTF8),
        ] {
            let refused = decode_xml(bytes).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
