//! While keys are moved by pattern: each request goes to the side that answers for its keys. MULTI is kept here until EXEC, when it is known who executes it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::aside::Aside;
use super::belongs::Belongs;
use super::pushed::put_first;
use super::quiet::{Standing, quiet};
use super::sent::{Effect, Sent};
use super::ways::{Way, way};
use super::{Passing, aside_of, failure, taken, with_aside};
use crate::command::{self, Flags, Incoming};
use crate::exec::Executor;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::Patterns;

const BOTH: &str = "CROSSSIDE Keys are answered for by Postgres and by the upstream, together they cannot be used (RESPG.MODE KEYS)";
const WHOLE: &str =
    "ERR databases are not emptied or exchanged while keys are moved by pattern (RESPG.MODE KEYS)";
const TRACKS: &str = "ERR Without BCAST the upstream could not tell of keys that Postgres answers for, which are moved by pattern (RESPG.MODE KEYS)";
const STRANGER: &str = "NOPERM Postgres answers for these keys, and respg does not know this user";

impl<E: Executor> Passing<E> {
    pub(super) async fn divide(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        replies: &mut Vec<Reply>,
        moved: &Patterns,
    ) {
        let mut at = 0;
        while let Some(incoming) = requests.get(at) {
            if session.close || session.blocked.is_some() {
                break;
            }
            let belongs = match self.belongs(session, incoming, moved).await {
                Ok(belongs) => belongs,
                Err(error) => {
                    session.multi.iter_mut().for_each(|multi| multi.failed = true);
                    self.refuse(session, failure(&error), replies).await;
                    at += 1;
                    continue;
                }
            };
            // What goes the same way goes together.
            let goes_along = |next: &&Incoming| plain(next, moved) == Some(belongs);
            let alike = match is_free(session) && goes_along(&incoming) {
                true => requests[at..].iter().take_while(goes_along).count(),
                false => 1,
            };
            self.part(session, &requests[at..at + alike], belongs, moved, replies).await;
            at += alike;
        }
    }

    /// Requests that go the same way; only a single one if it is not plain.
    async fn part(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        belongs: Belongs,
        moved: &Patterns,
        replies: &mut Vec<Reply>,
    ) {
        if !session.authenticated {
            return self.to_upstream(session, requests, replies).await;
        }
        if aside_of(session).is_some_and(|aside| aside.queues) {
            return self.queued_there(session, requests, belongs, replies).await;
        }
        let passing = passing(&requests[0]);
        if session.multi.is_some() && !matches!(passing, command::Passing::Ends) {
            return self.in_multi(session, &requests[0], belongs, moved, replies).await;
        }
        match (passing, belongs) {
            (_, Belongs::Both) => self.refuse(session, Reply::error(BOTH), replies).await,
            (_, Belongs::Whole) => self.refuse(session, Reply::error(WHOLE), replies).await,
            (_, Belongs::Tracks) => self.refuse(session, Reply::error(TRACKS), replies).await,
            (command::Passing::Watches, Belongs::There) if !session.watched.is_empty() => {
                self.refuse(session, Reply::error(BOTH), replies).await;
            }
            (command::Passing::Unwatches, _) if !session.watched.is_empty() => {
                self.here(session, requests, belongs, replies).await;
            }
            (command::Passing::Queues, _) | (_, Belongs::Here) => {
                self.here(session, requests, belongs, replies).await;
            }
            (_, Belongs::There | Belongs::Anywhere) => self.to_upstream(session, requests, replies).await,
        }
    }

    /// Executes requests here, after everything that the client has sent to its own connection.
    async fn here(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        belongs: Belongs,
        replies: &mut Vec<Reply>,
    ) {
        let mut pushed = VecDeque::new();
        let Some(standing) = quiet(session, &mut pushed).await else { return };
        let first = replies.len();
        let watches = matches!(passing(&requests[0]), command::Passing::Watches);
        if standing.restricted {
            // It says why not.
            self.to_upstream(session, requests, replies).await;
        } else if standing.somebody_else && belongs == Belongs::Here {
            requests.iter().for_each(|_| replies.push(taken(session, Reply::error(STRANGER))));
        } else if standing.held && watches {
            replies.push(taken(session, Reply::error(BOTH)));
        } else {
            self.inner.execute(session, requests, replies).await;
        }
        put_first(session, replies, first, pushed);
    }

    async fn refuse(&self, session: &mut Session, why: Reply, replies: &mut Vec<Reply>) {
        let (mut pushed, first) = (VecDeque::new(), replies.len());
        if quiet(session, &mut pushed).await.is_some() {
            replies.push(taken(session, why));
            put_first(session, replies, first, pushed);
        }
    }

    /// MULTI had to be sent to the upstream: there is something in it that only that can judge.
    async fn queued_there(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        belongs: Belongs,
        replies: &mut Vec<Reply>,
    ) {
        let why = match belongs {
            Belongs::There | Belongs::Anywhere => return self.to_upstream(session, requests, replies).await,
            Belongs::Here | Belongs::Both => BOTH,
            Belongs::Whole => WHOLE,
            Belongs::Tracks => TRACKS,
        };
        with_aside(session, |aside, session| aside.spoil(session));
        self.refuse(session, Reply::error(why), replies).await;
    }

    /// Between MULTI and EXEC.
    async fn in_multi(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        belongs: Belongs,
        moved: &Patterns,
        replies: &mut Vec<Reply>,
    ) {
        let (mut pushed, first) = (VecDeque::new(), replies.len());
        let Some(standing) = quiet(session, &mut pushed).await else { return };
        let ends =
            matches!(passing(incoming), command::Passing::Unwatches) && incoming.has(Flags::NOT_QUEUED);
        if ends {
            self.end(session, incoming, standing, moved, replies).await;
        } else if incoming.has(Flags::NOT_QUEUED) {
            // An error.
            self.inner.execute(session, std::slice::from_ref(incoming), replies).await;
        } else {
            self.queue(session, incoming, belongs.and(begun(session, standing, moved)), belongs, replies)
                .await;
        }
        put_first(session, replies, first, pushed);
    }

    /// `all`: with what was queued before it.
    async fn queue(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        all: Belongs,
        belongs: Belongs,
        replies: &mut Vec<Reply>,
    ) {
        let fail = |session: &mut Session, why: &'static str| {
            session.multi.iter_mut().for_each(|multi| multi.failed = true);
            taken(session, Reply::error(why))
        };
        let greeting = self.upstream.pipe.greeting();
        let greeting = greeting.as_deref();
        let is_theirs = belongs != Belongs::Here
            && way(session, incoming, greeting, &self.context(session)) == Way::WithQueue;
        // About the client itself.
        let is_own = matches!(passing(incoming), command::Passing::Own(_));
        let is_stranger = aside_of(session).is_some_and(Aside::is_somebody_else);
        let reply = match all {
            Belongs::Whole => fail(session, WHOLE),
            Belongs::Tracks => fail(session, TRACKS),
            Belongs::Both => fail(session, BOTH),
            Belongs::Here if is_theirs && !is_own => fail(session, BOTH),
            Belongs::Here if is_stranger => fail(session, STRANGER),
            Belongs::There | Belongs::Anywhere if is_theirs => {
                self.count(incoming);
                self.with_queue(session, incoming, greeting).await
            }
            _ => return self.inner.execute(session, std::slice::from_ref(incoming), replies).await,
        };
        replies.push(reply);
    }

    /// EXEC or DISCARD.
    async fn end(
        &self,
        session: &mut Session,
        incoming: &Incoming,
        standing: Standing,
        moved: &Patterns,
        replies: &mut Vec<Reply>,
    ) {
        let executes = incoming.has(Flags::EXECUTES_QUEUE);
        // Nobody can say here that nothing has happened to a watched key that was given back since.
        let is_blind = executes && session.watched.iter().any(|watched| !moved.has(&watched.key));
        let all = match executes && !is_blind {
            true => whole(session, standing, moved),
            false => Belongs::Here,
        };
        if let Some(multi) =
            session.multi.as_mut().filter(|_| matches!(all, Belongs::Both | Belongs::Whole | Belongs::Tracks))
        {
            // The patterns have changed since.
            multi.failed = true;
        }
        let has_failed = session.multi.as_ref().is_some_and(|multi| multi.failed);
        let is_here = has_failed || all == Belongs::Here;
        if !is_here && standing.busy {
            let greeting = self.upstream.pipe.greeting();
            let reply = self.with_queue(session, incoming, greeting.as_deref()).await;
            return replies.push(reply);
        }
        if !is_here {
            return self.to_upstream(session, std::slice::from_ref(incoming), replies).await;
        }
        if standing.held {
            let unwatch = [Bytes::from_static(b"UNWATCH")];
            with_aside(session, |aside, session| {
                aside.send(session, Sent { effect: Effect::Releases, ..Sent::silent(unwatch) });
            });
        }
        if is_blind && !has_failed {
            session.discard();
            return replies.push(taken(session, Reply::NullArray));
        }
        self.inner.execute(session, std::slice::from_ref(incoming), replies).await;
        if standing.busy {
            // There may have been a SELECT in it.
            with_aside(session, |aside, session| aside.follow(session));
        }
    }
}

/// Where the transaction belongs by what is known so far: its calls are of one side, or it has failed.
fn begun(session: &Session, standing: Standing, moved: &Patterns) -> Belongs {
    let queued = session.multi.iter().flat_map(|multi| &multi.queued);
    let first = queued.map(|request| Belongs::of(request, moved)).find(|of| *of != Belongs::Anywhere);
    first.unwrap_or(Belongs::Anywhere).and(watched(session, standing))
}

/// The same by all of it.
fn whole(session: &Session, standing: Standing, moved: &Patterns) -> Belongs {
    let queued = session.multi.iter().flat_map(|multi| &multi.queued);
    let all = queued.map(|request| Belongs::of(request, moved)).fold(Belongs::Anywhere, Belongs::and);
    all.and(watched(session, standing))
}

fn watched(session: &Session, standing: Standing) -> Belongs {
    match (session.watched.is_empty(), standing.held) {
        (true, true) => Belongs::There,
        (true, false) => Belongs::Anywhere,
        (false, _) => Belongs::Here,
    }
}

/// Whether requests of the client can be taken together.
fn is_free(session: &Session) -> bool {
    session.authenticated
        && session.multi.is_none()
        && session.watched.is_empty()
        && aside_of(session).is_none_or(|aside| !aside.is_busy())
}

/// Where a call belongs that changes nothing about the client.
fn plain(incoming: &Incoming, moved: &Patterns) -> Option<Belongs> {
    let Incoming::Known(request) = incoming else { return None };
    let is_free = matches!(request.command.passing, command::Passing::Free);
    let belongs = (is_free && !incoming.has(Flags::SELECTS_DATABASE)).then(|| Belongs::of(request, moved));
    belongs.filter(|belongs| matches!(belongs, Belongs::Here | Belongs::There))
}

fn passing(incoming: &Incoming) -> command::Passing {
    match incoming {
        Incoming::Known(request) => request.command.passing,
        Incoming::Refused { .. } => command::Passing::Free,
    }
}
