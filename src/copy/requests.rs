//! Keys that a process in shadow mode brings over for others. It alone knows the order of all writes, so while there is one, nobody else may write keys of the follower: `import`
//! and `verify --repair` ask it, in a table, and wait for its answer.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::command::copy::CopyError;
use crate::store::statements::migrate::{
    ANSWER_RESYNC, ASK_RESYNC, FOLLOWER, FOLLOWER_GONE, FOLLOWER_SEEN, FORGET_RESYNC, RESYNC_OUTCOMES,
    TAKE_RESYNCS,
};
use crate::store::{Row, Store, StoreError};

/// How often a follower says that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// Postgres may have forgotten all followers, if it has crashed: they say it again.
const ABSENCE: Duration = Duration::from_secs(10);
/// Between two looks for requests: while there are some, and when there were none for long.
const BUSY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(1);
const STILL_BUSY: Duration = Duration::from_secs(30);
/// Requests under way.
const AT_ONCE: usize = 8;

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resynced {
    Copied,
    Absent,
    /// Postgres answers for it: it is left as it is.
    Moved,
    /// TYPE's word.
    Unsupported(String),
}

/// Who can bring keys over, in order with everything else.
pub trait Resync: Send + Sync {
    /// Brings the keys over; when all is done, for each what became of it, in any order.
    fn resync(&self, db: u32, keys: Vec<Bytes>) -> BoxFuture<'_, Vec<(Bytes, Result<Resynced, CopyError>)>>;
}

impl Resynced {
    fn to_text(outcome: Result<Resynced, CopyError>) -> String {
        match outcome {
            Ok(Resynced::Copied) => "copied".to_owned(),
            Ok(Resynced::Absent) => "absent".to_owned(),
            Ok(Resynced::Moved) => "moved".to_owned(),
            Ok(Resynced::Unsupported(kind)) => format!("type {kind}"),
            Err(error) => format!("error {error}"),
        }
    }

    fn from_text(text: &str) -> Result<Resynced, CopyError> {
        match text.split_once(' ') {
            None if text == "copied" => Ok(Resynced::Copied),
            None if text == "absent" => Ok(Resynced::Absent),
            None if text == "moved" => Ok(Resynced::Moved),
            Some(("type", kind)) => Ok(Resynced::Unsupported(kind.to_owned())),
            Some(("error", why)) => Err(CopyError::Refused(Bytes::copy_from_slice(why.as_bytes()))),
            _ => Err(CopyError::Unexpected),
        }
    }
}

/// Serves requests until it is dropped: to be run by a process in shadow mode. `upstream` is shown, `run_id` is the Redis's.
pub async fn serve_requests(
    store: Arc<Store>,
    process: i32,
    upstream: String,
    run_id: String,
    resync: Arc<dyn Resync>,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    // Not noted in Postgres: what is given up for any reason is found again.
    let under_way: Arc<Mutex<HashSet<i64>>> = Arc::default();
    let mut seen: Option<Instant> = None;
    let mut busy: Option<Instant> = None;
    loop {
        if seen.is_none_or(|seen| seen.elapsed() >= SIGN_OF_LIFE) {
            match store.change(&FOLLOWER_SEEN, &[&process, &upstream, &run_id]).await {
                Ok(_) => seen = Some(Instant::now()),
                Err(error) => tracing::debug!(%error, "a sign of life"),
            }
        }
        let free = places.available_permits() as i64;
        let taken = match free {
            0 => Ok(Vec::new()),
            _ => {
                let known: Vec<i64> = locked(&under_way).iter().copied().collect();
                store.change(&TAKE_RESYNCS, &[&process, &known, &free]).await
            }
        };
        match taken {
            Ok(rows) => {
                for row in rows {
                    busy = Some(Instant::now());
                    let Ok(place) = places.clone().try_acquire_owned() else { break };
                    let (store, resync, under_way) = (store.clone(), resync.clone(), under_way.clone());
                    locked(&under_way).insert(row.get(0));
                    tokio::spawn(async move {
                        answer(&store, resync.as_ref(), &row).await;
                        locked(&under_way).remove(&row.get(0));
                        drop(place);
                    });
                }
            }
            Err(error) => tracing::debug!(%error, "looking for keys to bring over"),
        }
        sleep(if busy.is_some_and(|busy| busy.elapsed() < STILL_BUSY) { BUSY } else { IDLE }).await;
    }
}

fn locked(ids: &Mutex<HashSet<i64>>) -> MutexGuard<'_, HashSet<i64>> {
    ids.lock().expect("no panic while held")
}

async fn answer(store: &Store, resync: &dyn Resync, row: &Row) {
    let (id, db, keys): (i64, i32, Vec<&[u8]>) = (row.get(0), row.get(1), row.get(2));
    let keys: Vec<Bytes> = keys.into_iter().map(Bytes::copy_from_slice).collect();
    let outcomes = resync.resync(db.cast_unsigned(), keys.clone()).await;
    let mut outcomes: HashMap<Bytes, _> = outcomes.into_iter().collect();
    let outcome = |key| outcomes.remove(key).unwrap_or(Err(CopyError::Unexpected));
    let outcomes: Vec<String> = keys.iter().map(outcome).map(Resynced::to_text).collect();
    // Without an answer the request is found once more.
    if let Err(error) = store.change(&ANSWER_RESYNC, &[&id, &outcomes]).await {
        tracing::warn!(%error, "keys were brought over and nobody is told yet");
    }
}

/// Says that a process is no follower any more.
pub async fn no_more_requests(store: &Store, process: i32) -> Result<(), StoreError> {
    store.change(&FOLLOWER_GONE, &[&process]).await.map(drop)
}

/// A process in shadow mode, as others see it.
#[derive(Clone)]
pub struct Follower {
    store: Arc<Store>,
    process: i32,
    pub upstream: String,
    pub run_id: String,
}

impl Follower {
    /// The one that there is.
    pub async fn find(store: &Arc<Store>) -> Result<Option<Follower>, StoreError> {
        let rows = store.change(&FOLLOWER, &[]).await?;
        Ok(rows.first().map(|row| Follower {
            store: store.clone(),
            process: row.get(0),
            upstream: row.get(1),
            run_id: row.get(2),
        }))
    }

    async fn ask(&self, db: u32, keys: &[&[u8]]) -> Result<i64, StoreError> {
        let asked = self.store.change(&ASK_RESYNC, &[&self.process, &db.cast_signed(), &keys]).await?;
        Ok(asked.first().map_or(0, |row| row.get(0)))
    }

    /// Has keys brought over; `None` if it is gone. It may be asked again whatever has gone wrong.
    pub async fn resync(
        &self,
        db: u32,
        keys: &[Bytes],
    ) -> Result<Option<Vec<Result<Resynced, CopyError>>>, StoreError> {
        let raw: Vec<&[u8]> = keys.iter().map(Bytes::as_ref).collect();
        let mut id = self.ask(db, &raw).await?;
        let mut look = Instant::now() + ABSENCE;
        loop {
            sleep(BUSY).await;
            match self.store.query(&RESYNC_OUTCOMES, &[&id]).await?.first().map(|row| row.get(0)) {
                Some(None) => {}
                Some(Some(outcomes)) => {
                    let outcomes: Vec<String> = outcomes;
                    if let Err(error) = self.store.change(&FORGET_RESYNC, &[&id]).await {
                        tracing::debug!(%error, "an answered request stays for a day");
                    }
                    return Ok(Some(outcomes.iter().map(|text| Resynced::from_text(text)).collect()));
                }
                // Postgres has crashed since.
                None => id = self.ask(db, &raw).await?,
            }
            if Instant::now() > look {
                look = Instant::now() + SIGN_OF_LIFE;
                let there = self.store.change(&FOLLOWER, &[]).await?;
                if !there.iter().any(|row| row.get::<_, i32>(0) == self.process) {
                    return Ok(None);
                }
            }
        }
    }
}
