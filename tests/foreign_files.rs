//! Files of weights and vectors that are damaged anywhere: an answer or one line, never a panic, and
//! never much memory.

use std::path::Path;

use biam_lens::checkpoint::read_as_everything;
use cap::Cap;

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// Damaged versions of each file.
const MUTATIONS: u64 = 400;
/// The largest of the files is below 20 kB.
const MEMORY_LIMIT: usize = 1 << 20;

/// Numbers that are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

/// Changes a few bytes, takes some out, writes some twice, cuts the end off.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    // Most of a file is numbers, which may have any value: its start and end say what they are.
    let place = |bytes: &[u8], random: &mut Random| match random.below(3) {
        0 => random.below(bytes.len()),
        1 => random.below(bytes.len().min(2500)),
        _ => bytes.len() - 1 - random.below(bytes.len().min(2500)),
    };
    for _ in 0..=random.below(4) {
        let at = place(bytes, random);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => bytes[at..end].fill([0, 0xff, 0x7f][random.below(3)]),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                let to = place(bytes, random);
                bytes.splice(to..to, again);
            }
            _ if random.below(8) == 0 => bytes.truncate(at),
            _ => {
                let opcodes = b"().]}abceghlpqrstuQRX\x81\x85\x86\x87\x88\x8c\x93\x94";
                bytes[at] = opcodes[random.below(opcodes.len())];
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

#[test]
fn damaged_files_cause_neither_panics_nor_large_allocations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/checkpoints");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 20);
    let before = MEMORY.allocated();
    let mut random = Random(7);
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        read_as_everything(&whole);
        for _ in 0..MUTATIONS {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut random);
            read_as_everything(&bytes);
        }
    }
    let most = MEMORY.max_allocated() - before;
    assert!(most < MEMORY_LIMIT, "{most} bytes were allocated at once");
}
