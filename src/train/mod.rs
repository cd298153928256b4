//! Training: what makes networks out of photos and words.

mod cholesky;
pub mod ridge;
