//! CLIENT PAUSE: holds requests back before they are executed. Hot path.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::command::{Flags, Incoming, Request};
use crate::exec::Executor;
use crate::resp::Reply;
use crate::session::{Session, Wake};
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
                    () = session.client.killed() => return,
                };
            }
            while holds(pause.now(), session, request) && !session.client.is_killed() {
                pause.wait().await;
            }
            if session.client.is_killed() || session.close {
                return;
            }
            self.inner.execute(session, std::slice::from_ref(request), replies).await;
            if session.blocked.is_some() {
                return;
            }
        }
    }

    /// A blocked command makes no attempt during a pause that holds its like back; its time goes on.
    async fn resume_later(&self, session: &mut Session, mut wake: Wake) -> Option<Reply> {
        let pause = &self.process.pause;
        while let Some(blocked) = &session.blocked
            && wake == Wake::Called
            && holds_request(pause.now(), session, &blocked.request)
        {
            tokio::select! {
                () = pause.wait() => wake = blocked.unblocked().unwrap_or(wake),
                () = blocked.time_out() => wake = Wake::TimedOut,
            }
            if session.client.is_killed() {
                return None;
            }
        }
        self.inner.resume(session, wake).await
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

    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>> {
        match self.process.pause.now() {
            Paused::Nothing => self.inner.resume(session, wake),
            Paused::Writes | Paused::All => Box::pin(self.resume_later(session, wake)),
        }
    }
}

fn holds(paused: Paused, session: &Session, incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::Known(request) if holds_request(paused, session, request))
}

fn holds_request(paused: Paused, session: &Session, request: &Request) -> bool {
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
