//! A redis-server with a fault, made by a proxy that changes one kind of command: the search has to find it.

use super::grammar::{Grammar, STREAMS, STRINGS, TALK};
use crate::broken::proxy::Fault;

pub struct Mutant {
    pub what: &'static str,
    /// What programs find it.
    pub grammar: &'static Grammar,
    pub fault: Fault,
}

/// Of strings.
const fn changed(what: &'static str, request: fn(&mut Vec<Vec<u8>>)) -> Mutant {
    Mutant { what, grammar: &STRINGS, fault: Fault { request, ..Fault::NONE } }
}

const fn streams(what: &'static str, request: fn(&mut Vec<Vec<u8>>)) -> Mutant {
    Mutant { what, grammar: &STREAMS, fault: Fault { request, ..Fault::NONE } }
}

const fn talk(what: &'static str, fault: Fault) -> Mutant {
    Mutant { what, grammar: &TALK, fault }
}

pub const MUTANTS: &[Mutant] = &[
    changed("forgets the expiry in SET ... KEEPTTL", |args| {
        if is(args, "SET") {
            args.retain(|arg| !arg.eq_ignore_ascii_case(b"KEEPTTL"));
        }
    }),
    changed("takes GT for LT", |args| {
        if args.first().is_some_and(|name| name.to_ascii_uppercase().windows(6).any(|part| part == b"EXPIRE"))
            && let Some(word) = args.last_mut().filter(|word| word.eq_ignore_ascii_case(b"GT"))
        {
            *word = b"LT".to_vec();
        }
    }),
    changed("does not watch", |args| {
        if is(args, "WATCH") && args.len() > 1 {
            *args = vec![b"UNWATCH".to_vec()];
        }
    }),
    changed("counts INCR of large numbers by two", |args| {
        if is(args, "INCRBY") && args.len() == 3 && args[2].len() > 15 {
            args[2] = b"1".to_vec();
        }
    }),
    changed("pads SETRANGE wrongly at one offset", |args| {
        if is(args, "SETRANGE") && args.len() == 4 && args[2] == b"17" {
            args[2] = b"18".to_vec();
        }
    }),
    changed("loses the last pair of a long MSET", |args| {
        if is(args, "MSET") && args.len() > 7 && args.len() % 2 == 1 {
            args.truncate(args.len() - 2);
        }
    }),
    streams("makes a stream in spite of NOMKSTREAM", |args| without(args, "XADD", b"NOMKSTREAM")),
    streams("keeps as pending what was read with NOACK", |args| without(args, "XREADGROUP", b"NOACK")),
    streams("acknowledges one entry at a time", |args| {
        if is(args, "XACK") {
            args.truncate(4);
        }
    }),
    streams("takes an open bound for a closed one", |args| {
        if (is(args, "XRANGE") || is(args, "XREVRANGE")) && args.len() > 3 {
            for bound in args[2..4].iter_mut().filter(|bound| bound.starts_with(b"(")) {
                bound.remove(0);
            }
        }
    }),
    streams("counts a delivery when JUSTID does not", |args| without(args, "XAUTOCLAIM", b"JUSTID")),
    streams("does not know how many entries a group has read", |args| {
        if is(args, "XGROUP")
            && let Some(at) = args.iter().position(|arg| arg == b"ENTRIESREAD")
        {
            args.truncate(at);
        }
    }),
    talk(
        "loses the messages of one channel",
        Fault {
            message: |traffic, from, message| {
                if message.items.iter().all(|item| item.text != b"two") {
                    traffic.deliver(from, &message.raw);
                }
            },
            ..Fault::NONE
        },
    ),
    talk(
        "delivers messages by pattern twice",
        Fault {
            message: |traffic, from, message| {
                let copies = if message.items[0].text == b"pmessage" { 2 } else { 1 };
                traffic.deliver(from, &message.raw.repeat(copies));
            },
            ..Fault::NONE
        },
    ),
    talk(
        "does not block",
        Fault {
            request: |args| {
                if is(args, "XREADGROUP") {
                    args.retain(|arg| arg != b"BLOCK" && arg != b"0");
                }
            },
            ..Fault::NONE
        },
    ),
    talk(
        "serves the client that came later",
        Fault {
            reply: |traffic, from, reply| {
                let entries = reply.items.first().is_some_and(|stream| stream.items.len() == 2);
                let to = if entries { traffic.next(from) } else { from };
                traffic.deliver(to, &reply.raw);
            },
            ..Fault::NONE
        },
    ),
];

fn without(args: &mut Vec<Vec<u8>>, name: &str, option: &[u8]) {
    if is(args, name) {
        args.retain(|arg| arg != option);
    }
}

fn is(args: &[Vec<u8>], name: &str) -> bool {
    args.first().is_some_and(|arg| arg.eq_ignore_ascii_case(name.as_bytes()))
}
