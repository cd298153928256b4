//! Owns the loaded networks, the device and every cache; answers plain requests with plain replies.
