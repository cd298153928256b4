//! Evaluation: how well networks rank labels they were and were not trained on, whether their maps
//! are where the things are, and what they cost.
//!
//! [`predictions`] puts photos through the networks, [`protocol`] says which labels are ranked together,
//! [`mod@average_precision`], [`f1`] and [`localisation`] are the metrics, [`agreement`] and [`bootstrap`]
//! hold networks against each other, [`report`] is all that was found, [`table`] and [`per_label`] show
//! it.

pub mod agreement;
pub mod average_precision;
pub mod bootstrap;
pub mod cost;
mod error;
pub mod f1;
mod judged;
pub mod localisation;
pub mod per_label;
pub mod predictions;
pub mod protocol;
pub mod report;
pub mod split;
pub mod table;

pub use average_precision::{MeanAveragePrecision, average_precision};
pub use error::EvalError;
pub use f1::{F1, TopK};
pub use judged::Judged;
pub use localisation::{Localisation, Located, Rectangle};
pub use protocol::Protocol;
pub use report::Report;
