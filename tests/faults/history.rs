//! What clients did and saw: the raw material of the checker.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::client::Reply;
use super::linear;
use super::model::{Command, Program, State};

const MILLISECOND: u64 = 1_000_000;

/// What a client learned about an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It took effect and gave these replies, one per command.
    Replied(Vec<Reply>),
    /// EXEC answered nil: a watched key was changed by somebody, nothing took effect.
    Aborted,
    /// The connection broke, or the server said that it does not know.
    Unknown,
}

#[derive(Clone)]
pub struct Operation {
    /// `None` for what no client does (a value expires).
    pub client: Option<usize>,
    pub invoked: u64,
    pub returned: Option<u64>,
    pub program: Program,
    /// The values that were read under WATCH, and when WATCH was sent.
    pub watched: Vec<(String, Option<String>)>,
    pub watched_since: u64,
    pub outcome: Outcome,
}

impl Operation {
    /// Lets the operation take effect on `state`; false when its replies cannot come from there.
    pub fn explains(&self, state: &mut State) -> bool {
        let unchanged = self.watched.iter().all(|(key, value)| state.get(key) == value.as_ref());
        match &self.outcome {
            Outcome::Aborted => true,
            _ if !unchanged => false,
            Outcome::Replied(replies) => state.run(&self.program) == *replies,
            Outcome::Unknown => {
                state.run(&self.program);
                true
            }
        }
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let watched = self.watched.iter().map(|(key, _)| key.as_str());
        self.program.commands.iter().flat_map(|command| command.keys()).chain(watched)
    }

    /// What expires because of it. The time to live runs from some moment between invocation and return, by a clock of
    /// milliseconds; from then on nobody may see the value (DESIGN.md: expired keys are invisible at once).
    fn expiries(&self) -> Vec<Operation> {
        let mut expiries = Vec::new();
        for (at, command) in self.program.commands.iter().enumerate() {
            let Some((key, value, millis)) = command.time_to_live() else { continue };
            let set = match &self.outcome {
                Outcome::Replied(replies) => command.may_have_written(Some(&replies[at])),
                Outcome::Unknown => true,
                Outcome::Aborted => false,
            };
            if set {
                expiries.push(Operation {
                    client: None,
                    invoked: self.invoked + (millis - 1) * MILLISECOND,
                    returned: self.returned.map(|returned| returned + (millis + 2) * MILLISECOND),
                    program: Program::of(Command::expiry(key, value)),
                    watched: Vec::new(),
                    watched_since: 0,
                    outcome: Outcome::Replied(vec![Reply::ok()]),
                });
            }
        }
        expiries
    }

    /// Whether it may have changed one of these keys.
    fn may_have_written(&self, keys: &[String]) -> bool {
        self.writes().any(|command| command.keys().any(|key| keys.iter().any(|watched| watched == key)))
    }

    /// Whether a client got replies that say it changed nothing, in whatever state it took effect.
    pub fn only_read(&self) -> bool {
        self.client.is_some() && self.returned.is_some() && self.writes().next().is_none()
    }

    /// The commands that may have changed something, by their replies.
    fn writes(&self) -> impl Iterator<Item = &Command> {
        let (commands, replies) = match &self.outcome {
            Outcome::Replied(replies) => (self.program.commands.as_slice(), Some(replies)),
            Outcome::Aborted => (&[][..], None),
            Outcome::Unknown => (self.program.commands.as_slice(), None),
        };
        let replied = move |at: usize| replies.map(|replies| &replies[at]);
        commands
            .iter()
            .enumerate()
            .filter(move |&(at, command)| command.may_have_written(replied(at)))
            .map(|(_, command)| command)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |nanos: u64| nanos / 1000;
        let client = self.client.map_or("expiry".into(), |client| format!("client {client}"));
        let returned = self.returned.map_or("never".into(), |at| micros(at).to_string());
        write!(f, "{client} {}..{returned} us {:?} -> ", micros(self.invoked), self.program)?;
        if !self.watched.is_empty() {
            write!(f, "watched {:?}, ", self.watched)?;
        }
        match &self.outcome {
            Outcome::Replied(replies) => write!(f, "{replies:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// All operations of a run by group of keys, and what must never be seen at all.
pub struct History {
    start: Instant,
    groups: Mutex<BTreeMap<String, Vec<Operation>>>,
    complaints: Mutex<Vec<String>>,
    pub unknown: AtomicU64,
    pub refused: AtomicU64,
}

impl History {
    pub fn new() -> Arc<Self> {
        Arc::new(History {
            start: Instant::now(),
            groups: Mutex::default(),
            complaints: Mutex::default(),
            unknown: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    pub fn record(&self, group: &str, operation: Operation) {
        if operation.outcome == Outcome::Unknown {
            self.unknown.fetch_add(1, Ordering::Relaxed);
        }
        let mut groups = self.groups.lock().unwrap();
        let operations = groups.entry(group.into()).or_default();
        operations.extend(operation.expiries());
        operations.push(operation);
    }

    pub fn complain(&self, text: String) {
        self.complaints.lock().unwrap().push(text);
    }

    pub fn groups(&self) -> Vec<String> {
        self.groups.lock().unwrap().keys().cloned().collect()
    }

    /// Everything that was recorded so far is checked and forgotten.
    pub fn check(&self) -> Result<usize, String> {
        if let Some(complaint) = self.complaints.lock().unwrap().first() {
            return Err(complaint.clone());
        }
        let groups = std::mem::take(&mut *self.groups.lock().unwrap());
        for (group, operations) in &groups {
            let verdict = linear::check(operations, &State::default());
            verdict
                .and_then(|()| no_spurious_abort(operations))
                .map_err(|text| format!("keys {group}*: {text}"))?;
        }
        Ok(groups.values().map(Vec::len).sum())
    }
}

/// EXEC may be refused only if somebody changed a watched key after WATCH was sent.
pub fn no_spurious_abort(operations: &[Operation]) -> Result<(), String> {
    for aborted in operations.iter().filter(|operation| operation.outcome == Outcome::Aborted) {
        let keys: Vec<String> = aborted.watched.iter().map(|(key, _)| key.clone()).collect();
        let excused = operations.iter().any(|other| {
            other.returned.is_none_or(|returned| returned >= aborted.watched_since)
                && aborted.returned.is_none_or(|returned| other.invoked <= returned)
                && other.may_have_written(&keys)
        });
        if !excused {
            return Err(format!("refused although nobody changed a watched key: {aborted:?}"));
        }
    }
    Ok(())
}

/// How respg says that it does not know whether a write took effect (G6).
pub fn says_unknown(text: &str) -> bool {
    text.contains("unknown") && text.contains("outcome")
}

/// How respg says that Postgres cannot be reached and nothing has happened.
pub fn says_unavailable(text: &str) -> bool {
    ["LOADING ", "TRYAGAIN ", "EXECABORT "].iter().any(|code| text.starts_with(code))
}
