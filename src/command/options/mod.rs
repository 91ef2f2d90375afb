//! Option groups that several commands share.

mod database;
mod expiry;
mod timeout;

pub use database::{database, existing};
pub use expiry::{ExpiryOption, UncheckedExpiry, checked};
pub use timeout::milliseconds;
