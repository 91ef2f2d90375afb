//! What the side that answers and the follower share: the tap on the one, and what it puts into the queue of the other. Hot path: nothing here waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::dirty::Dirty;
use super::effect::{Name, selects, touched, written_by};
use super::queue::Queue;
use super::record::{Record, Touched, What};
use super::report::{Report, now_ms};
use crate::command::copy::{Ask, Dialect, Reading};
use crate::command::{Flags, Group, lookup};
use crate::copy::{exec_replies, in_multi};
use crate::keyspace::DbIndex;
use crate::resp::{Protocol, Reply};
use crate::upstream::{Calls, Raw, Tap, UpstreamError};

/// The side that answers, as the follower asks it: between the calls of clients, in one order with them.
pub trait Leader: Send + Sync {
    /// Sends calls. The tap hears what became of them: [`Tap::answered`] or [`Tap::lost`], under their mark. False if they cannot be sent now.
    fn ask(&self, calls: Calls) -> bool;

    fn dialect(&self) -> Dialect;

    /// The keys of a call that only the leader knows; `None` if it has to be asked (COMMAND GETKEYS).
    fn keys_of(&self, argv: &[Bytes]) -> Foreign;
}

/// What the leader says of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// It changes nothing.
    Reads,
    /// It may change these keys.
    Keys(Vec<Bytes>),
    /// It may change keys that COMMAND GETKEYS tells.
    Ask,
}

/// The connection between both.
pub struct Following {
    pub queue: Arc<Queue>,
    pub dirty: Arc<Dirty>,
    pub report: Report,
    leader: Arc<dyn Leader>,
    /// Marks of our own calls; clients have 0.
    marks: AtomicU64,
    asked: Mutex<HashMap<u64, Asked>>,
}

/// Why a call of our own was sent.
enum Asked {
    /// To read a key's state, for this ticket.
    State { name: Name, ticket: u64, reading: Box<Reading> },
    /// To learn the keys of a call.
    Keys(oneshot::Sender<Vec<Bytes>>),
    /// To find a place behind everything that had happened when these calls were answered elsewhere.
    Fence(Box<Record>),
}

impl Following {
    pub fn new(queue: Arc<Queue>, dirty: Arc<Dirty>, leader: Arc<dyn Leader>) -> Following {
        let (report, asked) = (Report::default(), Mutex::default());
        Following { queue, dirty, report, leader, marks: AtomicU64::new(1), asked }
    }

    pub fn leader(&self) -> &dyn Leader {
        self.leader.as_ref()
    }

    /// Notes a call that passes by without being followed: one that reads and is not ours, or that publishes.
    pub fn passes(&self, argv: &[Bytes]) {
        let Some(name) = argv.first() else { return };
        match lookup(name) {
            None if self.leader.keys_of(argv) == Foreign::Reads => self.report.foreign(name),
            Some(command) if command.group == Group::Pubsub && command.flags.has(Flags::MAY_REPLICATE) => {
                self.report.counts.published.fetch_add(1, Relaxed);
            }
            _ => {}
        }
    }

    /// Reads a key's state where it stands now in the leader's order; it comes through the queue with this ticket.
    pub fn ask_state(&self, name: Name, ticket: u64) {
        let reading = Box::new(Reading::new(name.1.clone(), self.leader.dialect()));
        self.go_on(name, ticket, reading);
    }

    fn go_on(&self, name: Name, ticket: u64, reading: Box<Reading>) {
        let Ask { calls, transaction } = reading.ask();
        let calls = if transaction { in_multi(calls) } else { calls };
        self.send(name.0, Protocol::Resp2, calls, Asked::State { name, ticket, reading });
    }

    /// Asks for the keys of a call. The sender is dropped if there is no answer.
    pub fn ask_keys(&self, db: DbIndex, argv: &[Bytes]) -> oneshot::Receiver<Vec<Bytes>> {
        let mut call = vec![Bytes::from_static(b"COMMAND"), Bytes::from_static(b"GETKEYS")];
        call.extend(argv.iter().cloned());
        let (answer, receiver) = oneshot::channel();
        self.send(db, Protocol::Resp2, vec![call], Asked::Keys(answer));
        receiver
    }

    /// Something has happened to these keys; the slots are marked here.
    pub fn push_keys(&self, db: DbIndex, keys: Vec<Bytes>) {
        let slots = keys.iter().map(|key| crate::keyspace::slot::Slot::of(key).0).collect();
        let touched = Touched::Slots(slots);
        self.begin(&touched);
        self.queue.push(Record { db, at: now_ms(), touched, what: What::Keys(keys) });
    }

    /// Marks slots; without that nothing may be written, so a disk that fails is said loudly.
    pub fn begin(&self, touched: &Touched) {
        if let Err(error) = self.dirty.begin(touched) {
            tracing::error!(%error, "the file of dirty slots cannot be written: a crash now would leave differences");
        }
    }

    fn send(&self, db: DbIndex, protocol: Protocol, calls: Vec<Vec<Bytes>>, asked: Asked) {
        let mark = self.marks.fetch_add(1, Relaxed);
        self.asked().insert(mark, asked);
        if !self.leader.ask(Calls { db: db.0, protocol, calls, mark }) {
            self.failed(mark);
        }
    }

    /// Puts a record into the queue behind everything that has happened up to now.
    fn fence(&self, db: DbIndex, protocol: Protocol, record: Record) {
        self.send(db, protocol, vec![vec![Bytes::from_static(b"PING")]], Asked::Fence(Box::new(record)));
    }

    /// A call of our own has no answer.
    fn failed(&self, mark: u64) {
        let asked = self.asked().remove(&mark);
        let now = now_ms();
        match asked {
            None => {}
            Some(Asked::State { name: (db, key), ticket, .. }) => {
                let what = What::State { key, ticket, state: None, size: 0 };
                self.queue.push(Record { db, at: now, touched: Touched::none(), what });
            }
            // The sender is dropped.
            Some(Asked::Keys(_)) => {}
            Some(Asked::Fence(record)) => self.dirty.give_up(&record.touched),
        }
    }

    fn heard(&self, mark: u64, replies: &[Raw]) {
        let Some(asked) = self.asked().remove(&mark) else { return };
        let replies: Result<Vec<Reply>, _> = replies.iter().map(Raw::parse).collect();
        match asked {
            Asked::Fence(record) => self.queue.push(*record),
            Asked::Keys(answer) => {
                let keys = match replies.ok().and_then(|mut replies| replies.pop()) {
                    Some(Reply::Array(keys)) => {
                        keys.iter().filter_map(crate::command::follow::bytes).collect()
                    }
                    // An error says that it has none.
                    Some(_) => Vec::new(),
                    None => return,
                };
                let _ = answer.send(keys);
            }
            Asked::State { name, ticket, mut reading } => {
                let transaction = reading.ask().transaction;
                let replies = match (replies, transaction) {
                    (Ok(replies), true) => exec_replies(replies).ok(),
                    (replies, _) => replies.ok(),
                };
                let size = replies.as_ref().map_or(0, |_| reading.size() as usize);
                let state = match replies.map(|replies| reading.answer(replies)) {
                    Some(Ok(None)) => return self.go_on(name, ticket, reading),
                    Some(Ok(state)) => state,
                    Some(Err(_)) | None => None,
                };
                let what = What::State { key: name.1, ticket, state, size };
                self.queue.push(Record { db: name.0, at: now_ms(), touched: Touched::none(), what });
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<u64, Asked>> {
        self.asked.lock().expect("no panic while held")
    }

    fn record(&self, calls: Calls, replies: &[Raw], touched: Touched) -> Record {
        let Calls { db, protocol, calls, .. } = calls;
        let replies = replies.iter().map(|raw| raw.0.clone()).collect();
        Record { db: DbIndex(db), at: now_ms(), touched, what: What::Calls { calls, replies, protocol } }
    }
}

impl Tap for Following {
    fn sending(&self, calls: &Calls) {
        if calls.mark == 0 {
            self.begin(&touched(&calls.calls));
        }
    }

    fn answered(&self, calls: Calls, replies: &[Raw]) {
        if calls.mark != 0 {
            return self.heard(calls.mark, replies);
        }
        let touched = touched(&calls.calls);
        if touched != Touched::none() {
            self.queue.push(self.record(calls, replies, touched));
        }
    }

    /// Behind a PING through the pipe: everything that these calls have seen is then in the queue, and nothing that has seen them.
    fn answered_aside(&self, calls: Calls, replies: &[Raw]) {
        let touched = touched(&calls.calls);
        if touched == Touched::none() {
            return;
        }
        let (db, protocol) = (DbIndex(calls.db), calls.protocol);
        let record = self.record(calls, replies, touched);
        self.fence(db, protocol, record);
    }

    fn lost(&self, calls: Calls, _: &UpstreamError) {
        if calls.mark != 0 {
            return self.failed(calls.mark);
        }
        // It may have happened or not: what its keys are now has to be read.
        let touched = touched(&calls.calls);
        let keys = written_by(&calls.calls);
        match touched {
            Touched::All => self.dirty.give_up(&touched),
            Touched::Slots(_) if calls.calls.iter().any(|argv| selects(argv).is_some()) => {
                self.dirty.give_up(&touched);
            }
            Touched::Slots(_) if keys.is_empty() => self.dirty.end(&touched),
            Touched::Slots(_) => {
                let (db, what) = (DbIndex(calls.db), What::Keys(keys));
                let record = Record { db, at: now_ms(), touched, what };
                self.fence(db, calls.protocol, record);
            }
        }
    }
}
