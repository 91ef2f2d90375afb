//! Behaviour of the whole, against a real Postgres: one module per subject, `support` for what they share.

mod bounds;
mod generic;
mod bitmap;
mod generic;
mod postgres;
mod server;
mod sql;
mod string;
mod support;
mod tidy;
mod transactions;
