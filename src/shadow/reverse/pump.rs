//! Brings keys over: reads them in Postgres and makes them the same on the upstream.
//!
//! After that each is read once more. If it is not what was written, it is brought over again: between reading and writing another process may have brought a later
//! state. Whoever wrote last to the upstream has looked afterwards, so at rest both sides are the same without any lock between processes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::{Reverse, note, noted};
use crate::command::copy::{Call, CopyError, Dialect, KeyState, TypeOf, type_of};
use crate::copy::{Portions, Redis, Speaker, read_keys, write_keys};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::shadow::effect::Name;
use crate::shadow::repair::Repairable;
use crate::shadow::report::Report;
use crate::shadow::seldom::warn_seldom;
use crate::shadow::target::Target;
use crate::store::statements::shadow::LOCKED_KEYS;
use crate::store::{Store, StoreError};
use crate::upstream::{UpstreamError, Url};

/// Keys at once, and about how many bytes of them.
const MOST: usize = 500;
const PORTION: u64 = 4 * 1024 * 1024;
/// Pauses while a side cannot be reached, or refuses a key.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Without a reply for so long the upstream counts as gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks whether the upstream is still the same, when there is nothing to do.
const IDLE: Duration = Duration::from_secs(1);

pub struct Pump {
    reverse: Arc<Reverse>,
    own: Target,
    url: Url,
    redis: Option<Upstream>,
    pause: Duration,
    /// Keys that were locked when a batch could not be read.
    locked: HashSet<Name>,
}

/// The upstream, on one connection: when that breaks it has to be asked who it is.
struct Upstream(Redis);

impl Speaker for Upstream {
    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let silent = || UpstreamError::Lost("no reply".to_owned());
        timeout(SILENCE, self.0.speak_once(calls)).await.unwrap_or_else(|_| Err(silent()))
    }
}

/// What became of keys.
#[derive(Default)]
struct Outcomes {
    done: Vec<Bytes>,
    /// Not what was written any more.
    overtaken: Vec<Bytes>,
    failed: Vec<Bytes>,
}

impl Pump {
    pub fn new(reverse: Arc<Reverse>, own: Target, url: Url) -> Pump {
        Pump { reverse, own, url, redis: None, pause: FIRST_PAUSE, locked: HashSet::new() }
    }

    /// Follows until the changes are closed.
    pub async fn run(mut self) {
        let reverse = self.reverse.clone();
        let mut wanted = reverse.wanted_looks.subscribe();
        loop {
            let looks = *reverse.looks.borrow();
            let wanted = async { drop(wanted.wait_for(|wanted| *wanted > looks).await) };
            let taken = tokio::select! {
                taken = timeout(IDLE, reverse.changes.take(MOST)) => taken.ok(),
                () = wanted => None,
            };
            match taken {
                Some(Some(names)) => self.bring_over(names).await,
                Some(None) => return,
                None => self.look().await,
            }
        }
    }

    async fn bring_over(&mut self, names: Vec<Name>) {
        let mut by_db: BTreeMap<DbIndex, Vec<Bytes>> = BTreeMap::new();
        for (db, key) in names {
            by_db.entry(db).or_default().push(key);
        }
        for (db, keys) in by_db {
            let outcomes = loop {
                match self.bring_over_in(db, &keys).await {
                    Ok(outcomes) => break outcomes,
                    Err(_) if self.reverse.changes.is_closed() => {
                        break Outcomes { failed: keys, ..Outcomes::default() };
                    }
                    Err(error) => self.wait(&error).await,
                }
            };
            self.account(db, outcomes).await;
        }
    }

    /// What of it is done when this fails may be done again.
    async fn bring_over_in(&mut self, db: DbIndex, keys: &[Bytes]) -> Result<Outcomes, UpstreamError> {
        self.connect().await?;
        let mut outcomes = Outcomes::default();
        let keys = self.readable(db, keys, &mut outcomes).await;
        self.own.select(db).await?;
        let mut portions = match Portions::survey(&mut self.own, keys.iter().cloned()).await {
            Ok(portions) => portions,
            Err(error) => return Err(self.unreadable(db, &keys, error).await),
        };
        loop {
            let read = match portions.next(&mut self.own, PORTION).await {
                Ok(Some(read)) => read,
                Ok(None) => return Ok(outcomes),
                Err(error) => return Err(self.unreadable(db, &keys, error).await),
            };
            let mut states: Vec<(Bytes, KeyState)> = Vec::with_capacity(read.len());
            for (key, state) in read {
                match state {
                    Ok(state) => states.push((key, state)),
                    Err(error) => outcomes.refuse(key, &error),
                }
            }
            let Some(redis) = &mut self.redis else {
                return Err(UpstreamError::Lost("not connected".to_owned()));
            };
            let select = vec![Bytes::from_static(b"SELECT"), Bytes::from(db.0.to_string())];
            if let Some(Reply::Error(why)) = redis.speak(vec![select]).await?.first() {
                // It has fewer databases.
                warn_seldom!(%why, db = db.0, "the upstream does not take keys of this database");
                states.into_iter().for_each(|(key, _)| outcomes.failed.push(key));
                continue;
            }
            let digests: Vec<u64> = states.iter().map(|(_, state)| state.digest()).collect();
            spare_foreign(redis, &mut states, &self.reverse.report).await?;
            let written = write_keys(redis, &states).await?;
            let keys: Vec<Bytes> = states.into_iter().map(|(key, _)| key).collect();
            let now = match read_keys(&mut self.own, keys.clone()).await {
                Ok(now) => now,
                Err(error) => return Err(self.unreadable(db, &keys, error).await),
            };
            let now: HashMap<Bytes, Result<KeyState, CopyError>> = now.into_iter().collect();
            for ((key, before), outcome) in keys.into_iter().zip(digests).zip(written) {
                match (outcome, now.get(&key)) {
                    (Err(error), _) => outcomes.refuse(key, &error),
                    (Ok(()), Some(Ok(now))) if now.digest() == before => outcomes.done.push(key),
                    (Ok(()), _) => outcomes.overtaken.push(key),
                }
            }
        }
    }

    /// The keys without those that were locked and still are: a stream that a transaction of SQL has written cannot be read until that ends, and others do not wait for it.
    async fn readable(&mut self, db: DbIndex, keys: &[Bytes], outcomes: &mut Outcomes) -> Vec<Bytes> {
        let was_locked = |key: &&Bytes| self.locked.contains(&(db, (*key).clone()));
        let suspects: Vec<Bytes> = match self.locked.is_empty() {
            true => Vec::new(),
            false => keys.iter().filter(was_locked).cloned().collect(),
        };
        if suspects.is_empty() {
            return keys.to_vec();
        }
        let still: HashSet<Bytes> = match locked(&self.reverse.store, db, &suspects).await {
            Ok(still) => still,
            Err(_) => return keys.to_vec(),
        };
        suspects.into_iter().filter(|key| !still.contains(key)).for_each(|key| {
            self.locked.remove(&(db, key));
        });
        let (locked, free) = keys.iter().cloned().partition(|key| still.contains(key));
        outcomes.failed = locked;
        free
    }

    /// Keys could not be read: finds out which of them are locked.
    async fn unreadable(&mut self, db: DbIndex, keys: &[Bytes], error: UpstreamError) -> UpstreamError {
        if let Ok(locked) = locked(&self.reverse.store, db, keys).await {
            self.locked.extend(locked.into_iter().map(|key| (db, key)));
        }
        error
    }

    async fn account(&mut self, db: DbIndex, outcomes: Outcomes) {
        let Outcomes { done, overtaken, failed } = outcomes;
        let counts = &self.reverse.report.counts;
        counts.followed.fetch_add(done.len() as u64, Relaxed);
        self.reverse.overtaken.fetch_add(overtaken.len() as u64, Relaxed);
        counts.failed.fetch_add(failed.len() as u64, Relaxed);
        let only_refused = !failed.is_empty() && done.is_empty() && overtaken.is_empty();
        let names = |keys: Vec<Bytes>| keys.into_iter().map(move |key| (db, key));
        self.reverse.changes.done(names(done));
        self.reverse.changes.put_back(names(overtaken).chain(names(failed)).collect());
        match only_refused {
            true => self.rest().await,
            false => self.pause = FIRST_PAUSE,
        }
    }

    /// Whether the upstream is there, and the one that it was.
    async fn look(&mut self) {
        let wanted = *self.reverse.wanted_looks.borrow();
        let looked = async {
            self.connect().await?;
            let ping = vec![vec![Bytes::from_static(b"PING")]];
            if let Some(redis) = &mut self.redis {
                redis.speak(ping).await?;
            }
            Ok(())
        };
        match looked.await {
            Ok(()) => drop(self.reverse.looks.send_replace(wanted)),
            Err(error) => self.wait(&error).await,
        }
    }

    async fn connect(&mut self) -> Result<(), UpstreamError> {
        if self.redis.is_some() {
            return Ok(());
        }
        let silent = || UpstreamError::Lost("no reply".to_owned());
        let redis = timeout(SILENCE, Redis::open(&self.url)).await.unwrap_or_else(|_| Err(silent()))?;
        let mut redis = Upstream(redis);
        self.recognise(&mut redis).await?;
        self.redis = Some(redis);
        Ok(())
    }

    /// A server that was started anew, or is another one, may have any data. From one that is the same, what was sent on the last connection may
    /// still be on its way: that connection is ended, so that nothing old comes after what is sent on this one.
    async fn recognise(&mut self, redis: &mut Upstream) -> Result<(), UpstreamError> {
        let word = Bytes::from_static;
        let path = noted(&self.reverse.folder);
        let written = fs::read_to_string(&path).unwrap_or_default();
        let (known, last) = written.split_once(' ').unwrap_or_default();
        let run_id = redis.0.run_id().unwrap_or_default().to_owned();
        // Nothing is noted of one that has not said it.
        let is_same = written.is_empty() || (!run_id.is_empty() && run_id == known);
        let id = match redis.speak(vec![vec![word(b"CLIENT"), word(b"ID")]]).await?.first() {
            Some(Reply::Integer(id)) => *id,
            _ => 0,
        };
        if is_same && !last.is_empty() && last != "0" {
            let last = Bytes::copy_from_slice(last.as_bytes());
            redis.speak(vec![vec![word(b"CLIENT"), word(b"KILL"), word(b"ID"), last]]).await?;
        }
        if !is_same {
            // Marked before it is known, or a crash in between would forget it.
            self.reverse.compare_all();
        }
        note(&path, &run_id, id);
        Ok(())
    }

    /// A side cannot be reached.
    async fn wait(&mut self, error: &UpstreamError) {
        tracing::debug!(%error, "keys cannot be brought over");
        self.reverse.report.counts.unreachable.fetch_add(1, Relaxed);
        self.redis = None;
        self.rest().await;
    }

    async fn rest(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// What Postgres lacks is removed, but not keys of types that it cannot have.
async fn spare_foreign(
    redis: &mut Upstream,
    states: &mut [(Bytes, KeyState)],
    report: &Report,
) -> Result<(), UpstreamError> {
    let mut absent: Vec<_> =
        states.iter_mut().filter(|(_, state)| matches!(state, KeyState::Absent)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let types = absent.iter().map(|(key, _)| vec![Bytes::from_static(b"TYPE"), key.clone()]).collect();
    for ((_, state), reply) in absent.iter_mut().zip(redis.speak(types).await?) {
        if let Ok(TypeOf::Unsupported(kind)) = type_of(Some(&reply)) {
            report.unsupported(&kind);
            *state = KeyState::Unsupported(kind);
        }
    }
    Ok(())
}

async fn locked(store: &Store, db: DbIndex, keys: &[Bytes]) -> Result<HashSet<Bytes>, StoreError> {
    let keys: Vec<&[u8]> = keys.iter().map(Bytes::as_ref).collect();
    let rows = store.query(&LOCKED_KEYS, &[&db.0.cast_signed(), &keys]).await?;
    Ok(rows.iter().map(|row| Bytes::copy_from_slice(row.get(0))).collect())
}

impl Outcomes {
    fn refuse(&mut self, key: Bytes, error: &CopyError) {
        warn_seldom!(%error, "keys do not get to the upstream and are tried again");
        self.failed.push(key);
    }
}
