//! Turns replies into pictures: one display list, painted on the screen and into files.
