//! `PUBSUB CHANNELS [pattern] | PUBSUB NUMSUB [channel ...] | PUBSUB NUMPAT | PUBSUB SHARDCHANNELS [pattern] | PUBSUB SHARDNUMSUB [shardchannel ...]`
use futures_util::future::BoxFuture;

use crate::command::help::help;
use crate::command::prelude::*;
use crate::exec::Context;
use crate::keyspace::glob::{self, Case};
use crate::state::PubSub;
use crate::store::bus::Kind as Subscribed;

pub(super) static PUBSUB: Command = Command {
    name: "PUBSUB",
    arity: AtLeast(2),
    subcommands: &[&CHANNELS, &HELP, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB],
    ..Command::in_group(Group::Pubsub, file!())
};

const FAMILY: Command = Command {
    arity: AtLeast(2),
    flags: Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE),
    ..Command::in_group(Group::Pubsub, file!())
};

static CHANNELS: Command =
    Command { name: "PUBSUB|CHANNELS", plan: |args, _| channels(Subscribed::Channel, args), ..FAMILY };
static SHARDCHANNELS: Command =
    Command { name: "PUBSUB|SHARDCHANNELS", plan: |args, _| channels(Subscribed::Shard, args), ..FAMILY };
static NUMSUB: Command =
    Command { name: "PUBSUB|NUMSUB", plan: |args, _| numsub(Subscribed::Channel, args), ..FAMILY };
static SHARDNUMSUB: Command =
    Command { name: "PUBSUB|SHARDNUMSUB", plan: |args, _| numsub(Subscribed::Shard, args), ..FAMILY };
static NUMPAT: Command = Command {
    name: "PUBSUB|NUMPAT",
    arity: Exactly(2),
    plan: |_, _| look(|pubsub| Reply::Integer(pubsub.names(Subscribed::Pattern).len() as i64)),
    ..FAMILY
};
static HELP: Command = Command {
    name: "PUBSUB|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: |_, _| Ok(Plan::Ready(help("PUBSUB", HELP_LINES))),
    ..FAMILY
};

fn channels(kind: Subscribed, args: &mut Args) -> Result<Plan, CommandError> {
    let pattern = match args.rest() {
        [] => None,
        [pattern] => Some(pattern.clone()),
        _ => {
            let word = args.command_name().to_uppercase();
            let word = word.split_once('|').map_or("", |(_, word)| word);
            return Err(CommandError::text(format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
            )));
        }
    };
    look(move |pubsub| {
        let fits = |name: &Bytes| {
            pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, name, Case::Sensitive))
        };
        Reply::bulks(pubsub.names(kind).into_iter().filter(fits))
    })
}

fn numsub(kind: Subscribed, args: &mut Args) -> Result<Plan, CommandError> {
    let names = args.rest().to_vec();
    look(move |pubsub| {
        let count = |name: &Bytes| [Reply::Bulk(name.clone()), Reply::Integer(pubsub.count(kind, name))];
        Reply::Array(names.iter().flat_map(count).collect())
    })
}

/// Answers when all that was announced before is known to this process.
fn look(answer: impl Fn(&PubSub) -> Reply + Send + Sync + 'static) -> Result<Plan, CommandError> {
    Ok(Plan::Steps(Box::new(Look(Box::new(answer)))))
}

struct Look(Box<dyn Fn(&PubSub) -> Reply + Send + Sync>);

impl Steps for Look {
    fn run<'a>(self: Box<Self>, context: &'a mut Context<'_>) -> BoxFuture<'a, Result<Reply, CommandError>> {
        Box::pin(async move {
            let process = context.process();
            process.bus.settle().await?;
            Ok((self.0)(&process.pubsub))
        })
    }
}

const HELP_LINES: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
];
