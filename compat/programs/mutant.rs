//! A redis-server with a fault, made by a proxy that changes one kind of command: the search has to find it.

use std::net::SocketAddr;

use crate::broken::proxy::{self, Fault};

pub struct Mutant {
    pub what: &'static str,
    change: fn(&mut Vec<Vec<u8>>),
}

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        what: "forgets the expiry in SET ... KEEPTTL",
        change: |args| {
            if is(args, "SET") {
                args.retain(|arg| !arg.eq_ignore_ascii_case(b"KEEPTTL"));
            }
        },
    },
    Mutant {
        what: "takes GT for LT",
        change: |args| {
            if args
                .first()
                .is_some_and(|name| name.to_ascii_uppercase().windows(6).any(|part| part == b"EXPIRE"))
                && let Some(word) = args.last_mut().filter(|word| word.eq_ignore_ascii_case(b"GT"))
            {
                *word = b"LT".to_vec();
            }
        },
    },
    Mutant {
        what: "does not watch",
        change: |args| {
            if is(args, "WATCH") && args.len() > 1 {
                *args = vec![b"UNWATCH".to_vec()];
            }
        },
    },
    Mutant {
        what: "counts INCR of large numbers by two",
        change: |args| {
            if is(args, "INCRBY") && args.len() == 3 && args[2].len() > 15 {
                args[2] = b"1".to_vec();
            }
        },
    },
    Mutant {
        what: "pads SETRANGE wrongly at one offset",
        change: |args| {
            if is(args, "SETRANGE") && args.len() == 4 && args[2] == b"17" {
                args[2] = b"18".to_vec();
            }
        },
    },
    Mutant {
        what: "loses the last pair of a long MSET",
        change: |args| {
            if is(args, "MSET") && args.len() > 7 && args.len() % 2 == 1 {
                args.truncate(args.len() - 2);
            }
        },
    },
];

fn is(args: &[Vec<u8>], name: &str) -> bool {
    args.first().is_some_and(|arg| arg.eq_ignore_ascii_case(name.as_bytes()))
}

impl Mutant {
    /// Listens on a free port for as long as the process lives.
    pub fn start(&self, server: SocketAddr) -> std::io::Result<SocketAddr> {
        proxy::start(Fault { request: self.change, ..Fault::NONE }, server)
    }
}
