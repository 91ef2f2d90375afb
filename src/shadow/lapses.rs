//! When keys end on the follower, as far as it has heard. It does later what the leader has done, and if a key has expired in between it does it to another key than the leader
//! did: whatever both have answered, nobody knows what the key is then.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::effect::{Name, Planned};
use crate::command::copy::KeyState;
use crate::keyspace::DbIndex;

/// Keys that are remembered: those that end first.
const MOST: usize = 100_000;
/// How much later what was done earlier may come.
const LATE_MS: i64 = 1000;

/// Ends of keys, in milliseconds since the epoch.
#[derive(Debug, Default)]
pub struct Lapses {
    /// By database and hash of the key, which may be long and lies in a buffer. Of two with one hash the later is known.
    ends: HashMap<(DbIndex, u64), i64>,
    hasher: RandomState,
    /// When what is done now was done on the other side.
    since: i64,
}

impl Lapses {
    /// How far, in milliseconds, the end of a key of this call is from the time between its execution on the other side and `now`, when it has been executed here: 0, if the key
    /// has ended in between; `None`, if no end is known.
    pub fn distance(&self, planned: &Planned, now: i64) -> Option<i64> {
        self.of(planned).map(|end| planned.at.saturating_sub(end).max(end.saturating_sub(now)).max(0)).min()
    }

    /// The ends of the keys that a call uses.
    fn of(&self, planned: &Planned) -> impl Iterator<Item = i64> {
        let names = if self.ends.is_empty() { Vec::new() } else { planned.used() };
        names.into_iter().filter_map(|name| self.ends.get(&self.short(&name)).copied())
    }

    /// What becomes of the ends by a call.
    pub fn follow(&mut self, planned: &Planned) {
        self.since = planned.at;
        let end = match planned.until {
            None if !self.ends.is_empty() && planned.carries() => self.of(planned).max(),
            until => until,
        };
        if let Some(end) = end {
            planned.written().iter().for_each(|name| self.note(name, end));
        }
    }

    /// What the key is.
    pub fn know(&mut self, name: &Name, state: &KeyState) {
        match state {
            KeyState::Present { expires_at: Some(end), .. } => self.note(name, *end),
            _ => drop(self.ends.remove(&self.short(name))),
        }
    }

    /// Two databases are exchanged.
    pub fn exchange(&mut self, a: DbIndex, b: DbIndex) {
        let other = |db| match db {
            db if db == a => b,
            db if db == b => a,
            db => db,
        };
        let ends = std::mem::take(&mut self.ends).into_iter();
        self.ends = ends.map(|((db, key), end)| ((other(db), key), end)).collect();
    }

    fn short(&self, (db, key): &Name) -> (DbIndex, u64) {
        (*db, self.hasher.hash_one(key))
    }

    fn note(&mut self, name: &Name, end: i64) {
        if self.ends.len() >= MOST {
            // Who has ended before what is done now is no matter any more; who ends last may never be one.
            let since = self.since.saturating_sub(LATE_MS);
            let mut ends: Vec<i64> = self.ends.values().copied().filter(|end| *end >= since).collect();
            let last = match ends.len() > MOST / 2 {
                true => *ends.select_nth_unstable(MOST / 2).1,
                false => i64::MAX,
            };
            self.ends.retain(|_, end| (since..last).contains(end));
        }
        self.ends.insert(self.short(name), end);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn those_that_end_first_are_remembered() {
        let mut lapses = Lapses::default();
        let name = |number: i64| (DbIndex(0), Bytes::from(number.to_string()));
        for end in 0..=MOST as i64 {
            lapses.note(&name(end), end);
        }
        assert_eq!(lapses.ends.len(), MOST / 2 + 1);
        let knows = |lapses: &Lapses, number| lapses.ends.contains_key(&lapses.short(&name(number)));
        assert!(knows(&lapses, 0) && !knows(&lapses, MOST as i64 - 1));
        lapses.since = LATE_MS + 10;
        for end in 0..=MOST as i64 / 2 {
            lapses.note(&name(-end), i64::MAX);
        }
        assert!(!knows(&lapses, 9) && knows(&lapses, 10));
    }
}
