//! Removes keys as soon as they expire, while somebody wants to be told of it. Knows of those whose expiry this process has set or has found
//! past; all others are the sweeper's. Who removes the row is who tells, so it is told once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::statements::sweep::EXPIRE_KEYS;
use super::{Store, StoreError};
use crate::keyspace::DbIndex;

use bytes::Bytes;

/// Most keys that are remembered: some hundred megabytes at worst, if they are all long.
const MOST_KEYS: usize = 200_000;
/// Most keys that are removed at a time.
const MOST_ROWS: usize = 1000;
/// What the clocks of Postgres and of this process may differ by within a key's life.
const AFTERWARDS: Duration = Duration::from_millis(2);

/// The keys whose end is near, by the moment of it.
#[derive(Debug, Default)]
pub struct Expirer {
    due: Mutex<BinaryHeap<Reverse<Due>>>,
    changed: Notify,
}

type Due = (Instant, i32, Vec<u8>);

impl Expirer {
    /// A key of a space, by its stored name, expires after this time.
    pub fn add(&self, after: Duration, space: i32, key: &[u8]) {
        let Some(at) = Instant::now().checked_add(after + AFTERWARDS) else { return };
        let mut due = self.due.lock().expect("no panic while held");
        if due.len() < MOST_KEYS {
            let first = due.peek().is_none_or(|Reverse((first, ..))| at < *first);
            due.push(Reverse((at, space, key.to_vec())));
            drop(due);
            if first {
                self.changed.notify_one();
            }
        }
    }

    /// Removes keys when they are due, until it is dropped; `expired` is told which.
    pub async fn run(&self, store: &Store, expired: impl Fn(Vec<(DbIndex, Bytes)>)) {
        loop {
            let next = self.due.lock().expect("no panic while held").peek().map(|Reverse((at, ..))| *at);
            match next {
                Some(at) if at <= Instant::now() => match self.remove(store).await {
                    Ok(removed) => expired(removed),
                    // The sweeper will find them.
                    Err(error) => tracing::debug!(%error, "removing expired keys"),
                },
                Some(at) => {
                    let _ = tokio::time::timeout_at(at.into(), self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    async fn remove(&self, store: &Store) -> Result<Vec<(DbIndex, Bytes)>, StoreError> {
        let (spaces, keys) = self.take_due();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let rows = store.query(&EXPIRE_KEYS, &[&spaces, &keys]).await?;
        let key = |row: &tokio_postgres::Row| {
            (DbIndex(row.get::<_, i32>(0) as u32), Bytes::from(row.get::<_, Vec<u8>>(1)))
        };
        Ok(rows.iter().map(key).collect())
    }

    fn take_due(&self) -> (Vec<i32>, Vec<Vec<u8>>) {
        let now = Instant::now();
        let mut due = self.due.lock().expect("no panic while held");
        let mut taken = (Vec::new(), Vec::new());
        while taken.0.len() < MOST_ROWS
            && let Some(Reverse((at, ..))) = due.peek()
            && *at <= now
            && let Some(Reverse((_, space, key))) = due.pop()
        {
            taken.0.push(space);
            taken.1.push(key);
        }
        taken
    }
}
