//! `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]`
use super::named::{id, interval_end, interval_start, no_key_or_group};
use super::reading::wrong_type;
use crate::command::prelude::*;
use crate::keyspace::StoredKey;
use crate::keyspace::stream::StreamId;
use crate::store::statements::group_reports::{PENDING_RANGE, PENDING_SUMMARY};
use crate::store::{Call, Param, Row};

pub(super) static XPENDING: Command = Command {
    name: "XPENDING",
    arity: AtLeast(3),
    flags: Flags::READONLY,
    keys: &[KeySpec::at(1, &["RO", "ACCESS"])],
    tips: &["nondeterministic_output"],
    plan: xpending,
    ..Command::in_group(Group::Stream, file!())
};

fn xpending(args: &mut Args, context: &PlanContext) -> Result<Plan, CommandError> {
    let (key, group) = (args.bytes()?, args.bytes()?);
    let mut params = vec![
        Param::Int4(context.db.0 as i32),
        Param::Bytes(StoredKey::new(&key).into_bytes()),
        Param::Bytes(StoredKey::new(&group).into_bytes()),
    ];
    if args.is_empty() {
        return Ok(Plan::Call(Call::read(&PENDING_SUMMARY, params, move |rows| {
            header(rows, &key, &group, 2).map_or_else(Reply::from, |rows| summary(&rows[0], &rows[1..]))
        })));
    }
    if !(3..=6).contains(&args.left()) {
        return Err(CommandError::SYNTAX);
    }
    let mut idle = i64::MIN;
    if args.take("IDLE") {
        // Redis compares only if there is something to compare with.
        idle = Some(args.integer()?).filter(|idle| *idle != 0).unwrap_or(i64::MIN);
        if args.left() < 3 {
            return Err(CommandError::SYNTAX);
        }
    }
    let (start, end) = (args.word()?, args.word()?);
    let count = args.integer()?.max(0);
    let (start, end) = (interval_start(start)?, interval_end(end)?);
    // Redis does not mind what comes after the consumer.
    let consumer = args.peek();
    params.extend([
        consumer.map_or(Param::Null, |consumer| Param::Bytes(StoredKey::new(consumer).into_bytes())),
        Param::StreamId(start),
        Param::StreamId(end),
        Param::Int8(count),
        Param::Int8(idle),
    ]);
    Ok(Plan::Call(Call::read(&PENDING_RANGE, params, move |rows| {
        header(rows, &key, &group, 3).map_or_else(Reply::from, |rows| range(&rows[1..]))
    })))
}

/// The rows, if the first one says that there are stream and group.
fn header<'r>(rows: &'r [Row], key: &[u8], group: &[u8], found: usize) -> Result<&'r [Row], Reply> {
    let nothing = || Reply::from(no_key_or_group(key, group));
    let first = rows.first().ok_or_else(nothing)?;
    match wrong_type(first.get(0)) {
        Some(error) => Err(error),
        None if first.get::<_, i64>(found) == 0 => Err(nothing()),
        None => Ok(rows),
    }
}

fn summary(first: &Row, consumers: &[Row]) -> Reply {
    let total: i64 = consumers.iter().map(|row| row.get::<_, i64>(2)).sum();
    if total == 0 {
        return Reply::Array(vec![Reply::ZERO, Reply::Null, Reply::Null, Reply::NullArray]);
    }
    let consumer = |row: &Row| {
        let name = Bytes::copy_from_slice(row.get(1));
        Reply::Array(vec![Reply::bulk(name), Reply::bulk(row.get::<_, i64>(2).to_string())])
    };
    let bound = |column| id(first.get::<_, Option<StreamId>>(column).unwrap_or_default());
    let consumers = consumers.iter().map(consumer).collect();
    Reply::Array(vec![Reply::Integer(total), bound(3), bound(4), Reply::Array(consumers)])
}

fn range(rows: &[Row]) -> Reply {
    let entry = |row: &Row| {
        Reply::Array(vec![
            id(row.get(1)),
            Reply::bulk(Bytes::copy_from_slice(row.get(2))),
            Reply::Integer(row.get(3)),
            Reply::Integer(row.get(4)),
        ])
    };
    Reply::Array(rows.iter().map(entry).collect())
}
