//! Option groups that several commands share.

mod expiry;

pub use expiry::{ExpiryOption, checked};
