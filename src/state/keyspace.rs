//! How many keys there are (INFO keyspace). Postgres has to count them, so a count is used for as long as it was expensive.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Process;
use crate::store::statements::server::KEYSPACE;
use crate::store::{Row, Store, StoreError};

/// Counts of fewer keys than this are always made anew, however long a busy machine takes for them.
const FEW_KEYS: i64 = 100_000;
/// So are counts that take less.
const CHEAP: Duration = Duration::from_millis(20);
/// A count is used for this many times the time that it took: counting takes at most a twentieth of one connection's time.
const PATIENCE: u32 = 20;
/// Longest wait for a new count when there is an old one or none.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// One logical database with live keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseCount {
    pub db: i32,
    pub keys: i64,
    pub expires: i64,
    /// Milliseconds, of the keys that expire.
    pub average_ttl: i64,
}

#[derive(Debug)]
pub struct KeyspaceCount {
    pub databases: Vec<DatabaseCount>,
    pub postgres_version: String,
    made: Instant,
    took: Duration,
}

/// The last count.
#[derive(Debug, Default)]
pub struct Keyspace {
    last: Mutex<Option<Arc<KeyspaceCount>>>,
    /// Counts begun before this do not count.
    forgotten: Mutex<Option<Instant>>,
    /// Whether Postgres did not answer the last time.
    unreachable: AtomicBool,
    counting: tokio::sync::Mutex<()>,
}

impl Keyspace {
    /// A count of the keys, not older than it is worth; `None` if there has never been one.
    pub async fn count(process: &Arc<Process>) -> Option<Arc<KeyspaceCount>> {
        let keyspace = &process.keyspace;
        match keyspace.last() {
            Some(last) if last.is_fresh() => return Some(last),
            Some(last) if last.is_expensive() && keyspace.counting.try_lock().is_err() => return Some(last),
            _ => {}
        }
        let asked = Instant::now();
        let counted = tokio::spawn({
            let process = process.clone();
            async move { process.keyspace.renew(&process.store, asked).await }
        });
        // It goes on if we do not wait for it.
        let _ = tokio::time::timeout(LONGEST_WAIT, counted).await;
        keyspace.since(asked)
    }

    pub fn is_reachable(&self) -> bool {
        !self.unreachable.load(Relaxed)
    }

    fn last(&self) -> Option<Arc<KeyspaceCount>> {
        let last = self.last.lock().expect("no panic while held").clone()?;
        let forgotten = *self.forgotten.lock().expect("no panic while held");
        Some(last).filter(|last| forgotten.is_none_or(|forgotten| last.made >= forgotten))
    }

    /// A count that was begun since then, whatever has happened since; else the last one.
    fn since(&self, asked: Instant) -> Option<Arc<KeyspaceCount>> {
        let last = self.last.lock().expect("no panic while held").clone();
        last.filter(|last| last.made >= asked).or_else(|| self.last())
    }

    /// Databases were emptied or exchanged: counts begun earlier are worth nothing.
    pub fn forget(&self) {
        *self.forgotten.lock().expect("no panic while held") = Some(Instant::now());
    }

    /// Counts, unless somebody else has begun to since `asked`.
    async fn renew(&self, store: &Store, asked: Instant) {
        let _counting = self.counting.lock().await;
        if self.last().is_some_and(|last| last.is_fresh() || last.made >= asked) {
            return;
        }
        let counted = count(store).await;
        self.unreachable.store(matches!(counted, Err(StoreError::Unavailable(_))), Relaxed);
        if let Ok(counted) = counted {
            *self.last.lock().expect("no panic while held") = Some(Arc::new(counted));
        }
    }
}

impl KeyspaceCount {
    /// From the rows of the statement KEYSPACE, asked for at `made`.
    pub fn new(rows: &[Row], made: Instant) -> KeyspaceCount {
        let version = rows.first().and_then(|row| row.get::<_, Option<String>>(4)).unwrap_or_default();
        let databases = rows.iter().skip(1).map(|row| DatabaseCount {
            db: row.get(0),
            keys: row.get(1),
            expires: row.get(2),
            average_ttl: row.get(3),
        });
        KeyspaceCount {
            databases: databases.collect(),
            postgres_version: version,
            made,
            took: made.elapsed(),
        }
    }

    fn is_expensive(&self) -> bool {
        self.took > CHEAP && self.databases.iter().map(|count| count.keys).sum::<i64>() > FEW_KEYS
    }

    fn is_fresh(&self) -> bool {
        self.is_expensive() && self.made.elapsed() < self.took * PATIENCE
    }
}

async fn count(store: &Store) -> Result<KeyspaceCount, StoreError> {
    let connection = store.acquire().await?;
    connection.prepare(&KEYSPACE).await.map_err(|error| StoreError::before_commit(&error))?;
    let made = Instant::now();
    let rows = connection.query(&KEYSPACE, &[]).await.map_err(|error| StoreError::before_commit(&error))?;
    Ok(KeyspaceCount::new(&rows, made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emptied_meanwhile_takes_no_count_away() {
        let keyspace = Keyspace::default();
        let asked = Instant::now();
        *keyspace.last.lock().unwrap() = Some(Arc::new(KeyspaceCount::new(&[], Instant::now())));
        std::thread::sleep(Duration::from_millis(1));
        // By somebody else, who is in no order with who has asked.
        keyspace.forget();
        assert!(keyspace.since(asked).is_some());
        let asked = Instant::now();
        assert!(keyspace.since(asked).is_none() && keyspace.last().is_none());
    }
}
