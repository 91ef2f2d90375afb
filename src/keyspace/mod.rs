//! The pure rules of Redis's data: what keys and values are and how they are read, without any idea of where they are kept.

pub mod bitfield;
pub mod bits;
mod entry;
mod event;
pub mod extended;
pub mod glob;
mod key;
pub mod lcs;
pub mod number;
mod objects;
pub mod rdb;
pub mod slot;
pub mod stream;

pub use entry::{DbIndex, Entry, Expiry, Kind, Value};
pub use event::{Classes, Event};
pub use key::{LONGEST_RAW, StoredKey, long_key};
pub use objects::{Object, Objects};
