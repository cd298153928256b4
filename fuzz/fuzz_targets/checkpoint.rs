//! Any bytes, read as everything they might be: checkpoint, pickled arrays or names, `.npy`.

#![no_main]

use biam_lens::checkpoint::read_as_everything;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_as_everything(bytes));
