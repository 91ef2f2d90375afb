//! What the tables hold of a stream's groups, as far as it was loaded.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use super::{Consumer, ConsumerId, Cursor, Group, GroupId, Groups, Nack, StreamId};

/// Something of a stream's groups in the tables. The first name is the group's, others are consumers'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupPart {
    /// A group, and [`Bounds`] if so asked.
    Group {
        name: Bytes,
        bounds: bool,
    },
    /// The highest number that a group has.
    HighestGroup,
    Consumers(Bytes, BTreeSet<Bytes>),
    /// So many entries after the group's cursor.
    New(Bytes, i64),
    /// So many entries after an id.
    After(StreamId, i64),
    /// These entries, with their fields or only whether they are there.
    Entries {
        ids: BTreeSet<StreamId>,
        fields: bool,
    },
    /// What of these ids is pending.
    Pending(Bytes, BTreeSet<StreamId>),
    /// So many pending entries from an id on, and whether there are such entries.
    Scan {
        group: Bytes,
        from: StreamId,
        limit: i64,
    },
    /// So many pending entries of a consumer from an id on, and these entries.
    History {
        group: Bytes,
        consumer: Bytes,
        from: StreamId,
        limit: i64,
    },
    /// How many entries a consumer has pending.
    Count(Bytes, Bytes),
}

impl GroupPart {
    /// Whether this part is now enough for what the other one asks.
    pub fn absorb(&mut self, other: &GroupPart) -> bool {
        match (self, other) {
            (GroupPart::Group { name, bounds }, GroupPart::Group { name: other, bounds: wanted })
                if name == other =>
            {
                *bounds |= wanted;
            }
            (GroupPart::Consumers(a, names), GroupPart::Consumers(b, more)) if a == b => {
                names.extend(more.iter().cloned());
            }
            (GroupPart::New(a, size), GroupPart::New(b, more)) if a == b => {
                *size = size.saturating_add(*more)
            }
            (GroupPart::After(a, size), GroupPart::After(b, more)) if a == b => {
                *size = size.saturating_add(*more);
            }
            (GroupPart::Entries { ids, fields }, GroupPart::Entries { ids: more, fields: wanted }) => {
                ids.extend(more);
                *fields |= wanted;
            }
            (GroupPart::Pending(a, ids), GroupPart::Pending(b, more)) if a == b => ids.extend(more),
            (a, b) => return a == b,
        }
        true
    }
}

/// A group's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedGroup {
    pub id: GroupId,
    pub version: i64,
    pub cursor: Cursor,
    pub bounds: Option<Bounds>,
}

/// What a delivery must know besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first entry that is pending.
    pub first_pending: Option<StreamId>,
    /// Whether entries after the cursor are pending.
    pub ahead: bool,
    /// The stream's first entry.
    pub first_entry: Option<StreamId>,
}

/// A consumer's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedConsumer {
    pub id: ConsumerId,
    pub version: i64,
    pub seen_at: i64,
    pub active_at: Option<i64>,
}

/// A pending entry's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedNack {
    pub id: StreamId,
    pub nack: Nack,
}

/// An entry, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadedEntry {
    Absent,
    Present,
    Fields(Bytes),
}

/// Consecutive entries of the tables after an id.
#[derive(Debug, Clone)]
pub struct Run {
    pub after: StreamId,
    pub ids: Vec<StreamId>,
    /// Whether there are no more.
    pub all: bool,
}

impl Run {
    /// Whether it tells what follows this id.
    pub fn covers(&self, id: StreamId) -> bool {
        self.after <= id && (self.all || self.ids.last().is_some_and(|last| id < *last))
    }
}

/// A group, maybe one of its consumers, and an id to begin at.
pub type ListKey = (GroupId, Option<ConsumerId>, StreamId);

#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub groups: HashMap<Bytes, Option<LoadedGroup>>,
    pub highest_group: Option<GroupId>,
    /// The stream's first entry in the tables.
    pub first_entry: Option<Option<StreamId>>,
    pub consumers: HashMap<(GroupId, Bytes), Option<LoadedConsumer>>,
    pub nacks: HashMap<(GroupId, StreamId), Option<Nack>>,
    pub entries: HashMap<StreamId, LoadedEntry>,
    pub runs: Vec<Run>,
    /// Pending entries, and whether these are all.
    pub lists: HashMap<ListKey, (Vec<StreamId>, bool)>,
    pub counts: HashMap<(GroupId, ConsumerId), i64>,
}

impl LoadedGroup {
    pub fn group(&self) -> Group {
        Group { id: self.id, cursor: self.cursor, stored: true }
    }

    /// No entry below it is pending.
    pub fn first_pending(&self) -> StreamId {
        match self.bounds {
            Some(bounds) => bounds.first_pending.unwrap_or(StreamId::MAX),
            None => self.cursor.pending_from,
        }
    }

    /// Whether entries after the cursor may be pending.
    pub fn is_ahead(&self) -> bool {
        self.bounds.is_none_or(|bounds| bounds.ahead)
    }
}

impl LoadedConsumer {
    pub fn consumer(&self) -> Consumer {
        Consumer { id: self.id, seen_at: self.seen_at, active_at: self.active_at, stored: true }
    }
}

/// What the tables answer. Groups come before what belongs to them.
impl Groups {
    pub fn put_loaded_group(&mut self, name: &Bytes, group: Option<LoadedGroup>) {
        if let Some(bounds) = group.and_then(|group| group.bounds) {
            self.loaded.first_entry = Some(bounds.first_entry);
        }
        self.loaded.groups.insert(name.clone(), group);
    }

    pub fn put_highest_group(&mut self, highest: GroupId) {
        self.loaded.highest_group = Some(highest);
    }

    pub fn put_loaded_consumer(&mut self, group: &Bytes, name: &Bytes, consumer: Option<LoadedConsumer>) {
        if let Some(group) = self.loaded_group(group) {
            self.loaded.consumers.insert((group.id, name.clone()), consumer);
        }
    }

    /// For [`GroupPart::New`] and [`GroupPart::After`].
    pub fn put_run(&mut self, part: &GroupPart, entries: Vec<(StreamId, Bytes)>) {
        let (after, limit) = match part {
            GroupPart::New(group, limit) => match self.loaded_group(group) {
                Some(group) => (group.cursor.last_id, *limit),
                None => return,
            },
            GroupPart::After(after, limit) => (*after, *limit),
            _ => return,
        };
        let ids: Vec<StreamId> = entries.iter().map(|(id, _)| *id).collect();
        let all = (ids.len() as i64) < limit;
        self.loaded.runs.push(Run { after, ids, all });
        self.loaded.entries.extend(entries.into_iter().map(|(id, fields)| (id, LoadedEntry::Fields(fields))));
    }

    pub fn put_entries(&mut self, ids: &BTreeSet<StreamId>, found: Vec<(StreamId, LoadedEntry)>) {
        for id in ids {
            self.loaded.entries.entry(*id).or_insert(LoadedEntry::Absent);
        }
        self.put_found(found);
    }

    fn put_found(&mut self, found: Vec<(StreamId, LoadedEntry)>) {
        for (id, entry) in found {
            let known = self.loaded.entries.entry(id).or_insert(LoadedEntry::Absent);
            if !matches!(known, LoadedEntry::Fields(_)) {
                *known = entry;
            }
        }
    }

    pub fn put_nacks(&mut self, group: &Bytes, ids: &BTreeSet<StreamId>, found: Vec<LoadedNack>) {
        let Some(LoadedGroup { id: group, .. }) = self.loaded_group(group) else { return };
        for id in ids {
            self.loaded.nacks.entry((group, *id)).or_insert(None);
        }
        for LoadedNack { id, nack } in found {
            self.loaded.nacks.insert((group, id), Some(nack));
        }
    }

    /// For [`GroupPart::Scan`] and [`GroupPart::History`].
    pub fn put_list(&mut self, part: &GroupPart, found: Vec<(LoadedNack, LoadedEntry)>) {
        let (group, consumer, from, limit) = match part {
            GroupPart::Scan { group, from, limit } => (group, None, *from, *limit),
            GroupPart::History { group, consumer, from, limit } => (group, Some(consumer), *from, *limit),
            _ => return,
        };
        let Some(LoadedGroup { id: group, .. }) = self.loaded_group(group) else { return };
        let consumer = match consumer {
            None => None,
            Some(name) => match self.loaded.consumers.get(&(group, name.clone())) {
                Some(Some(consumer)) => Some(consumer.id),
                _ => return,
            },
        };
        let ids = found.iter().map(|(nack, _)| nack.id).collect();
        let all = (found.len() as i64) < limit;
        self.loaded.lists.insert((group, consumer, from), (ids, all));
        for (LoadedNack { id, nack }, entry) in found {
            self.loaded.nacks.insert((group, id), Some(nack));
            self.put_found(vec![(id, entry)]);
        }
    }

    pub fn put_count(&mut self, group: &Bytes, consumer: &Bytes, count: i64) {
        let Some(LoadedGroup { id: group, .. }) = self.loaded_group(group) else { return };
        if let Some(Some(consumer)) = self.loaded.consumers.get(&(group, consumer.clone())) {
            self.loaded.counts.insert((group, consumer.id), count);
        }
    }

    fn loaded_group(&self, name: &Bytes) -> Option<LoadedGroup> {
        self.loaded.groups.get(name).copied().flatten()
    }
}

/// One consumer.
pub fn consumer_part(group: Bytes, consumer: Bytes) -> GroupPart {
    GroupPart::Consumers(group, BTreeSet::from([consumer]))
}
