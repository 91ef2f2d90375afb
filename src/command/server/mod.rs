//! The server as a whole: its databases, its settings, its state.

use super::Command;

mod dbsize;
mod flush;
mod info;
mod swapdb;

pub static COMMANDS: &[&Command] =
    &[&dbsize::DBSIZE, &flush::FLUSHALL, &flush::FLUSHDB, &info::INFO, &swapdb::SWAPDB];
