//! Reads that Postgres answers in shadow mode already: of a share of the keys, as long as all that was written through this process to the key's slot has been followed, and only
//! if Postgres has the key. A type that respg does not have looks like no key, so whatever says "nothing" is asked of the upstream. Hot path.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Passing, aside_of};
use crate::command::{Flags, Incoming, Plan, PlanContext};
use crate::exec::Executor;
use crate::keyspace::slot::{SLOTS, Slot};
use crate::resp::Reply;
use crate::session::{ReplyMode, Session};
use crate::state::Mode;

/// Postgres is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(1);

impl<E: Executor> Passing<E> {
    pub(super) fn context(&self, session: &Session) -> PlanContext {
        PlanContext {
            db: session.db,
            databases: self.process.settings.config.databases,
            max_string: self.process.settings.max_string(),
            subscriber: false,
        }
    }

    /// Whether Postgres is to be asked, if it is up to date.
    pub(super) fn reads_here(&self, session: &Session, incoming: &Incoming, context: &PlanContext) -> bool {
        let share = self.upstream.reads.load(Relaxed);
        if share == 0 || self.process.routing.mode() != Mode::Shadow {
            return false;
        }
        let Incoming::Known(request) = incoming else { return false };
        let (command, on) = (request.command, session.reply_mode == ReplyMode::On);
        let is_plain = command.flags.has(Flags::READONLY)
            && !command.flags.has(Flags::BLOCKING)
            && !command.name.contains('|')
            && !command.tips.contains(&"nondeterministic_output");
        let is_alone = aside_of(session).is_some_and(|aside| aside.is_busy() || aside.is_somebody_else());
        let is_free = session.authenticated && session.multi.is_none() && !is_alone && on;
        if !is_plain || !is_free {
            return false;
        }
        let [position] = request.key_positions()[..] else { return false };
        let slot = u32::from(Slot::of(&request.argv[position]).0);
        slot * 100 < u32::from(share) * u32::from(SLOTS)
            && matches!(request.plan(context), Ok(Plan::Keys(_) | Plan::Call(_)))
    }

    /// Answers the first of these requests, as many as can be; says how many. Everything before them has been answered.
    pub(super) async fn read_here(
        &self,
        session: &mut Session,
        requests: &[Incoming],
        replies: &mut Vec<Reply>,
    ) -> usize {
        let Some(shadow) = self.process.shadow.get() else { return 0 };
        let is_followed = |incoming: &&Incoming| match incoming {
            Incoming::Known(request) => {
                request.key_positions().iter().all(|at| shadow.has_followed(Slot::of(&request.argv[*at]).0))
            }
            Incoming::Refused { .. } => false,
        };
        let count = requests.iter().take_while(is_followed).count();
        if count == 0 {
            return 0;
        }
        let mut own = Vec::with_capacity(count);
        let executed = self.inner.execute(session, &requests[..count], &mut own);
        if tokio::time::timeout(PATIENCE, executed).await.is_err() {
            return 0;
        }
        // What comes after one that the upstream has to answer is answered after it.
        let answered = own.iter().take_while(|reply| has_something(reply)).count();
        own.truncate(answered);
        replies.append(&mut own);
        self.upstream.read_here.fetch_add(answered as u64, Relaxed);
        answered
    }
}

/// Whether only a key that is there can be answered so.
fn has_something(reply: &Reply) -> bool {
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => !bytes.is_empty(),
        Reply::Integer(number) => *number > 0,
        Reply::Array(items) => items.iter().any(has_something),
        Reply::Status(word) => word != "none",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_keys_that_are_not_there() {
        let entry = Reply::Array(vec![Reply::bulk("1-1"), Reply::Array(vec![Reply::bulk("f")])]);
        for (reply, something) in [
            (Reply::Null, false),
            (Reply::ZERO, false),
            (Reply::Integer(-2), false),
            (Reply::bulk(""), false),
            (Reply::status("none"), false),
            (Reply::Array(Vec::new()), false),
            (Reply::Array(vec![Reply::ZERO, Reply::Null]), false),
            (Reply::error("LOADING"), false),
            (Reply::bulk("v"), true),
            (Reply::Integer(1), true),
            (Reply::status("string"), true),
            (Reply::Array(vec![entry]), true),
        ] {
            assert_eq!(has_something(&reply), something, "{reply:?}");
        }
    }
}
