//! Making a stream again, exactly: XSETID and XGROUP CREATE take what XADD alone would count otherwise, XCLAIM makes pending entries.
//!
//! An entry may be pending although it was deleted or trimmed, and XCLAIM takes only entries that exist. So these are added too, and removed in the end in a way
//! that leaves no trace: by XTRIM, if there is nothing before them, else by XDEL, which had been their end before, too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Contents, Group};
use crate::command::copy::{Call, Dialect, call, expire};
use crate::keyspace::stream::StreamId;

/// Most ids in one call.
const IDS: usize = 1000;

pub fn writes(contents: &Contents, key: &Bytes, expires_at: Option<i64>, dialect: Dialect) -> Vec<Call> {
    let mut calls = vec![call(b"DEL", [key])];
    let gone = pending_but_gone(contents);
    add(contents, &gone, key, &mut calls);
    if calls.len() == 1 {
        // Only a group makes an empty stream.
        let name = word("respg");
        calls.push(group_call("CREATE", key, &name, [word("0-0"), word("MKSTREAM")]));
        calls.push(group_call("DESTROY", key, &name, []));
    }
    calls.push(set_id(contents, gone.len(), key, dialect));
    for (name, group) in &contents.groups {
        add_group(name, group, key, dialect, &mut calls);
    }
    if !gone.is_empty() {
        remove(contents, &gone, key, &mut calls);
        calls.push(set_id(contents, 0, key, dialect));
    }
    calls.extend(expires_at.map(|at| expire(key, at)));
    calls
}

fn pending_but_gone(contents: &Contents) -> BTreeSet<StreamId> {
    let there = |id: &StreamId| contents.entries.binary_search_by_key(id, |(id, _)| *id).is_ok();
    let pending = contents.groups.values().flat_map(|group| group.pending.keys());
    pending.filter(|id| !there(id)).copied().collect()
}

fn add(contents: &Contents, gone: &BTreeSet<StreamId>, key: &Bytes, calls: &mut Vec<Call>) {
    let nothing = [Bytes::new(), Bytes::new()];
    let mut gone = gone.iter().copied().peekable();
    let mut push = |id: StreamId, fields: &[Bytes]| {
        calls.push(call(b"XADD", [key, &text(id)].into_iter().chain(fields)));
    };
    for (id, fields) in &contents.entries {
        while let Some(before) = gone.next_if(|before| before < id) {
            push(before, &nothing);
        }
        push(*id, fields);
    }
    gone.for_each(|id| push(id, &nothing));
}

/// XSETID, while the stream has so many entries too many.
fn set_id(contents: &Contents, surplus: usize, key: &Bytes, dialect: Dialect) -> Call {
    let mut set = call(b"XSETID", [key, &text(contents.last_id)]);
    if let (Some(added), Some(deleted), true) =
        (contents.entries_added, contents.max_deleted_id, dialect.knows(7, 0))
    {
        let least = if surplus == 0 { 0 } else { (contents.entries.len() + surplus) as i64 };
        let added = Bytes::from(added.max(least).to_string());
        set.extend([word("ENTRIESADDED"), added, word("MAXDELETEDID"), text(deleted)]);
    }
    set
}

fn add_group(name: &Bytes, group: &Group, key: &Bytes, dialect: Dialect, calls: &mut Vec<Call>) {
    let mut create = group_call("CREATE", key, name, [text(group.last_delivered)]);
    if let (Some(Some(read)), true) = (group.entries_read, dialect.knows(7, 0)) {
        create.extend([word("ENTRIESREAD"), Bytes::from(read.to_string())]);
    }
    calls.push(create);
    for consumer in &group.consumers {
        calls.push(match dialect.knows(6, 2) {
            true => group_call("CREATECONSUMER", key, name, [consumer.clone()]),
            // Reading one's own pending entries, of which there are none.
            false => {
                let words = ["XREADGROUP", "GROUP"].map(word).into_iter();
                let names = [name.clone(), consumer.clone(), word("STREAMS"), key.clone(), word("0-0")];
                words.chain(names).collect()
            }
        });
    }
    let mut alike: BTreeMap<(&Bytes, i64, i64), Vec<StreamId>> = BTreeMap::new();
    for (id, pending) in &group.pending {
        let which = (&pending.consumer, pending.delivered_at, pending.deliveries);
        alike.entry(which).or_default().push(*id);
    }
    for ((consumer, at, deliveries), ids) in alike {
        for ids in ids.chunks(IDS) {
            let mut claim = call(b"XCLAIM", [key, name, consumer, &word("0")]);
            claim.extend(ids.iter().copied().map(text));
            claim.extend([word("TIME"), Bytes::from(at.to_string())]);
            claim.extend([word("RETRYCOUNT"), Bytes::from(deliveries.to_string())]);
            claim.extend(["FORCE", "JUSTID"].map(word));
            calls.push(claim);
        }
    }
}

fn remove(contents: &Contents, gone: &BTreeSet<StreamId>, key: &Bytes, calls: &mut Vec<Call>) {
    let first = contents.entries.first().map_or(StreamId::MAX, |(id, _)| *id);
    let within: Vec<StreamId> = gone.range(first..).copied().collect();
    if within.len() < gone.len() {
        let left = (contents.entries.len() + within.len()).to_string();
        calls.push(call(b"XTRIM", [key, &word("MAXLEN"), &word("="), &Bytes::from(left)]));
    }
    for ids in within.chunks(IDS) {
        calls.push(call(
            b"XDEL",
            std::iter::once(key).chain(&ids.iter().copied().map(text).collect::<Vec<_>>()),
        ));
    }
}

fn group_call<const N: usize>(verb: &'static str, key: &Bytes, name: &Bytes, rest: [Bytes; N]) -> Call {
    [word("XGROUP"), word(verb), key.clone(), name.clone()].into_iter().chain(rest).collect()
}

fn word(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn text(id: StreamId) -> Bytes {
    Bytes::from(id.to_string())
}
