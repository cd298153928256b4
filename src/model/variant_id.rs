//! The name of a network of a bundle: a short string, as on the command line, in file names and in
//! manifests.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize};

use super::registry;

/// Longest name, in characters.
const LONGEST: usize = 40;
/// Names beyond those of the registry that one run of the program meets at most. They are kept until
/// it ends, so that a name can be copied like a number.
const MOST: usize = 1024;

/// Which network of a bundle. Most are named after their architecture, but a bundle may call its
/// networks what it likes: two trainings of one architecture need two names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "&'static str")]
pub struct VariantId(&'static str);

impl VariantId {
    pub const STANDARD: Self = Self("standard");
    pub const RCB: Self = Self("rcb");
    pub const SCB: Self = Self("scb");
    pub const BIAM: Self = Self("biam");
    pub const RIDGE: Self = Self("ridge");
    pub const KERNEL: Self = Self("kernel");

    /// The networks that the paper compares (its Table 3), in its order.
    pub const PAPER: [Self; 4] = [Self::STANDARD, Self::RCB, Self::SCB, Self::BIAM];
    /// [`VariantId::PAPER`], then the baselines that saw no photo.
    pub const WITH_BASELINES: [Self; 6] = [
        Self::STANDARD,
        Self::RCB,
        Self::SCB,
        Self::BIAM,
        Self::RIDGE,
        Self::KERNEL,
    ];

    /// A name that is known when the program is written.
    pub(in crate::model) const fn known(name: &'static str) -> Self {
        Self(name)
    }

    /// The name used on the command line, in file names and in manifests.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The name people read: the architecture's title, or the name itself where no architecture is
    /// called so.
    pub fn title(self) -> &'static str {
        registry::row(self.0).map_or(self.0, |row| row.title)
    }
}

impl fmt::Debug for VariantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl fmt::Display for VariantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A text that names no network.
#[derive(Debug, thiserror::Error)]
pub enum BadVariantId {
    #[error(
        "“{0}” is no name of a network: names are lower-case letters, digits and hyphens, such as \
         standard, rcb, scb, biam or ridge"
    )]
    Spelling(String),
    #[error("“{0}” is one name of networks too many: a program knows {MOST} at most")]
    TooMany(String),
}

impl From<VariantId> for &'static str {
    fn from(variant: VariantId) -> Self {
        variant.0
    }
}

impl<'de> Deserialize<'de> for VariantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for VariantId {
    type Err = BadVariantId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase();
        if let Some(row) = registry::row(&name) {
            return Ok(Self(row.id));
        }
        let is_usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || name.len() > LONGEST || !name.chars().all(is_usual) {
            return Err(BadVariantId::Spelling(text.trim().to_owned()));
        }
        interned(name).map(Self)
    }
}

/// One copy of a name for the whole program.
fn interned(name: String) -> Result<&'static str, BadVariantId> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return Ok(known);
    }
    if names.len() >= MOST {
        return Err(BadVariantId::TooMany(name));
    }
    let kept: &'static str = Box::leak(name.into_boxed_str());
    names.insert(kept);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_compares_by_what_it_says() {
        for name in ["biam", "biam-seed-2", " RCB "] {
            let variant: VariantId = name.parse().expect("a name");
            assert_eq!(variant.name(), name.trim().to_lowercase());
            assert_eq!(Ok(variant), variant.name().parse().map_err(|_| ()));
        }
        assert_eq!(
            "biam".parse::<VariantId>().expect("a name"),
            VariantId::BIAM
        );
        let json = serde_json::to_string(&VariantId::SCB).expect("a string");
        assert_eq!(json, "\"scb\"");
    }

    #[test]
    fn what_is_no_name_is_refused_by_name() {
        for text in [
            "",
            "two words",
            "../biam",
            "-biam",
            "réseau",
            &"x".repeat(41),
        ] {
            let refusal = text.parse::<VariantId>().expect_err("no name").to_string();
            assert!(
                refusal.contains(text) && refusal.contains("biam"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn titles_are_those_of_the_architectures() {
        assert_eq!(VariantId::BIAM.title(), "BiAM");
        let own: VariantId = "biam-seed-2".parse().expect("a name");
        assert_eq!(own.title(), "biam-seed-2");
    }
}
