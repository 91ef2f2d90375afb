//! For the commands' unit tests: runs a call that is a pure function over keys, without Postgres.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Access, Attempt, CommandError, Incoming, Plan, PlanContext, Slot, View};
use crate::keyspace::{DbIndex, Entry, Expiry, Objects, Value};
use crate::resp::Reply;

/// All live keys.
pub type State = BTreeMap<(DbIndex, Bytes), Entry>;

/// The clock of every call, in milliseconds.
pub const NOW: i64 = 1_700_000_000_000;

/// What plans see: database 0 of 16.
pub const CONTEXT: PlanContext =
    PlanContext { db: DbIndex(0), databases: 16, max_string: 512 * 1024 * 1024, subscriber: false };

/// Strings without expiry in database 0.
pub fn keys(pairs: &[(&'static str, &'static str)]) -> State {
    in_db(0, pairs)
}

/// Strings without expiry.
pub fn in_db(db: u32, pairs: &[(&'static str, &'static str)]) -> State {
    pairs.iter().map(|(key, value)| entry(db, key, value, Expiry::Never)).collect()
}

/// One string with this expiry, in milliseconds.
pub fn expiring(key: &'static str, value: &'static str, at: Option<i64>) -> State {
    State::from([entry(0, key, value, at.map_or(Expiry::Never, Expiry::At))])
}

fn entry(db: u32, key: &'static str, value: &'static str, expiry: Expiry) -> ((DbIndex, Bytes), Entry) {
    ((DbIndex(db), Bytes::from_static(key.as_bytes())), Entry::string(value.into(), expiry))
}

pub fn int(value: i64) -> Reply {
    Reply::Integer(value)
}

pub fn error(text: &str) -> Reply {
    Reply::error(text.to_owned())
}

/// The call's plan, or the error that it is refused with.
pub fn plan(words: &[&str]) -> Result<Plan, CommandError> {
    plan_bytes(words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect())
}

fn plan_bytes(words: Vec<Bytes>) -> Result<Plan, CommandError> {
    Incoming::new(words).resolved()?.plan(&CONTEXT)
}

/// The reply and what is left of `state`.
pub fn run(words: &[&str], state: State) -> (Reply, State) {
    run_bytes(words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect(), state)
}

/// As [`run`], for words that are no text.
pub fn run_bytes(words: Vec<Bytes>, mut state: State) -> (Reply, State) {
    let plan = match plan_bytes(words) {
        Ok(Plan::Block(block)) => Ok((block.attempt)(Attempt::First)),
        plan => plan,
    };
    let op = match plan {
        Err(error) => return (error.into(), state),
        Ok(Plan::Ready(reply)) => return (reply, state),
        Ok(Plan::Keys(op)) => op,
        Ok(_) => panic!("not a function over keys"),
    };
    let mut names: Vec<(DbIndex, Bytes)> = Vec::new();
    let mut wanted = Vec::new();
    let mut positions = Vec::new();
    for key in &op.keys {
        let name = (key.db, key.key.clone());
        let position = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            wanted.push(false);
            names.len() - 1
        });
        wanted[position] |= key.value;
        positions.push(position as u32);
    }
    let seen = |(name, wanted): (&(DbIndex, Bytes), &bool)| {
        let mut entry = state.get(name).cloned();
        if let Some(entry) = &mut entry
            && !wanted
            && let Value::Inline(bytes) = &entry.value
        {
            entry.value = Value::Unfetched(bytes.len());
        }
        Slot { entry, ..Slot::default() }
    };
    let mut slots: Vec<Slot> = names.iter().zip(&wanted).map(seen).collect();
    let mut objects = Objects::default();
    objects.provide((1..10).collect());
    let now_us = if op.access == Access::Overwrite { 0 } else { NOW * 1000 };
    let outcome = (op.apply)(&mut View::new(&mut slots, &positions, &mut objects, now_us));
    for (name, slot) in names.into_iter().zip(slots) {
        assert!(!slot.dirty || outcome.is_ok(), "an error must leave the view as it was");
        match (slot.dirty, slot.entry) {
            (false, _) => {}
            (true, None) => drop(state.remove(&name)),
            (true, Some(mut entry)) => {
                if let Value::Unfetched(_) = entry.value {
                    entry.value = state[&name].value.clone();
                }
                state.insert(name, entry);
            }
        }
    }
    (outcome.unwrap_or_else(Reply::from), state)
}
