//! Looks at each batch after it was executed: statistics, slow log, latency events, MONITOR. Hot path.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::{log, monitor, stats};
use crate::command::{CommandError, Flags, Incoming, Request};
use crate::exec::{Executor, boxed};
use crate::keyspace::DbIndex;
use crate::keyspace::number::parse_i64;
use crate::resp::Reply;
use crate::session::{Session, Wake};
use crate::state::Process;

/// Hands what was executed to the observers. They neither change replies nor wait.
pub struct Observe<E> {
    inner: E,
    process: Arc<Process>,
}

impl<E: Executor> Observe<E> {
    pub fn new(inner: E, process: Arc<Process>) -> Observe<E> {
        Observe { inner, process }
    }
}

impl<E: Executor> Executor for Observe<E> {
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()> {
        boxed(async move {
            if let Some(Incoming::Known(request)) = requests.last() {
                session.client.set_last_command(self.process.commands.number(request.command));
            }
            let monitored = !self.process.monitors.is_empty();
            let mut db = session.db;
            let first = replies.len();
            let started = Instant::now();
            self.inner.execute(session, requests, replies).await;
            let elapsed = started.elapsed();
            let executed = std::mem::take(&mut session.executed);
            let replies = &replies[first..];
            let batch = Batch { session, requests, replies, executed, elapsed };
            batch.for_each(|call| {
                stats::count(&self.process, &call);
                log::note(&self.process, &call);
                if monitored {
                    db = call.selects().unwrap_or(db);
                    monitor::show(&self.process, &call, db);
                }
            });
            if let Some(incoming) = requests.get(replies.len()).filter(|_| session.blocked.is_some()) {
                self.blocks(session, incoming);
            }
        })
    }

    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>> {
        Box::pin(async move {
            let (request, worked) = session.blocked.as_ref().map(|b| (b.request.clone(), b.worked))?;
            let started = Instant::now();
            let reply = self.inner.resume(session, wake).await?;
            let time = worked + if wake == Wake::Called { started.elapsed() } else { Duration::ZERO };
            let incoming = &Incoming::Known(request);
            let call = Call { session, incoming, reply: &reply, time };
            stats::count(&self.process, &call);
            log::note(&self.process, &call);
            Some(reply)
        })
    }
}

impl<E> Observe<E> {
    /// MONITOR shows a call when it is made; it counts when it is over.
    fn blocks(&self, session: &Session, incoming: &Incoming) {
        if let Incoming::Known(request) = incoming {
            session.client.set_last_command(self.process.commands.number(request.command));
        }
        if !self.process.monitors.is_empty() {
            let call = Call { session, incoming, reply: &Reply::Nothing, time: Duration::ZERO };
            monitor::show(&self.process, &call, session.db);
        }
    }
}

/// What was executed together.
struct Batch<'a> {
    session: &'a Session,
    requests: &'a [Incoming],
    /// Shorter than `requests` if the client was cut off in between.
    replies: &'a [Reply],
    executed: Vec<Vec<Request>>,
    elapsed: Duration,
}

/// One request with its outcome.
pub struct Call<'a> {
    pub session: &'a Session,
    pub incoming: &'a Incoming,
    pub reply: &'a Reply,
    /// Its share of the batch's time, waiting for Postgres included.
    pub time: Duration,
}

impl Batch<'_> {
    /// Every call that was run or refused, in order: what was queued counts when EXEC runs it, before EXEC itself.
    fn for_each(self, mut see: impl FnMut(Call<'_>)) {
        let calls = self.replies.len().max(1) as u32;
        let time = self.elapsed / calls;
        let mut executed = self.executed.into_iter();
        for (incoming, reply) in self.requests.iter().zip(self.replies) {
            if *reply == QUEUED {
                continue;
            }
            let call = Call { session: self.session, incoming, reply, time };
            if let (Some(request), Reply::Array(replies)) = (call.request(), reply)
                && request.command.flags.has(Flags::EXECUTES_QUEUE)
                && let Some(queue) = executed.next()
            {
                let time = time / (queue.len() as u32 + 1);
                for (request, reply) in queue.into_iter().zip(replies) {
                    let incoming = &Incoming::Known(request);
                    see(Call { session: self.session, incoming, reply, time });
                }
            }
            see(call);
        }
    }
}

const QUEUED: Reply = Reply::status("QUEUED");

impl<'a> Call<'a> {
    /// The request, if it was one.
    pub fn request(&self) -> Option<&'a Request> {
        match self.incoming {
            Incoming::Known(request) => Some(request),
            Incoming::Refused { .. } => None,
        }
    }

    /// The database that is selected from this call on, if it changed that.
    pub fn selects(&self) -> Option<DbIndex> {
        let request = self.request().filter(|_| !self.reply.is_error())?;
        if !request.command.flags.has(Flags::SELECTS_DATABASE) {
            return None;
        }
        let db = request.argv.get(1).map_or(Some(0), |db| parse_i64(db));
        db.and_then(|db| u32::try_from(db).ok()).map(DbIndex)
    }

    /// The request, if it was let in.
    pub fn run(&self) -> Option<&'a Request> {
        let refused = match self.reply {
            Reply::Error(text) => REFUSALS.iter().any(|refusal| refusal.as_bytes() == text.as_bytes()),
            _ => false,
        };
        self.request().filter(|_| !refused)
    }
}

/// What admission answers.
const REFUSALS: [CommandError; 3] =
    [CommandError::NO_AUTH, CommandError::NOT_FOR_MONITORS, CommandError::NOT_IN_MULTI];
