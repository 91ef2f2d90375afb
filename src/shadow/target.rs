//! The side that follows: our own engine in shadow mode, a Redis in reverse mode.

use std::sync::Arc;

use bytes::Bytes;

use super::effect::Planned;
use crate::command::copy::{Call, Dialect};
use crate::command::{Done, Effect, Follow, Incoming, Request, follow, lookup};
use crate::copy::{Redis, Speaker};
use crate::exec::Executor;
use crate::keyspace::DbIndex;
use crate::resp::Reply;
use crate::session::Session;
use crate::state::ClientHandle;
use crate::store::StoreError;
use crate::upstream::UpstreamError;

/// Calls that belong together, in one database: one, or those of a transaction.
#[derive(Debug, Clone)]
pub struct Unit {
    pub calls: Vec<Planned>,
    pub atomic: bool,
}

/// What became of a unit.
#[derive(Debug)]
pub enum Outcome {
    /// A reply for each call.
    Done(Vec<Reply>),
    /// Certainly nothing: the side cannot be reached.
    NotDone(String),
    /// The connection was lost in between: some calls may have been executed.
    Unknown,
}

/// The side that follows.
pub enum Target {
    Own { executor: Arc<dyn Executor>, session: Box<Session> },
    Redis(Box<Redis>),
}

impl Target {
    pub fn own(executor: Arc<dyn Executor>) -> Target {
        let client = ClientHandle::new(0, String::new(), String::new());
        Target::Own { executor, session: Box::new(Session::new(Arc::new(client), true)) }
    }

    /// Executes units in order.
    pub async fn execute(&mut self, units: &[Unit]) -> Vec<Outcome> {
        let mut requests = Vec::new();
        let mut db = None;
        // Of each unit where its replies begin.
        let mut places = Vec::new();
        for unit in units {
            let wrapped = unit.atomic && unit.calls.len() > 1;
            if wrapped {
                select(&mut db, unit.calls[0].db, &mut requests);
                requests.push(follow::call(["MULTI"]));
            }
            let start = requests.len();
            let mut ends = Vec::new();
            for Planned { db: wanted, request, .. } in &unit.calls {
                select(&mut db, *wanted, &mut requests);
                requests.extend(self.spoken(request));
                ends.push(requests.len() - 1);
            }
            if wrapped {
                requests.push(follow::call(["EXEC"]));
            }
            places.push((wrapped, start, ends, requests.len()));
        }
        let replies = match self.replies(requests).await {
            Ok(replies) => replies,
            Err(error) if error.is_uncertain() => return units.iter().map(|_| Outcome::Unknown).collect(),
            Err(error) => return units.iter().map(|_| Outcome::NotDone(error.to_string())).collect(),
        };
        places
            .into_iter()
            .map(|(wrapped, start, ends, after)| {
                if !wrapped {
                    return outcome(ends.into_iter().map(|end| replies[end].clone()).collect());
                }
                match &replies[after - 1] {
                    Reply::Array(inner) => {
                        outcome(ends.iter().map(|end| inner[end - start].clone()).collect())
                    }
                    refused => outcome(ends.iter().map(|_| refused.clone()).collect()),
                }
            })
            .collect()
    }

    /// The call in words that this side knows.
    fn spoken(&self, request: &Request) -> Vec<Request> {
        let public = || lookup(&request.argv[0]).is_some_and(|known| std::ptr::eq(known, request.command));
        let contained = || request.command.name.contains('|');
        match (self, request.command.follow) {
            (Target::Redis(_), Follow::Effect(effect)) if !public() && !contained() => {
                match effect(&Done { request, reply: &Reply::Ok, at: 0, dialect: self.dialect() }) {
                    Effect::Calls(calls) => calls,
                    _ => vec![request.clone()],
                }
            }
            _ => vec![request.clone()],
        }
    }

    async fn replies(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, UpstreamError> {
        match self {
            Target::Own { executor, session } => {
                let incoming: Vec<Incoming> = requests.into_iter().map(Incoming::Known).collect();
                let mut replies = Vec::with_capacity(incoming.len());
                executor.execute(session, &incoming, &mut replies).await;
                session.executed.clear();
                session.discard();
                Ok(replies)
            }
            Target::Redis(redis) => {
                redis.speak_once(requests.into_iter().map(|request| request.argv).collect()).await
            }
        }
    }

    /// Says in which database the calls of [`Speaker::speak`] run.
    pub async fn select(&mut self, db: DbIndex) -> Result<(), UpstreamError> {
        match self {
            Target::Own { session, .. } => {
                session.select(db);
                Ok(())
            }
            Target::Redis(redis) => redis.select(db.0).await,
        }
    }
}

fn select(db: &mut Option<DbIndex>, wanted: DbIndex, requests: &mut Vec<Request>) {
    if db.replace(wanted) != Some(wanted) {
        requests.push(follow::call([Bytes::from_static(b"SELECT"), Bytes::from(wanted.0.to_string())]));
    }
}

/// Of our own engine, errors of Postgres come as replies.
fn outcome(replies: Vec<Reply>) -> Outcome {
    match replies.iter().find_map(store_failure) {
        None => Outcome::Done(replies),
        Some(failure) => failure,
    }
}

/// What a reply says of Postgres, if that is why there is no other.
pub fn store_failure(reply: &Reply) -> Option<Outcome> {
    let Reply::Error(text) = reply else { return None };
    match text.code() {
        // Nothing has happened, says StoreError.
        b"LOADING" | b"TRYAGAIN" => Some(Outcome::NotDone(text.to_string())),
        _ => (text.as_bytes() == StoreError::Unknown.to_string().as_bytes()).then_some(Outcome::Unknown),
    }
}

impl Speaker for Target {
    fn dialect(&self) -> Dialect {
        match self {
            Target::Own { .. } => Dialect::OWN,
            Target::Redis(redis) => redis.dialect(),
        }
    }

    /// Fails if Postgres cannot be reached: what is said here may be said again.
    async fn speak(&mut self, calls: Vec<Call>) -> Result<Vec<Reply>, UpstreamError> {
        let Target::Own { .. } = self else {
            let Target::Redis(redis) = self else { unreachable!("one of two") };
            return redis.speak(calls).await;
        };
        let requests = calls.into_iter().map(follow::call).collect();
        let replies = self.replies(requests).await?;
        let failed = replies.iter().find_map(store_failure);
        match failed {
            None => Ok(replies),
            Some(_) => Err(UpstreamError::Lost("PostgreSQL cannot be reached".to_owned())),
        }
    }
}
