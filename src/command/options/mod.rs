//! Option groups that several commands share.

mod database;
mod expiry;

pub use database::{database, existing};
pub use expiry::{ExpiryOption, checked};
