//! Labels as text and as vectors: label encoders, and what a label is to a bundle.
