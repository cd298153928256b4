//! What the readers of other programs' files make of any bytes: the way in for `fuzz/` and for the
//! test of damaged files.

use std::io::Cursor;
use std::path::Path;

use super::names::Mapping;
use super::{StateDict, numpy};
use crate::files::read_npy;

/// Reads `bytes` as everything that they might be, to the last number: a checkpoint and the
/// authors' names in it, pickled arrays or names, `.npy`. What comes of it is dropped; what counts
/// is that this comes back, whatever the bytes are, and takes no more memory than they allow.
pub fn read_as_everything(bytes: &[u8]) {
    if let Ok(mut checkpoint) = StateDict::read(Path::new("any bytes"), Cursor::new(bytes)) {
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
}
