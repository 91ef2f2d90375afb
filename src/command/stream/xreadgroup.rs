//! `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]`
use std::sync::Arc;

use super::named::{entry_or_gone, nothing_to_read};
use crate::command::prelude::*;
use crate::command::{Attempt, Audience, Begin, Block, Find};
use crate::keyspace::stream::StreamId;

pub(super) static XREADGROUP: Command = Command {
    name: "XREADGROUP",
    arity: AtLeast(7),
    flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        notes: "",
        flags: &["RO", "ACCESS"],
        begin: Begin::Keyword("STREAMS", 4),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        variable: None,
    }],
    plan: xreadgroup,
    ..Command::in_group(Group::Stream, file!())
};

const DOLLAR: CommandError = CommandError::constant(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);

/// What of a stream is to be read.
#[derive(Debug, Clone, PartialEq)]
enum What {
    New,
    /// What the consumer has pending from this id on.
    History(StreamId),
    /// No id; the error comes when the streams before and their groups are known to be there.
    Wrong(CommandError),
}

struct Reading {
    db: DbIndex,
    group: Bytes,
    consumer: Bytes,
    count: i64,
    noack: bool,
    keys: Vec<Bytes>,
    what: Vec<What>,
}

fn xreadgroup(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (mut names, mut count, mut noack, mut timeout, mut streams) = (None, i64::MAX, false, None, None);
    while !args.is_empty() {
        let left = args.left();
        if left > 1 && args.take("BLOCK") {
            timeout = Some(options::milliseconds(args)?);
        } else if left > 1 && args.take("COUNT") {
            count = Some(args.integer()?).filter(|count| *count > 0).unwrap_or(i64::MAX);
        } else if left > 1 && args.take("STREAMS") {
            streams = Some(args.rest());
            break;
        } else if left > 2 && args.take("GROUP") {
            names = Some((args.bytes()?, args.bytes()?));
        } else if args.take("NOACK") {
            noack = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let words = streams.ok_or(CommandError::SYNTAX)?;
    if words.len() % 2 == 1 {
        return Err(CommandError::constant(
            "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        ));
    }
    let (group, consumer) = names.ok_or(CommandError::constant("ERR Missing GROUP option for XREADGROUP"))?;
    let (keys, ids) = words.split_at(words.len() / 2);
    let what = ids.iter().map(|word| What::parse(word)).collect();
    let keys = keys.to_vec();
    let (db, waiting) = (context.db, (keys.clone(), group.clone()));
    let reading = Arc::new(Reading { db, group, consumer, count, noack, keys, what });
    Ok(match timeout {
        Some(timeout) if !reading.reads_history() => Plan::Block(Block {
            keys: waiting.0,
            audience: Audience::First(waiting.1),
            timeout,
            nothing: Reply::NullArray,
            attempt: Box::new(move |attempt| reading.plan(attempt)),
        }),
        _ => reading.plan(Attempt::First),
    })
}

impl What {
    fn parse(word: &[u8]) -> What {
        match word {
            b">" => What::New,
            b"$" => What::Wrong(DOLLAR),
            _ => match StreamId::parse(word, 0) {
                Some(id) => id.next().map_or(What::New, What::History),
                None => What::Wrong(CommandError::INVALID_STREAM_ID),
            },
        }
    }
}

impl Reading {
    /// History is an answer even when there is none: nobody waits for it.
    fn reads_history(&self) -> bool {
        self.what.iter().any(|what| matches!(what, What::History(_)))
    }

    fn plan(self: &Arc<Reading>, attempt: Attempt) -> Plan {
        let keys = self.keys.iter().map(|key| KeyUse::object(self.db, key.clone(), Kind::Stream));
        let reading = self.clone();
        Plan::Keys(KeyOp::new(Access::Update, keys, move |view| reading.read(view, attempt)))
    }

    fn read(&self, view: &mut View<'_>, attempt: Attempt) -> Result<Reply, CommandError> {
        let now = view.now();
        self.foresee(view);
        for (i, what) in self.what.iter().enumerate() {
            let group = match view.stream(i)? {
                None => None,
                Some(stream) => stream.group(&self.group)?,
            };
            if group.is_none() {
                return Err(nothing_to_read(&self.keys[i], &self.group));
            }
            if let What::Wrong(error) = what {
                return Err(error.clone());
            }
        }
        let mut found = Vec::new();
        for (i, what) in self.what.iter().enumerate() {
            let Some(stream) = view.stream(i)? else { continue };
            let Some(group) = stream.group(&self.group)? else { continue };
            let (name, consumer, count) = (&self.group, &self.consumer, self.count);
            let entries = match what {
                What::History(from) => stream.history(name, group, consumer, *from, count, now)?,
                What::New if attempt == Attempt::Behind => {
                    stream.meet(name, group, consumer, now)?;
                    continue;
                }
                What::New | What::Wrong(_) => {
                    stream.deliver(name, group, consumer, count, self.noack, now)?
                }
            };
            // History is an answer even when there is none.
            if !entries.is_empty() || matches!(what, What::History(_)) {
                let entries = entries.into_iter().map(entry_or_gone).collect();
                found.push((Reply::bulk(self.keys[i].clone()), Reply::Array(entries)));
            }
        }
        Ok(if found.is_empty() { Reply::NullArray } else { Reply::Entries(found) })
    }

    /// So that all that is needed of all streams is loaded at once.
    fn foresee(&self, view: &mut View<'_>) {
        for (i, what) in self.what.iter().enumerate() {
            let Ok(Some(stream)) = view.stream(i) else { continue };
            match what {
                What::New => stream.foresee_delivery(&self.group, &self.consumer, self.count),
                What::History(from) => {
                    stream.foresee_history(&self.group, &self.consumer, *from, self.count);
                }
                What::Wrong(_) => {}
            }
        }
    }
}
