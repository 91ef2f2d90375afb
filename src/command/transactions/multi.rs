//! `MULTI | DISCARD`
use crate::command::prelude::*;
use crate::session::Multi;

pub(super) static MULTI: Command = Command { name: "MULTI", plan: multi, passing: Passing::Queues, ..FAMILY };
pub(super) static DISCARD: Command =
    Command { name: "DISCARD", plan: discard, passing: Passing::Unwatches, ..FAMILY };

const FAMILY: Command = Command {
    arity: Exactly(1),
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::FAST)
        .and(Flags::ALLOW_BUSY)
        .and(Flags::NOT_QUEUED),
    ..Command::in_group(Group::Transactions, file!())
};

fn multi(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        let session = &mut context.session;
        if session.multi.is_some() {
            return Err(CommandError::text("ERR MULTI calls can not be nested"));
        }
        session.multi = Some(Multi::default());
        session.client.update(|info| info.multi = 0);
        Ok(Reply::Ok)
    }))
}

fn discard(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        if context.session.multi.is_none() {
            return Err(CommandError::text("ERR DISCARD without MULTI"));
        }
        context.session.discard();
        Ok(Reply::Ok)
    }))
}
