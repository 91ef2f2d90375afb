//! The pure rules of Redis's data: what keys and values are and how they are read, without any idea of where they are kept.

mod entry;
pub mod glob;
mod key;
pub mod number;

pub use entry::{DbIndex, Entry, Expiry, Kind, Value};
pub use key::{StoredKey, long_key};
