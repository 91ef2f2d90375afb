//! Reading a stream with commands that Redis 5 has already.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Contents, Group, Pending};
use crate::command::copy::{Call, TypedValue, call, field, milliseconds};
use crate::keyspace::stream::StreamId;
use crate::resp::Reply;

/// About as much has an entry, with everything.
const ENTRY: u64 = 256;

/// Entries in a piece.
const PIECE: usize = 5000;

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

/// The next entries of a long stream.
pub fn piece(key: &Bytes, survey: &[Reply], pieces: &[Reply]) -> Option<Call> {
    let length = survey.first().and_then(integer)?;
    let full = pieces.last().is_none_or(|piece| array(piece).len() == PIECE);
    if !full || (length as usize).saturating_sub(pieces.len() * PIECE) <= PIECE {
        return None;
    }
    let mut call =
        call(b"XRANGE", [key, &behind(pieces), &Bytes::from_static(b"+"), &Bytes::from_static(b"COUNT")]);
    call.push(Bytes::from(PIECE.to_string()));
    Some(call)
}

/// The first id after those of the pieces.
fn behind(pieces: &[Reply]) -> Bytes {
    let last = pieces.last().and_then(|piece| array(piece).last()).and_then(entry);
    // Not (id: that came with 6.2.
    let next = last.and_then(|(id, _)| id.next());
    next.map_or(Bytes::from_static(b"-"), |id| Bytes::from(id.to_string()))
}

/// Clock, stream, entries, groups; then of each group its consumers and pending entries.
pub fn reads(key: &Bytes, survey: &[Reply], pieces: &[Reply]) -> Vec<Call> {
    let word = Bytes::from_static;
    let (first, last) = (word(b"-"), word(b"+"));
    let mut calls = vec![
        vec![word(b"TIME")],
        vec![word(b"XINFO"), word(b"STREAM"), key.clone()],
        call(b"XRANGE", [key, &behind(pieces), &last]),
        groups_call(key),
    ];
    for name in group_names(survey.get(1)) {
        calls.push(vec![word(b"XINFO"), word(b"CONSUMERS"), key.clone(), name.clone()]);
        calls.push(call(b"XPENDING", [key, &name, &first, &last, &word(b"9223372036854775807")]));
    }
    calls
}

pub fn value(survey: &[Reply], pieces: &[Reply], replies: &[Reply]) -> Option<Box<dyn TypedValue>> {
    let [time, stream, entries, groups, rest @ ..] = replies else { return None };
    let now = milliseconds(time)?;
    let names = group_names(survey.get(1));
    if names != group_names(Some(groups)) || rest.len() != 2 * names.len() {
        return None;
    }
    // What was read in pieces may have been trimmed since. If other entries are missing now, their number is not right.
    let first = field(stream, "first-entry").and_then(entry).map_or(StreamId::MAX, |(id, _)| id);
    let read = pieces.iter().chain([entries]).flat_map(array).map(entry);
    let entries: Vec<_> =
        read.filter(|entry| entry.as_ref().is_none_or(|(id, _)| *id >= first)).collect::<Option<_>>()?;
    if field(stream, "length").and_then(integer) != Some(entries.len() as i64) {
        return None;
    }
    let mut contents = Contents {
        entries,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(ids: std::ops::Range<u64>) -> Reply {
        let fields = || Reply::bulks(["a", "b"]);
        Reply::Array(ids.map(|ms| Reply::Array(vec![Reply::bulk(format!("{ms}-0")), fields()])).collect())
    }

    /// A stream of ids from `first` to 19999, as the last transaction finds it, whose entries from 10001 on it reads.
    fn found(first: u64, length: i64) -> Vec<Reply> {
        let pair = |name: &'static str, value| (Reply::text(name), value);
        let stream = Reply::Map(vec![
            pair("length", Reply::Integer(length)),
            pair("last-generated-id", Reply::text("19999-0")),
            pair("first-entry", array(&entries(first..first + 1))[0].clone()),
        ]);
        vec![Reply::bulks(["1", "0"]), stream, entries(10_001..20_000), Reply::Array(Vec::new())]
    }

    #[test]
    fn long_streams_are_read_in_pieces() {
        let key = Bytes::from("s");
        let survey = [Reply::Integer(15_500), Reply::Array(Vec::new())];
        let mut pieces = Vec::new();
        let mut calls = Vec::new();
        while let Some(call) = piece(&key, &survey, &pieces) {
            calls.push(call[2].clone());
            let first = 1 + 5000 * pieces.len() as u64;
            pieces.push(entries(first..first + 5000));
        }
        assert_eq!(calls, ["-", "5000-1", "10000-1"]);
        assert_eq!(piece(&key, &[Reply::Integer(5000)], &[]), None);
        pieces.pop();
        let read = |replies: &[Reply]| value(&survey, &pieces, replies).map(|value| value.digest());
        assert_eq!(reads(&key, &survey, &pieces)[2][2], "10000-1");
        // Whole; trimmed since; one of those in the pieces deleted since.
        let whole = read(&found(1, 19_999));
        assert!(whole.is_some());
        let trimmed = read(&found(7000, 13_000));
        assert!(trimmed.is_some() && trimmed != whole);
        assert_eq!(read(&found(1, 19_998)), None);
    }
}
