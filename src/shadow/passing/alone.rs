//! What goes to a client's own connection, and what that means for the connection.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::aside::Aside;
use super::pushed::put_first;
use super::quiet::quiet;
use super::sent::{Effect, Sent};
use super::ways::{request_writes, writes};
use super::{Passing, aside_of, failure, taken, with_aside};
use crate::command::connection::tracks;
use crate::command::{self, Flags, Incoming};
use crate::exec::Executor;
use crate::resp::{Protocol, Reply};
use crate::session::{ReplyMode, Session};
use crate::upstream::{Greeting, UpstreamError, words};

impl<E: Executor> Passing<E> {
    /// Sends a request of a client whose requests have to go to its own connection now.
    pub(super) async fn alone(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        replies: &mut Vec<Reply>,
        greeting: Option<&Greeting>,
    ) -> Reply {
        let mut effect = effect(incoming);
        let greets = only_greets(incoming) && greeting.is_some_and(|greeting| greeting.has_protocols);
        let describes =
            greets || incoming.has(Flags::DESCRIBES_CLIENT) || incoming.has(Flags::CHOOSES_REPLIES);
        let is_queued = aside_of(session).is_some_and(|aside| aside.queues);
        if effect == Effect::Resets || (describes && !is_queued && !is_refused(session).await) {
            // For what respg knows of the client; the reply is the upstream's, if the client gets one.
            self.inner.execute(session, std::slice::from_ref(incoming), replies).await;
            match replies.pop() {
                // Both have to speak the same protocol.
                _ if greets => effect = Effect::Nothing,
                None | Some(Reply::Nothing) => return Reply::Nothing,
                Some(_) => {}
            }
        }
        self.aside(session, incoming, effect, greeting).await
    }

    /// Executes what is respg's own, after everything that the client has sent to its own connection.
    pub(super) async fn in_turn(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        replies: &mut Vec<Reply>,
    ) {
        let (mut pushed, first) = (VecDeque::new(), replies.len());
        if quiet(session, &mut pushed).await.is_some() {
            self.inner.execute(session, requests, replies).await;
            put_first(session, replies, first, pushed);
        }
    }

    /// Sends a request over the client's own connection; what comes back finds its way by itself.
    pub(super) async fn aside(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        effect: Effect,
        greeting: Option<&Greeting>,
    ) -> Reply {
        if let Err(error) = self.open_aside(session).await {
            return taken(session, failure(&error));
        }
        let mut queues = queues(incoming);
        if queues == Some(true) && is_refused(session).await {
            // MULTI, too.
            queues = None;
        }
        let is = |flag| incoming.has(flag);
        let sent = Sent {
            takes_reply: session.takes_reply(),
            subscribes: is(Flags::SUBSCRIBES),
            selects: is(Flags::SELECTS_DATABASE),
            writes: writes(incoming, greeting),
            describes: incoming.has(Flags::DESCRIBES_CLIENT).then(|| incoming.argv().to_vec()),
            ..Sent::new(self.words(session, incoming), effect)
        };
        let mut aside = session.aside.take();
        if let Some(aside) = aside.as_mut().and_then(|aside| aside.downcast_mut::<Aside>()) {
            if matches!(incoming, Incoming::Known(request) if tracks(request)) {
                aside.state.tracks.store(true, Relaxed);
            }
            aside.send(session, sent);
            aside.queues = queues.unwrap_or(aside.queues);
        }
        session.aside = aside;
        Reply::Nothing
    }

    /// What the upstream is sent. It goes on answering everything, or nobody would know which reply is whose: what the client does not want is left out here.
    fn words(&self, session: &Session, incoming: &Incoming) -> Vec<Bytes> {
        match incoming {
            Incoming::Known(request)
                if incoming.has(Flags::CHOOSES_REPLIES) && request.plan(&self.context(session)).is_ok() =>
            {
                words(["CLIENT", "REPLY", "ON"])
            }
            _ => incoming.argv().to_vec(),
        }
    }

    /// What has described the client in a transaction there: it is true of the client.
    pub(super) async fn describe(&self, session: &mut Session) {
        let Some(aside) = aside_of(session) else { return };
        let described = std::mem::take(&mut *aside.state.described.lock().expect("no panic while held"));
        if described.is_empty() {
            return;
        }
        let requests: Vec<Incoming> = described.into_iter().map(Incoming::new).collect();
        let mode = std::mem::replace(&mut session.reply_mode, ReplyMode::On);
        self.inner.execute(session, &requests, &mut Vec::new()).await;
        session.reply_mode = mode;
    }

    /// Takes the client's transaction to its own connection: there is something in it that only the upstream can judge.
    pub(super) async fn with_queue(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        greeting: Option<&Greeting>,
    ) -> Reply {
        if let Err(error) = self.open_aside(session).await {
            return taken(session, failure(&error));
        }
        let mut aside = session.aside.take();
        if let (Some(aside), Some(multi)) =
            (aside.as_mut().and_then(|aside| aside.downcast_mut::<Aside>()), session.multi.take())
        {
            aside.repeat(session, Sent::new(vec![Bytes::from_static(b"MULTI")], Effect::Holds));
            aside.queues = true;
            for request in multi.queued {
                let writes = request_writes(&request);
                let selects = request.command.flags.has(Flags::SELECTS_DATABASE);
                let describes =
                    request.command.flags.has(Flags::DESCRIBES_CLIENT).then(|| request.argv.clone());
                let sent = Sent { writes, selects, describes, ..Sent::new(request.argv, Effect::Nothing) };
                aside.repeat(session, sent);
            }
            if multi.failed {
                aside.spoil(session);
            }
            if matches!(effect(incoming), Effect::Authenticates) {
                aside.state.somebody_else.store(true, Relaxed);
            }
        }
        session.aside = aside;
        session.discard();
        let effect = match effect(incoming) {
            // It may become somebody else's, or speak another protocol, with EXEC.
            Effect::Authenticates => Effect::TakesOver,
            effect @ (Effect::TakesOver | Effect::Releases) => effect,
            _ => Effect::Nothing,
        };
        self.aside(session, incoming, effect, greeting).await
    }

    pub(super) async fn open_aside(&self, session: &mut Session) -> Result<(), UpstreamError> {
        if session.aside.is_none() {
            // Nobody has to find out for himself, which may take seconds; and this process may have to be confirmed first.
            self.upstream.pipe.connected().await?;
            let aside = Box::pin(Aside::open(&self.process, &self.upstream, session)).await?;
            session.aside = Some(Box::new(aside));
        }
        Ok(())
    }
}

/// Takes over what the client has done on a connection of its own that is in the middle of nothing.
pub(super) fn rest(session: &mut Session) {
    if aside_of(session).is_none_or(Aside::is_busy) {
        return;
    }
    with_aside(session, Aside::settle);
    if aside_of(session).is_some_and(Aside::is_broken) {
        session.aside = None;
    }
}

/// HELLO without AUTH: the client stays who it is.
fn only_greets(incoming: &Incoming) -> bool {
    let Incoming::Known(request) = incoming else { return false };
    let names_user = request.argv.iter().any(|word| word.eq_ignore_ascii_case(b"AUTH"));
    request.command.flags.has(Flags::SETS_PROTOCOL)
        && !names_user
        && effect(incoming) == Effect::Authenticates
}

/// Whether the upstream takes nothing that describes the client, nor MULTI: of subscribers of RESP2.
async fn is_refused(session: &mut Session) -> bool {
    let subscribes = aside_of(session).is_some_and(|aside| aside.subscribes);
    if !subscribes || session.protocol != Protocol::Resp2 {
        return false;
    }
    let mut pushed = VecDeque::new();
    let standing = quiet(session, &mut pushed).await;
    session.client.outbox.put_back(pushed);
    standing.is_none_or(|standing| standing.restricted)
}

/// Whether what comes after it is queued for EXEC; `None`: as what came before it.
fn queues(incoming: &Incoming) -> Option<bool> {
    let Incoming::Known(request) = incoming else { return None };
    let at_once = request.command.flags.has(Flags::NOT_QUEUED);
    match request.command.passing {
        command::Passing::Queues => Some(true),
        command::Passing::Unwatches | command::Passing::Ends if at_once => Some(false),
        _ => None,
    }
}

/// What a request does to the connection that it is sent on.
pub fn effect(incoming: &Incoming) -> Effect {
    let request = match (incoming, incoming.command()) {
        (Incoming::Known(request), _) => request,
        // A command of types that respg does not have may block.
        (_, None) => return Effect::Blocks,
        // A sub-command that respg does not know: it is about the connection, and may last.
        (_, Some(command)) if matches!(command.passing, command::Passing::Own(_)) => {
            return Effect::Authenticates;
        }
        // A wrong number of words.
        _ => return Effect::Nothing,
    };
    let flags = request.command.flags;
    match request.command.passing {
        command::Passing::TakesOver => Effect::TakesOver,
        command::Passing::Watches | command::Passing::Queues => Effect::Holds,
        command::Passing::Unwatches => Effect::Releases,
        command::Passing::Authenticates => Effect::Authenticates,
        command::Passing::Ends if flags.has(Flags::SETS_PROTOCOL) => Effect::Resets,
        // The upstream closes it, and so it ends for the client.
        command::Passing::Ends => Effect::TakesOver,
        command::Passing::Waits => Effect::Blocks,
        command::Passing::Free | command::Passing::Own(_) if flags.has(Flags::BLOCKING) => Effect::Blocks,
        command::Passing::Free | command::Passing::Own(_) => Effect::Nothing,
    }
}
