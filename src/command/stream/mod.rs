//! Streams: what is appended, read and trimmed. The commands that write are functions over the stream in memory (`keyspace::stream`);
//! those that only read are one statement each.

use super::Command;

mod reading;
mod trimming;
mod xadd;
mod xdel;
mod xlen;
mod xrange;
mod xread;
mod xsetid;
mod xtrim;

pub static COMMANDS: &[&Command] = &[
    &xadd::XADD,
    &xdel::XDEL,
    &xlen::XLEN,
    &xrange::XRANGE,
    &xrange::XREVRANGE,
    &xread::XREAD,
    &xsetid::XSETID,
    &xtrim::XTRIM,
];
