//! How much a disk has left.

use std::path::Path;

/// Bytes that this user may still write to the disk of `folder`; `None` where the system does not
/// say.
#[cfg(unix)]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    use std::ffi::CString;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;

    let name = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut facts = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `name` ends with a zero, and `facts` has room for what the call writes.
    if unsafe { libc::statvfs(name.as_ptr(), facts.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it wrote all of `facts`.
    let facts = unsafe { facts.assume_init() };
    #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
    Some((facts.f_bavail as u64).saturating_mul(facts.f_frsize as u64))
}

#[cfg(not(unix))]
pub fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_disk_says_what_is_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).is_some());
        assert_eq!(free_bytes(&folder.path().join("missing")), None);
    }
}
