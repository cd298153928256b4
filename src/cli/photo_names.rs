//! What photos are called in results: a name of its own for each, whatever bytes a file's name has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use crate::files::{path_text, shown};
use crate::model::VariantId;

/// Longest name of a file, in bytes, on the usual file systems.
const LONGEST_NAME: usize = 255;
/// Bytes that are kept for what comes behind the stem: `.VARIANT.npy`, with room for long names of
/// networks.
const BEHIND: usize = 48;
/// Bytes of the hash that ends a shortened stem.
const HASH: usize = 6;

/// The names of a photo's maps and of the note beside them.
#[derive(Debug, PartialEq, Eq)]
pub struct MapNames {
    stem: String,
    shortened: bool,
}

impl MapNames {
    /// After the photo's stem; of a very long one the start and a hash of all.
    pub fn of(photo: &Path) -> Self {
        let stem = stem(photo);
        if stem.len() <= LONGEST_NAME - BEHIND {
            let shortened = false;
            return Self { stem, shortened };
        }
        let hash = Sha256::digest(stem.as_bytes());
        let hash: String = hash.iter().take(HASH).map(|b| format!("{b:02x}")).collect();
        let room = LONGEST_NAME - BEHIND - hash.len() - 1;
        let start = &stem[..stem.floor_char_boundary(room)];
        Self {
            stem: format!("{start}~{hash}"),
            shortened: true,
        }
    }

    /// Whether the photo's own stem was too long.
    pub fn is_shortened(&self) -> bool {
        self.shortened
    }

    /// The file of a network's maps.
    pub fn map(&self, variant: VariantId) -> String {
        format!("{}.{variant}.npy", self.stem)
    }

    /// The file that says what the maps are of.
    pub fn note(&self) -> String {
        format!("{}.json", self.stem)
    }
}

fn stem(path: &Path) -> String {
    path_text(Path::new(path.file_stem().unwrap_or(path.as_os_str())))
}

/// Refuses photos that results could not tell apart: one whose name is no UTF-8, and one that is
/// called as the other is written.
pub fn refuse_equal_texts(photos: &[PathBuf]) -> Result<()> {
    let mut known: HashMap<String, &Path> = HashMap::new();
    for photo in photos {
        if let Some(other) = known.insert(path_text(photo), photo)
            && other != photo
        {
            bail!(
                "two photos would both be called {} in the results; rename the one whose name is not \
                 UTF-8",
                shown(photo)
            );
        }
    }
    Ok(())
}

/// Maps are named after the photo's stem, so two photos of one stem would overwrite each other.
pub fn refuse_equal_stems(photos: &[PathBuf]) -> Result<()> {
    let mut known: HashMap<String, &Path> = HashMap::new();
    for photo in photos {
        // Some file systems take upper and lower case for the same.
        let name = MapNames::of(photo).stem.to_lowercase();
        if let Some(other) = known.insert(name, photo) {
            if other == photo {
                bail!("{}: named twice; name it once for --maps", shown(photo));
            }
            bail!(
                "{} and {} would write the same map files; give --maps photos of different names",
                shown(other),
                shown(photo)
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stems_get_names_that_fit_and_differ() {
        let names = |stem: &str| MapNames::of(Path::new(&format!("{stem}.jpg")));
        for letter in ["a", "é", "犬"] {
            let long = letter.repeat(251 / letter.len());
            let (one, other) = (names(&format!("{long}1")), names(&format!("{long}2")));
            assert!(one.is_shortened());
            assert_ne!(one.note(), other.note());
            assert_eq!(one, names(&format!("{long}1")));
            let variants = VariantId::WITH_BASELINES
                .into_iter()
                .chain(VariantId::VIEWS);
            for variant in variants {
                assert!(one.map(variant).len() <= LONGEST_NAME, "{variant}");
            }
        }
        assert_eq!(names("dog").note(), "dog.json");
        assert_eq!(names("dog").map(VariantId::BIAM), "dog.biam.npy");
    }

    #[cfg(unix)]
    #[test]
    fn photos_of_one_text_are_refused() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let photo = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
        let (one, other) = (photo(b"a\xe9.jpg"), photo(b"a\xe8.jpg"));
        assert!(refuse_equal_texts(&[one.clone(), other.clone(), one.clone()]).is_ok());
        assert!(refuse_equal_stems(&[one.clone(), other]).is_ok());
        let same = [one, photo(b"a%E9.jpg")];
        let refusal = refuse_equal_texts(&same).unwrap_err().to_string();
        assert!(refusal.contains("both be called a%E9.jpg"), "{refusal}");
        assert!(refuse_equal_stems(&same).is_err());
    }
}
