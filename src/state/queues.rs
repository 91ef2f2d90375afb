//! Tends queues: adds delayed entries and dead letters to their streams when they are due, trims streams with a retention, cleans the
//! archive. Every process does; what one is at, the others skip. A stream that somebody has locked is left for the next time. Streams for which the
//! upstream answers are left as they are: nobody would see there what is done here.

use std::sync::Arc;
use std::time::Duration;

use super::{Process, Rule, Side};
use crate::store::statements::queues::{
    ADD_SCHEDULED, APPLY_RETENTION, CLEAN_ARCHIVE, DUE_KEYS, WITH_OPTIONS,
};
use crate::store::{Row, Store, StoreError};

/// Between two looks at what is due: what is scheduled meanwhile for an earlier moment is late by as much.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// Between two looks at retention and archive.
const REST: Duration = Duration::from_secs(10);
/// Most entries that are added, trimmed or removed in one transaction.
const MOST_ADDED: i32 = 100;
const MOST_TRIMMED: i64 = 1000;
const MOST_REMOVED: i32 = 1000;

/// Runs until it is dropped.
pub async fn tend_queues(process: Arc<Process>) {
    tokio::join!(add_forever(&process), trim_forever(&process));
}

async fn add_forever(process: &Process) {
    loop {
        let pause = match add(process).await {
            Ok(rows) => {
                let added: i64 = rows.first().map_or(0, |row| row.get(0));
                let next: Option<f64> = rows.first().and_then(|row| row.get(1));
                match added == i64::from(MOST_ADDED) {
                    true => Duration::ZERO,
                    false => pause(next),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "adding scheduled entries");
                REST
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn add(process: &Process) -> Result<Vec<Row>, StoreError> {
    // The rule does not change meanwhile.
    let passage = process.routing.pass().await;
    if answers_for_nothing(&passage.rule) {
        return Ok(Vec::new());
    }
    let due = match passage.rule.is_divided() {
        true => Some(process.store.query(&DUE_KEYS, &[]).await?),
        false => None,
    };
    // These and no others: what becomes due only now may be the upstream's.
    let here: Option<Vec<&[u8]>> = due.as_ref().map(|due| {
        let keys = due.iter().map(|row| row.get::<_, &[u8]>(0));
        keys.filter(|key| passage.rule.answering(key) == Side::Postgres).collect()
    });
    process.store.query(&ADD_SCHEDULED, &[&MOST_ADDED, &here]).await
}

/// Whether Postgres does not answer for any key.
fn answers_for_nothing(rule: &Rule) -> bool {
    rule.mode.is_upstream() && !rule.is_divided()
}

/// Until the next entry is due in so many seconds.
fn pause(next: Option<f64>) -> Duration {
    let until = next.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
    until.unwrap_or(LONGEST_SLEEP).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}

async fn trim_forever(process: &Process) {
    loop {
        for work in [trim(process).await, clean(&process.store).await] {
            if let Err(error) = work {
                tracing::debug!(%error, "retention");
            }
        }
        tokio::time::sleep(REST).await;
    }
}

async fn trim(process: &Process) -> Result<(), StoreError> {
    if answers_for_nothing(&process.routing.rule()) {
        return Ok(());
    }
    for stream in process.store.query(&WITH_OPTIONS, &[]).await? {
        let passage = process.routing.pass().await;
        // None: it is gone, and its options with it.
        let key: Option<&[u8]> = stream.get(1);
        if key.is_some_and(|key| passage.rule.answering(key) == Side::Upstream) {
            continue;
        }
        // One that cannot be trimmed is no reason not to trim the others.
        if let Err(error) = trim_one(&process.store, stream.get(0)).await {
            tracing::warn!(%error, "a stream's retention");
        }
    }
    Ok(())
}

async fn trim_one(store: &Store, object_id: i64) -> Result<(), StoreError> {
    while count(&store.query(&APPLY_RETENTION, &[&object_id, &MOST_TRIMMED]).await?) >= MOST_TRIMMED {}
    Ok(())
}

async fn clean(store: &Store) -> Result<(), StoreError> {
    while count(&store.query(&CLEAN_ARCHIVE, &[&MOST_REMOVED]).await?) >= i64::from(MOST_REMOVED) {}
    Ok(())
}

fn count(rows: &[Row]) -> i64 {
    rows.first().map_or(0, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_until_the_next_is_due() {
        assert_eq!(pause(None), LONGEST_SLEEP);
        assert_eq!(pause(Some(1e300)), LONGEST_SLEEP);
        assert_eq!(pause(Some(0.1)), Duration::from_millis(100));
        assert_eq!(pause(Some(-3.0)), SHORTEST_SLEEP);
    }
}
