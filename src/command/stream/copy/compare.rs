//! Comparing streams.

use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;

use super::{Contents, Group};
use crate::command::copy::{Class, Difference};
use crate::keyspace::stream::StreamId;

pub fn differences(own: &Contents, other: &Contents) -> Vec<Difference> {
    let mut found = Vec::new();
    found.extend(entries(own, other));
    found.extend(ids(own, other));
    found.extend(groups(&own.groups, &other.groups));
    found
}

/// The first entry that differs.
fn entries(own: &Contents, other: &Contents) -> Option<Difference> {
    let sizes = format!("{} / {} entries", own.entries.len(), other.entries.len());
    let pairs = own.entries.iter().zip(&other.entries);
    let what = match pairs.into_iter().find(|(a, b)| a != b) {
        Some(((id, _), (same, _))) if id == same => format!("the fields of {id}"),
        Some(((a, _), (b, _))) if a < b => format!("without {a}"),
        Some((_, (b, _))) => format!("with {b}"),
        None => {
            let common = own.entries.len().min(other.entries.len());
            match (own.entries.get(common), other.entries.get(common)) {
                (Some((id, _)), _) => format!("without {id}"),
                (_, Some((id, _))) => format!("with {id}"),
                (None, None) => return None,
            }
        }
    };
    Some(Difference::new(Class::Value, format!("{sizes}, first {what}")))
}

fn ids(own: &Contents, other: &Contents) -> Option<Difference> {
    let mut detail = Vec::new();
    let mut note = |what: &str, a: &dyn Display, b: &dyn Display| detail.push(format!("{what} {a} / {b}"));
    if own.last_id != other.last_id {
        note("last id", &own.last_id, &other.last_id);
    }
    if let (Some(a), Some(b)) = (own.entries_added, other.entries_added)
        && a != b
    {
        note("entries added", &a, &b);
    }
    if let (Some(a), Some(b)) = (own.max_deleted_id, other.max_deleted_id)
        && a != b
    {
        note("highest deleted id", &a, &b);
    }
    (!detail.is_empty()).then(|| Difference::new(Class::StreamIds, detail.join(", ")))
}

fn groups(own: &BTreeMap<Bytes, Group>, other: &BTreeMap<Bytes, Group>) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, group) in own {
        match other.get(name) {
            None => found.push(Difference::new(Class::Group, format!("without {}", shown(name)))),
            Some(same) => found.extend(of_group(name, group, same)),
        }
    }
    let more = other.keys().filter(|name| !own.contains_key(*name));
    found.extend(more.map(|name| Difference::new(Class::Group, format!("with {}", shown(name)))));
    found
}

fn of_group(name: &Bytes, own: &Group, other: &Group) -> Vec<Difference> {
    let name = shown(name);
    let mut found = Vec::new();
    if own.last_delivered != other.last_delivered {
        let detail = format!("{name}: {} / {}", own.last_delivered, other.last_delivered);
        found.push(Difference::new(Class::Cursor, detail));
    }
    if let (Some(a), Some(b)) = (own.entries_read, other.entries_read)
        && a != b
    {
        let text = |count: Option<i64>| count.map_or("unknown".to_owned(), |count| count.to_string());
        found.push(Difference::new(Class::EntriesRead, format!("{name}: {} / {}", text(a), text(b))));
    }
    let only = own.consumers.symmetric_difference(&other.consumers).next();
    if let Some(consumer) = only {
        let with = if own.consumers.contains(consumer) { "without" } else { "with" };
        let sizes = format!("{} / {} consumers", own.consumers.len(), other.consumers.len());
        found.push(Difference::new(Class::Consumer, format!("{name}: {sizes}, {with} {}", shown(consumer))));
    }
    found.extend(pending(&name, own, other));
    found
}

/// The first pending entry that differs.
fn pending(name: &str, own: &Group, other: &Group) -> Option<Difference> {
    let differs = |id: &StreamId| match (own.pending.get(id), other.pending.get(id)) {
        (Some(a), Some(b)) if a.consumer != b.consumer => Some(format!("the consumer of {id}")),
        (Some(a), Some(b)) if a.deliveries != b.deliveries => {
            Some(format!("deliveries of {id} {} / {}", a.deliveries, b.deliveries))
        }
        (Some(_), None) => Some(format!("without {id}")),
        (None, Some(_)) => Some(format!("with {id}")),
        _ => None,
    };
    let first = [&own.pending, &other.pending]
        .into_iter()
        .filter_map(|side| side.keys().find_map(|id| Some((*id, differs(id)?))))
        .min_by_key(|(id, _)| *id)?;
    let sizes = format!("{} / {} pending", own.pending.len(), other.pending.len());
    Some(Difference::new(Class::Pending, format!("{name}: {sizes}, first {}", first.1)))
}

fn shown(name: &Bytes) -> String {
    format!("'{}'", name.escape_ascii())
}
