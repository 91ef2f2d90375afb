//! `XINFO STREAM key FULL [COUNT count]`
use super::{checked, head, label, name};
use crate::command::prelude::*;
use crate::command::stream::named::id;
use crate::command::stream::reading::entry_of;
use crate::keyspace::stream::StreamId;
use crate::keyspace::stream::groups::Progress;
use crate::store::statements::group_reports::STREAM_FULL;
use crate::store::{Call, Param, Row};

/// How many entries are shown unless told.
pub const COUNT: i64 = 10;

/// The columns of [`STREAM_FULL`].
const KIND: usize = 0;
const GROUP: usize = 1;
const CONSUMER: usize = 2;
const NAME: usize = 3;
const ID: usize = 4;
const FIELDS: usize = 5;
const A: usize = 6;
const B: usize = 7;
const C: usize = 8;

/// An error in the options is answered only for a key that is a stream.
pub fn plan(mut params: Vec<Param>, count: Result<i64, CommandError>) -> Plan {
    let count = count.map(|count| if count == 0 { i64::MAX } else { count });
    params.push(Param::Int8(count.clone().unwrap_or(0)));
    Plan::Call(Call::read(&STREAM_FULL, params, move |rows| {
        match (checked(rows, |row| row.get::<_, i64>(C) as i16), &count) {
            (Err(error), _) => error,
            (_, Err(error)) => error.clone().into(),
            (Ok(_), Ok(_)) => full(rows),
        }
    }))
}

fn full(rows: &[Row]) -> Reply {
    let of_kind = |kind: i32| rows.iter().filter(move |row| row.get::<_, i32>(KIND) == kind);
    let one = |kind: i32| of_kind(kind).next();
    let stream = &rows[0];
    let first = one(2);
    let progress = Progress {
        length: stream.get(A),
        entries_added: stream.get(B),
        last_id: stream.get(ID),
        max_deleted_id: one(1).map_or(StreamId::MIN, |row| row.get(ID)),
        first_id: first.map_or(StreamId::MIN, |row| row.get(ID)),
    };
    let group = |row: &Row| group(row, rows, &progress);
    let mut pairs = head(&progress, first.map_or(0, |row| row.get(A)));
    pairs.push((label("entries"), Reply::Array(of_kind(3).map(|row| entry_of(row, ID, FIELDS)).collect())));
    pairs.push((label("groups"), Reply::Array(of_kind(4).map(group).collect())));
    Reply::Map(pairs)
}

fn group(row: &Row, rows: &[Row], progress: &Progress) -> Reply {
    let number: i32 = row.get(GROUP);
    let of = |kind: i32| {
        rows.iter().filter(move |row| row.get::<_, i32>(KIND) == kind && row.get::<_, i32>(GROUP) == number)
    };
    let (entries_read, last_id): (Option<i64>, StreamId) = (row.get(A), row.get(ID));
    let pending = |row: &Row| {
        let fields =
            [id(row.get(ID)), name(row, NAME), Reply::Integer(row.get(A)), Reply::Integer(row.get(B))];
        Reply::Array(fields.into())
    };
    let consumer = |row: &Row| consumer(row, of(7));
    Reply::Map(vec![
        (label("name"), name(row, NAME)),
        (label("last-delivered-id"), id(last_id)),
        (label("entries-read"), entries_read.map_or(Reply::Null, Reply::Integer)),
        (label("lag"), progress.lag(last_id, entries_read).map_or(Reply::Null, Reply::Integer)),
        (label("pel-count"), Reply::Integer(row.get(B))),
        (label("pending"), Reply::Array(of(5).map(pending).collect())),
        (label("consumers"), Reply::Array(of(6).map(consumer).collect())),
    ])
}

fn consumer<'r>(row: &Row, pending: impl Iterator<Item = &'r Row>) -> Reply {
    let number: i32 = row.get(CONSUMER);
    let active: Option<i64> = row.get(B);
    let pending = pending.filter(|row| row.get::<_, i32>(CONSUMER) == number).map(|row| {
        Reply::Array(vec![id(row.get(ID)), Reply::Integer(row.get(A)), Reply::Integer(row.get(B))])
    });
    Reply::Map(vec![
        (label("name"), name(row, NAME)),
        (label("seen-time"), Reply::Integer(row.get(A))),
        (label("active-time"), Reply::Integer(active.unwrap_or(-1))),
        (label("pel-count"), Reply::Integer(row.get(C))),
        (label("pending"), Reply::Array(pending.collect())),
    ])
}
