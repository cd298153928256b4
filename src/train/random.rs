//! Seeds for everything that training leaves to chance.
//!
//! Every generator is started anew, from the run's seed, what it is for and how far the run is. So
//! a run that is continued draws the same numbers, and no generator's state has to be kept.

use rand::{SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};

/// A generator for `purpose` (a layer's name, "shuffle", …) at a step or an epoch of a run.
pub fn generator(seed: u64, purpose: &str, at: u64) -> StdRng {
    StdRng::from_seed(digest(seed, purpose, at))
}

/// The same as a number, for what takes a seed.
pub fn derived_seed(seed: u64, purpose: &str, at: u64) -> u64 {
    digest(seed, purpose, at)
        .iter()
        .take(8)
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn digest(seed: u64, purpose: &str, at: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(at.to_le_bytes());
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn the_same_place_draws_the_same_and_another_does_not() {
        let draw = |seed, purpose, at| generator(seed, purpose, at).random::<u64>();
        assert_eq!(draw(1, "shuffle", 2), draw(1, "shuffle", 2));
        let others = [
            draw(2, "shuffle", 2),
            draw(1, "flip", 2),
            draw(1, "shuffle", 3),
        ];
        assert!(others.iter().all(|&other| other != draw(1, "shuffle", 2)));
        assert_ne!(derived_seed(1, "dropout", 0), derived_seed(1, "dropout", 1));
    }
}
