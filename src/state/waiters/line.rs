//! Those of whom a ready key serves one: whose turn it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use super::Call;

/// Most clients that have the turn together.
const WIDEST: u32 = 16;

/// A line, in order of arrival. Who comes while nobody waits makes the first attempt at once, beside others who do the same: of them
/// nobody waits yet, so none has come first. Who finds nothing waits. The turn is with the first of those who wait; whoever is served
/// leaves, and the next looks for more; whoever finds nothing ends it. While there is something for everybody, several have the turn
/// together, each after the one before it ([`Call::is_due`]).
#[derive(Debug, Default)]
pub struct Line {
    /// Who makes the first attempt.
    trying: HashMap<u64, Trying>,
    waiting: BTreeMap<u64, Arc<Call>>,
    turn: Option<Turn>,
    /// Turns in succession in which everybody was served.
    streak: u32,
}

#[derive(Debug)]
struct Trying {
    call: Arc<Call>,
    /// There was a signal since it came.
    signalled: bool,
}

/// Those who have been called and are not done.
#[derive(Debug, Default)]
struct Turn {
    called: SmallVec<[u64; 1]>,
    has_begun: bool,
    /// There was a signal since one has begun.
    again: bool,
    /// Somebody has left: served, as far as is known here.
    served: bool,
    /// Somebody has found nothing.
    missed: bool,
}

impl Line {
    /// Somebody comes to make the first attempt.
    pub fn try_first(&mut self, number: u64, call: &Arc<Call>) {
        self.trying.insert(number, Trying { call: call.clone(), signalled: false });
    }

    /// Somebody comes and waits behind others.
    pub fn wait(&mut self, number: u64, call: &Arc<Call>) {
        self.waiting.insert(number, call.clone());
    }

    pub fn is_empty(&self) -> bool {
        self.trying.is_empty() && self.waiting.is_empty()
    }

    /// Whether somebody waits.
    pub fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub fn signal(&mut self) {
        self.trying.values_mut().for_each(|trying| trying.signalled = true);
        self.look_again();
    }

    pub fn begin(&mut self, number: u64) {
        if let Some(turn) = &mut self.turn {
            turn.has_begun |= turn.called.contains(&number);
        }
    }

    pub fn found_nothing(&mut self, number: u64) {
        if let Some(Trying { call, signalled }) = self.trying.remove(&number) {
            self.waiting.insert(number, call);
            if signalled {
                self.look_again();
            }
            return;
        }
        self.done(number, |turn| turn.missed = true);
    }

    pub fn leave(&mut self, number: u64) {
        self.trying.remove(&number);
        self.waiting.remove(&number);
        self.done(number, |turn| turn.served = true);
    }

    /// There may be something.
    fn look_again(&mut self) {
        match &mut self.turn {
            None => self.call(1),
            Some(turn) => turn.again |= turn.has_begun,
        }
    }

    fn done(&mut self, number: u64, note: impl FnOnce(&mut Turn)) {
        let Some(turn) = &mut self.turn else { return };
        let Some(at) = turn.called.iter().position(|called| *called == number) else { return };
        turn.called.remove(at);
        note(turn);
        if !turn.called.is_empty() {
            return;
        }
        let Turn { again, served, missed, .. } = self.turn.take().unwrap_or_default();
        if !missed {
            self.streak += 1;
            // The second in succession says that there is more than one for each.
            return self.call(1 << (self.streak - 1).min(WIDEST.ilog2()));
        }
        self.streak = 0;
        // With others before it somebody may have found nothing because it was not its turn yet.
        if again || served {
            self.call(1);
        }
    }

    /// Calls the first who wait, up to so many.
    fn call(&mut self, most: u32) {
        let mut turn = Turn::default();
        let mut before: Option<&Arc<Call>> = None;
        for (number, call) in self.waiting.iter().take(most as usize) {
            // Who is in other lines, too, may find there what those before it here have not.
            if before.is_some_and(|before| before.is_alone || call.is_alone) {
                break;
            }
            call.call(before);
            turn.called.push(*number);
            before = Some(call);
        }
        self.turn = (!turn.called.is_empty()).then_some(turn);
    }
}
