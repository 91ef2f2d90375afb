//! respg's own Postgres: lifecycle and recovery; what respg asks of the machine.

mod awake;
mod held;
mod lifecycle;
mod pgbouncer;
mod process;
mod recovery;
mod refusals;
mod refused;
mod shared;
mod tls;
