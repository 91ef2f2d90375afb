//! The rules of Redis's data, as pure functions over bytes: no I/O, no clock, no protocol, no storage.

pub mod bitfield;
pub mod bits;
pub mod extended;
pub mod glob;
pub mod key;
pub mod lcs;
pub mod number;
pub mod rdb;
pub mod slot;
