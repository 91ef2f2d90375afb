//! Behaviour of the whole, against a real Postgres: one module per subject, `support` for what they share.

mod bitmap;
mod blocking;
mod bounds;
mod cluster;
mod connection;
mod generic;
mod migrate;
mod options;
mod passing;
mod postgres;
mod pubsub;
mod server;
mod shadow;
mod sql;
mod stream;
mod string;
mod support;
mod tidy;
mod transactions;
