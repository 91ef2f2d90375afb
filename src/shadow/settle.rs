//! Unsettled keys whose states have come: compared with what the follower has, and made the same.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::check::BLUR_MS;
use super::follow::Follower;
use super::report::now_ms;
use super::unsettled::Arrived;
use crate::command::copy::{CopyError, KeyState, compare};
use crate::copy::{Resynced, read_keys, write_keys};
use crate::keyspace::DbIndex;
use crate::keyspace::slot::Slot;
use crate::upstream::UpstreamError;

impl Follower {
    /// Executes what was planned before these states, then writes those that differ.
    pub(super) async fn settle(&mut self) {
        self.flush().await;
        let mut by_db: BTreeMap<DbIndex, Vec<Arrived>> = BTreeMap::new();
        for arrived in std::mem::take(&mut self.states) {
            by_db.entry(arrived.name.0).or_default().push(arrived);
        }
        for (db, mut arrived) in by_db {
            // The last state of a key counts.
            while let Err(error) = self.settle_database(db, &mut arrived).await {
                if self.following.queue.is_closed() {
                    return;
                }
                tracing::debug!(%error, "the follower cannot be reached");
                self.wait_for_target().await;
            }
        }
    }

    async fn settle_database(
        &mut self,
        db: DbIndex,
        arrived: &mut Vec<Arrived>,
    ) -> Result<(), UpstreamError> {
        self.target.select(db).await?;
        let keys: Vec<Bytes> = arrived.iter().map(|arrived| arrived.name.1.clone()).collect();
        let mut own: BTreeMap<Bytes, Result<KeyState, CopyError>> =
            read_keys(&mut self.target, keys).await?.into_iter().collect();
        let mut different = Vec::new();
        for arrived in std::mem::take(arrived) {
            self.lapses.know(&arrived.name, &arrived.state);
            let own = own.remove(&arrived.name.1).unwrap_or(Ok(KeyState::Absent));
            match self.differs(&arrived, own.as_ref().ok()) {
                false => {
                    self.following.report.counts.confirmed.fetch_add(1, Relaxed);
                    let became = became(&arrived.state);
                    match arrived.again {
                        true => self.look_later(&arrived.name, became),
                        false => self.settled(&arrived.name, became),
                    }
                }
                true => different.push(arrived),
            }
        }
        let became: Vec<Resynced> = different.iter().map(|arrived| became(&arrived.state)).collect();
        let states: Vec<(Bytes, KeyState)> = different
            .iter_mut()
            .map(|arrived| (arrived.name.1.clone(), wanted(&mut arrived.state)))
            .collect();
        let outcomes = match write_keys(&mut self.target, &states).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // May be done again.
                for (mut left, (_, state)) in different.into_iter().zip(states) {
                    left.state = state;
                    arrived.push(left);
                }
                return Err(error);
            }
        };
        for ((arrived, became), outcome) in different.into_iter().zip(became).zip(outcomes) {
            self.wrote(&arrived, outcome.map(|()| became));
        }
        Ok(())
    }

    fn wrote(&mut self, arrived: &Arrived, outcome: Result<Resynced, CopyError>) {
        let counts = &self.following.report.counts;
        match outcome {
            Ok(became) => {
                counts.repaired.fetch_add(1, Relaxed);
                self.look_again(arrived, became);
            }
            Err(error) => {
                counts.failed.fetch_add(1, Relaxed);
                tracing::warn!(%error, "a key could not be made the same on the side that follows");
                self.unsettle_again(arrived, error);
            }
        }
    }

    /// Whether the key has to be written; notes how it differs.
    fn differs(&self, arrived: &Arrived, own: Option<&KeyState>) -> bool {
        let report = &self.following.report;
        let Arrived { name: (_, key), state, why, .. } = arrived;
        if let KeyState::Unsupported(kind) = state {
            report.unsupported(kind);
            return !matches!(own, Some(KeyState::Absent));
        }
        let Some(own) = own else { return true };
        let differences = compare(state, own, TOLERANCE_MS);
        let gone = matches!((state, own), (KeyState::Absent, _) | (_, KeyState::Absent));
        let expired = gone && (has_expired(state) || has_expired(own));
        let expected = self.following.dirty.is_broken(Slot::of(key).0) || is_expected(why);
        let counts = differences.iter().any(|difference| !difference.class.is_harmless());
        if counts && !expired && !expected {
            for difference in &differences {
                report.difference(difference.class.name(), why, key, &difference.detail);
            }
        }
        !differences.is_empty() || ends_apart(state, own)
    }
}

/// Whether keys expire at times that a client can tell apart, though that is not worth a report: a key with a short time to live would live for too long, or not long enough.
fn ends_apart(one: &KeyState, other: &KeyState) -> bool {
    let end = |state: &KeyState| match state {
        KeyState::Present { expires_at, .. } => *expires_at,
        _ => None,
    };
    end(one).zip(end(other)).is_some_and(|(one, other)| one.abs_diff(other) > BLUR_MS as u64)
}

/// What is to be said of a key that is brought over.
fn became(state: &KeyState) -> Resynced {
    match state {
        KeyState::Absent => Resynced::Absent,
        KeyState::Present { .. } => Resynced::Copied,
        KeyState::Unsupported(kind) => Resynced::Unsupported(kind.escape_ascii().to_string()),
    }
}

/// Whether a key was read again for a reason that makes it differ.
fn is_expected(why: &str) -> bool {
    // Names of commands are in capitals.
    why.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// What is to be written: of what we do not have, nothing.
fn wanted(state: &mut KeyState) -> KeyState {
    match std::mem::replace(state, KeyState::Absent) {
        KeyState::Unsupported(_) => KeyState::Absent,
        state => state,
    }
}

/// How far in time two clocks may be apart for two expiries not to be reported as different.
pub(super) const TOLERANCE_MS: u64 = 1000;

/// Whether a key that only one side still has may just have expired on the other.
fn has_expired(state: &KeyState) -> bool {
    matches!(state, KeyState::Present { expires_at: Some(at), .. } if *at <= now_ms() + TOLERANCE_MS as i64)
}
