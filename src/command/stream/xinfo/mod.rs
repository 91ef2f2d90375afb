//! ```text
//! XINFO STREAM key [FULL [COUNT count]]
//! XINFO GROUPS key
//! XINFO CONSUMERS key group
//! XINFO HELP
//! ```
mod full;

use super::named::{id, no_group_of_key};
use super::reading::{entry_of, wrong_type};
use crate::command::help::help as help_of;
use crate::command::prelude::*;
use crate::keyspace::StoredKey;
use crate::keyspace::stream::StreamId;
use crate::keyspace::stream::groups::Progress;
use crate::store::statements::group_reports::{
    CONSUMERS as OF_CONSUMERS, GROUPS as OF_GROUPS, STREAM as OF_STREAM,
};
use crate::store::{Call, Param, Row};

pub(super) static XINFO: Command = Command {
    name: "XINFO",
    arity: AtLeast(2),
    subcommands: &[&HELP, &GROUPS, &STREAM, &CONSUMERS],
    ..Command::in_group(Group::Stream, file!())
};
static STREAM: Command = Command { name: "XINFO|STREAM", arity: AtLeast(3), plan: stream, ..OF_A_KEY };
static GROUPS: Command = Command { name: "XINFO|GROUPS", arity: Exactly(3), plan: groups, ..OF_A_KEY };
static CONSUMERS: Command = Command {
    name: "XINFO|CONSUMERS",
    arity: Exactly(4),
    tips: &["nondeterministic_output"],
    plan: consumers,
    ..OF_A_KEY
};
static HELP: Command = Command {
    name: "XINFO|HELP",
    arity: Exactly(2),
    flags: Flags::LOADING.and(Flags::STALE),
    plan: help,
    ..Command::in_group(Group::Stream, file!())
};
const OF_A_KEY: Command = Command {
    flags: Flags::READONLY,
    keys: &[KeySpec::at(2, &["RO", "ACCESS"])],
    ..Command::in_group(Group::Stream, file!())
};

const SYNTAX: CommandError = CommandError::constant(
    "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.",
);

fn of_key(context: &PlanContext, key: &Bytes) -> Vec<Param> {
    vec![Param::Int4(context.db.0 as i32), Param::Bytes(StoredKey::new(key).into_bytes())]
}

/// The rows, if the first one says that there is a stream.
fn checked(rows: &[Row], kind: impl Fn(&Row) -> i16) -> Result<&Row, Reply> {
    let first = rows.first().ok_or_else(|| Reply::from(CommandError::NO_SUCH_KEY))?;
    wrong_type(kind(first)).map_or(Ok(first), Err)
}

fn label(text: &'static str) -> Reply {
    Reply::text(text)
}

fn name(row: &Row, column: usize) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(row.get(column)))
}

fn consumers(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, group) = (args.bytes()?, args.bytes()?);
    let mut params = of_key(context, &key);
    params.push(Param::Bytes(StoredKey::new(&group).into_bytes()));
    let consumer = |row: &Row| {
        let inactive: Option<i64> = row.get(4);
        Reply::Map(vec![
            (label("name"), name(row, 1)),
            (label("pending"), Reply::Integer(row.get(2))),
            (label("idle"), Reply::Integer(row.get(3))),
            (label("inactive"), Reply::Integer(inactive.unwrap_or(-1))),
        ])
    };
    Ok(Plan::Call(Call::read(&OF_CONSUMERS, params, move |rows| match checked(rows, |row| row.get(0)) {
        Err(error) => error,
        Ok(first) if first.get::<_, i64>(2) == 0 => no_group_of_key(&key, &group).into(),
        Ok(_) => Reply::Array(rows[1..].iter().map(consumer).collect()),
    })))
}

fn groups(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let params = of_key(context, &args.bytes()?);
    Ok(Plan::Call(Call::read(&OF_GROUPS, params, |rows| match checked(rows, |row| row.get(0)) {
        Err(error) => error,
        Ok(first) => {
            let progress = Progress {
                length: first.get(2),
                entries_added: first.get(3),
                max_deleted_id: first.get(5),
                last_id: first.get(6),
                first_id: first.get::<_, Option<StreamId>>(7).unwrap_or_default(),
            };
            Reply::Array(rows[1..].iter().map(|row| group(row, &progress)).collect())
        }
    })))
}

fn group(row: &Row, progress: &Progress) -> Reply {
    let (entries_read, last_id): (Option<i64>, StreamId) = (row.get(4), row.get(6));
    Reply::Map(vec![
        (label("name"), name(row, 1)),
        (label("consumers"), Reply::Integer(row.get(2))),
        (label("pending"), Reply::Integer(row.get(3))),
        (label("last-delivered-id"), id(last_id)),
        (label("entries-read"), entries_read.map_or(Reply::Null, Reply::Integer)),
        (label("lag"), progress.lag(last_id, entries_read).map_or(Reply::Null, Reply::Integer)),
    ])
}

fn stream(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let key = args.bytes()?;
    let params = of_key(context, &key);
    if args.is_empty() {
        return Ok(Plan::Call(Call::read(&OF_STREAM, params, |rows| {
            checked(rows, |row| row.get(0)).map_or_else(|error| error, short)
        })));
    }
    let (words, full) = (args.left(), args.take("FULL"));
    let count = match (words, full) {
        (1, true) => Ok(full::COUNT),
        (3, true) if args.take("COUNT") => {
            args.integer().map(|count| if count < 0 { full::COUNT } else { count })
        }
        _ => Err(SYNTAX),
    };
    Ok(full::plan(params, count))
}

/// What every form of XINFO STREAM begins with. The tree is Redis's; its keys are nodes of entries, of which the number is known.
fn head(progress: &Progress, nodes: i64) -> Vec<(Reply, Reply)> {
    vec![
        (label("length"), Reply::Integer(progress.length)),
        (label("radix-tree-keys"), Reply::Integer(nodes)),
        (label("radix-tree-nodes"), Reply::Integer(nodes + 1)),
        (label("last-generated-id"), id(progress.last_id)),
        (label("max-deleted-entry-id"), id(progress.max_deleted_id)),
        (label("entries-added"), Reply::Integer(progress.entries_added)),
        (label("recorded-first-entry-id"), id(progress.first_id)),
    ]
}

fn short(row: &Row) -> Reply {
    let first: Option<StreamId> = row.get(5);
    let progress = Progress {
        length: row.get(1),
        entries_added: row.get(2),
        max_deleted_id: row.get(3),
        last_id: row.get(4),
        first_id: first.unwrap_or_default(),
    };
    let mut pairs = head(&progress, i64::from(row.get::<_, i32>(10)));
    let entry = |column| if first.is_some() { entry_of(row, column, column + 1) } else { Reply::Null };
    pairs.push((label("groups"), Reply::Integer(row.get(9))));
    pairs.push((label("first-entry"), entry(5)));
    pairs.push((label("last-entry"), entry(7)));
    Reply::Map(pairs)
}

fn help(_: &mut Args, _: &PlanContext) -> Result<Plan, CommandError> {
    Ok(Plan::Ready(help_of(
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    )))
}
