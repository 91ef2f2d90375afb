//! Strings and what is done to them as text and numbers.

use super::Command;

mod get;
mod incr;
mod set;

pub static COMMANDS: &[&Command] =
    &[&get::GET, &incr::INCR, &incr::DECR, &incr::INCRBY, &incr::DECRBY, &set::SET];
