//! Downloading published weights: the only room that uses the network, and only
//! `biam-lens fetch` comes here.
//!
//! [`Offer::look`] asks the server how large a file is and what its SHA-256 should be, without
//! fetching it; [`Offer::download`] fetches it into a part beside the target, goes on with a part
//! that is there from before, checks the SHA-256 and only then gives the file its name.

mod address;
mod checksum;
mod download;
mod error;
mod published;
mod server;

pub use checksum::Checksum;
pub use download::{Fetched, Offer, Step};
pub use error::FetchError;
pub use published::Published;
