//! The two sides of a task.

use std::sync::Arc;

use super::MigrateError;
use super::patient::Patient;
use crate::command::copy::{Call, Dialect};
use crate::copy::{Follower, Own, Redis, Speaker};
use crate::exec::Executor;
use crate::resp::Reply;
use crate::upstream::UpstreamError;

/// Where keys come from or go to.
pub enum Place {
    Redis(Redis),
    Postgres(Arc<dyn Executor>),
}

/// Where keys go to.
pub enum Target<'a> {
    Place(&'a Place),
    /// To Postgres, by a process in shadow mode, which has the source as its upstream.
    Follower(Follower),
}

/// One conversation with it.
pub enum Side {
    Redis(Patient<Redis>),
    Postgres(Patient<Own>),
}

impl Place {
    pub async fn open(&self) -> Result<Side, MigrateError> {
        Ok(match self {
            Place::Redis(redis) => Side::Redis(Patient::redis(redis.sibling().await?)),
            Place::Postgres(executor) => Side::Postgres(Patient::postgres(Own::new(executor.clone()))),
        })
    }
}

impl Side {
    pub async fn select(&mut self, db: u32) -> Result<(), MigrateError> {
        match self {
            Side::Redis(redis) => redis.select(db).await?,
            Side::Postgres(own) => own.side.select(db),
        }
        Ok(())
    }
}

impl Speaker for Side {
    fn dialect(&self) -> Dialect {
        match self {
            Side::Redis(redis) => redis.dialect(),
            Side::Postgres(own) => own.dialect(),
        }
    }

    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        match self {
            Side::Redis(redis) => redis.speak(calls).await,
            Side::Postgres(own) => own.speak(calls).await,
        }
    }
}
