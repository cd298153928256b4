//! Everything a user does on the command line, through the program itself.

mod bundles;
mod commands;
mod eval;
mod fetch;
mod foreign;
mod import;
mod maps;
mod photos;
mod predict;
mod render;
mod server;
mod support;
mod train;
mod words;
