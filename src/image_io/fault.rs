//! Why a decoder of our own gives no pixels.

/// What stands in the way, without the file's name.
#[derive(Debug)]
pub(super) enum Fault {
    Unsupported(String),
    Damaged(String),
    /// So many per cent of it could be read, where that can be told.
    Incomplete(Option<u8>),
    TooMuchMemory,
}
