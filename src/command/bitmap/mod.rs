//! Strings as arrays of bits.

use super::Command;
use super::prelude::*;
use crate::keyspace::bits::Unit;
use crate::keyspace::number::parse_i64;

mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod getbit;
mod setbit;

pub static COMMANDS: &[&Command] = &[
    &bitcount::BITCOUNT,
    &bitfield::BITFIELD,
    &bitfield::BITFIELD_RO,
    &bitop::BITOP,
    &bitpos::BITPOS,
    &getbit::GETBIT,
    &setbit::SETBIT,
];

/// A bit's offset in a string of at most `max` bytes.
fn bit_offset(word: &[u8], max: usize) -> Result<u64, CommandError> {
    parse_i64(word).and_then(|offset| within(offset, max)).ok_or(CommandError::BIT_OFFSET)
}

fn within(offset: i64, max: usize) -> Option<u64> {
    u64::try_from(offset).ok().filter(|offset| offset / 8 < max as u64)
}

/// BYTE or BIT.
fn unit(word: &[u8]) -> Result<Unit, CommandError> {
    match () {
        _ if word.eq_ignore_ascii_case(b"BIT") => Ok(Unit::Bit),
        _ if word.eq_ignore_ascii_case(b"BYTE") => Ok(Unit::Byte),
        _ => Err(CommandError::SYNTAX),
    }
}

fn index(word: &[u8]) -> Result<i64, CommandError> {
    parse_i64(word).ok_or(CommandError::NOT_AN_INTEGER)
}
