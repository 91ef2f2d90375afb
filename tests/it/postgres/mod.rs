//! respg's own Postgres: lifecycle and recovery.

mod lifecycle;
mod pgbouncer;
mod process;
mod recovery;
mod refusals;
mod refused;
mod shared;
mod tls;
