//! `PING [message] | ECHO message`
use crate::command::prelude::*;

pub(super) static PING: Command = Command {
    name: "PING",
    arity: AtLeast(1),
    flags: Flags::FAST,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    plan: ping,
    ..Command::in_group(Group::Connection, file!())
};

pub(super) static ECHO: Command = Command {
    name: "ECHO",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
    plan: echo,
    ..Command::in_group(Group::Connection, file!())
};

fn ping(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    match args.rest() {
        [] => Ok(Plan::Ready(Reply::status("PONG"))),
        [message] => Ok(Plan::Ready(Reply::Bulk(message.clone()))),
        _ => Err(CommandError::wrong_arity(&args.command_name())),
    }
}

fn echo(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Ready(Reply::Bulk(args.bytes()?)))
}
