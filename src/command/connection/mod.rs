//! The client's own connection: who it is, which protocol and database it uses, and the other clients.

use super::Command;

mod auth;
mod client;
pub use client::tracks;
mod ping;
mod quit;
mod select;

pub static COMMANDS: &[&Command] = &[
    &auth::AUTH,
    &auth::HELLO,
    &client::CLIENT,
    &ping::ECHO,
    &ping::PING,
    &quit::QUIT,
    &quit::RESET,
    &select::SELECT,
];
