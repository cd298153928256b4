//! A pickled list of labels.

use std::collections::HashSet;

use crate::checkpoint::numpy;

/// The strings of the one list in a pickle, plain or as a numpy array of objects, each there once.
///
/// # Errors
/// A file that ends early or has no such list, a string that is there twice; in one line.
pub(super) fn strings(bytes: &[u8]) -> Result<Vec<String>, String> {
    let strings = numpy::strings(bytes)?;
    let mut known = HashSet::new();
    match strings.iter().find(|text| !known.insert(text.as_str())) {
        Some(text) => Err(format!("“{text}” is there twice: leave one out")),
        None => Ok(strings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.array(["/m/a", "/m/bc"], dtype=object)` as protocol 2 writes it.
    const ARRAY: &[u8] = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01\
        K\x00\x85q\x02c_codecs\nencode\nq\x03X\x01\0\0\0bq\x04X\x06\0\0\0latin1q\x05\x86q\x06Rq\x07\
        \x87q\x08Rq\x09(K\x01K\x02\x85q\x0acnumpy\ndtype\nq\x0bX\x02\0\0\0O8q\x0cK\x00K\x01\x87q\x0d\
        Rq\x0e(K\x03X\x01\0\0\0|q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x10b\x89]q\x11(\
        X\x04\0\0\0/m/aq\x12X\x05\0\0\0/m/bcq\x13etq\x14b.";

    #[test]
    fn strings_of_an_array_come_in_order() {
        assert_eq!(strings(ARRAY).unwrap(), ["/m/a", "/m/bc"]);
    }

    #[test]
    fn a_plain_list_of_protocol_4_is_read_too() {
        let list = b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94(\x8c\x01a\x94\x8c\x02bc\x94e.";
        assert_eq!(strings(list).unwrap(), ["a", "bc"]);
    }

    #[test]
    fn every_early_end_is_an_error() {
        for end in 0..ARRAY.len() {
            assert!(strings(&ARRAY[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_list_of_strings_is_refused() {
        assert!(strings(b"\x80\x02N.").unwrap_err().contains("no list"));
        assert!(strings(b"\x80\x02}q\x00.").unwrap_err().contains("no list"));
        let endless = b"\x80\x02]X\xff\xff\xff\xffa.";
        assert!(strings(endless).unwrap_err().contains("ends early"));
        let twice = b"\x80\x02](X\x01\0\0\0aq\x00h\x00e.";
        assert!(strings(twice).unwrap_err().contains("there twice"));
    }
}
