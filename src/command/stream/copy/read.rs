//! Reading a stream with commands that Redis 5 has already.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Contents, Group, Pending};
use crate::command::copy::{Call, TypedValue, call, field, milliseconds};
use crate::keyspace::stream::StreamId;
use crate::resp::Reply;

/// About as much has an entry, with everything.
const ENTRY: u64 = 256;

/// Length and groups.
pub fn survey(key: &Bytes) -> Vec<Call> {
    vec![call(b"XLEN", [key]), groups_call(key)]
}

pub fn size(survey: &[Reply]) -> u64 {
    let pending = |group: &Reply| integer(field(group, "pending")?);
    let groups = survey.get(1).map(array).unwrap_or_default().iter().filter_map(pending).sum::<i64>();
    let length = survey.first().and_then(integer).unwrap_or(0);
    length.saturating_add(groups).cast_unsigned() * ENTRY
}

/// Clock, stream, entries, groups; then of each group its consumers and pending entries.
pub fn reads(key: &Bytes, survey: &[Reply]) -> Vec<Call> {
    let word = Bytes::from_static;
    let (first, last) = (word(b"-"), word(b"+"));
    let mut calls = vec![
        vec![word(b"TIME")],
        vec![word(b"XINFO"), word(b"STREAM"), key.clone()],
        call(b"XRANGE", [key, &first, &last]),
        groups_call(key),
    ];
    for name in group_names(survey.get(1)) {
        calls.push(vec![word(b"XINFO"), word(b"CONSUMERS"), key.clone(), name.clone()]);
        calls.push(call(b"XPENDING", [key, &name, &first, &last, &word(b"9223372036854775807")]));
    }
    calls
}

pub fn value(survey: &[Reply], replies: &[Reply]) -> Option<Box<dyn TypedValue>> {
    let [time, stream, entries, groups, rest @ ..] = replies else { return None };
    let now = milliseconds(time)?;
    let names = group_names(survey.get(1));
    if names != group_names(Some(groups)) || rest.len() != 2 * names.len() {
        return None;
    }
    let mut contents = Contents {
        entries: array(entries).iter().map(entry).collect::<Option<_>>()?,
        last_id: id(field(stream, "last-generated-id")?)?,
        entries_added: field(stream, "entries-added").and_then(integer),
        max_deleted_id: field(stream, "max-deleted-entry-id").and_then(id),
        ..Contents::default()
    };
    for ((name, info), parts) in names.into_iter().zip(array(groups)).zip(rest.chunks_exact(2)) {
        contents.groups.insert(name, group(info, &parts[0], &parts[1], now)?);
    }
    Some(Box::new(contents))
}

fn group(info: &Reply, consumers: &Reply, pending: &Reply, now: i64) -> Option<Group> {
    let name = |consumer: &Reply| bulk(field(consumer, "name")?);
    let nack = |reply: &Reply| match array(reply) {
        [of, consumer, idle, deliveries] => Some((
            id(of)?,
            Pending {
                consumer: bulk(consumer)?,
                delivered_at: now.saturating_sub(integer(idle)?),
                deliveries: integer(deliveries)?,
            },
        )),
        _ => None,
    };
    Some(Group {
        last_delivered: id(field(info, "last-delivered-id")?)?,
        entries_read: field(info, "entries-read").map(integer),
        consumers: array(consumers).iter().map(name).collect::<Option<BTreeSet<_>>>()?,
        pending: array(pending).iter().map(nack).collect::<Option<_>>()?,
    })
}

fn groups_call(key: &Bytes) -> Call {
    vec![Bytes::from_static(b"XINFO"), Bytes::from_static(b"GROUPS"), key.clone()]
}

fn group_names(groups: Option<&Reply>) -> Vec<Bytes> {
    groups.map(array).unwrap_or_default().iter().filter_map(|group| bulk(field(group, "name")?)).collect()
}

fn entry(reply: &Reply) -> Option<(StreamId, Vec<Bytes>)> {
    match array(reply) {
        [of, words] => Some((id(of)?, array(words).iter().map(bulk).collect::<Option<_>>()?)),
        _ => None,
    }
}

fn array(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Array(items) => items,
        _ => &[],
    }
}

fn integer(reply: &Reply) -> Option<i64> {
    match reply {
        Reply::Integer(number) => Some(*number),
        _ => None,
    }
}

fn bulk(reply: &Reply) -> Option<Bytes> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

fn id(reply: &Reply) -> Option<StreamId> {
    match reply {
        Reply::Bulk(text) => StreamId::parse(text, 0),
        _ => None,
    }
}
