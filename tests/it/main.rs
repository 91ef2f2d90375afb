//! Behaviour of the whole, against a real Postgres: one module per subject, `support` for what they share.

mod postgres;
mod server;
mod string;
mod support;
mod tidy;
