//! The Redis that is moved from or to, as this process sees it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::random_hex;
use crate::upstream::{Pipe, Url};

/// Most names of commands that are counted; what comes later is not listed.
const MOST_NAMES: usize = 1000;

/// The way to the upstream, and what was seen on it.
pub struct Upstream {
    pub pipe: Arc<Pipe>,
    /// Replies that clients wait for on connections of their own, those aside that are sent more than replies.
    pub waiting: AtomicUsize,
    foreign: Mutex<BTreeMap<String, u64>>,
    /// Of how many keys in a hundred Postgres answers reads in shadow mode, if it can.
    pub reads: AtomicU8,
    /// Reads that it has answered.
    pub read_here: AtomicU64,
}

impl Upstream {
    pub fn new(url: Url) -> Upstream {
        Upstream {
            pipe: Arc::new(Pipe::new(url, format!("respg-{}", random_hex(16)))),
            waiting: AtomicUsize::new(0),
            foreign: Mutex::default(),
            reads: AtomicU8::new(0),
            read_here: AtomicU64::new(0),
        }
    }

    /// Counts a call of a command that respg does not know (or not in this form).
    pub fn count_foreign(&self, argv: &[Bytes], words: usize) {
        let name = argv.iter().take(words).map(|word| word.escape_ascii().to_string().to_ascii_uppercase());
        let mut foreign = self.foreign.lock().expect("no panic while held");
        let name = name.collect::<Vec<_>>().join("|");
        if foreign.contains_key(&name) || (foreign.len() < MOST_NAMES && name.len() < 128) {
            *foreign.entry(name).or_default() += 1;
        }
    }

    /// Calls of commands that would fail without the upstream, by name.
    pub fn foreign(&self) -> BTreeMap<String, u64> {
        self.foreign.lock().expect("no panic while held").clone()
    }
}
