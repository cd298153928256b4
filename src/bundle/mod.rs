//! A model folder on disk: manifest, weights, label lists; and the import that makes one.
