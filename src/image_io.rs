//! Opens a photo safely and brings it to the size a network takes.
