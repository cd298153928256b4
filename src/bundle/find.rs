//! Where bundles are looked for; no path is compiled in.

use std::env;
use std::path::{Path, PathBuf};

use super::BundleError;
use super::load::MANIFEST;

/// The environment variable that names a bundle's folder.
pub const VARIABLE: &str = "BIAM_LENS_BUNDLE";
/// The bundle that is opened when none is named.
const DEFAULT: &str = "default";

/// The folder of the bundle to open: `named` (from `--bundle`), else the environment variable
/// `BIAM_LENS_BUNDLE`, else `weights/default` in the working folder, beside the program, or in the
/// user's data folder.
///
/// # Errors
/// The places that were searched, when none has a bundle; the last is the user's own. A named folder is not checked here.
pub fn find_bundle(named: Option<&Path>) -> Result<PathBuf, BundleError> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    if let Some(folder) = env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let places = places();
    places
        .iter()
        .find(|folder| folder.join(MANIFEST).is_file())
        .cloned()
        .ok_or_else(|| {
            let names = places.iter().map(|place| crate::files::shown(place));
            BundleError::NotFound(names.collect())
        })
}

fn places() -> Vec<PathBuf> {
    let weights = |parent: &Path| parent.join("weights").join(DEFAULT);
    let mut places = vec![weights(Path::new(""))];
    if let Ok(program) = env::current_exe()
        && let Some(folder) = program.parent()
    {
        places.push(weights(folder));
    }
    if let Some(folders) = directories::ProjectDirs::from("", "", "biam-lens") {
        places.push(weights(folders.data_dir()));
    }
    places
}
