//! The keys that have been written since they were last brought over: each once, the one that has waited longest first. Bounded: what is beyond is given
//! up, and found again by the repair of its slot.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use smallvec::smallvec;
use tokio::sync::Notify;

use crate::keyspace::slot::Slot;
use crate::shadow::dirty::Dirty;
use crate::shadow::effect::Name;
use crate::shadow::record::Touched;
use crate::shadow::report::now_ms;

/// What a key takes beside its name: it stands in two places.
const OVERHEAD: usize = 120;

pub struct Changes {
    inner: Mutex<Inner>,
    ready: Notify,
    dirty: Arc<Dirty>,
    /// Most bytes of memory.
    bound: usize,
    pub counts: Counts,
}

/// Since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Writes of keys.
    pub queued: AtomicU64,
    /// Those that nobody has to follow any more, since their key was waiting anyway.
    pub coalesced: AtomicU64,
    /// Given up: there were too many.
    pub dirty: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// With the time of the first write, in milliseconds since the epoch.
    line: VecDeque<(i64, Name)>,
    waiting: HashSet<Name>,
    bytes: usize,
    /// Keys that were taken and are not done.
    taken: u64,
    /// When the oldest of them was written.
    taken_since: i64,
    closed: bool,
}

impl Changes {
    pub fn new(dirty: Arc<Dirty>, bound: usize) -> Changes {
        let (inner, ready, counts) = (Mutex::default(), Notify::new(), Counts::default());
        Changes { inner, ready, dirty, bound, counts }
    }

    /// Keys have been written, whose slots were marked before: once for each.
    pub fn add(&self, names: impl IntoIterator<Item = Name>) {
        let now = now_ms();
        let mut inner = self.lock();
        for name in names {
            self.counts.queued.fetch_add(1, Relaxed);
            let size = size(&name);
            if inner.waiting.contains(&name) {
                // It is still to be read: this write will be seen then, and the mark of the earlier one is left.
                self.counts.coalesced.fetch_add(1, Relaxed);
                self.dirty.end(&slot(&name));
            } else if inner.bytes + size > self.bound {
                self.counts.dirty.fetch_add(1, Relaxed);
                self.dirty.give_up(&slot(&name));
            } else {
                inner.bytes += size;
                // Not a piece of a client's input buffer.
                let name = (name.0, Bytes::copy_from_slice(&name.1));
                inner.waiting.insert(name.clone());
                inner.line.push_back((now, name));
            }
        }
        drop(inner);
        self.ready.notify_one();
    }

    /// Waits for keys and takes some; what is written from now on waits again. `None` after [`Changes::close`]. Nothing is lost if the future is dropped.
    pub async fn take(&self, most: usize) -> Option<Vec<Name>> {
        loop {
            let ready = self.ready.notified();
            if self.is_closed() {
                return None;
            }
            let taken = self.try_take(most);
            if !taken.is_empty() {
                return Some(taken);
            }
            ready.await;
        }
    }

    /// Nothing is taken any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn try_take(&self, most: usize) -> Vec<Name> {
        let mut inner = self.lock();
        let count = most.min(inner.line.len());
        if let Some((since, _)) = inner.line.front() {
            inner.taken_since = *since;
        }
        let taken: Vec<Name> = inner.line.drain(..count).map(|(_, name)| name).collect();
        for name in &taken {
            inner.bytes -= size(name);
            inner.waiting.remove(name);
        }
        inner.taken += taken.len() as u64;
        taken
    }

    /// Keys that were taken are what they should be on the other side.
    pub fn done(&self, names: impl IntoIterator<Item = Name>) {
        let mut count = 0;
        for name in names {
            self.dirty.end(&slot(&name));
            count += 1;
        }
        self.lock().taken -= count;
    }

    /// Keys that were taken are to be read again. Their marks go along.
    pub fn put_back(&self, names: Vec<Name>) {
        let count = names.len() as u64;
        self.add(names);
        self.lock().taken -= count;
    }

    /// How many keys are not brought over.
    pub fn len(&self) -> u64 {
        let inner = self.lock();
        inner.line.len() as u64 + inner.taken
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// When the oldest write that is not followed was made, if there is one.
    pub fn behind_since(&self) -> Option<i64> {
        let inner = self.lock();
        match inner.taken {
            0 => inner.line.front().map(|(since, _)| *since),
            _ => Some(inner.taken_since),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

pub fn slot((_, key): &Name) -> Touched {
    Touched::Slots(smallvec![Slot::of(key).0])
}

fn size((_, key): &Name) -> usize {
    OVERHEAD + key.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::DbIndex;

    fn name(key: &'static str) -> Name {
        (DbIndex(0), Bytes::from_static(key.as_bytes()))
    }

    fn write(changes: &Changes, key: &'static str) {
        changes.dirty.begin(&slot(&name(key))).unwrap();
        changes.add([name(key)]);
    }

    /// No mark is lost and none is left.
    #[tokio::test]
    async fn each_key_waits_once() {
        let folder = std::env::temp_dir().join(format!("respg-changes-{}", std::process::id()));
        let dirty = Arc::new(Dirty::open(&folder, false).unwrap());
        let changes = Changes::new(dirty.clone(), 2 * OVERHEAD + 10);
        let marked = || {
            dirty.sweep().unwrap();
            dirty.marked()
        };
        for key in ["a", "b", "a", "a"] {
            write(&changes, key);
        }
        assert_eq!((changes.len(), marked()), (2, 2));
        let taken = changes.take(1).await.unwrap();
        assert_eq!((taken.as_slice(), changes.len()), (&[name("a")][..], 2));
        // Written while it is being read.
        write(&changes, "a");
        changes.done(taken);
        assert_eq!((changes.len(), marked()), (2, 2));
        write(&changes, "c");
        assert!(dirty.is_broken(Slot::of(b"c").0), "there is no room for it");
        let taken = changes.take(9).await.unwrap();
        assert_eq!(taken, [name("b"), name("a")]);
        write(&changes, "b");
        changes.put_back(vec![name("b")]);
        changes.done([name("a")]);
        assert_eq!((changes.len(), marked(), changes.behind_since().is_some()), (1, 2, true));
        let taken = changes.take(9).await.unwrap();
        changes.done(taken);
        assert_eq!((changes.len(), changes.bytes(), marked(), changes.behind_since()), (0, 0, 1, None));
        changes.close();
        assert_eq!(changes.take(1).await, None);
        let _ = std::fs::remove_dir_all(&folder);
    }
}
