//! Owns the loaded networks, the device and every cache; answers plain requests with plain replies.

mod cache;
pub mod device;
mod error;
pub mod inside;
mod labels;
pub mod messages;
pub mod occlusion;
pub mod photos;
pub mod samples;
pub mod scene;
pub mod session;
mod true_labels;
pub mod worker;

pub use crate::image_io::PhotoFact;
pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub use error::EngineError;
pub use inside::{Looks, NetworkInside, PartMaps, PhotoInside, RegionLooks};
pub use messages::{
    BundleFacts, Comparison, Failure, Grid, LabelFacts, OrdinaryResponses, PhotoSource, Ranking,
    RefusedLabel, Reply, Request, ResponseMap, ShownPhoto, StageTime, TrueLabels, WorkProgress,
};
pub use occlusion::{Area, Cover, Covering, Occluded};
pub use photos::{PreparedPhoto, prepare, prepare_unshown};
pub use scene::{NetworkScene, OtherScene};
pub use session::{Session, Wanted};
pub use worker::{Worker, WorkerOptions};
