//! What several tests need.

pub mod authority;
pub mod client;
pub mod files;
pub mod matrix;
pub mod pg;
pub mod redis;
pub mod respg;
pub mod server;
pub mod tcp_postgres;
pub mod way;
