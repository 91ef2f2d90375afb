//! Passes requests on to the upstream. Hot path.

mod alone;
mod aside;
mod belongs;
mod divided;
mod expected;
mod introduction;
mod progress;
mod pushed;
mod quiet;
mod reads;
mod sent;
mod unblock;
mod ways;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use self::alone::rest;
use self::aside::Aside;
use self::introduction::{Introduction, introduction, tell_version};
use self::pushed::{put_before, put_first};
use self::sent::Effect;
use self::ways::{Way, request_writes, way, writes};

use crate::command::{self, Flags, Incoming, Request};
use crate::exec::{Executor, boxed};
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::{Session, Wake};
use crate::state::{Process, Upstream};
use crate::upstream::{Calls, Greeting, Raw, UpstreamError};

/// The executor that passes on; what is respg's own goes to the one inside.
pub struct Passing<E> {
    inner: E,
    pub(super) process: Arc<Process>,
    upstream: Arc<Upstream>,
}

/// Consecutive requests of a client that go through the pipe together, and where their replies go.
#[derive(Default)]
struct Run<'a> {
    requests: Vec<&'a Incoming>,
    first: usize,
}

impl<E: Executor> Executor for Passing<E> {
    fn execute<'a>(
        &'a self,
        session: &'a mut Session,
        requests: &'a [Incoming],
        replies: &'a mut Vec<Reply>,
    ) -> BoxFuture<'a, ()> {
        boxed(async move {
            let of_respg = Incoming::is_ours;
            for requests in requests.chunk_by(|a, b| of_respg(a) == of_respg(b)) {
                if session.close || session.blocked.is_some() {
                    break;
                }
                // What changes the mode cannot hold it.
                if of_respg(&requests[0]) {
                    self.in_turn(session, requests, replies).await;
                    continue;
                }
                let passage = self.process.routing.pass().await;
                let rule = &passage.rule;
                match rule.mode.is_upstream() {
                    true if rule.is_divided() => {
                        Box::pin(self.divide(session, requests, replies, &rule.moved)).await;
                    }
                    true => self.to_upstream(session, requests, replies).await,
                    false => self.answer_here(session, requests, replies).await,
                }
            }
        })
    }

    fn resume<'a>(&'a self, session: &'a mut Session, wake: Wake) -> BoxFuture<'a, Option<Reply>> {
        Box::pin(async move {
            // What only ends is not held back, also while it is to go on: others wait for it.
            let (_passage, wake) = match wake {
                Wake::Called => tokio::select! {
                    biased;
                    ended = session.blocked.as_ref()?.ended() => (None, ended?),
                    passage = self.process.routing.pass() => (Some(passage), wake),
                },
                Wake::TimedOut | Wake::Error => (None, wake),
            };
            self.inner.resume(session, wake).await
        })
    }
}

impl<E: Executor> Passing<E> {
    pub fn on(inner: E, process: Arc<Process>, upstream: Arc<Upstream>) -> Passing<E> {
        Passing { inner, process, upstream }
    }

    /// Executes what is respg's to answer.
    async fn answer_here(&self, session: &mut Session, requests: &[Incoming], replies: &mut Vec<Reply>) {
        if session.aside.is_none() {
            return self.inner.execute(session, requests, replies).await;
        }
        if aside_of(session).is_some_and(Aside::is_busy) {
            // In the middle of something that nobody can go on with here.
            session.close = true;
            return;
        }
        with_aside(session, Aside::settle);
        session.aside = None;
        let pushed = session.client.outbox.try_take().unwrap_or_default();
        let first = replies.len();
        self.inner.execute(session, requests, replies).await;
        put_first(session, replies, first, pushed);
    }

    async fn to_upstream(&self, session: &mut Session, requests: &[Incoming], replies: &mut Vec<Reply>) {
        let mut pushed = Vec::new();
        self.pass_on(session, requests, replies, &mut pushed).await;
        put_before(replies, pushed);
    }

    /// `pushed`: what the client's own connection has brought, and the reply before which it has to be written.
    async fn pass_on(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        replies: &mut Vec<Reply>,
        pushed: &mut Vec<(usize, VecDeque<Reply>)>,
    ) {
        let greeting = self.upstream.pipe.greeting();
        let greeting = greeting.as_deref();
        let mut run = Run::default();
        let mut at = 0;
        // Up to here Postgres has been asked.
        let mut asked = 0;
        while let Some(incoming) = requests.get(at) {
            if session.close || session.blocked.is_some() {
                break;
            }
            self.describe(session).await;
            let had_aside = session.aside.is_some();
            rest(session);
            let context = self.context(session);
            if at >= asked && self.reads_here(session, incoming, &context) {
                let reads = |incoming: &&Incoming| self.reads_here(session, incoming, &context);
                asked = at + requests[at..].iter().take_while(reads).count();
                if had_aside {
                    pushed.extend(session.client.outbox.try_take().map(|earlier| (replies.len(), earlier)));
                }
                self.flush(session, &mut run, replies, greeting).await;
                at += self.read_here(session, &requests[at..asked], replies).await;
                continue;
            }
            at += 1;
            let way = self.way(session, incoming, greeting);
            if !session.watched.is_empty() && way.leaves_watched(incoming) {
                session.close = true;
                break;
            }
            if way != Way::Aside && had_aside {
                pushed.extend(session.client.outbox.try_take().map(|earlier| (replies.len(), earlier)));
            }
            if way != Way::Pipe {
                self.flush(session, &mut run, replies, greeting).await;
            }
            let reply = match way {
                Way::Pipe => {
                    if run.requests.is_empty() {
                        run.first = replies.len();
                    }
                    self.count(incoming);
                    run.requests.push(incoming);
                    Reply::Nothing
                }
                Way::Own => {
                    self.inner.execute(session, std::slice::from_ref(incoming), replies).await;
                    continue;
                }
                Way::Select => self.select(session, incoming, greeting).await,
                Way::Exec => match self.exec(session).await {
                    Some(reply) => reply,
                    None => {
                        self.inner.execute(session, std::slice::from_ref(incoming), replies).await;
                        continue;
                    }
                },
                Way::Introduction => {
                    match introduction(&self.process, self.upstream.pipe.url(), session, incoming, greeting) {
                        Introduction::Own(incoming) => {
                            self.inner.execute(session, std::slice::from_ref(&incoming), replies).await;
                            if let (Some(Reply::Map(pairs)), Some(greeting)) = (replies.last_mut(), greeting)
                            {
                                tell_version(pairs, &greeting.version);
                            }
                            continue;
                        }
                        Introduction::Known => taken(session, Reply::Ok),
                        Introduction::Upstream => {
                            self.aside(session, incoming, Effect::Authenticates, greeting).await
                        }
                        Introduction::Unknown => self.single(session, incoming, greeting).await,
                    }
                }
                Way::Aside => {
                    self.count(incoming);
                    self.alone(session, incoming, replies, greeting).await
                }
                Way::WithQueue => {
                    self.count(incoming);
                    self.with_queue(session, incoming, greeting).await
                }
            };
            replies.push(reply);
        }
        self.flush(session, &mut run, replies, greeting).await;
    }

    fn way(&self, session: &mut Session, incoming: &Incoming, greeting: Option<&Greeting>) -> Way {
        if aside_of(session).is_some_and(Aside::is_busy) {
            return match incoming.command().map(|command| command.passing) {
                _ if incoming.is_ours() => Way::Own,
                // Queued while keys were moved by pattern, which is over.
                passing if session.multi.is_some() && !matches!(passing, Some(command::Passing::Ends)) => {
                    Way::WithQueue
                }
                _ => Way::Aside,
            };
        }
        way(session, incoming, greeting, &self.context(session))
    }

    fn count(&self, incoming: &Incoming) {
        if let Incoming::Refused { argv, .. } = incoming {
            match command::lookup(&argv[0]) {
                None => self.upstream.count_foreign(argv, 1),
                // A wrong number of words is an error there too.
                Some(command) if command.subcommands.is_empty() => {}
                Some(_) => self.upstream.count_foreign(argv, 2),
            }
        }
    }

    /// Sends what the run has gathered and puts the replies in their places.
    async fn flush(
        &self,
        session: &mut Session,
        run: &mut Run<'_>,
        replies: &mut [Reply],
        greeting: Option<&Greeting>,
    ) {
        if run.requests.is_empty() {
            return;
        }
        let requests = std::mem::take(&mut run.requests);
        let is_write = requests.iter().any(|incoming| writes(incoming, greeting));
        let calls = requests.iter().map(|incoming| incoming.argv());
        let followed = || requests.iter().map(|incoming| incoming.argv().to_vec()).collect();
        let followed = self.followed(session, is_write, followed);
        let answer = self.upstream.pipe.call(session.db.0, session.protocol, calls, followed).await;
        let places = &mut replies[run.first..];
        match answer {
            Ok(raws) => {
                for (place, raw) in places.iter_mut().zip(raws) {
                    *place = taken(session, Reply::Raw(raw.0));
                }
            }
            Err(error) => {
                for place in places.iter_mut() {
                    *place = taken(session, failure(&error));
                }
            }
        }
    }

    /// What the tap is told of calls, if there is one and they may write.
    fn followed(
        &self,
        session: &Session,
        is_write: bool,
        calls: impl FnOnce() -> Vec<Vec<Bytes>>,
    ) -> Option<Calls> {
        let wanted = is_write && self.upstream.pipe.tap().is_some();
        wanted.then(|| Calls { db: session.db.0, protocol: session.protocol, calls: calls(), mark: 0 })
    }

    /// One call through the pipe.
    async fn one(
        &self,
        session: &Session,
        argv: &[Bytes],
        followed: Option<Calls>,
    ) -> Result<Raw, UpstreamError> {
        let calls = std::iter::once(argv);
        let replies = self.upstream.pipe.call(session.db.0, session.protocol, calls, followed).await?;
        replies.into_iter().next_back().ok_or(UpstreamError::Lost("no reply".to_owned()))
    }

    async fn single(&self, session: &mut Session, incoming: &Incoming, greeting: Option<&Greeting>) -> Reply {
        let reply = self.untaken(session, incoming, greeting).await;
        taken(session, reply)
    }

    /// The reply, also if the client does not want it.
    async fn untaken(&self, session: &Session, incoming: &Incoming, greeting: Option<&Greeting>) -> Reply {
        let followed = self.followed(session, writes(incoming, greeting), || vec![incoming.argv().to_vec()]);
        match self.one(session, incoming.argv(), followed).await {
            Ok(raw) => Reply::Raw(raw.0),
            Err(error) => failure(&error),
        }
    }

    async fn select(&self, session: &mut Session, incoming: &Incoming, greeting: Option<&Greeting>) -> Reply {
        let reply = self.untaken(session, incoming, greeting).await;
        if let (Reply::Raw(wire), Some(db)) = (&reply, selected(incoming.argv()))
            && &wire[..] == b"+OK\r\n"
        {
            session.select(DbIndex(db));
        }
        taken(session, reply)
    }

    /// EXEC: what was queued, as one block; `None` if that is bound to abort.
    async fn exec(&self, session: &mut Session) -> Option<Reply> {
        let multi = session.multi.take_if(|multi| !multi.failed)?;
        if !session.watched.is_empty() {
            // On the other side, before the mode changed: nobody can say that nothing has happened to them.
            session.discard();
            return Some(taken(session, Reply::NullArray));
        }
        let words: [&'static [u8]; 2] = [b"MULTI", b"EXEC"];
        let [first, last] = words.map(|word| [Bytes::from_static(word)]);
        let queued = || multi.queued.iter().map(|request| &request.argv[..]);
        let all = || std::iter::once(&first[..]).chain(queued()).chain(std::iter::once(&last[..]));
        let is_write = multi.queued.iter().any(request_writes);
        let followed = self.followed(session, is_write, || all().map(<[Bytes]>::to_vec).collect());
        let answer = self.upstream.pipe.call(session.db.0, session.protocol, all(), followed).await;
        session.discard();
        let reply = match answer.map(|mut replies| replies.pop()) {
            Ok(Some(raw)) => {
                self.select_queued(session, &multi.queued, &raw);
                Reply::Raw(raw.0)
            }
            Ok(None) => Reply::Nothing,
            Err(error) => failure(&error),
        };
        Some(taken(session, reply))
    }

    /// The database that a transaction has left the client in.
    fn select_queued(&self, session: &mut Session, queued: &[Request], raw: &Raw) {
        let selects = |request: &Request| request.command.flags.has(Flags::SELECTS_DATABASE);
        if !queued.iter().any(selects) {
            return;
        }
        let Ok(Reply::Array(replies)) = raw.parse() else { return };
        let done =
            queued.iter().zip(&replies).filter(|(request, reply)| selects(request) && **reply == Reply::Ok);
        if let Some(db) = done.filter_map(|(request, _)| selected(&request.argv)).last() {
            session.select(DbIndex(db));
        }
    }
}

fn aside_of(session: &Session) -> Option<&Aside> {
    session.aside.as_ref()?.downcast_ref()
}

/// Does something with a client's own connection, if there is one.
fn with_aside(session: &mut Session, what: impl FnOnce(&mut Aside, &mut Session)) {
    let mut own = session.aside.take();
    if let Some(aside) = own.as_mut().and_then(|own| own.downcast_mut::<Aside>()) {
        what(aside, session);
    }
    session.aside = own;
}

fn selected(argv: &[Bytes]) -> Option<u32> {
    std::str::from_utf8(argv.get(1)?).ok()?.parse().ok()
}

fn taken(session: &mut Session, reply: Reply) -> Reply {
    if session.takes_reply() { reply } else { Reply::Nothing }
}

/// What the client is told when there is no reply.
fn failure(error: &UpstreamError) -> Reply {
    Reply::error(match error.is_uncertain() {
        true => format!("ERR outcome unknown: {error}; the command may or may not have taken effect"),
        // Libraries try again after LOADING.
        false => format!("LOADING the upstream Redis: {error}"),
    })
}
