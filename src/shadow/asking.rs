//! The follower's own calls to the side that answers, and what their answers are good for.

use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::effect::Name;
use super::following::{Following, parsed};
use super::record::{Found, Record, Touched, What};
use super::report::now_ms;
use super::seldom::warn_seldom;
use crate::command::copy::{Ask, Reading};
use crate::copy::{exec_replies, in_multi};
use crate::keyspace::DbIndex;
use crate::keyspace::slot::Slot;
use crate::resp::{Protocol, Reply};
use crate::upstream::{Calls, Raw, says_no_keys};

/// Marks of such calls; those of clients have 0. Counted over all, so that answers for one who no longer follows are nobody's.
static MARKS: AtomicU64 = AtomicU64::new(1);

/// Nothing that does not wait takes so long.
const SURELY_WAITING: Duration = Duration::from_millis(20);

/// Why a call was sent.
pub enum Asked {
    /// To read a key's state, for this ticket.
    State(Box<Wanted>),
    /// To learn the keys of a call.
    Keys(oneshot::Sender<Vec<Bytes>>),
    /// To find a place behind everything that had happened.
    Fence(Box<Behind>),
    /// To know that everything before it has been answered.
    Passed(oneshot::Sender<()>),
}

/// A key's state that the follower has asked for.
pub struct Wanted {
    name: Name,
    ticket: u64,
    /// It is not read if it takes more.
    most_bytes: u64,
    reading: Reading,
}

/// What is put behind everything that had happened.
pub enum Behind {
    /// Calls that were answered elsewhere, or whose outcome is not known.
    Aside { record: Record, sent_at: u64, waits: bool },
    /// What a call does before it waits; it was sent at this time.
    Waiting(Record, u64),
    /// What was lost on the way, at this time.
    Lost(Record, u64),
}

impl Behind {
    fn record(&self) -> &Record {
        match self {
            Behind::Aside { record, .. } | Behind::Waiting(record, _) | Behind::Lost(record, _) => record,
        }
    }
}

impl Following {
    /// Reads a key's state where it stands now in the leader's order, unless it takes more bytes; it comes through the queue with this ticket.
    pub fn ask_state(&self, name: Name, ticket: u64, most_bytes: u64) {
        let reading = Reading::new(name.1.clone(), self.leader().dialect());
        self.go_on(Box::new(Wanted { name, ticket, most_bytes, reading }));
    }

    fn go_on(&self, wanted: Box<Wanted>) {
        let Ask { calls, transaction } = wanted.reading.ask();
        let calls = if transaction { in_multi(calls) } else { calls };
        self.send(wanted.name.0, Protocol::Resp2, calls, Asked::State(wanted));
    }

    /// Asks for the keys of a call. The sender is dropped if there is no answer.
    pub fn ask_keys(&self, db: DbIndex, argv: &[Bytes]) -> oneshot::Receiver<Vec<Bytes>> {
        let mut call = vec![Bytes::from_static(b"COMMAND"), Bytes::from_static(b"GETKEYS")];
        call.extend(argv.iter().cloned());
        let (answer, receiver) = oneshot::channel();
        self.send(db, Protocol::Resp2, vec![call], Asked::Keys(answer));
        receiver
    }

    /// Waits until what was sent to the leader up to now is in the queue; false if that cannot be known.
    pub async fn pass_all(&self) -> bool {
        let (passed, waiting) = oneshot::channel();
        self.send(self.leader().db(), Protocol::Resp2, vec![ping()], Asked::Passed(passed));
        waiting.await.is_ok()
    }

    /// Puts a record into the queue behind everything that has happened up to now.
    pub(super) fn fence(&self, protocol: Protocol, behind: Behind) {
        let record = behind.record();
        self.send(record.db, protocol, vec![ping()], Asked::Fence(Box::new(behind)));
    }

    fn send(&self, db: DbIndex, protocol: Protocol, calls: Vec<Vec<Bytes>>, asked: Asked) {
        let mark = MARKS.fetch_add(1, Relaxed);
        self.asking.fetch_add(1, SeqCst);
        self.asked().insert(mark, asked);
        if !self.leader().ask(Calls { db: db.0, protocol, calls, mark }) {
            self.failed(mark);
        }
    }

    /// A call of our own has no answer.
    pub(super) fn failed(&self, mark: u64) {
        let asked = self.asked().remove(&mark);
        match asked {
            None => return,
            Some(Asked::State(wanted)) => self.push_state(*wanted, Found::Nothing, 0),
            // The sender is dropped.
            Some(Asked::Keys(_) | Asked::Passed(_)) => {}
            Some(Asked::Fence(behind)) => {
                let touched = &behind.record().touched;
                if matches!(*behind, Behind::Aside { waits: false, .. } | Behind::Waiting(..)) {
                    self.order.end_aside(touched);
                }
                self.dirty.give_up(touched);
            }
        }
        self.asking.fetch_sub(1, SeqCst);
    }

    /// A call of our own was answered.
    pub(super) fn heard(&self, mark: u64, replies: &[Raw]) {
        let asked = self.asked().remove(&mark);
        let Some(asked) = asked else { return };
        let replies: Result<Vec<Reply>, _> = replies.iter().map(Raw::parse).collect();
        match asked {
            Asked::Fence(behind) => self.placed(*behind),
            Asked::Passed(passed) => drop(passed.send(())),
            Asked::Keys(answer) => {
                let keys = replies.ok().and_then(|mut replies| replies.pop()).and_then(told_keys);
                let _ = keys.map(|keys| answer.send(keys));
            }
            Asked::State(wanted) => self.state_came(wanted, replies.ok()),
        }
        self.asking.fetch_sub(1, SeqCst);
    }

    fn state_came(&self, mut wanted: Box<Wanted>, replies: Option<Vec<Reply>>) {
        let reading = &mut wanted.reading;
        let is_transaction = reading.ask().transaction;
        // It is spent with the last answer.
        let size = reading.size() as usize;
        let answer = |replies| match is_transaction {
            true => reading.answer(exec_replies(replies)?),
            false => reading.answer(replies),
        };
        let (found, size) = match replies.map(answer) {
            Some(Ok(None)) if reading.size() <= wanted.most_bytes => return self.go_on(wanted),
            Some(Ok(None)) => (Found::TooLarge, 0),
            Some(Ok(Some(state))) => (Found::State(state), size),
            Some(Err(error)) => {
                warn_seldom!(%error, "the upstream does not tell what keys hold: they are not compared, nor the same");
                (Found::Nothing, 0)
            }
            None => (Found::Nothing, 0),
        };
        self.order.read(Slot::of(&wanted.name.1).0);
        self.push_state(*wanted, found, size);
    }

    fn push_state(&self, wanted: Wanted, found: Found, size: usize) {
        let Wanted { name: (db, key), ticket, .. } = wanted;
        let what = What::State { key, ticket, found, size };
        self.queue.push(Record { db, at: now_ms(), touched: Touched::none(), beside: false, what });
    }

    /// Everything that was answered before it is in the queue. If somebody else has written the same slots meanwhile nobody knows who was first, and the keys are read
    /// again; but a call that waits is woken by such writes and comes after them, and what else comes in between its reply shows, unless that was about groups and consumers.
    fn placed(&self, behind: Behind) {
        let (record, sent_at, waits) = match behind {
            Behind::Aside { record, sent_at, waits } => (record, sent_at, waits),
            Behind::Waiting(record, sent_at) => return self.waits(record, sent_at),
            Behind::Lost(record, lost_at) => (record, lost_at, true),
        };
        if !waits {
            self.order.end_aside(&record.touched);
        }
        let overtaken = self.order.is_overtaken(&record.touched, sent_at);
        let shown = || {
            let (touched, order) = (&record.touched, &self.order);
            waits && !order.is_read(touched, sent_at) && !order.is_arranged(touched, sent_at)
        };
        let unknown = overtaken && !shown();
        let reread = match &record.what {
            What::Calls { calls, .. } => unknown || self.is_source_uncertain(record.db, calls, Some(sent_at)),
            _ => false,
        };
        let exchanged = self.order.is_exchanged(sent_at);
        match &record.what {
            What::Calls { calls, .. } => self.wrote(&record.touched, calls),
            _ => self.order.wrote(&record.touched),
        }
        match &record.what {
            // What it wrote may be in another database now.
            _ if exchanged => self.dirty.give_up(&record.touched),
            What::Calls { calls, replies, .. } if reread => {
                let replies = parsed(&replies.iter().cloned().map(Raw).collect::<Vec<_>>());
                let record = self.to_reread(record.db, calls, Some(&replies));
                record.into_iter().for_each(|record| self.queue.push(record));
            }
            _ => {
                let beside = overtaken || self.order.is_aside(&record.touched);
                self.queue.push(Record { beside, ..record });
            }
        }
    }

    /// A call that waits leaves something behind at once, the same as when nothing comes (a consumer of a group): it is followed when it is clear that it waits.
    pub(super) fn may_wait(&self, calls: Calls, touched: Touched, sent_at: u64) {
        self.dirty.mark(&touched);
        self.unanswered().insert(sent_at);
        let me = self.me.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SURELY_WAITING).await;
            let Some(following) = me.upgrade() else { return };
            let Calls { db, protocol, calls, .. } = calls;
            let nothing: &[u8] = if protocol == Protocol::Resp3 { b"_\r\n" } else { b"*-1\r\n" };
            let replies = calls.iter().map(|_| Bytes::from_static(nothing)).collect();
            let what = What::Calls { calls, replies, protocol };
            let record = Record { db: DbIndex(db), at: now_ms(), touched, beside: true, what };
            let waits = following.unanswered().contains(&sent_at);
            match waits {
                true => following.fence(protocol, Behind::Waiting(record, sent_at)),
                false => following.waits(record, sent_at),
            }
        });
    }

    fn waits(&self, record: Record, sent_at: u64) {
        self.order.end_aside(&record.touched);
        let still = self.unanswered().contains(&sent_at);
        match still {
            true if self.order.is_exchanged(sent_at) => self.dirty.give_up(&record.touched),
            true => self.queue.push(record),
            // What it did its reply tells.
            false => self.dirty.end(&record.touched),
        }
    }

    pub(super) fn asked(&self) -> MutexGuard<'_, std::collections::HashMap<u64, Asked>> {
        self.asked.lock().expect("no panic while held")
    }
}

fn ping() -> Vec<Bytes> {
    vec![Bytes::from_static(b"PING")]
}

/// What COMMAND GETKEYS has answered; nothing if it does not tell, as where COMMAND is forbidden or renamed.
fn told_keys(reply: Reply) -> Option<Vec<Bytes>> {
    match reply {
        Reply::Array(keys) => Some(keys.iter().filter_map(crate::command::follow::bytes).collect()),
        // What it does not know it cannot have done; the third is Redis 7.0's, of a single word.
        Reply::Error(why)
            if says_no_keys(why.as_bytes())
                || why.as_bytes().starts_with(b"ERR Invalid command specified")
                || why.as_bytes().starts_with(b"ERR wrong number of arguments") =>
        {
            Some(Vec::new())
        }
        Reply::Error(why) => {
            warn_seldom!(%why, "the upstream does not tell the keys of calls: all keys are compared and repaired");
            None
        }
        _ => None,
    }
}
