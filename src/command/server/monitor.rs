//! `MONITOR`
use crate::command::prelude::*;

pub(super) static MONITOR: Command = Command {
    name: "MONITOR",
    arity: Exactly(1),
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    plan: monitor,
    passing: Passing::TakesOver,
    ..Command::in_group(Group::Server, file!())
};

fn monitor(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::session(|context| {
        if context.in_exec() {
            return Err(CommandError::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
        }
        // As Redis: a monitor that asks again gets no answer.
        if context.session.monitor {
            return Ok(Reply::Nothing);
        }
        context.session.monitor = true;
        context.session.client.update(|info| info.monitor = true);
        context.process().monitors.add(&context.session.client);
        Ok(Reply::Ok)
    }))
}
