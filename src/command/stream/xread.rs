//! `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`
use std::sync::{Arc, OnceLock};

use super::reading::{entry_of, wrong_type};
use crate::command::prelude::*;

use crate::command::{Attempt, Audience, Begin, Block, Find};
use crate::keyspace::StoredKey;
use crate::keyspace::stream::StreamId;
use crate::store::statements::streams::READ;
use crate::store::{Call, Param, Row};

pub(super) static XREAD: Command = Command {
    name: "XREAD",
    arity: AtLeast(4),
    flags: Flags::READONLY.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
    keys: &[KeySpec {
        notes: "",
        flags: &["RO", "ACCESS"],
        begin: Begin::Keyword("STREAMS", 1),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        variable: None,
    }],
    plan: xread,
    ..Command::in_group(Group::Stream, file!())
};

const OF_GROUPS: [&str; 2] = [
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
];

/// After which entry to read a stream.
#[derive(Debug, Clone, PartialEq)]
enum After {
    Id(StreamId),
    /// `$`: the last one there is when the command begins.
    Last,
    /// No id; the error comes if the streams before are streams.
    Wrong(CommandError),
}

/// What is to be read.
struct Reading {
    db: DbIndex,
    keys: Vec<Bytes>,
    after: Vec<After>,
    count: i64,
    /// What `$` stands for, from the first attempt on.
    resolved: OnceLock<Vec<Option<StreamId>>>,
}

fn xread(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let mut count = i64::MAX;
    let mut timeout = None;
    loop {
        if args.left() < 2 {
            return Err(CommandError::SYNTAX);
        } else if args.take("BLOCK") {
            timeout = Some(options::milliseconds(args)?);
        } else if args.take("COUNT") {
            count = Some(args.integer()?).filter(|count| *count > 0).unwrap_or(i64::MAX);
        } else if args.take("STREAMS") {
            break;
        } else if args.left() > 2 && args.take("GROUP") {
            return Err(CommandError::constant(OF_GROUPS[0]));
        } else if args.take("NOACK") {
            return Err(CommandError::constant(OF_GROUPS[1]));
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let words = args.rest();
    if words.len() % 2 == 1 {
        return Err(CommandError::constant(
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    let (keys, after) = words.split_at(words.len() / 2);
    let after = after.iter().map(|word| After::parse(word)).collect();
    let keys = keys.to_vec();
    let reading =
        Arc::new(Reading { db: context.db, keys: keys.clone(), after, count, resolved: OnceLock::new() });
    Ok(match timeout {
        None => Plan::Call(reading.call(Attempt::First)),
        Some(timeout) => Plan::Block(Block {
            keys,
            audience: Audience::All,
            timeout,
            nothing: Reply::NullArray,
            attempt: Box::new(move |attempt| Plan::Call(reading.call(attempt))),
        }),
    })
}

impl After {
    fn parse(word: &[u8]) -> After {
        match word {
            b"$" => After::Last,
            b">" => After::Wrong(CommandError::constant(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            )),
            _ => match StreamId::parse(word, 0) {
                Some(id) => After::Id(id),
                None => After::Wrong(CommandError::INVALID_STREAM_ID),
            },
        }
    }
}

impl Reading {
    fn call(self: &Arc<Reading>, attempt: Attempt) -> Call {
        let after = self.resolved.get().cloned().unwrap_or_else(|| {
            let known = |after: &After| match after {
                After::Id(id) => Some(*id),
                After::Last | After::Wrong(_) => None,
            };
            self.after.iter().map(known).collect()
        });
        let keys = self.keys.iter().map(|key| StoredKey::new(key).into_bytes()).collect();
        let params = vec![
            Param::Int4(self.db.0 as i32),
            Param::BytesArray(keys),
            Param::StreamIds(after),
            Param::Int8(self.count),
        ];
        let reading = self.clone();
        Call::read(&READ, params, move |rows| reading.reply(rows, attempt))
    }

    /// Rows are the keys there are, in any order, and entries, each stream's in order.
    fn reply(&self, rows: &[Row], attempt: Attempt) -> Reply {
        let mut streams: Vec<Vec<Reply>> = vec![Vec::new(); self.keys.len()];
        let mut kinds: Vec<Option<i16>> = vec![None; self.keys.len()];
        let mut last = vec![StreamId::MIN; self.keys.len()];
        for row in rows {
            let place = row.get::<_, i64>(0) as usize - 1;
            if row.get::<_, Option<&[u8]>>(3).is_some() {
                streams[place].push(entry_of(row, 2, 3));
            } else {
                kinds[place] = Some(row.get(1));
                last[place] = row.get::<_, Option<StreamId>>(2).unwrap_or_default();
            }
        }
        if attempt == Attempt::First {
            for (kind, after) in kinds.iter().zip(&self.after) {
                if let Some(error) = kind.and_then(wrong_type) {
                    return error;
                }
                if let After::Wrong(error) = after {
                    return error.clone().into();
                }
            }
        }
        let resolve = |(after, last): (&After, StreamId)| match after {
            After::Id(id) => Some(*id),
            After::Last | After::Wrong(_) => Some(last),
        };
        self.resolved.get_or_init(|| self.after.iter().zip(last).map(resolve).collect());
        let found = self.keys.iter().zip(streams).filter(|(_, entries)| !entries.is_empty());
        let found: Vec<(Reply, Reply)> =
            found.map(|(key, entries)| (Reply::bulk(key.clone()), Reply::Array(entries))).collect();
        if found.is_empty() {
            return Reply::NullArray;
        }
        // It runs again as a whole when there is something to read: then all are to be streams, as in the beginning.
        kinds.into_iter().flatten().find_map(wrong_type).unwrap_or(Reply::Entries(found))
    }
}
