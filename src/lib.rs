//! respg: Redis's protocol, Postgres's truth. `src/ARCHITECTURE.md` is the map.

pub mod command;
pub mod config;
pub mod copy;
pub mod cpus;
pub mod exec;
pub mod keyspace;
pub mod layer;
pub mod migrate;
pub mod postgres;
pub mod resp;
pub mod server;
pub mod session;
pub mod shadow;
pub mod state;
pub mod store;
pub mod upstream;
