//! A client's own connection to the upstream, for what cannot share one: subscriptions, MONITOR, blocking commands, WATCH, users of their own. While it is busy all
//! requests of the client go there, and whatever comes back is sent to the client in the order in which it comes: replies, messages, everything.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::expected::{Expected, Queued};
use super::progress::{Context, State, interrupted};
use super::sent::{Counted, Effect, Sent, is_subscription, number};
use super::unblock;
use crate::keyspace::DbIndex;
use crate::resp::{Protocol, Reply};
use crate::session::Session;
use crate::state::{Blockage, ClientHandle, OutputLimit, Process, Rule, Upstream};
use crate::upstream::{Calls, Connection, FollowedAside, Raw, UpstreamError, in_time, words};

/// What may wait for a client that does not read; beyond, nothing is taken from the upstream, whose own limits then hold, but while commands are held back.
const MOST_WAITING: u64 = 1024 * 1024;
const UNLIMITED: OutputLimit = OutputLimit { hard: 0, soft: 0, soft_time: Duration::ZERO };

const QUEUED: &[u8] = b"+QUEUED\r\n";

/// The connection's end that the client's requests are given to. With this value it is closed.
pub struct Aside {
    sender: UnboundedSender<Sent>,
    process: Arc<Process>,
    upstream: Arc<Upstream>,
    pub(super) state: Arc<State>,
    /// Whether what is sent is queued there, since MULTI was sent.
    pub queues: bool,
    /// Whether it may have subscriptions.
    pub subscribes: bool,
    context: Context,
    task: JoinHandle<()>,
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Aside {
    /// Connects in the client's name.
    pub async fn open(
        process: &Arc<Process>,
        upstream: &Arc<Upstream>,
        session: &Session,
    ) -> Result<Aside, UpstreamError> {
        let url = upstream.pipe.url();
        let (connection, replies) = in_time(url, async {
            let mut connection = Connection::open(url).await?;
            let replies = connection.call(&[words(["CLIENT", "ID"])]).await?;
            Ok((connection, replies))
        })
        .await?;
        let id = match replies[..] {
            [Reply::Integer(id)] => Some(id),
            _ => None,
        };
        let (sender, receiver) = unbounded_channel();
        let state = Arc::new(State::default());
        let context = Context { db: url.db, protocol: Protocol::Resp2, name: Bytes::new() };
        let task = Task {
            process: process.clone(),
            upstream: upstream.clone(),
            client: session.client.clone(),
            connection,
            id,
            state: state.clone(),
            expected: Expected::default(),
            db: context.db,
            sending_db: context.db,
            protocol: context.protocol,
        };
        Ok(Aside {
            sender,
            process: process.clone(),
            upstream: upstream.clone(),
            state,
            queues: false,
            subscribes: false,
            context,
            task: tokio::spawn(task.run(receiver, process.routing.changes())),
        })
    }

    /// Whether the client's next request has to come here too.
    pub fn is_busy(&self) -> bool {
        self.state.is_busy()
    }

    /// Whether it can no longer be used.
    pub fn is_broken(&self) -> bool {
        self.state.broken.load(Relaxed)
    }

    /// Whether it belongs to a user whom respg does not know.
    pub fn is_somebody_else(&self) -> bool {
        self.state.somebody_else.load(Relaxed)
    }

    /// Takes the client to the database that it has gone to here. To be called before it goes another way.
    pub fn settle(&mut self, session: &mut Session) {
        if let Some(db) = self.state.selected.lock().expect("no panic while held").take() {
            session.select(DbIndex(db));
            self.context.db = db;
        }
    }

    /// Sends a call; its reply goes to the client by itself.
    pub fn send(&mut self, session: &Session, sent: Sent) {
        if !self.is_busy() {
            self.follow(session);
        }
        self.subscribes |= sent.subscribes;
        let state = &self.state;
        match sent.effect {
            Effect::Holds => {
                state.holds.fetch_add(1, Relaxed);
                state.hold(self.process.routing.rule());
            }
            Effect::TakesOver => {
                state.holds.fetch_add(1, Relaxed);
                state.taken_over.store(true, Relaxed);
            }
            Effect::Resets => self.context = Context::of(session),
            Effect::Nothing | Effect::Blocks | Effect::Releases | Effect::Authenticates | Effect::Probes => {}
        }
        let holds = state.holds.load(Relaxed);
        // In a transaction it is queued, as everything is.
        let subscribes = sent.subscribes && !self.queues;
        self.give(Sent { holds, subscribes, ..sent });
    }

    /// Sends a call that the client has sent before and got a reply to.
    pub fn repeat(&mut self, session: &Session, sent: Sent) {
        self.send(session, Sent { takes_reply: false, ..sent });
    }

    /// The transaction that is queued there is bound to abort.
    pub fn spoil(&mut self, session: &Session) {
        let words = vec![Bytes::from_static(b"MULTI"), Bytes::new()];
        self.repeat(session, Sent::new(words, Effect::Nothing));
    }

    /// Brings the connection to where the client is.
    pub fn follow(&mut self, session: &Session) {
        let wanted = Context::of(session);
        if wanted == self.context {
            return;
        }
        let word = |text: &'static str| Bytes::from_static(text.as_bytes());
        if wanted.protocol != self.context.protocol {
            let version = if wanted.protocol == Protocol::Resp3 { "3" } else { "2" };
            self.give(Sent::silent([word("HELLO"), word(version)]));
        }
        if wanted.db != self.context.db {
            let select = Sent::silent([word("SELECT"), Bytes::from(wanted.db.to_string())]);
            self.give(Sent { selects: true, ..select });
        }
        if wanted.name != self.context.name {
            self.give(Sent::silent([word("CLIENT"), word("SETNAME"), wanted.name.clone()]));
        }
        self.context = wanted;
    }

    fn give(&self, mut sent: Sent) {
        if !sent.subscribes {
            self.state.pending.fetch_add(1, Relaxed);
            // What such a connection gets beside replies does not end; its writes do.
            let may_write = sent.writes || sent.effect == Effect::Releases;
            let counts = may_write || !self.state.taken_over.load(Relaxed);
            sent.counted = counts.then(|| Counted::of(&self.upstream));
        }
        // If the task has ended the client's connection is about to.
        let _ = self.sender.send(sent);
    }
}

struct Task {
    process: Arc<Process>,
    upstream: Arc<Upstream>,
    client: Arc<ClientHandle>,
    connection: Connection,
    /// The upstream's CLIENT ID.
    id: Option<i64>,
    state: Arc<State>,
    expected: Expected,
    db: u32,
    /// That of what is sent, if all before it goes well.
    sending_db: u32,
    protocol: Protocol,
}

impl Task {
    async fn run(mut self, mut receiver: UnboundedReceiver<Sent>, changes: watch::Receiver<Arc<Rule>>) {
        let state = self.state.clone();
        let mut away = self.upstream.pipe.away();
        let error = tokio::select! {
            // Before what is sent after the change.
            biased;
            () = interrupted(changes, &state) => UpstreamError::Lost("the mode has changed".to_owned()),
            Ok(_) = away.wait_for(|is_away| *is_away) => UpstreamError::Lost("this process is away from the upstream".to_owned()),
            error = self.pass_on(&mut receiver) => error,
        };
        self.state.break_off();
        if self.expected.blocking > 0 {
            self.client.set_blockage(Blockage::Free);
        }
        if self.state.is_busy() {
            // As if it were the server itself that has gone.
            tracing::debug!(%error, "a client's own connection to the upstream ended");
            self.client.outbox.finish();
        }
    }

    async fn pass_on(&mut self, receiver: &mut UnboundedReceiver<Sent>) -> UpstreamError {
        let client = self.client.clone();
        loop {
            // A change of the mode waits for what is to come.
            if client.outbox.size().1 > MOST_WAITING && !self.process.routing.is_held() {
                client.outbox.room().await;
                continue;
            }
            tokio::select! {
                biased;
                sent = receiver.recv() => {
                    let Some(sent) = sent else { return UpstreamError::Lost("no longer wanted".to_owned()) };
                    self.expect(sent);
                    while let Ok(sent) = receiver.try_recv() {
                        self.expect(sent);
                    }
                    if let Err(error) = self.connection.flush().await {
                        return error;
                    }
                }
                raw = self.connection.receive() => match raw {
                    Ok(raw) => self.take(raw),
                    Err(error) => return error,
                },
                () = client.unblocked.notified() => self.unblock(),
            }
        }
    }

    fn expect(&mut self, sent: Sent) {
        self.connection.put(&sent.argv);
        if self.expected.calls.is_empty() {
            self.sending_db = self.db;
        }
        if sent.selects {
            self.sending_db = number(sent.argv.get(1)).unwrap_or(self.sending_db);
        }
        let followed = match (sent.writes, self.upstream.pipe.tap()) {
            (true, Some(tap)) => {
                let calls = Calls {
                    db: self.sending_db,
                    protocol: self.protocol,
                    calls: vec![sent.argv.clone()],
                    mark: 0,
                };
                Some(FollowedAside::sending(calls, tap))
            }
            _ => None,
        };
        if sent.effect == Effect::Blocks {
            self.expected.blocking += 1;
            if self.client.blockage() == Blockage::Free {
                self.client.set_blockage(Blockage::Blocked);
            }
        }
        if !sent.subscribes {
            self.expected.calls.push_back((sent, followed));
        }
    }

    fn take(&mut self, raw: Raw) {
        let is_message = raw.is_push() || (self.state.taken_over.load(Relaxed) && is_subscription(&raw.0));
        let expected = if is_message { None } else { self.expected.calls.pop_front() };
        let Some((sent, followed)) = expected else { return self.forward(raw) };
        let failed = raw.is_error();
        let is_over = sent.holds == self.state.holds.load(Relaxed) && &raw.0[..] != QUEUED;
        // "EXEC without MULTI" leaves WATCH as it is.
        let ends = !failed || raw.0.starts_with(b"-EXECABORT");
        if matches!(sent.effect, Effect::Releases | Effect::Resets) && is_over && ends {
            self.state.held.store(false, Relaxed);
        }
        if sent.effect == Effect::Resets && is_over {
            self.state.taken_over.store(false, Relaxed);
            // It is nobody's now: another one for whatever comes next.
            self.state.broken.store(true, Relaxed);
        }
        if sent.effect == Effect::Authenticates && !failed {
            self.state.taken_over.store(true, Relaxed);
            self.state.somebody_else.store(true, Relaxed);
        }
        if sent.effect == Effect::Probes {
            self.state.restricted.store(raw.0.starts_with(b"*"), Relaxed);
        }
        let db = if sent.selects { number(sent.argv.get(1)) } else { None };
        if &raw.0[..] == QUEUED {
            self.expected.queued.push(Queued { followed, db, describes: sent.describes });
        } else {
            if sent.effect == Effect::Releases && ends {
                self.release(&raw);
            }
            self.done(followed, db.filter(|_| !failed), &raw);
        }
        if sent.takes_reply {
            self.forward(raw);
        }
        if sent.effect == Effect::Blocks {
            self.expected.blocking -= 1;
            // What has ended this one says nothing about the next.
            let waits = self.expected.blocking > 0;
            self.client.set_blockage(if waits { Blockage::Blocked } else { Blockage::Free });
        }
        if self.state.pending.fetch_sub(1, AcqRel) == 1 {
            self.state.quiet.notify_one();
        }
        // Whoever waits for it finds it told, and the client, which may be on another thread, free to go on.
        drop(sent.counted);
    }

    /// EXEC or DISCARD: what was queued takes effect, or not.
    fn release(&mut self, raw: &Raw) {
        let queued = std::mem::take(&mut self.expected.queued);
        if queued.is_empty() {
            return;
        }
        let replies = match raw.parse() {
            Ok(Reply::Array(replies)) if replies.len() == queued.len() => replies,
            Ok(Reply::Array(_)) | Err(_) => Vec::new(),
            // Nothing was executed.
            Ok(_) => vec![Reply::error("EXECABORT"); queued.len()],
        };
        for (at, Queued { followed, db, describes }) in queued.into_iter().enumerate() {
            let succeeds = replies.get(at) == Some(&Reply::Ok);
            self.select(db.filter(|_| succeeds));
            let describes = describes.filter(|_| succeeds);
            self.state.described.lock().expect("no panic while held").extend(describes);
            // What became of it EXEC's reply knows: its keys are read.
            if let Some(mut followed) = followed {
                followed.calls.db = self.db;
                followed.lost(replies.get(at));
            }
        }
    }

    fn select(&mut self, db: Option<u32>) {
        if let Some(db) = db {
            self.db = db;
            *self.state.selected.lock().expect("no panic while held") = Some(db);
        }
    }

    /// Something has been executed; who follows is told.
    fn done(&mut self, followed: Option<FollowedAside>, db: Option<u32>, raw: &Raw) {
        self.select(db);
        if let Some(mut followed) = followed {
            followed.calls.db = self.db;
            followed.answered(raw);
        }
    }

    fn forward(&self, raw: Raw) {
        self.client.push(Reply::Raw(raw.0), UNLIMITED);
    }

    /// CLIENT UNBLOCK: the upstream knows what to say to the client.
    fn unblock(&self) {
        let (client, asked) = (self.client.clone(), self.client.blockage());
        let state = Arc::downgrade(&self.state);
        let waits = move || client.blockage() == asked && state.strong_count() > 0;
        if let (Some(id), Some(how)) = (self.id, unblock::way(asked)) {
            tokio::spawn(unblock::unblock(self.upstream.clone(), id, how, waits));
        }
    }
}
