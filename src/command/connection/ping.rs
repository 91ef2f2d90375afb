//! `PING [message] | ECHO message`
use crate::command::prelude::*;
use crate::resp::Protocol;

pub(super) static PING: Command = Command {
    name: "PING",
    arity: AtLeast(1),
    flags: Flags::FAST.and(Flags::FOR_SUBSCRIBERS),
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

fn ping(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (reply, message) = match args.rest() {
        [] => (Reply::status("PONG"), Bytes::new()),
        [message] => (Reply::Bulk(message.clone()), message.clone()),
        _ => return Err(CommandError::wrong_arity(&args.command_name())),
    };
    if !context.subscriber {
        return Ok(Plan::Ready(reply));
    }
    Ok(Plan::session(move |context| {
        let session = &context.session;
        let subscriber = session.protocol == Protocol::Resp2 && !session.client.subscriptions.is_empty();
        Ok(if subscriber { Reply::bulks([Bytes::from_static(b"pong"), message]) } else { reply })
    }))
}

fn echo(args: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Ready(Reply::Bulk(args.bytes()?)))
}
