//! Keys whose state is not certain: asked for, in the leader's order, until it has come.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use smallvec::smallvec;
use tokio::time::Instant;

use super::effect::{Name, Planned};
use super::follow::Follower;
use super::record::{Found, Touched};
use crate::command::copy::{CopyError, KeyState};
use crate::copy::Resynced;
use crate::keyspace::slot::Slot;

/// Keys whose states are asked for at the same time, and at once. The answers come through the queue: few would be a trickle while that is long.
const MOST_ASKED: usize = 4096;
const ASKED_AT_ONCE: usize = 256;
/// Keys that are looked at once more at once, and the pause after them: that much the side that answers has to do beside its clients' work.
const LOOKS_AT_ONCE: usize = 200;
pub(super) const GLANCE: Duration = Duration::from_millis(50);
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
    /// Asked for when nothing else is to be, some at a time.
    pub to_look: VecDeque<Name>,
    look_at: Option<Instant>,
    /// How many keys are only to be looked at once more.
    pub looks: usize,
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
    /// It is not asked for if it takes more bytes.
    pub most_bytes: u64,
    /// Whether it was written behind the state that has been asked for.
    pub again: bool,
}

impl Doubt {
    pub fn new(why: &str) -> Doubt {
        Doubt { ticket: 0, why: why.to_owned(), failures: 0, writes: 0, most_bytes: u64::MAX, again: false }
    }
}

/// A key's state at the place where the follower is.
pub(super) struct Arrived {
    pub name: Name,
    pub state: KeyState,
    pub why: String,
    pub writes: u32,
    pub again: bool,
}

impl Follower {
    pub(super) fn concerns_unsettled(&self, planned: &Planned) -> bool {
        let is_uncertain = |name: &Name| self.unsettled.keys.get(name).is_some_and(|one| one.writes == 0);
        !self.unsettled.keys.is_empty() && planned.used().iter().any(is_uncertain)
    }

    /// The key's state is not certain from here on.
    pub(super) fn unsettle(&mut self, name: Name, why: &str) {
        if let Some(doubt) = self.unsettled.keys.get_mut(&name) {
            // A key that was only to be looked at once more.
            if std::mem::take(&mut doubt.writes) > 0 {
                (doubt.most_bytes, self.unsettled.looks) = (u64::MAX, self.unsettled.looks - 1);
                if doubt.ticket == 0 {
                    self.unsettled.to_ask.push_back(name);
                }
                self.count();
            }
            return;
        }
        if let Some(slot) = self.mark(&name) {
            if self.unsettled.keys.len() >= MOST_UNSETTLED {
                return self.following.dirty.give_up(&slot);
            }
            self.unsettled.keys.insert(name.clone(), Doubt::new(why));
            self.unsettled.to_ask.push_back(name);
            self.count();
        }
    }

    /// Marks a key's slot as one that has to be compared if this process does not come to it.
    pub(super) fn mark(&self, name: &Name) -> Option<Touched> {
        // What Postgres answers for is not followed here, whoever has touched it on the other side.
        if !self.following.share.has(&name.1) {
            return None;
        }
        if !self.following.share.has_database(name.0) {
            self.following.report.beyond(name.0);
            return None;
        }
        let slot = Touched::Slots(smallvec![Slot::of(&name.1).0]);
        self.following.dirty.mark(&slot);
        Some(slot)
    }

    pub(super) fn count(&self) {
        let counts = &self.following.report.counts;
        counts.unsettled.store(self.unsettled.keys.len() as u64, Relaxed);
        counts.looks.store(self.unsettled.looks as u64, Relaxed);
    }

    /// Asks for states.
    pub(super) fn ask(&mut self, is_busy: bool) {
        let now = Instant::now();
        if self.unsettled.ask_again_at.is_some_and(|at| at > now) {
            return;
        }
        self.unsettled.ask_again_at = None;
        let most = (self.unsettled.asked + ASKED_AT_ONCE).min(MOST_ASKED);
        while self.unsettled.asked < most
            && let Some(name) = self.unsettled.to_ask.pop_front()
        {
            self.ask_for(name);
        }
        if is_busy || !self.unsettled.to_ask.is_empty() || self.unsettled.look_at.is_some_and(|at| at > now) {
            return;
        }
        let most = (self.unsettled.asked + LOOKS_AT_ONCE).min(MOST_ASKED);
        while self.unsettled.asked < most
            && let Some(name) = self.unsettled.to_look.pop_front()
        {
            self.ask_for(name);
            self.unsettled.look_at = Some(now + GLANCE);
        }
    }

    fn ask_for(&mut self, name: Name) {
        // Not if it has been asked for already.
        if let Some(doubt) = self.unsettled.keys.get_mut(&name).filter(|doubt| doubt.ticket == 0) {
            self.unsettled.tickets += 1;
            self.unsettled.asked += 1;
            doubt.ticket = self.unsettled.tickets;
            self.following.ask_state(name, doubt.ticket, doubt.most_bytes);
        }
    }

    /// A state has come, or word that it is not to be had.
    pub(super) fn arrived(&mut self, name: Name, ticket: u64, found: Found) {
        let Some(doubt) = self.unsettled.keys.get_mut(&name) else { return };
        if doubt.ticket != ticket {
            return;
        }
        self.unsettled.asked -= 1;
        match found {
            Found::State(state) => {
                let Doubt { writes, again, .. } = *doubt;
                let why = std::mem::take(&mut doubt.why);
                self.forget(&name);
                // Calls after this place are on top of it.
                self.states.push(Arrived { name, state, why, writes, again });
            }
            Found::TooLarge if doubt.most_bytes < u64::MAX => {
                self.following.report.counts.not_looked_at.fetch_add(1, Relaxed);
                self.forget(&name);
                self.end(&name);
            }
            Found::TooLarge | Found::Nothing => {
                doubt.ticket = 0;
                if matches!(found, Found::Nothing) {
                    doubt.failures += 1;
                    self.unsettled.ask_again_at = Some(Instant::now() + PAUSE);
                }
                if doubt.failures == MOST_FAILURES {
                    let why =
                        || CopyError::Refused(Bytes::from_static(b"the upstream does not tell what it is"));
                    self.following.waiting.tell(&name, || Err(why()));
                }
                self.unsettled.to_ask.push_back(name);
            }
        }
    }

    fn forget(&mut self, name: &Name) {
        let doubt = self.unsettled.keys.remove(name);
        self.unsettled.looks -= usize::from(doubt.is_some_and(|doubt| doubt.writes > 0));
    }

    /// The key is what it should be.
    pub(super) fn settled(&mut self, name: &Name, became: Resynced) {
        self.end(name);
        self.following.waiting.tell(name, || Ok(became));
    }

    /// It needs its mark no more.
    fn end(&mut self, name: &Name) {
        self.following.dirty.end(&Touched::Slots(smallvec![Slot::of(&name.1).0]));
        self.count();
    }

    /// A state could not be written: asked for again after a while.
    pub(super) fn unsettle_again(&mut self, arrived: &Arrived, error: CopyError) {
        let Arrived { name, why, .. } = arrived;
        self.following.waiting.tell(name, || Err(error));
        self.unsettled.ask_again_at = Some(Instant::now() + PAUSE);
        self.unsettle(name.clone(), why);
        self.end(name);
    }
}
