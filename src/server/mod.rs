//! Sockets and the life of the process: start, listen, stop. Knows everything, is known by nobody.

mod awake;
mod connection;
mod foundation;
mod listener;
mod mode;
mod placement;
mod start;
mod threads;

pub use foundation::{Foundation, StartError};
pub use start::Server;
