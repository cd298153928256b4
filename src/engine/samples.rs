//! Sample photos inside the program, so that it has something to show from the first second.

