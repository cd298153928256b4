//! Labels as text and as vectors: label encoders, and what a label is to a bundle.

use serde::{Deserialize, Serialize};

/// What a label is to a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelStatus {
    /// A training label of the ranking loss.
    Seen,
    /// Only its name was among the semantic teacher's classes.
    Taught,
    /// Neither: a zero-shot label.
    Unseen,
}
