//! Runs a batch until it is done or may not be tried again. Hot path.
//!
//! Tried again is only what certainly has not happened: conflicts, and connections found dead before the commit was asked for.

use std::ops::Deref;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::batch::{Batch, Replies};
use super::work::{Item, Route, Tables};
use super::working_set::LANE_INLINE;
use crate::command::Access;
use crate::state::Process;
use crate::store::{Commit, Connection, StoreError};

/// How often a batch that met conflicts starts again before its clients get an error.
const MOST_CONFLICTS: u32 = 50;

/// How many times longer than usual an answer may take when values of any size are read and written.
const LARGE_VALUE_PATIENCE: u32 = 12;

/// Where a batch gets its connection from, again for each attempt.
pub trait Source {
    type Held<'s>: Deref<Target = Connection>
    where
        Self: 's;

    /// `single`: for one statement, which may stand between those of others.
    fn connection(
        &mut self,
        commit: Commit,
        single: bool,
    ) -> impl Future<Output = Result<Self::Held<'_>, StoreError>> + Send;
}

/// Runs the works of one route, reading values up to `inline` bytes.
pub async fn run<S: Source + Send>(
    source: &mut S,
    process: &Process,
    route: Route,
    inline: i32,
    works: &[&[Item]],
) -> Result<Replies, StoreError> {
    let store = &process.store;
    let commit = if route.durable { Commit::Durable } else { Commit::Relaxed };
    // Hundreds of megabytes take their time, to Postgres and to disk.
    let patience = if inline > LANE_INLINE { store.patience * LARGE_VALUE_PATIENCE } else { store.patience };
    let (mut conflicts, mut dead_connections) = (0, 0);
    // For all that one attempt waits for, else a client's patience would be tried by each of them in turn.
    let mut deadline = Instant::now() + patience;
    loop {
        // A read that cannot tell whether a key has expired waits for who holds it, one that needs an object has it loaded. A sum that
        // Postgres would not compute is ours. What is to be overwritten may be an object, which is to be dropped.
        let access = match route.access {
            _ if conflicts > 0 => Access::Update,
            // What happens to a key depends on what was there.
            Access::Overwrite | Access::Add if !process.events.wanted().is_none() => Access::Update,
            access => access,
        };
        let single = access != Access::Update;
        let connection = match timeout_at(deadline, source.connection(commit, single)).await {
            Ok(connection) => connection?,
            Err(_) => return Err(StoreError::no_answer()),
        };
        let (databases, tables) = match conflicts {
            0 => (store.databases.current(), route.tables),
            // A database may have moved to the other table meanwhile.
            _ => match timeout_at(deadline, store.databases.reload(&connection)).await {
                Ok(databases) => (databases?, Tables::Both),
                Err(_) => {
                    connection.abandon();
                    return Err(StoreError::no_answer());
                }
            },
        };
        let route = Route { tables, access, ..route };
        let batch = Batch {
            connection: &connection,
            databases: &databases,
            lookups: &store.lookups,
            waiters: &process.waiters,
            ids: &store.object_ids,
            events: &process.events,
            route,
            inline,
            now_us: None,
        };
        let error = match timeout_at(deadline, connection.busy(batch.run(works))).await {
            Ok(Ok(replies)) => return Ok(replies),
            Ok(Err(error)) => {
                if connection.is_closed() {
                    // Postgres may still be at it.
                    connection.abandon();
                }
                error
            }
            Err(_) => {
                // In the middle of something; a commit may be on its way.
                connection.abandon();
                return Err(match route.access {
                    Access::Read => StoreError::no_answer(),
                    Access::Overwrite | Access::Add | Access::Update => StoreError::Unknown,
                });
            }
        };
        match error {
            StoreError::Conflict if conflicts < MOST_CONFLICTS => {
                conflicts += 1;
                deadline = Instant::now() + patience;
                drop(connection);
                // The first time the cause is most likely a stale map of databases; later, let the others finish.
                tokio::time::sleep(Duration::from_millis(u64::from(conflicts - 1).min(10))).await;
            }
            // The connection was dead, or its end is what Postgres has just said (a FATAL error): another one may do.
            StoreError::Unavailable(_) if dead_connections == 0 => {
                connection.abandon();
                dead_connections += 1;
            }
            error => return Err(error),
        }
    }
}
