//! The kinds of data sets, and how one is known by its files.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::{Dataset, DatasetError, coco, folder, nus_wide, open_images, voc};

/// A kind of data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Photos with TSV or CSV lists.
    Folder,
    /// COCO instances JSON.
    Coco,
    /// PASCAL VOC XML.
    Voc,
    NusWide,
    /// Open Images v4 to v7.
    OpenImages,
}

/// Which part of a data set is wanted: `train`, `val`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// This one and no other.
    Named(&'a str),
    /// This one, or the only one of a set that has no other choice.
    Usual(&'a str),
}

impl Kind {
    /// All of them. A folder that looks like several is taken for the first.
    pub const ALL: [Self; 5] = [
        Self::NusWide,
        Self::OpenImages,
        Self::Voc,
        Self::Coco,
        Self::Folder,
    ];

    /// The name that an option takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Coco => "coco",
            Self::Voc => "voc",
            Self::NusWide => "nus-wide",
            Self::OpenImages => "open-images",
        }
    }

    /// The kind of the data set in `path`, by the names of its files.
    pub fn of(path: &Path) -> Option<Self> {
        if path.is_file() {
            return coco::layout::is_json(path).then_some(Self::Coco);
        }
        let recognises = |kind: &Self| match kind {
            Self::Folder => folder::recognises(path),
            Self::Coco => coco::recognises(path),
            Self::Voc => voc::recognises(path),
            Self::NusWide => nus_wide::recognises(path),
            Self::OpenImages => open_images::recognises(path),
        };
        Self::ALL.into_iter().find(recognises)
    }

    /// The parts of a set of this kind.
    fn parts(self, path: &Path) -> Vec<String> {
        match self {
            Self::Folder => folder::parts(path),
            Self::Coco => coco::parts(path),
            Self::Voc => voc::parts(path),
            Self::NusWide => nus_wide::parts(path),
            Self::OpenImages => open_images::parts(path),
        }
    }

    /// What makes the parts of a set of this kind.
    fn looked_for(self) -> &'static str {
        match self {
            Self::Folder => folder::LOOKED_FOR,
            Self::Coco => coco::layout::LOOKED_FOR,
            Self::Voc => voc::LOOKED_FOR,
            Self::NusWide => nus_wide::LOOKED_FOR,
            Self::OpenImages => open_images::LOOKED_FOR,
        }
    }

    fn read(self, path: &Path, part: &str) -> Result<Dataset, DatasetError> {
        match self {
            Self::Folder => folder::read(path, part),
            Self::Coco => coco::read(path, part),
            Self::Voc => voc::read(path, part),
            Self::NusWide => nus_wide::read(path, part),
            Self::OpenImages => open_images::read(path, part),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kind of data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no kind of data set; there are folder, coco, voc, nus-wide, open-images")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase();
        let known = Self::ALL.into_iter().find(|kind| kind.name() == wanted);
        known.ok_or_else(|| UnknownKind(text.trim().to_owned()))
    }
}

/// Reads a part of the data set in the folder `path` (for COCO also one file of instances). Its kind
/// is known by its files unless it is given.
///
/// # Errors
/// Nothing that is a data set, a part that it does not have, files that cannot be understood.
pub fn open(path: &Path, kind: Option<Kind>, part: Part<'_>) -> Result<Dataset, DatasetError> {
    // A missing folder has a better message than a folder of no known kind.
    if let Err(source) = std::fs::metadata(path) {
        return Err(crate::files::read_error(path, source).into());
    }
    let unknown = || DatasetError::unknown_kind(path);
    let kind = kind.or_else(|| Kind::of(path)).ok_or_else(unknown)?;
    if path.is_file() {
        return match kind {
            Kind::Coco => {
                let folder = path.parent().unwrap_or(Path::new(""));
                coco::read_file(path, folder, &coco::layout::part_of_file(path))
            }
            _ => Err(unknown()),
        };
    }
    kind.read(path, &choose(path, kind, kind.parts(path), part)?)
}

/// The one of `known` that `part` means: of that name, or the only one whose name begins so
/// (`val` for COCO's `val2017`).
fn choose(
    path: &Path,
    kind: Kind,
    known: Vec<String>,
    part: Part<'_>,
) -> Result<String, DatasetError> {
    let (Part::Named(name) | Part::Usual(name)) = part;
    if known.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let alike: Vec<&String> = known
        .iter()
        .filter(|known| known.starts_with(name))
        .collect();
    if let [only] = alike[..] {
        return Ok(only.clone());
    }
    if let (Part::Usual(_), [only]) = (part, &known[..]) {
        return Ok(only.clone());
    }
    let looked_for = kind.looked_for();
    Err(DatasetError::no_part(path, name, known, looked_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(known: &[&str], part: Part<'_>) -> Option<String> {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        choose(Path::new("set"), Kind::Coco, known, part).ok()
    }

    #[test]
    fn a_part_is_its_name_or_the_only_one_that_begins_so() {
        let coco = ["train2017", "val2017"];
        assert_eq!(
            chosen(&coco, Part::Named("val")).as_deref(),
            Some("val2017")
        );
        assert_eq!(
            chosen(&["val", "val2"], Part::Named("val")).as_deref(),
            Some("val")
        );
        assert_eq!(chosen(&["val1", "val2"], Part::Named("val")), None);
        assert_eq!(chosen(&["train"], Part::Named("val")), None);
        assert_eq!(
            chosen(&["boxes"], Part::Usual("val")).as_deref(),
            Some("boxes")
        );
        assert_eq!(chosen(&coco, Part::Usual("test")), None);
    }

    #[test]
    fn names_come_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("imagenet".parse::<Kind>().is_err());
    }

    #[test]
    fn errors_say_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| {
            let opened = open(path, None, Part::Usual("train"));
            opened.map(|_| ()).unwrap_err().to_string()
        };
        let missing = error(&folder.path().join("none"));
        assert!(missing.contains("no such file"), "{missing}");
        let empty = error(folder.path());
        assert!(empty.contains("no data set of a known kind"), "{empty}");
        assert!(empty.contains("nothing is here"), "{empty}");
        std::fs::create_dir_all(folder.path().join("Annotations")).unwrap();
        let voc = open(folder.path(), Some(Kind::Voc), Part::Usual("train"));
        let voc = voc.map(|_| ()).unwrap_err().to_string();
        assert!(
            voc.contains("no part “train”: looked for ImageSets/Main/NAME.txt")
                && voc.ends_with("here are Annotations"),
            "{voc}"
        );
        std::fs::write(folder.path().join("val.tsv"), "a.jpg\tdog\n").unwrap();
        std::fs::write(folder.path().join("test.tsv"), "a.jpg\tdog\n").unwrap();
        let other = error(folder.path());
        assert!(
            other.contains("no part “train”: it has test, val"),
            "{other}"
        );
        let photos = open(folder.path(), None, Part::Named("val"));
        let photos = photos.map(|_| ()).unwrap_err().to_string();
        assert!(photos.contains("none of its 1 photos is there"), "{photos}");
    }
}
