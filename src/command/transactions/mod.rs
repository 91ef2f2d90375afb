//! MULTI, EXEC and what belongs to them.

use super::Command;

mod exec;
mod multi;
mod watch;

pub static COMMANDS: &[&Command] =
    &[&exec::EXEC, &multi::DISCARD, &multi::MULTI, &watch::UNWATCH, &watch::WATCH];
