//! The map from logical databases (SELECT n) to spaces and durability classes, as this process last saw it.

use std::sync::{Arc, RwLock};

use super::connection::Connection;
use super::error::StoreError;
use super::statements::keys::DATABASES;
use crate::keyspace::DbIndex;

/// What a logical database promises when it acknowledges a write (DESIGN.md G2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Unlogged table: empty after a crash of Postgres.
    Cache,
    /// A crash of Postgres may lose the last moments.
    Relaxed,
    /// Flushed before the reply.
    Durable,
}

impl Durability {
    pub fn name(self) -> &'static str {
        match self {
            Durability::Cache => "cache",
            Durability::Relaxed => "relaxed",
            Durability::Durable => "durable",
        }
    }

    pub fn from_name(name: &str) -> Option<Durability> {
        [Durability::Cache, Durability::Relaxed, Durability::Durable]
            .into_iter()
            .find(|class| class.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// The value of `space` in the keys table; below zero in the unlogged one.
    pub space: i32,
    pub durability: Durability,
}

const ABSENT: Database = Database { space: i32::MAX, durability: Durability::Durable };

/// One version of the map. Statements carry the version and do nothing when the database has another.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DatabaseMap {
    pub version: i64,
    databases: Vec<Database>,
}

impl DatabaseMap {
    /// The database. One that is not configured has no keys: commands on it are refused.
    pub fn get(&self, db: DbIndex) -> Database {
        self.databases.get(db.0 as usize).copied().unwrap_or(ABSENT)
    }

    pub fn len(&self) -> usize {
        self.databases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// Reads the map, as this connection's transaction sees it.
    pub async fn load(connection: &Connection) -> Result<DatabaseMap, StoreError> {
        let rows =
            connection.query(&DATABASES, &[]).await.map_err(|error| StoreError::before_commit(&error))?;
        let mut map = DatabaseMap::default();
        for row in rows {
            map.version = row.get("version");
            let Some(db) = row.get::<_, Option<i32>>("db") else { continue };
            let durability = Durability::from_name(row.get("durability")).expect("checked by the table");
            map.databases.resize((db as usize + 1).max(map.databases.len()), ABSENT);
            map.databases[db as usize] = Database { space: row.get("space"), durability };
        }
        Ok(map)
    }
}

/// The process's current map, replaced whole when a statement reports another version.
#[derive(Debug, Default)]
pub struct Databases(RwLock<Arc<DatabaseMap>>);

impl Databases {
    pub fn current(&self) -> Arc<DatabaseMap> {
        self.0.read().expect("no panic while held").clone()
    }

    /// Reads the map again.
    pub async fn reload(&self, connection: &Connection) -> Result<Arc<DatabaseMap>, StoreError> {
        let map = Arc::new(DatabaseMap::load(connection).await?);
        *self.0.write().expect("no panic while held") = map.clone();
        Ok(map)
    }
}
