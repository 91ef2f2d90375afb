//! The back-stop of wake-ups: looks now and then whether keys that are waited for have changed. One statement for all of them.
//!
//! It closes every gap in what processes tell each other: a key that nobody has announced yet, a listening connection that was
//! lost, a process that was killed between its commit and its signal, a key that has expired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::{Topic, Waiters};
use crate::store::statements::blocking::VERSIONS;
use crate::store::{Store, StoreError, Xid};

/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(1);
/// What is new is looked at after this time. By then the other processes know that somebody waits for it; whatever they wrote before
/// is found now.
const SOON: Duration = Duration::from_millis(20);
/// Most keys of a round: with more of them each has its turn less often.
const MOST_KEYS: usize = 1000;

/// A key's state: the version of its row, that of the object it names, and how many parts this has; `None` for an absent one.
type Version = Option<(u32, Option<i64>, Option<i64>)>;

/// What was seen of the keys that are waited for, and when in which round.
#[derive(Debug, Default)]
struct Seen {
    versions: HashMap<Topic, (u64, Version)>,
    round: u64,
}

/// Looks until it is dropped.
pub async fn poll_forever(waiters: Arc<Waiters>, store: Arc<Store>) {
    let mut seen = Seen::default();
    let mut round = tokio::time::interval(PERIOD);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let chosen = tokio::select! {
            _ = round.tick() => {
                waiters.withdraw();
                seen.forget(|topic| !waiters.is_announced(topic));
                seen.choose(waiters.topics())
            }
            () = waiters.news() => {
                tokio::time::sleep(SOON).await;
                seen.choose_new(waiters.topics())
            }
        };
        if chosen.is_empty() {
            continue;
        }
        // Before the look: who comes during it counts for the next one.
        let arrivals = waiters.arrivals(&chosen);
        match versions(&store, &chosen).await {
            Ok(versions) => waiters.signal(&seen.compare(chosen, versions, &arrivals)),
            Err(error) => {
                tracing::debug!(%error, "keys that clients wait for cannot be looked at");
                // What has happened since is not known.
                seen.versions.clear();
            }
        }
    }
}

impl Seen {
    fn forget(&mut self, is_forgotten: impl Fn(&Topic) -> bool) {
        self.versions.retain(|topic, _| !is_forgotten(topic));
    }

    /// The keys of a round: the new ones, then those that were not looked at for longest.
    fn choose(&mut self, mut topics: Vec<Topic>) -> Vec<Topic> {
        self.round += 1;
        if topics.len() > MOST_KEYS {
            topics.sort_by_cached_key(|topic| self.versions.get(topic).map_or(0, |(round, _)| *round));
            topics.truncate(MOST_KEYS);
        }
        topics
    }

    /// The new keys, if there are any.
    fn choose_new(&mut self, mut topics: Vec<Topic>) -> Vec<Topic> {
        topics.retain(|topic| !self.versions.contains_key(topic));
        topics.truncate(MOST_KEYS);
        topics
    }

    /// Which of the keys are new or have changed. A key that is absent, as it was, may have been there when somebody came in between.
    fn compare(&mut self, topics: Vec<Topic>, versions: Vec<Version>, arrivals: &[bool]) -> Vec<Topic> {
        let mut changed = Vec::new();
        for ((topic, version), has_newcomer) in topics.into_iter().zip(versions).zip(arrivals) {
            let before = self.versions.insert(topic.clone(), (self.round, version));
            let is_same = before.is_some_and(|(_, before)| before == version);
            if !is_same || (*has_newcomer && version.is_none()) {
                changed.push(topic);
            }
        }
        changed
    }
}

async fn versions(store: &Store, topics: &[Topic]) -> Result<Vec<Version>, StoreError> {
    let parts = || topics.iter().map(|topic| topic.parts().unwrap_or_default());
    let dbs: Vec<i32> = parts().map(|(db, _)| db.0 as i32).collect();
    let keys: Vec<&[u8]> = parts().map(|(_, key)| key).collect();
    let mut versions = vec![None; topics.len()];
    for row in &store.query(&VERSIONS, &[&dbs, &keys]).await? {
        let place = row.get::<_, i32>(0) as usize;
        versions[place] = Some((row.get::<_, Xid>(1).0, row.get(2), row.get(3)));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;

    use super::*;
    use crate::keyspace::DbIndex;

    fn topics(range: std::ops::Range<usize>) -> Vec<Topic> {
        range.map(|n| Topic::new(DbIndex(0), &Bytes::from(n.to_string()))).collect()
    }

    #[test]
    fn what_is_new_or_has_changed_is_told() {
        let mut seen = Seen::default();
        let chosen = seen.choose(topics(0..2));
        assert_eq!(seen.compare(chosen, vec![None, Some((1, None, None))], &[false; 3]), topics(0..2));
        let chosen = seen.choose(topics(0..3));
        let changed = seen.compare(chosen, vec![None, Some((1, Some(1), Some(1))), None], &[false; 3]);
        assert_eq!(changed, topics(1..3));
        let chosen = seen.choose(topics(0..3));
        assert_eq!(
            seen.compare(chosen, vec![None, Some((1, Some(1), Some(0))), None], &[false; 3]),
            topics(1..2)
        );
        // Made and expired since the last look, while somebody came.
        let chosen = seen.choose(topics(0..3));
        let versions = vec![None, Some((1, Some(1), Some(0))), None];
        assert_eq!(seen.compare(chosen, versions, &[true, true, false]), topics(0..1));
        assert_eq!(seen.choose_new(topics(0..4)), topics(3..4));
        seen.forget(|topic| *topic == topics(1..2)[0]);
        let chosen = seen.choose_new(topics(0..3));
        assert_eq!(seen.compare(chosen, vec![Some((1, Some(1), Some(0)))], &[false; 3]), topics(1..2));
    }

    #[test]
    fn many_keys_have_their_turns() {
        let mut seen = Seen::default();
        let mut missing: HashSet<Topic> = topics(0..2500).into_iter().collect();
        for _ in 0..3 {
            let chosen = seen.choose(topics(0..2500));
            assert_eq!(chosen.len(), MOST_KEYS);
            missing.retain(|topic| !chosen.contains(topic));
            seen.compare(chosen, vec![None; MOST_KEYS], &[false; MOST_KEYS]);
        }
        assert!(missing.is_empty());
    }
}
