//! `SUBSCRIBE channel [channel ...] | PSUBSCRIBE pattern [pattern ...] | SSUBSCRIBE shardchannel [shardchannel ...]
//! | UNSUBSCRIBE [channel ...] | PUNSUBSCRIBE [pattern ...] | SUNSUBSCRIBE [shardchannel ...]`
use futures_util::future::{BoxFuture, join_all};

use crate::command::prelude::*;
use crate::exec::Context;
use crate::store::bus::Kind as Subscribed;

const FLAGS: Flags = Flags::PUBSUB
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::SUBSCRIBES)
    .and(Flags::FOR_SUBSCRIBERS);
const NOT_IN_EXEC: CommandError =
    CommandError::constant("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
const FAMILY: Command =
    Command { flags: FLAGS, passing: Passing::TakesOver, ..Command::in_group(Group::Pubsub, file!()) };
const SHARDS: &[KeySpec] = &[KeySpec::from(1, 1, &["NOT_KEY"])];

pub(super) static SUBSCRIBE: Command = Command {
    name: "SUBSCRIBE",
    arity: AtLeast(2),
    plan: |args, _| Subscribe::plan(Subscribed::Channel, "subscribe", args),
    ..FAMILY
};
pub(super) static PSUBSCRIBE: Command = Command {
    name: "PSUBSCRIBE",
    arity: AtLeast(2),
    plan: |args, _| Subscribe::plan(Subscribed::Pattern, "psubscribe", args),
    ..FAMILY
};
pub(super) static SSUBSCRIBE: Command = Command {
    name: "SSUBSCRIBE",
    arity: AtLeast(2),
    keys: SHARDS,
    plan: |args, _| Subscribe::plan(Subscribed::Shard, "ssubscribe", args),
    ..FAMILY
};
pub(super) static UNSUBSCRIBE: Command = Command {
    name: "UNSUBSCRIBE",
    arity: AtLeast(1),
    plan: |args, _| Unsubscribe::plan(Subscribed::Channel, "unsubscribe", args),
    ..FAMILY
};
pub(super) static PUNSUBSCRIBE: Command = Command {
    name: "PUNSUBSCRIBE",
    arity: AtLeast(1),
    plan: |args, _| Unsubscribe::plan(Subscribed::Pattern, "punsubscribe", args),
    ..FAMILY
};
pub(super) static SUNSUBSCRIBE: Command = Command {
    name: "SUNSUBSCRIBE",
    arity: AtLeast(1),
    keys: SHARDS,
    plan: |args, _| Unsubscribe::plan(Subscribed::Shard, "sunsubscribe", args),
    ..FAMILY
};

struct Subscribe {
    kind: Subscribed,
    word: &'static str,
    names: Vec<Bytes>,
}

impl Subscribe {
    fn plan(kind: Subscribed, word: &'static str, args: &mut Args) -> Result<Plan, CommandError> {
        Ok(Plan::Steps(Box::new(Subscribe { kind, word, names: args.rest().to_vec() })))
    }
}

impl Steps for Subscribe {
    /// Confirms when no later message can be missed, whoever publishes it.
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            if self.kind == Subscribed::Shard && context.in_exec() {
                return Err(NOT_IN_EXEC);
            }
            let (process, client) = (context.process(), &context.session.client);
            let mut confirmations = Vec::new();
            let mut joining = Vec::new();
            for name in self.names {
                joining.extend(process.subscribe(client, self.kind, &name));
                let count = client.subscriptions.announced(self.kind);
                confirmations.push(confirmation(self.word, Reply::Bulk(name), count));
            }
            // All of them: one that fails takes itself back.
            join_all(joining).await.into_iter().collect::<Result<(), _>>()?;
            Ok(Reply::Several(confirmations))
        })
    }
}

struct Unsubscribe {
    kind: Subscribed,
    word: &'static str,
    /// None: all.
    names: Vec<Bytes>,
}

impl Unsubscribe {
    fn plan(kind: Subscribed, word: &'static str, args: &mut Args) -> Result<Plan, CommandError> {
        Ok(Plan::Steps(Box::new(Unsubscribe { kind, word, names: args.rest().to_vec() })))
    }
}

impl Steps for Unsubscribe {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let (process, client) = (context.process(), &context.session.client);
            let all = self.names.is_empty();
            let names = if all { client.subscriptions.names(self.kind) } else { self.names };
            let mut confirmations = Vec::new();
            let mut leaving = Vec::new();
            for name in names {
                leaving.extend(process.unsubscribe(client, self.kind, &name));
                let count = client.subscriptions.announced(self.kind);
                confirmations.push(confirmation(self.word, Reply::Bulk(name), count));
            }
            if confirmations.is_empty() {
                let count = client.subscriptions.announced(self.kind);
                confirmations.push(confirmation(self.word, Reply::Null, count));
            }
            // What came before goes out before: after the confirmation there are no more messages.
            let mut replies: Vec<Reply> = client.outbox.try_take().into_iter().flatten().collect();
            // It is done already; if the others cannot be told now, they are told later.
            join_all(leaving).await;
            replies.append(&mut confirmations);
            Ok(Reply::Several(replies))
        })
    }
}

fn confirmation(word: &'static str, name: Reply, count: i64) -> Reply {
    Reply::Push(vec![Reply::text(word), name, Reply::Integer(count)])
}
