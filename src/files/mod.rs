//! The few ways this program touches files: bounded read, write-beside-and-rename, `.npy`.
