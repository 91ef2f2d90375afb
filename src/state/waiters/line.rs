//! Those of whom a ready key serves one: whose turn it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Call;

/// A line, in order of arrival. While it is being served the turn is with the first; whoever is served leaves, and the next one looks
/// for more; whoever finds nothing ends it.
#[derive(Debug, Default)]
pub struct Line {
    members: BTreeMap<u64, Arc<Call>>,
    turn: Turn,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing is known to be there for anybody.
    #[default]
    Idle,
    /// The first has been called.
    Called,
    /// The first makes its attempt. `again`: there was a signal meanwhile.
    Begun { again: bool },
}

impl Line {
    /// Whether the newcomer is the first, and so called for its first attempt.
    pub fn join(&mut self, number: u64, call: &Arc<Call>) -> bool {
        let is_first = self.members.is_empty();
        self.members.insert(number, call.clone());
        if is_first {
            self.call_first();
        }
        is_first
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn signal(&mut self) {
        match self.turn {
            Turn::Idle => self.call_first(),
            Turn::Called => {}
            Turn::Begun { .. } => self.turn = Turn::Begun { again: true },
        }
    }

    pub fn begin(&mut self, number: u64) {
        if self.turn == Turn::Called && self.is_first(number) {
            self.turn = Turn::Begun { again: false };
        }
    }

    pub fn found_nothing(&mut self, number: u64) {
        if !self.is_first(number) {
            return;
        }
        match self.turn {
            Turn::Begun { again: true } => self.call_first(),
            Turn::Begun { again: false } => self.turn = Turn::Idle,
            // Called only after its attempt began.
            Turn::Idle | Turn::Called => {}
        }
    }

    pub fn leave(&mut self, number: u64) {
        let had_turn = self.turn != Turn::Idle && self.is_first(number);
        self.members.remove(&number);
        if had_turn {
            self.call_first();
        }
    }

    fn is_first(&self, number: u64) -> bool {
        self.members.first_key_value().is_some_and(|(first, _)| *first == number)
    }

    fn call_first(&mut self) {
        match self.members.first_key_value() {
            Some((_, call)) => {
                self.turn = Turn::Called;
                call.call();
            }
            None => self.turn = Turn::Idle,
        }
    }
}
