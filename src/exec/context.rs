//! What a command of its own steps may use.

use std::sync::Arc;

use super::engine::Engine;
use super::pinned::Pinned;
use super::work::Watched;
use crate::command::CommandError;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::{Process, SettingsLock};
use crate::store::{Call, Row, StoreError};

/// The session, the process, and a way to Postgres that is the same alone and inside EXEC.
pub struct Context<'a> {
    pub session: &'a mut Session,
    pub engine: &'a Engine,
    /// The transaction of the EXEC that the command is part of.
    pub(super) pinned: Option<&'a Pinned<'a>>,
}

impl Context<'_> {
    pub fn process(&self) -> &Arc<Process> {
        self.engine.process()
    }

    /// Whether the command runs inside EXEC.
    pub fn in_exec(&self) -> bool {
        self.pinned.is_some()
    }

    /// Changes shared settings as long as this lives, or, inside EXEC, until it is committed.
    pub async fn lock_settings(&self) -> Option<SettingsLock> {
        match self.pinned {
            Some(pinned) => {
                pinned.lock_settings(self.process()).await;
                None
            }
            None => Some(self.process().shared_settings.lock().await),
        }
    }

    /// Runs a call and gives its rows.
    pub async fn rows(&self, call: &Call) -> Result<Vec<Row>, CommandError> {
        let rows = match self.pinned {
            Some(pinned) => Box::pin(pinned.rows(call)).await,
            None => Box::pin(self.engine.rows(call)).await,
        };
        rows.map_err(|error: StoreError| CommandError::from(error))
    }

    /// Runs a call.
    pub async fn call(&self, call: &Call) -> Result<Reply, CommandError> {
        Ok((call.decode)(&self.rows(call).await?))
    }

    /// EXEC: runs what was queued, all or nothing.
    pub async fn exec(&mut self) -> Reply {
        self.engine.exec(self.session).await
    }

    /// WATCH: remembers the versions of keys.
    pub fn watch(&mut self, watched: Vec<Watched>) {
        self.session.watched.extend(watched);
        let count = self.session.watched.len();
        self.session.client.update(|info| info.watch = count);
    }

    /// UNWATCH: forgets them.
    pub fn unwatch(&mut self) {
        self.session.watched.clear();
        self.session.client.update(|info| info.watch = 0);
    }
}
