//! Any bytes, read as everything they might be: checkpoint, pickled arrays or names, `.npy`.

#![no_main]

use std::io::Cursor;
use std::path::Path;

use biam_lens::checkpoint::names::Mapping;
use biam_lens::checkpoint::{StateDict, numpy};
use biam_lens::files::read_npy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut checkpoint) = StateDict::read(Path::new("fuzzed"), Cursor::new(bytes)) {
        let names: Vec<_> = checkpoint
            .shapes()
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in names {
            let _ = checkpoint.tensor(&name);
        }
        let _ = Mapping::new(&checkpoint);
    }
    let _ = numpy::arrays(bytes);
    let _ = numpy::strings(bytes);
    let _ = read_npy(bytes);
});
