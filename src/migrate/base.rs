//! A process without clients: what a task needs of us.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::MigrateError;
use super::patient::patiently;
use crate::config::Config;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::server::{Foundation, StartError};
use crate::state::{KeyspaceCount, Rule};
use crate::store::StoreError;
use crate::store::statements::server::KEYSPACE;
use crate::store::statements::shadow::CHANGED;

/// Tasks have Postgres mostly for themselves.
const LANES: usize = 3;

pub struct Base {
    foundation: Foundation,
    pub executor: Arc<dyn Executor>,
    busy: watch::Sender<Option<&'static str>>,
    _background: JoinSet<()>,
}

impl Base {
    pub async fn open(config: Config) -> Result<Base, StartError> {
        let foundation = Foundation::lay(Config::from_environment(config)).await?;
        let process = foundation.process().clone();
        let queue = Arc::new(LaneQueue::default());
        let mut background = JoinSet::new();
        for _ in 0..LANES {
            background.spawn(keep_lane(process.clone(), queue.clone()));
        }
        // Clients of other processes may wait for what we write.
        background.spawn(process.bus.clone().run(process.store.clone(), process.clone()));
        let busy = watch::Sender::new(None);
        background.spawn(process.clone().go_along(busy.subscribe()));
        let executor = Arc::new(Engine::new(process, queue));
        Ok(Base { foundation, executor, busy, _background: background })
    }

    /// From here on keys are written that a change of the mode would make wrong: there is none until the end.
    pub fn prevent_changes(&self, why: &'static str) {
        self.busy.send_replace(Some(why));
    }

    pub fn foundation(&self) -> &Foundation {
        &self.foundation
    }

    /// How many logical databases there are.
    pub fn databases(&self) -> u32 {
        self.foundation.process().settings.config.databases
    }

    /// Our databases that are not empty, with the number of their keys. INFO would not wait for a long count.
    pub async fn sizes(&self) -> Result<BTreeMap<u32, u64>, MigrateError> {
        let connection = self.foundation.process().store.acquire().await?;
        let rows = connection.query(&KEYSPACE, &[]).await;
        let rows = rows.map_err(|error| StoreError::before_commit(&error))?;
        let count = KeyspaceCount::new(&rows, Instant::now());
        let sizes = count.databases.iter();
        Ok(sizes.map(|count| (count.db.cast_unsigned(), count.keys.cast_unsigned())).collect())
    }

    /// Who answers for which key, as it is at the moment.
    pub async fn rule(&self) -> Result<Rule, MigrateError> {
        Ok(patiently(async || self.foundation.process().common_rule().await).await?)
    }

    /// In reverse mode: has a key brought over by a process, which knows of all writes.
    pub async fn hand_over(&self, db: u32, key: &[u8]) -> Result<(), MigrateError> {
        let store = &self.foundation.process().store;
        patiently(async || store.change(&CHANGED, &[&key, &db.cast_signed()]).await).await?;
        Ok(())
    }

    pub async fn close(self) -> Result<(), StartError> {
        drop(self._background);
        self.foundation.close().await
    }
}
