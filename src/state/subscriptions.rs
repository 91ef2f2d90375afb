//! What one client has subscribed to.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use crate::store::bus::Kind;

/// The names that a client has subscribed to. Changed by the client's own commands, and emptied when it goes.
#[derive(Debug, Default)]
pub struct Subscriptions {
    names: Mutex<[BTreeSet<Bytes>; 3]>,
    total: AtomicUsize,
}

impl Subscriptions {
    /// Whether there is none. Hot path.
    pub fn is_empty(&self) -> bool {
        self.total.load(Relaxed) == 0
    }

    pub fn contains(&self, kind: Kind, name: &Bytes) -> bool {
        self.names.lock().expect("no panic while held")[kind as usize].contains(name)
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.names.lock().expect("no panic while held")[kind as usize].len()
    }

    /// The number that confirmations say: channels and patterns together, sharded channels by themselves.
    pub fn announced(&self, kind: Kind) -> i64 {
        let names = self.names.lock().expect("no panic while held");
        let count = match kind {
            Kind::Shard => names[Kind::Shard as usize].len(),
            // Waited for, not subscribed to.
            Kind::Key => 0,
            Kind::Channel | Kind::Pattern => {
                names[Kind::Channel as usize].len() + names[Kind::Pattern as usize].len()
            }
        };
        count as i64
    }

    pub fn names(&self, kind: Kind) -> Vec<Bytes> {
        self.names.lock().expect("no panic while held")[kind as usize].iter().cloned().collect()
    }

    /// Whether it was not there.
    pub(super) fn insert(&self, kind: Kind, name: &Bytes) -> bool {
        self.change(|names| names[kind as usize].insert(name.clone()))
    }

    /// Whether it was there.
    pub(super) fn remove(&self, kind: Kind, name: &Bytes) -> bool {
        self.change(|names| names[kind as usize].remove(name))
    }

    /// Everything, which is then gone.
    pub(super) fn take(&self) -> Vec<(Kind, Bytes)> {
        self.change(|names| {
            let all = Kind::ALL.into_iter().zip(std::mem::take(names));
            all.flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name))).collect()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut [BTreeSet<Bytes>; 3]) -> T) -> T {
        let mut names = self.names.lock().expect("no panic while held");
        let outcome = change(&mut names);
        self.total.store(names.iter().map(BTreeSet::len).sum(), Relaxed);
        outcome
    }
}
