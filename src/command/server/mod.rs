//! The server as a whole: its databases, its settings, its state.

use super::Command;

mod command;
mod config;
mod dbsize;
mod flush;
mod info;
mod swapdb;

pub static COMMANDS: &[&Command] = &[
    &command::COMMAND,
    &config::CONFIG,
    &dbsize::DBSIZE,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &info::INFO,
    &swapdb::SWAPDB,
];
