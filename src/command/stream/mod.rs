//! Streams: what is appended, read and trimmed. The commands that write are functions over the stream in memory (`keyspace::stream`);
//! those that only read are one statement each.

use super::Command;

mod copy;
mod named;
mod reading;
mod trimming;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

pub use copy::STREAM;

pub static COMMANDS: &[&Command] = &[
    &xack::XACK,
    &xadd::XADD,
    &xautoclaim::XAUTOCLAIM,
    &xclaim::XCLAIM,
    &xdel::XDEL,
    &xgroup::XGROUP,
    &xinfo::XINFO,
    &xlen::XLEN,
    &xpending::XPENDING,
    &xrange::XRANGE,
    &xrange::XREVRANGE,
    &xread::XREAD,
    &xreadgroup::XREADGROUP,
    &xsetid::XSETID,
    &xtrim::XTRIM,
];
