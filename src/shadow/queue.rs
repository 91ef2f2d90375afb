//! The records that wait for the follower: in memory up to a bound, then on disk up to another, then not at all - their slots are given up and
//! repaired later. Who puts a record in never waits: it holds a lock for a push and no more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use super::dirty::Dirty;
use super::record::Record;
use super::spool::Spool;

/// How much the queue may hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub memory: usize,
    pub disk: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { memory: 64 << 20, disk: 10 << 30 }
    }
}

/// Records move from disk in pieces of this size.
const PIECE: usize = 4 << 20;
/// They move to disk when so much of them waits: each by itself would wake the spool's thread, and that would be in the way of who puts them in.
const WORTH_WRITING: usize = 1 << 20;

pub struct Queue {
    inner: Mutex<Inner>,
    bounds: Bounds,
    /// Something can be taken.
    ready: Notify,
    /// There is something to do for the spool's thread.
    spooler: Condvar,
    dirty: Arc<Dirty>,
    pub counts: Counts,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// Since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub queued: AtomicU64,
    pub spilled: AtomicU64,
    /// Given up: memory and disk were full.
    pub dirty: AtomicU64,
}

/// Records are taken from `front`. While there are older ones on disk than those that come in, these wait in `back` for their turn to be written.
#[derive(Default)]
struct Inner {
    front: VecDeque<Record>,
    back: VecDeque<Record>,
    /// Memory of both.
    bytes: usize,
    /// Memory of `back`.
    back_bytes: usize,
    /// Whether new records go to `back`.
    spooling: bool,
    on_disk: u64,
    /// Records in the queue, on disk or not.
    length: u64,
    /// Records that were taken and are not done.
    taken: u64,
    closed: bool,
}

impl Queue {
    /// The queue, and the thread that keeps its spool, which ends when the queue is closed.
    pub fn start(bounds: Bounds, spool: Spool, dirty: Arc<Dirty>) -> std::io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue {
            inner: Mutex::default(),
            bounds,
            ready: Notify::new(),
            spooler: Condvar::new(),
            dirty,
            counts: Counts::default(),
            keeper: Mutex::default(),
        });
        let kept = queue.clone();
        let keeper = std::thread::Builder::new().name("respg-spool".to_owned());
        let keeper = keeper.spawn(move || kept.keep_spool(spool))?;
        *queue.keeper.lock().expect("no panic while held") = Some(keeper);
        Ok(queue)
    }

    /// Appends a record. Its slots have been marked.
    pub fn push(&self, mut record: Record) {
        record.detach();
        let mut size = record.size();
        let mut inner = self.lock();
        if inner.bytes + size > 2 * self.bounds.memory && record.forget_state() {
            size = 0;
        }
        if inner.closed || (size > 0 && inner.bytes + size > 2 * self.bounds.memory) {
            drop(inner);
            self.counts.dirty.fetch_add(1, Relaxed);
            self.dirty.give_up(&record.touched);
            return;
        }
        self.counts.queued.fetch_add(1, Relaxed);
        inner.bytes += record.size();
        inner.length += 1;
        if !inner.spooling && inner.bytes > self.bounds.memory {
            inner.spooling = true;
        }
        if inner.spooling {
            inner.back_bytes += record.size();
            inner.back.push_back(record);
            if self.is_worth_writing(&inner) {
                self.spooler.notify_one();
            }
        } else {
            inner.front.push_back(record);
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// Waits for records and takes some off the front: at most so many, and not many more bytes than that. None if the queue is closed.
    pub async fn take(&self, most: usize, bytes: usize) -> Vec<Record> {
        loop {
            let ready = self.ready.notified();
            let taken = self.try_take(most, bytes);
            if !taken.is_empty() || self.is_closed() {
                return taken;
            }
            ready.await;
        }
    }

    /// So many of those that were taken are done.
    pub fn done(&self, records: usize) {
        self.lock().taken -= records as u64;
    }

    /// How many records were put in, and how many of them are done.
    pub fn progress(&self) -> (u64, u64) {
        let inner = self.lock();
        let put = self.counts.queued.load(Relaxed);
        (put, put - inner.length - inner.taken)
    }

    /// How many records wait or were taken and are not done.
    pub fn unfinished(&self) -> u64 {
        let inner = self.lock();
        inner.length + inner.taken
    }

    fn try_take(&self, most: usize, bytes: usize) -> Vec<Record> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        if inner.closed {
            return taken;
        }
        let mut size = 0;
        while taken.len() < most
            && size < bytes
            && let Some(record) = inner.front.pop_front()
        {
            size += record.size();
            taken.push(record);
        }
        inner.bytes -= size;
        inner.length -= taken.len() as u64;
        inner.taken += taken.len() as u64;
        if inner.spooling && inner.front.is_empty() {
            self.spooler.notify_one();
        }
        taken
    }

    /// How many records wait.
    pub fn len(&self) -> u64 {
        self.lock().length
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory and on disk.
    pub fn bytes(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.bytes, inner.on_disk)
    }

    /// From here on everything is given up, and nothing is taken any more; the spool's thread ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.spooler.notify_one();
        self.ready.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until the spool's thread has ended. Blocking.
    pub fn join(&self) {
        let keeper = self.keeper.lock().expect("no panic while held").take();
        // It has no result, and if it has panicked that was said.
        let _ = keeper.map(JoinHandle::join);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }

    /// Moves records between memory and disk.
    fn keep_spool(&self, mut spool: Spool) {
        let mut inner = self.lock();
        while !inner.closed {
            if inner.spooling && inner.front.is_empty() {
                inner = match spool.is_empty() {
                    true => self.end_spooling(inner),
                    false => self.read_back(inner, &mut spool),
                };
                continue;
            }
            // What waits behind the spool is written when it is worth it; until then it may be that nothing has to be.
            if inner.spooling && self.is_worth_writing(&inner) {
                inner = self.write_out(inner, &mut spool);
                continue;
            }
            let waited = self.spooler.wait_timeout(inner, Duration::from_millis(200));
            inner = waited.expect("no panic while held").0;
        }
        drop(inner);
        spool.clear();
    }

    fn is_worth_writing(&self, inner: &Inner) -> bool {
        let memory = self.bounds.memory;
        inner.bytes > memory / 2 && inner.back_bytes > WORTH_WRITING.min(memory / 16)
    }

    /// Nothing is on disk: what has come since is next.
    fn end_spooling<'q>(&'q self, mut inner: MutexGuard<'q, Inner>) -> MutexGuard<'q, Inner> {
        let Inner { front, back, .. } = &mut *inner;
        std::mem::swap(front, back);
        inner.back_bytes = 0;
        inner.spooling = inner.bytes > self.bounds.memory;
        self.ready.notify_one();
        if inner.front.is_empty() {
            inner.spooling = false;
        }
        inner
    }

    fn read_back<'q>(&'q self, inner: MutexGuard<'q, Inner>, spool: &mut Spool) -> MutexGuard<'q, Inner> {
        drop(inner);
        // What comes in meanwhile needs room, too, or it would be given up.
        let read = spool.take(PIECE.min(self.bounds.memory / 8));
        let mut inner = self.lock();
        match read {
            Ok(records) => {
                inner.bytes += records.iter().map(Record::size).sum::<usize>();
                inner.front.extend(records);
            }
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read: all keys will be compared and repaired");
                self.spool_lost(&mut inner, spool);
            }
        }
        inner.on_disk = spool.bytes();
        self.ready.notify_one();
        inner
    }

    fn write_out<'q>(&'q self, mut inner: MutexGuard<'q, Inner>, spool: &mut Spool) -> MutexGuard<'q, Inner> {
        let records = std::mem::take(&mut inner.back);
        inner.back_bytes = 0;
        drop(inner);
        let size = records.iter().map(Record::size).sum::<usize>();
        let mut count = records.len() as u64;
        let mut given_up = false;
        if spool.bytes() + size as u64 > self.bounds.disk {
            given_up = true;
        } else if let Err(error) = spool.write(&records) {
            tracing::error!(%error, "the spool cannot be written: keys are marked and repaired later");
            given_up = true;
        }
        let mut kept = VecDeque::new();
        if given_up {
            // Who has asked for a state waits for an answer; there are few of them.
            kept = records.into_iter().filter_map(|record| self.give_up(record)).collect();
            count -= kept.len() as u64;
            self.counts.dirty.fetch_add(count, Relaxed);
        } else {
            self.counts.spilled.fetch_add(count, Relaxed);
        }
        let mut inner = self.lock();
        inner.bytes -= size;
        let kept_bytes = kept.iter().map(Record::size).sum::<usize>();
        inner.bytes += kept_bytes;
        inner.back_bytes += kept_bytes;
        kept.append(&mut inner.back);
        inner.back = kept;
        inner.on_disk = spool.bytes();
        if given_up {
            inner.length -= count;
        }
        inner
    }

    /// Marks what the record touches; gives back what cannot be given up.
    fn give_up(&self, mut record: Record) -> Option<Record> {
        if record.forget_state() {
            return Some(record);
        }
        self.dirty.give_up(&record.touched);
        None
    }

    fn spool_lost(&self, inner: &mut Inner, spool: &mut Spool) {
        spool.clear();
        self.dirty.lose_track();
        inner.length = (inner.front.len() + inner.back.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::shadow::record::tests::set;
    use crate::shadow::record::{Touched, What};

    struct Case(PathBuf, Arc<Dirty>, Arc<Queue>);

    impl Case {
        fn new(name: &str, bounds: Bounds) -> Case {
            let folder = std::env::temp_dir().join(format!("respg-queue-{name}-{}", std::process::id()));
            let dirty = Arc::new(Dirty::open(&folder, false).unwrap());
            let queue = Queue::start(bounds, Spool::open(&folder).unwrap(), dirty.clone()).unwrap();
            Case(folder, dirty, queue)
        }

        fn push(&self, number: usize, bytes: usize) {
            let mut record = set(&number.to_string(), bytes);
            record.touched = Touched::Slots([number as u16].into_iter().collect());
            self.1.begin(&record.touched).unwrap();
            self.2.push(record);
        }

        async fn take(&self, most: usize) -> Vec<usize> {
            let number = |record: Record| {
                self.1.end(&record.touched);
                match record.what {
                    What::Calls { calls, .. } => std::str::from_utf8(&calls[0][1]).unwrap().parse().unwrap(),
                    other => panic!("{other:?}"),
                }
            };
            self.2.take(most, usize::MAX).await.into_iter().map(number).collect()
        }
    }

    impl Drop for Case {
        fn drop(&mut self) {
            self.2.close();
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn order_is_kept_through_the_spool() {
        let case = Case::new("order", Bounds { memory: 100_000, disk: u64::MAX });
        let (mut pushed, mut taken) = (0, 0);
        for round in 0..300 {
            for _ in 0..20 {
                case.push(pushed, 1000);
                pushed += 1;
            }
            // First more is put in than taken out, then less; the writer gets time to write.
            if round % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            while case.2.counts.spilled.load(Relaxed) == 0 && pushed > 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            for number in case.take(if round < 200 { 5 } else { 60 }).await {
                assert_eq!(number, taken);
                taken += 1;
            }
            while case.2.bytes().0 > 150_000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        while taken < pushed {
            for number in case.take(1000).await {
                assert_eq!(number, taken);
                taken += 1;
            }
        }
        assert!(case.2.counts.spilled.load(Relaxed) > 1000);
        assert_eq!(case.2.counts.dirty.load(Relaxed), 0);
        assert_eq!((case.2.len(), case.2.bytes(), case.1.broken()), (0, (0, 0), 0));
        case.push(pushed, 1);
        assert_eq!(case.take(2).await, [pushed]);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_given_up() {
        let case = Case::new("full", Bounds { memory: 50_000, disk: 200_000 });
        for number in 0..1000 {
            case.push(number, 1000);
            if number % 20 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let mut taken = Vec::new();
        while !case.2.is_empty() {
            taken.extend(case.take(50).await);
        }
        let given_up = case.2.counts.dirty.load(Relaxed) as usize;
        assert!(given_up > 500 && taken.len() + given_up == 1000, "{given_up} and {}", taken.len());
        assert!(taken.is_sorted());
        for number in 0..1000 {
            assert_eq!(case.1.is_broken(number as u16), !taken.contains(&number), "{number}");
        }
        case.1.sweep().unwrap();
        assert_eq!(case.1.marked() as usize, given_up);
    }
}
