//! `QUIT | RESET`
use futures_util::future::BoxFuture;

use crate::command::prelude::*;
use crate::exec::Context;
use crate::resp::Protocol;
use crate::session::ReplyMode;

pub(super) static QUIT: Command = Command { name: "QUIT", arity: AtLeast(1), plan: quit, ..FAMILY };
pub(super) static RESET: Command = Command {
    name: "RESET",
    arity: Exactly(1),
    flags: FAMILY.flags.and(Flags::SETS_PROTOCOL).and(Flags::SELECTS_DATABASE),
    plan: reset,
    ..FAMILY
};

const FAMILY: Command = Command {
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::NO_AUTH)
        .and(Flags::ALLOW_BUSY)
        .and(Flags::NOT_QUEUED)
        .and(Flags::FOR_SUBSCRIBERS),
    passing: Passing::Ends,
    ..Command::in_group(Group::Connection, file!())
};

fn quit(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        context.session.close = true;
        Ok(Reply::Ok)
    }))
}

fn reset(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Steps(Box::new(Reset)))
}

struct Reset;

impl Steps for Reset {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process().clone();
            let session = &mut *context.session;
            session.discard();
            session.select(DbIndex(0));
            session.set_protocol(Protocol::Resp2);
            session.authenticated = process.settings.password().is_empty();
            session.reply_mode = ReplyMode::On;
            session.monitor = false;
            process.monitors.remove(&session.client);
            session.client.update(|info| {
                info.name = Bytes::new();
                info.monitor = false;
                info.no_evict = false;
                info.no_touch = false;
            });
            process.unsubscribe_all(&session.client).await;
            Ok(Reply::status("RESET"))
        })
    }
}
