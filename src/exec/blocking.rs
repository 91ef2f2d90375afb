//! Blocking commands: an ordinary attempt, and further ones when somebody has written a key that is waited for. Nothing is held in
//! between: no task, no connection to Postgres, no transaction.

use std::time::Instant;

use super::engine::Engine;
use super::work::Item;
use crate::command::{Attempt, Audience, Block, CommandError, KeyOp, Plan, Request, View};
use crate::resp::Reply;
use crate::session::{Blocked, Session, Wake};
use crate::state::Topic;

impl Engine {
    /// Begins a blocking command: its reply, or `None` if it has to wait in `session.blocked`.
    ///
    /// It takes its place before the first attempt: what is committed before the attempt is found by it, what is committed later
    /// calls for another one.
    pub(super) async fn block(
        &self,
        session: &mut Session,
        request: &Request,
        block: Block,
    ) -> Option<Reply> {
        let topics = block.keys.iter().map(|key| Topic::new(session.db, key));
        let line = match &block.audience {
            Audience::All => None,
            Audience::First(name) => Some(name.clone()),
        };
        let place = self.process().waiters.join(topics, line);
        let mut blocked = Blocked::new(&session.client, request.detached(), block, place);
        let attempt = if blocked.place.is_behind { Attempt::Behind } else { Attempt::First };
        if let Some(reply) = self.attempt(session, &mut blocked, attempt).await {
            return Some(reply);
        }
        blocked.place.announce();
        blocked.begin_waiting();
        session.blocked = Some(Box::new(blocked));
        None
    }

    /// Goes on with a blocked command.
    pub(super) async fn go_on(&self, session: &mut Session, wake: Wake) -> Option<Reply> {
        let mut blocked = session.blocked.take()?;
        let reply = match wake {
            Wake::TimedOut => Some(blocked.block.nothing.clone()),
            Wake::Error => Some(CommandError::UNBLOCKED.into()),
            Wake::Called => self.attempt(session, &mut blocked, Attempt::Again).await,
        };
        match reply {
            Some(reply) => Some(if session.takes_reply() { reply } else { reply.pushes() }),
            None => {
                session.blocked = Some(blocked);
                None
            }
        }
    }

    /// One attempt: `None` if there is nothing yet.
    async fn attempt(&self, session: &mut Session, blocked: &mut Blocked, attempt: Attempt) -> Option<Reply> {
        if attempt != Attempt::Behind {
            blocked.place.begin();
        }
        let started = Instant::now();
        let reply = match (blocked.block.attempt)(attempt) {
            Plan::Keys(op) => {
                let op = match blocked.block.audience {
                    Audience::First(_) if attempt == Attempt::Again => in_turn(op, blocked),
                    _ => op,
                };
                let bytes = blocked.request.argv.iter().map(|arg| arg.len()).sum::<usize>() + op.grows_by;
                let done = self.run_items(vec![Item::Op(op)], bytes).await;
                done.map_or_else(
                    |error| CommandError::from(error).into(),
                    |mut replies| replies.pop().expect("one reply per item"),
                )
            }
            plan => self.perform(session, plan).await,
        };
        blocked.worked += started.elapsed();
        if reply != blocked.block.nothing {
            return Some(reply);
        }
        if attempt != Attempt::Behind {
            blocked.place.found_nothing();
        }
        None
    }
}

/// An attempt that takes nothing if it is executed before the client's turn has come.
fn in_turn(op: KeyOp, blocked: &Blocked) -> KeyOp {
    let Plan::Keys(behind) = (blocked.block.attempt)(Attempt::Behind) else { return op };
    let (call, nothing) = (blocked.place.call.clone(), blocked.block.nothing.clone());
    let KeyOp { apply, .. } = op;
    let apply = move |view: &mut View<'_>| {
        let is_due = call.is_due();
        let reply = if is_due { apply(view) } else { (behind.apply)(view) };
        call.has_found(is_due && reply.as_ref().is_ok_and(|reply| *reply != nothing));
        reply
    };
    KeyOp { apply: Box::new(apply), ..op }
}
