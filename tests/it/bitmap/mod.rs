//! Strings as arrays of bits.

mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod getbit;
mod setbit;
