//! The follower: takes records in their order, and does on its side what they amount to, in batches.
//!
//! A key whose state is not certain (a reply differed, the effect of a call is not known ...) is *unsettled*: its state is asked for, in the leader's order, and until it
//! comes back through the queue all calls on the key are left out, since that state has them in it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::effect::{Name, Planned, Unknown, When, Work};
use super::following::{Following, Foreign};
use super::lapses::Lapses;
use super::queue::Queue;
use super::record::{Record, Touched, What};
use super::target::{Outcome, Target, Unit};
use super::unsettled::{Arrived, GLANCE, Unsettled};
use crate::command::Flags;
use crate::keyspace::DbIndex;
use crate::keyspace::slot::Slot;
use crate::resp::{Protocol, Reply};
use crate::store::Store;
use crate::upstream::Raw;

/// Taken from the queue at once: as much as a lane takes gladly.
const RECORDS: usize = 500;
const BYTES: usize = 200 * 1024;
/// Pauses while the target cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub struct Follower {
    pub(super) following: Arc<Following>,
    pub(super) target: Target,
    pub(super) store: Arc<Store>,
    pub(super) unsettled: Unsettled,
    pub(super) lapses: Lapses,
    /// Whether other processes write here, too, and when that was asked.
    pub(super) others: Option<(bool, Instant)>,
    batch: Vec<Unit>,
    pub(super) protocol: Protocol,
    /// States that have come and are not written.
    pub(super) states: Vec<Arrived>,
    pause: Duration,
}

impl Follower {
    pub fn new(following: Arc<Following>, target: Target, store: Arc<Store>) -> Follower {
        Follower {
            following,
            target,
            store,
            unsettled: Unsettled::default(),
            lapses: Lapses::default(),
            others: None,
            batch: Vec::new(),
            protocol: Protocol::Resp3,
            states: Vec::new(),
            pause: FIRST_PAUSE,
        }
    }

    /// Follows until the queue is closed.
    pub async fn run(mut self) {
        let queue = self.following.queue.clone();
        until_left_are_gone(&self.following.queue, &self.store).await;
        while !queue.is_closed() {
            let records = tokio::select! {
                records = queue.take(RECORDS, BYTES) => records,
                () = tokio::time::sleep(GLANCE), if self.unsettled.is_waiting() => Vec::new(),
            };
            let behind_since = records.first().map_or(0, |record| record.at);
            self.following.report.counts.behind_since.store(behind_since, Relaxed);
            let is_busy = records.len() == RECORDS;
            self.follow(records).await;
            self.following.report.counts.behind_since.store(0, Relaxed);
            self.ask(is_busy);
        }
    }

    async fn follow(&mut self, records: Vec<Record>) {
        self.look_for_others().await;
        let mut done = Vec::with_capacity(records.len());
        let dialect = self.following.leader().dialect();
        for record in records {
            let Record { db, at, touched, beside, what } = record;
            let when = When { at, dialect, beside };
            match what {
                What::Calls { calls, replies, protocol } => {
                    self.following.report.counts.followed.fetch_add(calls.len() as u64, Relaxed);
                    let replies: Vec<Reply> =
                        replies.into_iter().map(|raw| Raw(raw).parse().unwrap_or(Reply::Nothing)).collect();
                    if protocol != self.protocol {
                        self.flush().await;
                        self.protocol = protocol;
                    }
                    for work in Work::of_calls(db, calls, &replies, when) {
                        self.plan(work).await;
                    }
                }
                What::Keys(names) => {
                    names.into_iter().for_each(|name| self.unsettle(name, "read again"));
                }
                What::State { key, ticket, found, .. } => self.arrived((db, key), ticket, found),
            }
            done.push(touched);
        }
        self.settle().await;
        // If it was given up in the middle they stay marked.
        if !self.following.queue.is_closed() {
            done.iter().for_each(|touched| self.following.dirty.end(touched));
        }
        self.following.queue.done(done.len());
    }

    /// Adds a work to the batch, without what concerns unsettled keys.
    async fn plan(&mut self, work: Work) {
        for (db, key) in work.reread {
            self.unsettle((db, key), "effect not known");
        }
        for unknown in work.unknown {
            self.foreign(unknown).await;
        }
        let mut unit = Unit { calls: Vec::new(), atomic: work.atomic };
        for planned in work.calls {
            let is_barrier = planned.request.command.flags.has(Flags::BARRIER);
            if !self.following.share.has_database(planned.db) {
                // Others may have been emptied or exchanged from there.
                if is_barrier {
                    self.give_up_all();
                }
                planned.written().into_iter().for_each(|name| self.unsettle(name, "taken elsewhere"));
                continue;
            }
            if is_barrier {
                self.settle().await;
                self.exchange(&planned);
            }
            if !self.states.is_empty() {
                let names = planned.used();
                if self.states.iter().any(|arrived| names.contains(&arrived.name)) {
                    self.settle().await;
                }
            }
            if self.concerns_unsettled(&planned) || (self.concerns_broken(&planned) && planned.carries()) {
                // What it writes elsewhere is not known here.
                let targets = planned.written();
                targets.into_iter().for_each(|name| self.unsettle(name, "depends on such a key"));
                continue;
            }
            match work.atomic {
                true => unit.calls.push(planned),
                false => self.batch.push(Unit { calls: vec![planned], atomic: false }),
            }
        }
        if !unit.calls.is_empty() {
            self.batch.push(unit);
        }
    }

    /// Whether a key of it is in a slot that is known to differ.
    pub(super) fn concerns_broken(&self, planned: &Planned) -> bool {
        let dirty = &self.following.dirty;
        dirty.is_any_broken() && planned.used().iter().any(|(_, key)| dirty.is_broken(Slot::of(key).0))
    }

    /// A call of a command that is not ours.
    async fn foreign(&mut self, Unknown { db, argv, failed }: Unknown) {
        if !failed {
            self.following.report.foreign(argv.first().map_or(&[], |name| name));
        }
        let keys = match self.following.leader().keys_of(&argv) {
            Foreign::Reads => return,
            // No script.
            Foreign::Keys(_) if failed => return,
            Foreign::Keys(keys) => keys,
            // The answer would not come any more; its slots stay marked.
            Foreign::Ask if self.following.queue.is_closed() => return,
            // Waited for: what comes next may depend on them.
            Foreign::Ask => {
                let asked = self.following.ask_keys(db, &argv);
                match tokio::time::timeout(LONGEST_PAUSE, asked).await {
                    Ok(Ok(keys)) => keys,
                    _ => return self.give_up_all(),
                }
            }
        };
        keys.into_iter().for_each(|key| self.unsettle((db, key), "not ours"));
    }

    /// Nobody knows which keys differ.
    pub(super) fn give_up_all(&self) {
        self.following.dirty.mark(&Touched::All);
        self.following.dirty.give_up(&Touched::All);
    }

    /// SWAPDB takes the wrong state of an unsettled key to the other database.
    fn exchange(&mut self, planned: &Planned) {
        let number = |at: usize| {
            let word = planned.request.argv.get(at)?;
            Some(DbIndex(std::str::from_utf8(word).ok()?.parse().ok()?))
        };
        let (Some(a), Some(b)) = (number(1), number(2)) else { return };
        self.lapses.exchange(a, b);
        let names: Vec<Name> = self.unsettled.keys.keys().cloned().collect();
        for (db, key) in names {
            let other = if db == a {
                b
            } else if db == b {
                a
            } else {
                continue;
            };
            self.unsettle((other, key), "databases exchanged");
        }
    }

    /// Executes the batch.
    pub(super) async fn flush(&mut self) {
        let mut units: VecDeque<Unit> = std::mem::take(&mut self.batch).into();
        while !units.is_empty() && !self.following.queue.is_closed() {
            let outcomes = self.target.execute(units.make_contiguous()).await;
            let failed = outcomes.iter().position(|outcome| !matches!(outcome, Outcome::Done(_)));
            let cleanly =
                |at: usize| outcomes[at..].iter().all(|outcome| matches!(outcome, Outcome::NotDone(_)));
            let again = failed.filter(|at| cleanly(*at));
            let stops_at = again.unwrap_or(outcomes.len());
            if failed.is_none() {
                self.pause = FIRST_PAUSE;
            }
            for outcome in outcomes.into_iter().take(stops_at) {
                let Some(unit) = units.pop_front() else { break };
                match outcome {
                    Outcome::Done(replies) => {
                        for (planned, reply) in unit.calls.iter().zip(&replies) {
                            self.check(planned, reply);
                        }
                    }
                    // What came after it may have been executed: there is no going back.
                    Outcome::NotDone(_) | Outcome::Unknown => self.lost(&unit),
                }
            }
            if failed.is_some() {
                self.wait_for_target().await;
            }
        }
    }

    /// A pause while the target cannot be reached.
    pub(super) async fn wait_for_target(&mut self) {
        self.following.report.counts.unreachable.fetch_add(1, Relaxed);
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        until_left_are_gone(&self.following.queue, &self.store).await;
    }

    /// Nobody knows whether a unit was executed.
    fn lost(&mut self, unit: &Unit) {
        for planned in &unit.calls {
            if planned.request.command.flags.has(Flags::BARRIER) {
                self.give_up_all();
            }
            planned.written().into_iter().for_each(|name| self.unsettle(name, "outcome unknown"));
        }
    }
}

/// What Postgres still has in hand of what was done before must not come after what is done next.
async fn until_left_are_gone(queue: &Queue, store: &Store) {
    while !queue.is_closed() && store.end_left().await != Ok(true) {
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}
