//! Which photo on the disk a file name means: names of other programs may have back-slashes, `%20`,
//! folders of another computer. None of them leaves the folders that are looked in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// So many names show where the photos lie.
const SAMPLE: usize = 64;

/// A file name as folders and a name, without what leads out of a folder.
struct Name {
    parts: Vec<String>,
    /// Whether it was written for another place: from a root, a drive, an address, or upwards. Then
    /// any ending of it may be what is here.
    foreign: bool,
}

impl Name {
    fn new(text: &str) -> Self {
        let text = text.trim().replace('\\', "/");
        // Label Studio's way to name a file of a folder that it was given.
        let (text, mut foreign) = match text.split_once("?d=") {
            Some((_, path)) => (path, true),
            None => (text.as_str(), false),
        };
        let text = match text.split_once("://") {
            Some((_, path)) => {
                foreign = true;
                path.split_once('?').map_or(path, |(path, _)| path)
            }
            None => text,
        };
        foreign |= text.starts_with('/');
        let mut parts: Vec<String> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    foreign |= parts.pop().is_none();
                }
                drive if parts.is_empty() && drive.len() == 2 && drive.ends_with(':') => {
                    foreign = true;
                }
                part => parts.push(part.to_owned()),
            }
        }
        Self { parts, foreign }
    }

    /// The name without its first `dropped` folders, also as it is without `%20` and the like.
    fn ending(&self, dropped: usize) -> Vec<PathBuf> {
        let parts = &self.parts[dropped.min(self.parts.len())..];
        let written: PathBuf = parts.iter().collect();
        let decoded = parts.iter().map(|part| {
            let decoded = percent_decode_str(part).decode_utf8().ok()?;
            // What was hidden in it must not lead out either.
            let plain =
                !decoded.contains(['/', '\\', '\0']) && decoded != ".." && !decoded.is_empty();
            plain.then(|| decoded.into_owned())
        });
        match decoded.collect::<Option<PathBuf>>() {
            Some(decoded) if decoded != written => vec![written, decoded],
            _ => vec![written],
        }
    }
}

/// Where the photos of a file lie.
pub(super) struct Photos {
    /// The likeliest first.
    roots: Vec<PathBuf>,
    /// Folders at the start of every name that are not there.
    dropped: usize,
}

impl Photos {
    /// Finds the one of `roots`, and the folders to drop from every name, with which most of the
    /// first names are there.
    pub fn new(roots: Vec<PathBuf>, names: &[&str]) -> Self {
        let step = names.len().div_ceil(SAMPLE).max(1);
        let mut hits: HashMap<(usize, usize), usize> = HashMap::new();
        for name in names.iter().step_by(step).map(|name| Name::new(name)) {
            for (root, folder) in roots.iter().enumerate() {
                for dropped in 0..name.parts.len() {
                    if found(folder, &name, dropped).is_some() {
                        let dropped = if name.foreign { 0 } else { dropped };
                        *hits.entry((root, dropped)).or_default() += 1;
                        break;
                    }
                }
            }
        }
        let best = hits
            .into_iter()
            .max_by_key(|&((root, dropped), hits)| (hits, std::cmp::Reverse((dropped, root))));
        let (root, dropped) = best.map_or((0, 0), |(place, _)| place);
        let mut roots = roots;
        let first = roots.remove(root);
        roots.insert(0, first);
        Self { roots, dropped }
    }

    /// The photo of that name; where it is not there, where it was first looked for. `None` for what
    /// is no name.
    pub fn find(&self, text: &str) -> Option<PathBuf> {
        let name = Name::new(text);
        if name.parts.is_empty() || text.contains('\0') {
            return None;
        }
        let dropped: Vec<usize> = match name.foreign {
            true => (0..name.parts.len()).collect(),
            false => vec![self.dropped.min(name.parts.len() - 1), 0],
        };
        let places = dropped
            .iter()
            .flat_map(|&dropped| self.roots.iter().map(move |root| (root, dropped)));
        let mut there = places.filter_map(|(root, dropped)| found(root, &name, dropped));
        let expected = || {
            let ending = name.ending(if name.foreign {
                name.parts.len() - 1
            } else {
                0
            });
            Some(self.roots.first()?.join(ending.first()?))
        };
        there.next().or_else(expected)
    }
}

fn found(root: &Path, name: &Name, dropped: usize) -> Option<PathBuf> {
    let endings = name.ending(dropped).into_iter();
    endings
        .map(|ending| root.join(ending))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Fixture;
    use super::*;

    fn found_in(files: &[&str], roots: &[&str], names: &[&str]) -> Vec<String> {
        let fixture = Fixture::new();
        fixture.photos(files);
        let roots = roots.iter().map(|root| fixture.path().join(root)).collect();
        let photos = Photos::new(roots, names);
        let short = |path: PathBuf| {
            let path = path.strip_prefix(fixture.path()).unwrap();
            path.to_str().unwrap().to_owned()
        };
        names
            .iter()
            .map(|name| photos.find(name).map_or("-".to_owned(), short))
            .collect()
    }

    #[test]
    fn names_of_every_program_are_understood() {
        let files = [
            "images/a b.jpg",
            "images/sub/c.jpg",
            "images/d.jpg",
            "images/100%.jpg",
        ];
        let names = [
            "a b.jpg",
            "a%20b.jpg",
            "sub\\c.jpg",
            ".\\sub\\c.jpg",
            "./sub/c.jpg",
            "sub/../d.jpg",
            "../elsewhere/images/d.jpg",
            "/home/me/data/images/sub/c.jpg",
            "C:\\Users\\me\\images\\sub\\c.jpg",
            "http://host/data/d.jpg?x=1",
            "/data/local-files/?d=set%201/d.jpg",
            "100%.jpg",
        ];
        let expected = [
            "images/a b.jpg",
            "images/a b.jpg",
            "images/sub/c.jpg",
            "images/sub/c.jpg",
            "images/sub/c.jpg",
            "images/d.jpg",
            "images/d.jpg",
            "images/sub/c.jpg",
            "images/sub/c.jpg",
            "images/d.jpg",
            "images/d.jpg",
            "images/100%.jpg",
        ];
        assert_eq!(found_in(&files, &["other", "images"], &names), expected);
    }

    #[test]
    fn folders_that_are_not_here_are_dropped_from_all_names_alike() {
        let files = ["x/a.jpg", "x/b.jpg", "x/c.jpg"];
        let names = [
            "train/a.jpg",
            "train/b.jpg",
            "train/c.jpg",
            "train/gone.jpg",
        ];
        let expected = ["x/a.jpg", "x/b.jpg", "x/c.jpg", "x/train/gone.jpg"];
        assert_eq!(found_in(&files, &["x"], &names), expected);
        // Where the folders are here, another photo of that name is none.
        let files = ["x/cats/1.jpg", "x/cats/2.jpg", "x/1.jpg"];
        let names = ["cats/1.jpg", "cats/2.jpg", "dogs/1.jpg"];
        let expected = ["x/cats/1.jpg", "x/cats/2.jpg", "x/dogs/1.jpg"];
        assert_eq!(found_in(&files, &["x"], &names), expected);
    }

    #[test]
    fn no_name_leads_out() {
        let files = ["secret.jpg", "images/a.jpg"];
        let names = [
            "a.jpg",
            "../secret.jpg",
            "..\\secret.jpg",
            "%2e%2e/secret.jpg",
            "..%2fsecret.jpg",
            "a/../../secret.jpg",
            "/secret.jpg",
            "..",
            "",
            "a\0.jpg",
        ];
        let found = found_in(&files, &["images"], &names);
        assert_eq!(found[0], "images/a.jpg");
        assert!(!found.contains(&"secret.jpg".to_owned()), "{found:?}");
        assert_eq!(found[7..], ["-", "-", "-"]);
    }
}
