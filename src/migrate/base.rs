//! A process without clients: what a task needs of us.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::Config;
use crate::exec::{Engine, Executor, LaneQueue, keep_lane};
use crate::server::{Foundation, StartError};

/// Tasks have Postgres mostly for themselves.
const LANES: usize = 3;

pub struct Base {
    foundation: Foundation,
    pub executor: Arc<dyn Executor>,
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
        let executor = Arc::new(Engine::new(process, queue));
        Ok(Base { foundation, executor, _background: background })
    }

    pub fn foundation(&self) -> &Foundation {
        &self.foundation
    }

    /// How many logical databases there are.
    pub fn databases(&self) -> u32 {
        self.foundation.process().settings.config.databases
    }

    pub async fn close(self) -> Result<(), StartError> {
        drop(self._background);
        self.foundation.close().await
    }
}
