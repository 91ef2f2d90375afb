//! respg's own Postgres: lifecycle and recovery.

mod lifecycle;
mod process;
mod recovery;
mod refusals;
mod shared;
