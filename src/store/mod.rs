//! Postgres: connections, statements, migrations, the map of logical databases. Knows the rules of keys (`keyspace`) and replies as
//! values, and nothing of commands, sessions or sockets.

pub mod bus;
mod call;
mod carrier;
mod connection;
mod databases;
mod error;
mod expire;
mod left;
mod local;
mod migrate;
mod object_ids;
pub mod pool;
mod pooler;
mod rows;
pub mod statements;
mod sweep;
mod tls;
mod url;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use call::{Call, Param};
pub use carrier::Carrier;
pub use connection::{Commit, Connection, Params};
pub use databases::{Database, DatabaseMap, Databases, Durability};
pub use error::StoreError;
pub use expire::Expirer;
pub use migrate::{DatabaseOptions, migrate};
pub use object_ids::ObjectIds;
pub use pool::{Pool, Pooled};
pub use pooler::shares_processes;
pub use rows::{Header, KeyRow, Xid, stream_row};
pub use sweep::{Sweeping, sweep_forever};
pub use tls::{Target, TargetError};
pub use tokio_postgres::Row;

use statements::Statement;

/// The store of one process.
pub struct Store {
    pub target: Target,
    pub pool: Pool,
    pub databases: Databases,
    pub lookups: Lookups,
    pub object_ids: ObjectIds,
    pub expirer: Expirer,
    /// Longest wait for an answer of Postgres before a connection is given up.
    pub patience: Duration,
}

/// Keys that reading commands have looked for, found and not found.
#[derive(Debug, Default)]
pub struct Lookups {
    pub hits: AtomicU64,
    pub misses: AtomicU64,
}

impl Lookups {
    pub fn reset(&self) {
        self.hits.store(0, Relaxed);
        self.misses.store(0, Relaxed);
    }
}

impl Store {
    pub fn new(target: Target, pool_size: u32, patience: Duration) -> Store {
        let pool = pool::build(&target, pool_size, patience);
        Store {
            target,
            pool,
            databases: Databases::default(),
            lookups: Lookups::default(),
            object_ids: ObjectIds::default(),
            expirer: Expirer::default(),
            patience,
        }
    }

    /// A pooled connection.
    pub async fn acquire(&self) -> Result<Pooled, StoreError> {
        let connection = pool::acquire(&self.pool).await?;
        if connection.refresh_plans(self.patience).await.is_ok() {
            return Ok(connection);
        }
        // It had died while nobody used it.
        connection.abandon();
        drop(connection);
        pool::acquire(&self.pool).await
    }

    /// The rows of a statement on a pooled connection.
    pub async fn query(
        &self,
        statement: &'static Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.acquire().await?;
        self.in_time(&connection, connection.query(statement, params)).await
    }

    /// The same of a statement that writes: without an answer it is not known whether it has.
    pub async fn change(
        &self,
        statement: &'static Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.acquire().await?;
        self.in_time(&connection, connection.prepare(statement)).await?;
        self.change_in_time(&connection, connection.query(statement, params)).await
    }

    /// What is asked on a connection, which is given up if there is no answer in time.
    pub async fn in_time<T>(
        &self,
        connection: &Connection,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let answered = self.answered(connection, asked).await.ok_or_else(StoreError::no_answer)?;
        answered.map_err(|error| StoreError::before_commit(&error))
    }

    /// The same of what commits.
    pub async fn change_in_time<T>(
        &self,
        connection: &Connection,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let answered = self.answered(connection, asked).await.ok_or(StoreError::Unknown)?;
        answered.map_err(|error| StoreError::at_commit(&error))
    }

    /// What is done on a connection, which is given up if it takes too long or this future is dropped.
    pub async fn answered<T>(&self, connection: &Connection, asked: impl Future<Output = T>) -> Option<T> {
        let answered = tokio::time::timeout(self.patience, connection.busy(asked)).await;
        if answered.is_err() {
            connection.abandon();
        }
        answered.ok()
    }

    /// A setting of the database, if it was ever made.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.query(&statements::server::SETTING, &[&name]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

/// Takes a block of client ids for this process and gives its first.
pub async fn first_client_id(connection: &Connection) -> Result<i64, StoreError> {
    let rows = connection.query(&statements::server::CLIENT_ID_BLOCK, &[]).await;
    Ok(rows.map_err(|error| StoreError::before_commit(&error))?[0].get(0))
}
