//! What the side that answers and the follower share: the tap on the one, and what it puts into the queue of the other. Hot path: nothing here waits.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::asking::{Asked, Behind};
use super::dirty::Dirty;
use super::effect::{
    are_barriers, arrange, blocks, have_written, leave, make_expire, sources, touch_others, touched,
    written_by,
};
use super::order::Order;
use super::queue::Queue;
use super::record::{Record, Touched, What};
use super::report::{Report, now_ms};
use super::share::Share;
use super::waiting::Waiting;
use crate::command::copy::Dialect;
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::upstream::{Calls, Raw, Tap, UpstreamError};

/// The side that answers, as the follower asks it: between the calls of clients, in one order with them.
pub trait Leader: Send + Sync {
    /// Sends calls. The tap hears what became of them: [`Tap::answered`] or [`Tap::lost`], under their mark. False if they cannot be sent now.
    fn ask(&self, calls: Calls) -> bool;

    fn dialect(&self) -> Dialect;

    /// A database that there is.
    fn db(&self) -> DbIndex;

    /// The keys of a call that only the leader knows.
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

/// How long a reply may take for its time to be that of the execution.
const BLUR: Duration = Duration::from_millis(500);

/// The connection between both.
pub struct Following {
    pub queue: Arc<Queue>,
    pub dirty: Arc<Dirty>,
    pub report: Arc<Report>,
    /// The keys that are followed.
    pub share: Share,
    /// Who waits for keys to be read again.
    pub(super) waiting: Waiting,
    pub(super) order: Order,
    leader: Arc<dyn Leader>,
    pub(super) asked: Mutex<HashMap<u64, Asked>>,
    /// Calls of our own that have not come to their end.
    pub(super) asking: AtomicUsize,
    /// Calls elsewhere that may be waiting, by the time when they were sent.
    unanswered: Mutex<HashSet<u64>>,
    pub(super) me: Weak<Following>,
}

impl Following {
    pub fn new(
        queue: Arc<Queue>,
        dirty: Arc<Dirty>,
        report: Arc<Report>,
        leader: Arc<dyn Leader>,
        share: Share,
    ) -> Arc<Following> {
        Arc::new_cyclic(|me| Following {
            queue,
            dirty,
            report,
            share,
            waiting: Waiting::default(),
            order: Order::default(),
            leader,
            asked: Mutex::default(),
            asking: AtomicUsize::new(0),
            unanswered: Mutex::default(),
            me: me.clone(),
        })
    }

    pub(super) fn unanswered(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.unanswered.lock().expect("no panic while held")
    }

    pub fn leader(&self) -> &dyn Leader {
        self.leader.as_ref()
    }

    /// Whether everything that was answered has been done on the other side. Certain only while nothing comes in.
    pub fn is_caught_up(&self) -> bool {
        // What leaves one of these has entered the next.
        self.asking.load(SeqCst) == 0
            && self.queue.unfinished() == 0
            && self.report.counts.unsettled.load(SeqCst) == 0
            && !self.dirty.is_any_broken()
    }

    /// Something has happened to these keys; the slots are marked here.
    pub fn push_keys(&self, db: DbIndex, keys: Vec<Bytes>) {
        let touched = Touched::of(&keys);
        self.dirty.mark(&touched);
        let what = What::Keys(keys.into_iter().map(|key| (db, key)).collect());
        self.queue.push(Record { db, at: now_ms(), touched, beside: false, what });
    }

    /// What calls have written by their replies, if they are known, to be read again; or their slots are given up, or there was nothing.
    pub(super) fn to_reread(
        &self,
        db: DbIndex,
        calls: &[Vec<Bytes>],
        replies: Option<&[Reply]>,
    ) -> Option<Record> {
        let touched = touched(calls);
        let foreign = |argv: &[Bytes]| match self.leader().keys_of(argv) {
            Foreign::Reads => Some(Vec::new()),
            Foreign::Keys(keys) => Some(keys),
            Foreign::Ask => None,
        };
        let names = match replies {
            _ if touch_others(calls) => None,
            Some(replies) => have_written(db, calls, replies, self.leader().dialect(), foreign),
            // The other database may be one that there is not.
            None if leave(db, calls) => None,
            None => written_by(db, calls, foreign),
        };
        let Some(names) = names else {
            self.dirty.give_up(&touched);
            return None;
        };
        if names.is_empty() {
            self.dirty.end(&touched);
            return None;
        }
        Some(Record { db, at: now_ms(), touched, beside: false, what: What::Keys(names) })
    }

    /// Calls were executed at this place.
    pub(super) fn wrote(&self, touched: &Touched, calls: &[Vec<Bytes>]) {
        self.order.wrote(touched);
        if arrange(calls) {
            self.order.arranged(touched);
        }
        if *touched == Touched::All && are_barriers(calls) {
            self.order.exchanged();
            // Keys have moved that the walk has seen, or has not.
            self.dirty.begin_again();
        }
    }

    /// Whether what calls wrote depends on keys that somebody writes another way at this time, or has written since `sent_at`: nobody knows what they found there.
    pub(super) fn is_source_uncertain(
        &self,
        db: DbIndex,
        calls: &[Vec<Bytes>],
        sent_at: Option<u64>,
    ) -> bool {
        if sent_at.is_none() && !self.order.is_any_aside() {
            return false;
        }
        let sources = sources(db, calls);
        let overtaken = || sent_at.is_some_and(|sent_at| self.order.is_overtaken(&sources, sent_at));
        sources != Touched::none() && (self.order.is_aside(&sources) || overtaken())
    }

    /// Whether these calls make a key expire: a time to live counts from the execution, and when that was is not known so well if it `took` so long.
    fn is_too_late(&self, calls: &Calls, replies: &[Raw], took: Duration) -> bool {
        took > BLUR && make_expire(DbIndex(calls.db), &calls.calls, &parsed(replies), self.leader().dialect())
    }

    /// What calls have made of their keys, if anything, has to be read.
    fn uncertain_aside(&self, calls: Calls, replies: Option<&[Reply]>, sent_at: u64) {
        self.unanswered().remove(&sent_at);
        let (waits, touched) = (waits(&calls), touched(&calls.calls));
        match self.to_reread(DbIndex(calls.db), &calls.calls, replies) {
            Some(record) => {
                self.fence(calls.protocol, Behind::Aside { record, sent_at, waits });
            }
            None if !waits => self.order.end_aside(&touched),
            None => {}
        }
    }

    fn record(&self, calls: Calls, replies: &[Raw], touched: Touched) -> Record {
        let Calls { db, protocol, calls, .. } = calls;
        let replies = replies.iter().map(|raw| raw.0.clone()).collect();
        let what = What::Calls { calls, replies, protocol };
        Record { db: DbIndex(db), at: now_ms(), touched, beside: false, what }
    }
}

impl Tap for Following {
    fn sending(&self, calls: &Calls) {
        if calls.mark == 0 {
            self.dirty.mark(&touched(&calls.calls));
        }
    }

    fn sending_aside(&self, calls: &Calls) -> u64 {
        let touched = touched(&calls.calls);
        self.dirty.mark(&touched);
        self.order.begin_aside(&touched);
        let at = self.order.tick();
        if waits(calls) {
            self.may_wait(calls.clone(), touched, at);
        }
        at
    }

    fn answered(&self, calls: Calls, replies: &[Raw], took: Duration) {
        if calls.mark != 0 {
            return self.heard(calls.mark, replies);
        }
        let touched = touched(&calls.calls);
        if touched != Touched::none() {
            self.wrote(&touched, &calls.calls);
            let beside = self.order.is_aside(&touched);
            let db = DbIndex(calls.db);
            let reread =
                self.is_source_uncertain(db, &calls.calls, None) || self.is_too_late(&calls, replies, took);
            let record = match reread {
                true => self.to_reread(db, &calls.calls, Some(&parsed(replies))),
                false => Some(Record { beside, ..self.record(calls, replies, touched) }),
            };
            record.into_iter().for_each(|record| self.queue.push(record));
        }
    }

    fn answered_aside(&self, calls: Calls, replies: &[Raw], sent_at: u64, took: Duration) {
        if self.is_too_late(&calls, replies, took) {
            return self.uncertain_aside(calls, Some(&parsed(replies)), sent_at);
        }
        let (waits, protocol, touched) = (waits(&calls), calls.protocol, touched(&calls.calls));
        self.unanswered().remove(&sent_at);
        if touched == Touched::none() {
            return;
        }
        let record = self.record(calls, replies, touched);
        self.fence(protocol, Behind::Aside { record, sent_at, waits });
    }

    fn lost(&self, calls: Calls, _: &UpstreamError) {
        if calls.mark != 0 {
            return self.failed(calls.mark);
        }
        if let Some(record) = self.to_reread(DbIndex(calls.db), &calls.calls, None) {
            self.fence(calls.protocol, Behind::Lost(record, self.order.now()));
        }
    }

    fn lost_aside(&self, calls: Calls, reply: Option<&Reply>, sent_at: u64) {
        self.uncertain_aside(calls, reply.map(std::slice::from_ref), sent_at);
    }
}

/// Whether these calls may have been under way for as long as it pleases them.
fn waits(calls: &Calls) -> bool {
    calls.calls.iter().all(|argv| blocks(argv))
}

pub(super) fn parsed(replies: &[Raw]) -> Vec<Reply> {
    replies.iter().map(|raw| raw.parse().unwrap_or(Reply::Nothing)).collect()
}
