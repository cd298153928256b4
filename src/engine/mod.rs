//! Owns the loaded networks, the device and every cache; answers plain requests with plain replies.

pub mod device;
pub mod messages;
pub mod worker;

pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub use messages::{
    BundleFacts, Comparison, Failure, Grid, LabelFacts, OrdinaryResponses, Photo, PhotoSource,
    Progress, Ranking, Reply, Request, ResponseMap, StageTime,
};
pub use worker::Worker;
