//! What a file's SHA-256 should be.

use std::fmt;
use std::str::FromStr;

/// Digits of a whole SHA-256.
const DIGITS: usize = 64;
/// Fewest digits in a file's name that are taken for the start of one, as torchvision has them.
const NAMED_DIGITS: usize = 8;

/// A SHA-256 in hexadecimal, or its first digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum(String);

impl Checksum {
    /// The whole sum that a computed one is.
    pub(super) fn of(digest: &[u8]) -> Self {
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The first digits that PyTorch's files carry in their names (`vgg19-dcbb9e9d.pth`).
    pub(super) fn in_name(name: &str) -> Option<Self> {
        let (_, digits) = name.strip_suffix(".pth")?.rsplit_once('-')?;
        let enough = (NAMED_DIGITS..=DIGITS).contains(&digits.len());
        (enough && is_hexadecimal(digits)).then(|| Self(digits.to_lowercase()))
    }

    /// Whether this is the whole sum and not its start.
    pub(super) fn is_whole(&self) -> bool {
        self.0.len() == DIGITS
    }

    /// Whether one of both is the start of the other.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.is_whole() { "" } else { "…" };
        write!(f, "{}{more}", self.0)
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.len() == DIGITS && is_hexadecimal(text) {
            true => Ok(Self(text.to_lowercase())),
            false => Err(format!("a SHA-256 has {DIGITS} digits, 0 to 9 and a to f")),
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn sums_are_64_digits_in_either_case() {
        let sum: Checksum = SUM.to_uppercase().parse().unwrap();
        assert_eq!(sum.to_string(), SUM);
        assert!(SUM[1..].parse::<Checksum>().is_err());
        assert!(SUM.replace('e', "x").parse::<Checksum>().is_err());
    }

    #[test]
    fn torchvisions_names_hold_the_start_of_a_sum() {
        let start = Checksum::in_name("empty-e3b0c442.pth").unwrap();
        assert!(start.agrees(&SUM.parse().unwrap()) && !start.is_whole());
        assert_eq!(start.to_string(), "e3b0c442…");
        for other in [
            "vgg19.pth",
            "vgg-19.pth",
            "vgg19-imagenet.pth",
            "x-e3b0c442.bin",
        ] {
            assert_eq!(Checksum::in_name(other), None, "{other}");
        }
        let wrong = Checksum::in_name("vgg19-dcbb9e9d.pth").unwrap();
        assert!(!wrong.agrees(&SUM.parse().unwrap()));
    }
}
