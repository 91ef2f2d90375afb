//! Our side: commands executed in this process.

use std::sync::Arc;

use super::Speaker;
use crate::command::Incoming;
use crate::command::copy::{Call, Dialect};
use crate::exec::Executor;
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::ClientHandle;
use crate::upstream::UpstreamError;

/// As much is executed at once as the lanes take gladly.
const CALLS: usize = 500;
const BYTES: usize = 200 * 1024;

/// A session that is nobody's connection.
pub struct Own {
    executor: Arc<dyn Executor>,
    session: Session,
}

impl Own {
    pub fn new(executor: Arc<dyn Executor>) -> Own {
        let client = ClientHandle::new(0, String::new(), String::new());
        Own { executor, session: Session::new(Arc::new(client), true) }
    }

    pub fn select(&mut self, db: u32) {
        self.session.select(DbIndex(db));
    }
}

impl Speaker for Own {
    fn dialect(&self) -> Dialect {
        Dialect::OWN
    }

    /// Errors of Postgres are replies, as for any client.
    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let mut replies = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter().peekable();
        while calls.peek().is_some() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while let Some(argv) =
                calls.next_if(|_| batch.is_empty() || (batch.len() < CALLS && bytes < BYTES))
            {
                bytes += argv.iter().map(|word| word.len()).sum::<usize>();
                batch.push(Incoming::new(argv));
            }
            self.executor.execute(&mut self.session, &batch, &mut replies).await;
            self.session.executed.clear();
        }
        Ok(replies)
    }
}
