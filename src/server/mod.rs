//! Sockets and the life of the process: start, listen, stop. Knows everything, is known by nobody.

mod connection;
mod listener;
mod start;
mod threads;

pub use start::{Foundation, Server, StartError};
