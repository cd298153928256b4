//! Where the files of a COCO set lie: as COCO publishes them, and as annotation tools export them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::text::open_stream;

const PREFIX: &str = "instances_";
/// What Roboflow calls the file beside the photos of a part.
const BESIDE_PHOTOS: &str = "_annotations.coco.json";
/// So much of a file shows what it is.
const HEAD: u64 = 64 << 10;

/// What is looked for, for messages.
pub(in super::super) const LOOKED_FOR: &str = "annotations/instances_NAME.json, PART/_annotations.coco.json \
     or another .json with images, annotations and categories";

/// The parts of the set in `folder` with their files, each part once.
pub(super) fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let annotations = folder.join("annotations");
    let mut files: Vec<(String, PathBuf)> = [&annotations, folder]
        .into_iter()
        .flat_map(json_files)
        .filter_map(|path| Some((instances(&path)?, path)))
        .collect();
    for inner in entries(folder).filter(|path| path.is_dir()) {
        let path = inner.join(BESIDE_PHOTOS);
        if path.is_file() {
            files.push((part_of_file(&path), path));
        }
    }
    if files.is_empty() {
        let others = [&annotations, folder].into_iter().flat_map(json_files);
        files.extend(
            others
                .filter(|path| looks_like(path))
                .map(|path| (part_of_file(&path), path)),
        );
    }
    files.sort();
    files.dedup_by(|second, first| second.0 == first.0);
    files
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn json_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    entries(folder).filter(|path| is_json(path))
}

/// Whether a file's name says that it is JSON.
pub(in super::super) fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// `val2017` of `instances_val2017.json`.
fn instances(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.strip_prefix(PREFIX)?.to_owned())
}

/// The part that a single file is: what its name says or, of Roboflow's, its folder's.
pub(in super::super) fn part_of_file(path: &Path) -> String {
    if path.file_name().is_some_and(|name| name == BESIDE_PHOTOS) {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let folder = whole.parent().and_then(Path::file_name).unwrap_or_default();
        return folder.to_string_lossy().into_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    instances(path).unwrap_or_else(|| stem.into_owned())
}

/// Whether a file of any name begins like a COCO file: one of its lists, and none of the lists of
/// COCO's files without boxes.
fn looks_like(path: &Path) -> bool {
    let other = ["captions_", "image_info_", "panoptic_", "stuff_"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if other.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    let mut head = Vec::new();
    let read = open_stream(path).map(|stream| stream.take(HEAD).read_to_end(&mut head));
    let text = String::from_utf8_lossy(&head);
    let has_list = |key: &str| {
        text.split(key).skip(1).any(|after| {
            let value = after.trim_start().strip_prefix(':');
            value.is_some_and(|value| value.trim_start().starts_with('['))
        })
    };
    let lists = ["\"images\"", "\"annotations\"", "\"categories\""];
    matches!(read, Ok(Ok(_))) && lists.into_iter().any(has_list)
}

/// Folders in which the photos of the file `path` of the set in `folder` may lie, the likeliest
/// first.
pub(super) fn photo_folders(path: &Path, folder: &Path, part: &str) -> Vec<PathBuf> {
    let beside = path.parent().unwrap_or(Path::new(""));
    let above = beside.join("..");
    let mut folders = Vec::new();
    for base in [folder, beside, &above] {
        let images = base.join("images");
        folders.extend([
            base.join(part),
            images.join(part),
            images,
            base.join("data"),
        ]);
        folders.push(base.to_owned());
    }
    // What lies above a set is no part of it, but for files in its folder of annotations.
    if path.file_name().is_some_and(|name| name == BESIDE_PHOTOS) {
        folders.retain(|candidate| !candidate.starts_with(&above));
        folders.insert(0, beside.to_owned());
    }
    folders
}
