//! Keys whose state is not certain: asked for, in the leader's order, until it has come.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use smallvec::smallvec;
use tokio::time::Instant;

use super::effect::{Name, Planned};
use super::follow::Follower;
use super::record::Touched;
use crate::command::copy::{CopyError, KeyState};
use crate::copy::Resynced;
use crate::keyspace::slot::Slot;

/// Keys whose states are asked for at the same time, and at once. The answers come through the queue: few would be a trickle while that is long.
const MOST_ASKED: usize = 4096;
const ASKED_AT_ONCE: usize = 256;
/// Unsettled keys beyond this are left to the repair of their slots.
const MOST_UNSETTLED: usize = 100_000;
/// Who waits for a key is told that it cannot be had after so many attempts.
const MOST_FAILURES: u32 = 10;
/// Before a state is asked for again that could not be had.
const PAUSE: Duration = Duration::from_secs(1);

/// All of them.
#[derive(Default)]
pub(super) struct Unsettled {
    pub keys: HashMap<Name, Doubt>,
    to_ask: VecDeque<Name>,
    /// Asked for when nothing else is to be.
    pub to_look: VecDeque<Name>,
    asked: usize,
    tickets: u64,
    ask_again_at: Option<Instant>,
}

impl Unsettled {
    /// Whether something is to be asked for.
    pub fn is_waiting(&self) -> bool {
        !self.to_ask.is_empty() || !self.to_look.is_empty()
    }
}

/// A key that is to be read again.
pub(super) struct Doubt {
    /// Of the state that counts; 0 while it has not been asked for.
    pub ticket: u64,
    pub why: String,
    /// How often it could not be had.
    pub failures: u32,
    /// How often it was written: then it is right, as far as this process knows, and what depends on it can be followed.
    pub writes: u32,
}

/// A key's state at the place where the follower is.
pub(super) struct Arrived {
    pub name: Name,
    pub state: KeyState,
    pub why: String,
    pub writes: u32,
}

impl Follower {
    pub(super) fn concerns_unsettled(&self, planned: &Planned) -> bool {
        let is_uncertain = |name: &Name| self.unsettled.keys.get(name).is_some_and(|one| one.writes == 0);
        !self.unsettled.keys.is_empty() && planned.used().iter().any(is_uncertain)
    }

    /// The key's state is not certain from here on.
    pub(super) fn unsettle(&mut self, name: Name, why: &str) {
        if let Some(unsettled) = self.unsettled.keys.get_mut(&name) {
            // A key that was only to be looked at once more.
            if std::mem::take(&mut unsettled.writes) > 0 && unsettled.ticket == 0 {
                self.unsettled.to_ask.push_back(name);
            }
            return;
        }
        // What Postgres answers for is not followed here, whoever has touched it on the other side.
        if !self.following.share.has(&name.1) {
            return;
        }
        let slot = Touched::Slots(smallvec![Slot::of(&name.1).0]);
        self.following.dirty.mark(&slot);
        if self.unsettled.keys.len() >= MOST_UNSETTLED {
            return self.following.dirty.give_up(&slot);
        }
        self.unsettled
            .keys
            .insert(name.clone(), Doubt { ticket: 0, why: why.to_owned(), failures: 0, writes: 0 });
        self.unsettled.to_ask.push_back(name);
        self.count();
    }

    pub(super) fn count(&self) {
        let counts = &self.following.report.counts;
        counts.unsettled.store(self.unsettled.keys.len() as u64, Relaxed);
        counts.to_look.store(self.unsettled.to_look.len() as u64, Relaxed);
    }

    /// Asks for states.
    pub(super) fn ask(&mut self) {
        if self.unsettled.ask_again_at.is_some_and(|at| at > Instant::now()) {
            return;
        }
        self.unsettled.ask_again_at = None;
        let most = (self.unsettled.asked + ASKED_AT_ONCE).min(MOST_ASKED);
        while self.unsettled.asked < most
            && let Some(name) =
                self.unsettled.to_ask.pop_front().or_else(|| self.unsettled.to_look.pop_front())
        {
            self.unsettled.tickets += 1;
            // Not if it has been asked for already.
            if let Some(unsettled) = self.unsettled.keys.get_mut(&name).filter(|one| one.ticket == 0) {
                unsettled.ticket = self.unsettled.tickets;
                self.unsettled.asked += 1;
                self.following.ask_state(name, self.unsettled.tickets);
            }
        }
    }

    /// A state has come, or word that it is not to be had.
    pub(super) fn arrived(&mut self, name: Name, ticket: u64, state: Option<KeyState>) {
        let Some(unsettled) = self.unsettled.keys.get_mut(&name) else { return };
        if unsettled.ticket != ticket {
            return;
        }
        self.unsettled.asked -= 1;
        match state {
            Some(state) => {
                let (why, writes) = (std::mem::take(&mut unsettled.why), unsettled.writes);
                // Calls after this place are on top of it.
                self.unsettled.keys.remove(&name);
                self.states.push(Arrived { name, state, why, writes });
            }
            None => {
                unsettled.ticket = 0;
                unsettled.failures += 1;
                if unsettled.failures == MOST_FAILURES {
                    let why =
                        || CopyError::Refused(Bytes::from_static(b"the upstream does not tell what it is"));
                    self.following.waiting.tell(&name, || Err(why()));
                }
                self.unsettled.ask_again_at = Some(Instant::now() + PAUSE);
                self.unsettled.to_ask.push_back(name);
            }
        }
    }

    /// The key is what it should be.
    pub(super) fn settled(&mut self, name: &Name, became: Resynced) {
        self.following.dirty.end(&Touched::Slots(smallvec![Slot::of(&name.1).0]));
        self.count();
        self.following.waiting.tell(name, || Ok(became));
    }

    /// A state could not be written: asked for again after a while.
    pub(super) fn unsettle_again(&mut self, arrived: &Arrived, error: CopyError) {
        self.following.waiting.tell(&arrived.name, || Err(error));
        let unsettled = Doubt { ticket: 0, why: arrived.why.clone(), failures: 0, writes: 0 };
        if self.unsettled.keys.insert(arrived.name.clone(), unsettled).is_none() {
            self.unsettled.ask_again_at = Some(Instant::now() + PAUSE);
            self.unsettled.to_ask.push_back(arrived.name.clone());
        }
        self.count();
    }
}
