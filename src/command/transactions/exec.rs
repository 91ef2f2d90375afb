//! `EXEC`
use futures_util::future::BoxFuture;

use crate::command::prelude::*;
use crate::exec::Context;

pub(super) static EXEC: Command = Command {
    name: "EXEC",
    arity: Exactly(1),
    flags: Flags::NOSCRIPT
        .and(Flags::LOADING)
        .and(Flags::STALE)
        .and(Flags::SKIP_SLOWLOG)
        .and(Flags::NOT_QUEUED)
        .and(Flags::EXECUTES_QUEUE),
    plan: exec,
    passing: Passing::Unwatches,
    ..Command::in_group(Group::Transactions, file!())
};

struct Exec;

impl Steps for Exec {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async { Ok(context.exec().await) })
    }
}

fn exec(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Steps(Box::new(Exec)))
}
