//! Training: what makes networks out of photos and words.
//!
//! [`training_loop`] runs epochs of [`batches`] through a [`learner`], which minimises the
//! [`ranking_loss`] (Eq. 10) and, where there is a [`teacher`], its [`distillation`] with [`adam`];
//! what comes out is a [`head`] of a bundle.

pub mod adam;
pub mod batches;
pub mod checkpoint;
mod cholesky;
pub mod distillation;
mod early_stop;
mod error;
pub mod experiment;
pub mod head;
pub mod initial;
pub mod label_features;
pub mod learner;
pub mod linear_start;
pub mod log;
pub mod parts;
pub mod photos;
pub mod random;
pub mod ranking_loss;
pub mod ready;
pub mod ridge;
pub mod schedule;
pub mod settings;
pub mod statistics;
pub mod teacher;
pub mod training_loop;

pub use error::TrainError;
pub use settings::{Recipe, TrainSettings};
pub use training_loop::{Ending, Finished, Run};
