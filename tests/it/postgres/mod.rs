//! respg's own Postgres: lifecycle and recovery.

mod lifecycle;
mod recovery;
mod refusals;
mod shared;
