//! Removes what nobody can see any more: expired keys, WATCH's old placeholders, rows of dropped spaces.
//!
//! No index on the expiry: it would make every SET with EX a non-HOT update. The tables are walked in physical order, part by part, again and
//! again, as fast as a small share of the time allows, and faster while there is much to find (as Redis's active expire cycle).
//! All processes share one position, so they are no faster together than one. Nobody waits for the sweeper: it skips locked
//! rows and removes few at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::statements::streams;
use super::statements::sweep::{ANALYZE, BEGIN_SWEEPING, FORGET_SPACES, HAS_STATISTICS, SWEEP};
use super::statements::{KeyStatement, Statement};
use super::{Store, StoreError};
use crate::keyspace::DbIndex;

/// Between the end of a pass over a table and the next; also how often a process looks whether it is its turn.
const REST: Duration = Duration::from_secs(10);
/// Between looks for dropped objects while there are none.
const OBJECTS_REST: Duration = Duration::from_secs(2);
/// The same while somebody wants to know of expired keys.
const SHORT_REST: Duration = Duration::from_millis(500);
/// Most rows that are removed, and so locked, in one transaction.
const MOST_ROWS: i64 = 1000;
/// Blocks in a part: few where there is much to remove, many where there is nothing.
const FEWEST_BLOCKS: i64 = 16;
const MOST_BLOCKS: i64 = 512;
/// The fewest blocks of a table whose statistics are worth having: of a single row they say that every column is unique.
const ENOUGH_BLOCKS: i64 = 8;
/// The share of the time spent sweeping, as a divisor: 5 %, and 25 % while every block has something to remove.
const CALM: u32 = 20;
const BUSY: u32 = 4;

/// Removes what dropped objects leave behind, as fast as for a busy table.
async fn sweep_objects(store: &Store) {
    loop {
        let started = Instant::now();
        let swept = store.query(&streams::SWEEP, &[&(MOST_ROWS as i32)]).await;
        let pause = match swept.map(|rows| i64::from(rows[0].get::<_, i32>(0))) {
            Ok(MOST_ROWS..) => started.elapsed() * (BUSY - 1),
            Ok(_) => OBJECTS_REST,
            Err(error) => {
                tracing::debug!(%error, "sweeping objects");
                REST
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What the sweeper is asked for and tells.
pub trait Sweeping: Sync {
    /// Whether the names of expired keys are wanted, and soon.
    fn wants_names(&self) -> bool;
    /// A part had so many expired keys, with their names if they were wanted.
    fn expired(&self, count: u64, keys: Vec<(DbIndex, Bytes)>);
}

/// Sweeps until it is dropped.
pub async fn sweep_forever(store: Arc<Store>, sweeping: impl Sweeping) {
    let table = |of| sweep_table(&store, of, &sweeping);
    tokio::join!(
        table(|statement| &statement.logged),
        table(|statement| &statement.unlogged),
        sweep_objects(&store)
    );
}

/// The form of a statement that is about one of the tables.
type Form = fn(&'static KeyStatement) -> &'static Statement;

async fn sweep_table(store: &Store, of: Form, sweeping: &impl Sweeping) {
    let (mut pace, mut is_known) = (Pace::default(), false);
    loop {
        pace.rest = if sweeping.wants_names() { SHORT_REST } else { REST };
        let (started, announced) = (Instant::now(), pace.clone());
        match sweep_part(store, of(&SWEEP), &pace, sweeping).await {
            Ok(Some(part)) => {
                pace.adapt(&part, started.elapsed());
                if !is_known && part.blocks >= ENOUGH_BLOCKS {
                    is_known = true;
                    if let Err(error) = make_known(store, of).await {
                        tracing::debug!(%error, "looking at the statistics");
                    }
                }
                // Not before the time that the others were told.
                let pause = pace.pause.max(announced.pause);
                tokio::time::sleep(if part.is_last(announced.blocks) { pace.rest } else { pause }).await;
            }
            Ok(None) => tokio::time::sleep(pace.rest).await,
            Err(error) => {
                tracing::debug!(%error, "sweeping");
                tokio::time::sleep(pace.rest).await;
            }
        }
    }
}

/// What a part was like.
struct Part {
    first: i64,
    /// Of the whole table.
    blocks: i64,
    removed: i64,
}

impl Part {
    /// Whether the table ended with this part of so many blocks.
    fn is_last(&self, blocks: i64) -> bool {
        self.removed < MOST_ROWS && self.first + blocks >= self.blocks
    }
}

/// How much at a time, and how long not.
#[derive(Debug, Clone)]
struct Pace {
    blocks: i64,
    pause: Duration,
    /// Between two passes.
    rest: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { blocks: FEWEST_BLOCKS, pause: Duration::from_millis(100), rest: REST }
    }
}

impl Pace {
    fn adapt(&mut self, part: &Part, took: Duration) {
        let rich = part.removed >= self.blocks;
        self.pause = took * (if rich { BUSY } else { CALM } - 1);
        if !part.is_last(self.blocks) {
            self.blocks = match part.removed {
                MOST_ROWS.. => (self.blocks / 2).max(FEWEST_BLOCKS),
                0..=100 => (self.blocks * 2).min(MOST_BLOCKS),
                _ => self.blocks,
            };
        }
    }
}

/// Without statistics the planner looks keys up in the primary key, at twice the cost of the index that is there for it, and autovacuum comes by once a minute,
/// later after an upgrade of Postgres or a restore. Once: who may not do this is not to be told again and again.
async fn make_known(store: &Store, of: Form) -> Result<(), StoreError> {
    let is_known: bool = store.query(of(&HAS_STATISTICS), &[]).await?[0].get(0);
    if !is_known {
        store.query(of(&ANALYZE), &[]).await?;
    }
    Ok(())
}

/// Sweeps the next part of a table; `None` if it is not due or another process is at it.
async fn sweep_part(
    store: &Store,
    statement: &'static Statement,
    pace: &Pace,
    sweeping: &impl Sweeping,
) -> Result<Option<Part>, StoreError> {
    let connection = store.acquire().await?;
    let swept = async {
        let (pause, rest) = (pace.pause.as_secs_f64(), pace.rest.as_secs_f64());
        let names = sweeping.wants_names();
        let rows = connection.query(statement, &[&pace.blocks, &MOST_ROWS, &pause, &rest, &names]).await?;
        let Some(row) = rows.first() else {
            connection.execute(&BEGIN_SWEEPING, &[]).await?;
            return Ok(None);
        };
        let part = Part { first: row.get(0), blocks: row.get(1), removed: row.get(2) };
        let dbs: Vec<i32> = row.get::<_, Option<_>>(4).unwrap_or_default();
        let names: Vec<Vec<u8>> = row.get::<_, Option<_>>(5).unwrap_or_default();
        let keys = dbs.into_iter().map(|db| DbIndex(db as u32)).zip(names.into_iter().map(Bytes::from));
        sweeping.expired(row.get::<_, i64>(3) as u64, keys.collect());
        if part.is_last(pace.blocks) {
            connection.execute(&FORGET_SPACES, &[]).await?;
        }
        Ok(Some(part))
    };
    store.in_time(&connection, swept).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_follows_what_is_found() {
        let mut pace = Pace::default();
        let ms = Duration::from_millis;
        let mut part = Part { first: 0, blocks: 100_000, removed: 0 };
        (0..10).for_each(|_| pace.adapt(&part, ms(10)));
        assert_eq!((pace.blocks, pace.pause), (MOST_BLOCKS, ms(190)));
        part.removed = MOST_ROWS;
        pace.adapt(&part, ms(10));
        assert_eq!((pace.blocks, pace.pause), (MOST_BLOCKS / 2, ms(30)));
        part = Part { first: 99_900, blocks: 100_000, removed: 3 };
        pace.adapt(&part, ms(10));
        assert_eq!(pace.blocks, MOST_BLOCKS / 2);
        assert!(part.is_last(pace.blocks));
    }
}
