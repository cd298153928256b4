//! From what someone named (files and folders) to photos in a sensible order.

use super::PhotoError;
use crate::files::path_text;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

/// Endings of the files in a folder that are taken for photos, lower case.
pub(crate) const ENDINGS: [&str; 17] = [
    "apng", "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "pam", "pbm", "pgm", "png", "pnm",
    "ppm", "tif", "tiff", "webp",
];

/// Every photo that `paths` names, in the given order.
///
/// A folder stands for the files in it that end like a photo (`.jpg`, `.png`, …), sorted by name
/// with numbers in numeric order; folders inside it and hidden files are left out. Anything else,
/// even what does not exist, is kept as it is: opening it says what is wrong with it.
///
/// The second part has one error for each folder that cannot be listed or has no photo.
pub fn list_photos(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PhotoError>) {
    let mut photos = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        if !path.is_dir() {
            photos.push(path.clone());
            continue;
        }
        match photos_in(path) {
            Ok(found) if found.is_empty() => errors.push(PhotoError::NoPhotos(path.clone())),
            Ok(found) => photos.extend(found),
            Err(source) => errors.push(PhotoError::Folder {
                folder: path.clone(),
                source,
            }),
        }
    }
    (photos, errors)
}

fn photos_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if ends_like_a_photo(&name) && may_be_a_file(&entry) {
            names.push((path_text(Path::new(&name)), name));
        }
    }
    names.sort_by(|(a, name), (b, other)| natural_order(a, b).then_with(|| name.cmp(other)));
    Ok(names
        .into_iter()
        .map(|(_, name)| folder.join(name))
        .collect())
}

fn ends_like_a_photo(name: &OsStr) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    !hidden && ending.is_some_and(|ending| ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending)))
}

/// Regular files, and links unless they lead to something else; a dangling link stays, so that it
/// gets its line. Only links cost a look at the disk.
fn may_be_a_file(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => {
            fs::metadata(entry.path()).map_or(true, |metadata| metadata.is_file())
        }
        Ok(kind) => kind.is_file(),
        Err(_) => false,
    }
}

/// The order in which people count: `photo 9` before `photo 10`, capitals beside small letters;
/// names that differ only in such things in the order of their characters.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number, rest) = leading_number(left);
            let (other, other_rest) = leading_number(right);
            (left, right) = (rest, other_rest);
            // Without leading zeros the longer number is the larger one, however long.
            number.len().cmp(&other.len()).then(number.cmp(other))
        } else {
            left = &left[x.len_utf8()..];
            right = &right[y.len_utf8()..];
            x.to_lowercase().cmp(y.to_lowercase())
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Splits leading digits, without their leading zeros, from what follows them.
fn leading_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.trim_start_matches('0'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_names(paths: &[PathBuf]) -> Vec<&str> {
        paths
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect()
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let mut names = vec![
            "b.jpg",
            "img10.jpg",
            "img9.jpg",
            "Img1.jpg",
            "img010.jpg",
            "img9a.jpg",
            "img99999999999999999999999999.jpg",
            "img.jpg",
        ];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            [
                "b.jpg",
                "img.jpg",
                "Img1.jpg",
                "img9.jpg",
                "img9a.jpg",
                "img010.jpg",
                "img10.jpg",
                "img99999999999999999999999999.jpg",
            ]
        );
    }

    #[test]
    fn a_folder_gives_its_photos_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.JPG", "9.png", ".hidden.jpg", "notes.txt", "jpg"] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        fs::create_dir(folder.path().join("album.jpg")).unwrap();
        let explicit = PathBuf::from("no such folder/notes.txt");
        let (photos, errors) = list_photos(&[explicit.clone(), folder.path().to_owned()]);
        assert!(errors.is_empty());
        assert_eq!(photos[0], explicit);
        assert_eq!(file_names(&photos[1..]), ["9.png", "10.JPG"]);
    }

    #[test]
    fn a_folder_without_photos_is_one_error() {
        let folder = tempfile::tempdir().unwrap();
        let (photos, errors) = list_photos(&[folder.path().to_owned()]);
        assert!(photos.is_empty());
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("no photos in this folder"));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_followed_and_dangling_ones_kept() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("x"), b"x").unwrap();
        symlink(inner.join("x"), folder.path().join("1.jpg")).unwrap();
        symlink(inner.join("gone"), folder.path().join("2.jpg")).unwrap();
        symlink(&inner, folder.path().join("3.jpg")).unwrap();
        let (photos, _) = list_photos(&[folder.path().to_owned()]);
        assert_eq!(file_names(&photos), ["1.jpg", "2.jpg"]);
    }
}
