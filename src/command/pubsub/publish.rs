//! `PUBLISH channel message | SPUBLISH shardchannel message`
use futures_util::future::BoxFuture;

use crate::command::prelude::*;
use crate::exec::Context;
use crate::store::bus::{Item, Kind as Subscribed};
use crate::store::statements::bus;
use crate::store::{Call, Param};

pub(super) static PUBLISH: Command =
    Command { name: "PUBLISH", plan: |args, _| Publish::plan(Subscribed::Channel, args), ..FAMILY };
pub(super) static SPUBLISH: Command = Command {
    name: "SPUBLISH",
    keys: &[KeySpec::at(1, &["NOT_KEY"])],
    plan: |args, _| Publish::plan(Subscribed::Shard, args),
    ..FAMILY
};

const FAMILY: Command = Command {
    arity: Exactly(3),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
    ..Command::in_group(Group::Pubsub, file!())
};

struct Publish {
    kind: Subscribed,
    channel: Bytes,
    body: Bytes,
}

impl Publish {
    fn plan(kind: Subscribed, args: &mut Args) -> Result<Plan, CommandError> {
        Ok(Plan::Steps(Box::new(Publish { kind, channel: args.bytes()?, body: args.bytes()? })))
    }
}

impl Steps for Publish {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        let Publish { kind, channel, body } = *self;
        Box::pin(async move {
            if context.in_exec() {
                return in_exec(context, kind, channel, body).await;
            }
            let item = Item::Message { kind, channel, body };
            let receivers = Reply::Integer(context.process().bus.said(item).await?);
            // One that hears itself gets the message right after the reply.
            let client = &context.session.client;
            match client.subscriptions.is_empty() {
                true => Ok(receivers),
                false => {
                    let heard = client.outbox.try_take().into_iter().flatten();
                    Ok(Reply::Several(std::iter::once(receivers).chain(heard).collect()))
                }
            }
        })
    }
}

/// As part of the transaction: delivered when it commits. The receivers are those that are known now.
async fn in_exec(
    context: &Context<'_>,
    kind: Subscribed,
    channel: Bytes,
    body: Bytes,
) -> Result<Reply, CommandError> {
    let receivers = context.process().pubsub.receivers(kind, &channel);
    let statement = if kind == Subscribed::Shard { &bus::SPUBLISH } else { &bus::PUBLISH };
    let params = vec![Param::Bytes(channel), Param::Bytes(body)];
    context.rows(&Call::write(statement, params, |_| Reply::Nothing)).await?;
    Ok(Reply::Integer(receivers))
}
