//! CLIENT PAUSE: holds requests back before they are executed. Hot path.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::command::{Flags, Incoming, Request};
use crate::exec::Executor;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::{Paused, Process};

/// Requests that a pause holds back wait here, before admission; the client's later ones wait behind them.
pub struct Gate<E> {
    inner: E,
    process: Arc<Process>,
}

impl<E: Executor> Gate<E> {
    pub fn new(inner: E, process: Arc<Process>) -> Gate<E> {
        Gate { inner, process }
    }

    /// While there is a pause, requests go one by one: whether EXEC is held back depends on what those before it queue. Clients
    /// that were held back go on in the order in which they came, each with all that it has sent, and before later writes.
    async fn one_by_one(&self, session: &mut Session, requests: &[Incoming], replies: &mut Vec<Reply>) {
        let pause = &self.process.pause;
        let mut turn = None;
        for request in requests {
            let is_late = pause.has_held() && holds(Paused::Writes, session, request);
            if turn.is_none() && (is_late || holds(pause.now(), session, request)) {
                turn = tokio::select! {
                    turn = pause.turn() => Some(turn),
                    () = session.client.wake.notified() => return,
                };
            }
            while holds(pause.now(), session, request) && !session.client.is_killed() {
                pause.wait().await;
            }
            if session.client.is_killed() || session.close {
                return;
            }
            self.inner.execute(session, std::slice::from_ref(request), replies).await;
        }
    }
}

impl<E: Executor> Executor for Gate<E> {
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()> {
        match self.process.pause.is_over() {
            true => self.inner.execute(session, requests, replies),
            false => Box::pin(self.one_by_one(session, requests, replies)),
        }
    }
}

fn holds(paused: Paused, session: &Session, incoming: &Incoming) -> bool {
    let Incoming::Known(request) = incoming else { return false };
    let writes = |request: &Request| {
        let flags = request.command.flags;
        flags.has(Flags::WRITE) || flags.has(Flags::MAY_REPLICATE)
    };
    let queue_writes = || session.multi.iter().flat_map(|multi| &multi.queued).any(writes);
    match paused {
        Paused::Nothing => false,
        Paused::All => session.authenticated || request.command.flags.has(Flags::NO_AUTH),
        Paused::Writes => {
            writes(request) || (request.command.flags.has(Flags::EXECUTES_QUEUE) && queue_writes())
        }
    }
}
