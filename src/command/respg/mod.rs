//! What Redis does not have. Every name begins with `RESPG.`, as those of a module do.

use super::Command;

mod mode;
mod shadow;
mod stream;

pub static COMMANDS: &[&Command] = &[&mode::MODE, &shadow::SHADOW, &stream::STREAM];
