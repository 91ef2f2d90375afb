//! Behaviour of the whole, against a real Postgres: one module per subject, `support` for what they share.

mod bitmap;
mod postgres;
mod string;
mod support;
mod tidy;
