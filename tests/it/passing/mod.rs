//! respg in front of a real Redis, and the change of who answers.

mod away;
mod identity;
mod redis;
mod switch;
