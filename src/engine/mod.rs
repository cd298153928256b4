//! Owns the loaded networks, the device and every cache; answers plain requests with plain replies.

mod cache;
pub mod device;
mod error;
mod labels;
pub mod messages;
pub mod photos;
pub mod samples;
pub mod session;
mod true_labels;
pub mod worker;

pub use crate::image_io::PhotoFact;
pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub use error::EngineError;
pub use messages::{
    BundleFacts, Comparison, Failure, Grid, LabelFacts, OrdinaryResponses, PhotoSource, Ranking,
    RefusedLabel, Reply, Request, ResponseMap, ShownPhoto, StageTime, TrueLabels, WorkProgress,
};
pub use photos::{PreparedPhoto, prepare, prepare_unshown};
pub use session::{Session, Wanted};
pub use worker::{Worker, WorkerOptions};
