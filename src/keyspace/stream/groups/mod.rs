//! Consumer groups of a stream as the commands of a batch see them: what was loaded of the tables, and over it what the commands so far made of
//! it. Knows entries only through [`Stream`].
//!
//! As everywhere in a stream, what is needed and not there is noted as a [`GroupPart`], and the command runs again when it has been loaded.

mod changes;
mod claim;
mod deliver;
mod lag;
mod leave;
mod list;
mod loaded;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

pub use changes::{Changes, Row};
pub use claim::{Claim, Claimed, Swept};
pub use lag::Progress;
pub use leave::{Leaving, Left};
pub use loaded::{Bounds, GroupPart, LoadedConsumer, LoadedEntry, LoadedGroup, LoadedNack};

use super::{NotLoaded, Stream, StreamId};
use loaded::{Loaded, consumer_part};

/// A group's number; unique among a stream's groups, also those that were destroyed and are not swept yet.
pub type GroupId = i32;
/// A consumer's number; unique among a group's, also those that were deleted.
pub type ConsumerId = i32;

/// Where a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last entry delivered.
    pub last_id: StreamId,
    /// How many entries of all that ever were have been passed, if that is known.
    pub entries_read: Option<i64>,
    /// No entry below it is pending.
    pub pending_from: StreamId,
    /// The highest number given to a consumer.
    pub last_consumer: ConsumerId,
}

/// A group that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub cursor: Cursor,
    /// Whether the tables know it; then what was not loaded of it may be in there.
    stored: bool,
}

/// A consumer that is there; times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consumer {
    pub id: ConsumerId,
    /// When it last tried to get something.
    pub seen_at: i64,
    /// When it last got something.
    pub active_at: Option<i64>,
    stored: bool,
}

/// An entry that was delivered and is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nack {
    pub consumer: ConsumerId,
    /// Milliseconds since 1970.
    pub delivered_at: i64,
    pub deliveries: i64,
}

/// The groups of one stream.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    loaded: Loaded,
    /// Groups that commands made or changed; `None` for those that they destroyed.
    groups: HashMap<Bytes, Option<Group>>,
    /// Groups of the tables that were destroyed.
    destroyed: BTreeSet<GroupId>,
    /// The highest number given to a group by commands.
    last_group: GroupId,
    consumers: HashMap<(GroupId, Bytes), Option<Consumer>>,
    /// Consumers of the tables that were deleted, and with them what they had pending.
    deleted: BTreeSet<(GroupId, ConsumerId)>,
    pending: HashMap<GroupId, BTreeMap<StreamId, Option<Nack>>>,
    /// What leaves the groups of a stream with options.
    leaving: Leaving,
    missing: Vec<GroupPart>,
    /// Whether reads of any size are served.
    pub unlimited: bool,
    refused: bool,
    newcomer: bool,
}

impl Groups {
    /// The same groups of another stream.
    pub fn copy(&self) -> Groups {
        Groups { missing: Vec::new(), ..self.clone() }
    }

    /// Forgets what commands did, but not what was loaded.
    pub fn rewind(&mut self) {
        let loaded = std::mem::take(&mut self.loaded);
        *self = Groups { loaded, ..Groups::default() };
    }

    /// Whether a command was refused since the last time because it reads more than befits a batch of many clients.
    pub fn take_refusal(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// Whether a command made a consumer since the last time.
    pub fn take_newcomer(&mut self) -> bool {
        std::mem::take(&mut self.newcomer)
    }

    /// What is needed and not there.
    pub fn missing(&self) -> &[GroupPart] {
        &self.missing
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        !self.groups.is_empty()
            || !self.consumers.is_empty()
            || self.pending.values().any(|pending| !pending.is_empty())
    }

    /// Whether commands destroyed a group, perhaps one that they had made: who waits in it is to know.
    pub fn has_lost_one(&self) -> bool {
        self.groups.values().any(Option::is_none)
    }

    fn note(&mut self, part: GroupPart) {
        for known in &mut self.missing {
            if known.absorb(&part) {
                return;
            }
        }
        self.missing.push(part);
    }

    fn lacks<T>(&mut self, part: GroupPart) -> Result<T, NotLoaded> {
        self.note(part);
        Err(NotLoaded)
    }

    /// The group of this name.
    pub fn group(&mut self, name: &Bytes) -> Result<Option<Group>, NotLoaded> {
        if let Some(group) = self.groups.get(name) {
            return Ok(*group);
        }
        match self.loaded.groups.get(name) {
            Some(group) => Ok(group.as_ref().map(LoadedGroup::group)),
            None => self.lacks(GroupPart::Group { name: name.clone(), bounds: false }),
        }
    }

    /// The consumer of this name.
    fn consumer(
        &mut self,
        name: &Bytes,
        group: &Group,
        consumer: &Bytes,
    ) -> Result<Option<Consumer>, NotLoaded> {
        let key = (group.id, consumer.clone());
        if let Some(consumer) = self.consumers.get(&key) {
            return Ok(*consumer);
        }
        match self.loaded.consumers.get(&key) {
            _ if !group.stored => Ok(None),
            Some(consumer) => Ok(consumer.as_ref().map(LoadedConsumer::consumer)),
            None => self.lacks(consumer_part(name.clone(), key.1)),
        }
    }

    /// What is pending with this id.
    fn nack(&mut self, name: &Bytes, group: &Group, id: StreamId) -> Result<Option<Nack>, NotLoaded> {
        if let Some(nack) = self.pending.get(&group.id).and_then(|pending| pending.get(&id)) {
            return Ok(*nack);
        }
        match self.stored_nack(name, group, id) {
            Some(nack) => Ok(nack.filter(|nack| !self.deleted.contains(&(group.id, nack.consumer)))),
            None => self.lacks(GroupPart::Pending(name.clone(), BTreeSet::from([id]))),
        }
    }

    /// What the tables have pending with this id; `None` if that is not known.
    fn stored_nack(&self, name: &Bytes, group: &Group, id: StreamId) -> Option<Option<Nack>> {
        if !group.stored {
            return Some(None);
        }
        if let Some(nack) = self.loaded.nacks.get(&(group.id, id)) {
            return Some(*nack);
        }
        let known = self.loaded.groups.get(name)?.as_ref()?;
        let untouched = id < known.first_pending() || (id > known.cursor.last_id && !known.is_ahead());
        untouched.then_some(None)
    }

    /// Asks for all of these at once.
    fn know_nacks(&mut self, name: &Bytes, group: &Group, ids: &[StreamId]) -> Result<(), NotLoaded> {
        let known = |id: &StreamId| {
            let made = self.pending.get(&group.id).is_some_and(|pending| pending.contains_key(id));
            made || self.stored_nack(name, group, *id).is_some()
        };
        let unknown: BTreeSet<StreamId> = ids.iter().filter(|id| !known(id)).copied().collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => self.lacks(GroupPart::Pending(name.clone(), unknown)),
        }
    }

    fn put_group(&mut self, name: &Bytes, group: Group) {
        self.groups.insert(name.clone(), Some(group));
    }

    fn put_nack(&mut self, group: &mut Group, id: StreamId, nack: Nack) {
        group.cursor.pending_from = group.cursor.pending_from.min(id);
        self.pending.entry(group.id).or_default().insert(id, Some(nack));
    }

    fn remove_nack(&mut self, group: &Group, id: StreamId) {
        self.pending.entry(group.id).or_default().insert(id, None);
    }

    fn put_consumer(&mut self, group: &Group, name: &Bytes, consumer: Consumer) {
        self.consumers.insert((group.id, name.clone()), Some(consumer));
    }

    /// The consumer, made if it is not there; it has been seen `now`.
    fn see(
        &mut self,
        name: &Bytes,
        group: &mut Group,
        consumer: &Bytes,
        now: i64,
    ) -> Result<Consumer, NotLoaded> {
        let known = self.consumer(name, group, consumer)?;
        let seen = match known {
            Some(known) => Consumer { seen_at: now, ..known },
            None => {
                group.cursor.last_consumer += 1;
                let id = group.cursor.last_consumer;
                self.put_group(name, *group);
                self.newcomer = true;
                Consumer { id, seen_at: now, active_at: None, stored: false }
            }
        };
        self.put_consumer(group, consumer, seen);
        Ok(seen)
    }
}

impl Stream {
    /// XGROUP CREATE: whether there was no such group.
    pub fn create_group(
        &mut self,
        name: &Bytes,
        last_id: StreamId,
        entries_read: Option<i64>,
    ) -> Result<bool, NotLoaded> {
        // Asked for together.
        let highest = self.highest_group();
        if self.group(name)?.is_some() {
            return Ok(false);
        }
        let id = highest?.max(self.groups.last_group) + 1;
        self.groups.last_group = id;
        // As long as nothing is pending, any bound is right that is not above what will be.
        let cursor = Cursor { last_id, entries_read, pending_from: StreamId::MAX, last_consumer: 0 };
        self.groups.put_group(name, Group { id, cursor, stored: false });
        Ok(true)
    }

    fn highest_group(&mut self) -> Result<GroupId, NotLoaded> {
        match (self.source, self.groups.loaded.highest_group) {
            (None, _) => Ok(0),
            (_, Some(highest)) => Ok(highest),
            (Some(_), None) => self.groups.lacks(GroupPart::HighestGroup),
        }
    }

    /// The group of this name.
    pub fn group(&mut self, name: &Bytes) -> Result<Option<Group>, NotLoaded> {
        match self.source {
            // Nothing of it is in the tables.
            None => Ok(self.groups.groups.get(name).copied().flatten()),
            Some(_) => self.groups.group(name),
        }
    }

    /// XGROUP SETID.
    pub fn set_group(&mut self, name: &Bytes, group: Group, last_id: StreamId, entries_read: Option<i64>) {
        let cursor = Cursor { last_id, entries_read, ..group.cursor };
        self.groups.put_group(name, Group { cursor, ..group });
    }

    /// XGROUP DESTROY: whether there was such a group.
    pub fn destroy_group(&mut self, name: &Bytes) -> Result<bool, NotLoaded> {
        let Some(group) = self.group(name)? else { return Ok(false) };
        if group.stored {
            self.groups.destroyed.insert(group.id);
        }
        self.groups.groups.insert(name.clone(), None);
        self.groups.consumers.retain(|(of, _), _| *of != group.id);
        self.groups.pending.remove(&group.id);
        Ok(true)
    }

    /// XGROUP CREATECONSUMER: whether there was no such consumer.
    pub fn create_consumer(
        &mut self,
        name: &Bytes,
        mut group: Group,
        consumer: &Bytes,
        now: i64,
    ) -> Result<bool, NotLoaded> {
        if self.groups.consumer(name, &group, consumer)?.is_some() {
            return Ok(false);
        }
        self.groups.see(name, &mut group, consumer, now)?;
        Ok(true)
    }

    /// XGROUP DELCONSUMER: how many entries it had pending, `None` if there is no such consumer.
    pub fn delete_consumer(
        &mut self,
        name: &Bytes,
        group: Group,
        consumer: &Bytes,
    ) -> Result<Option<i64>, NotLoaded> {
        let groups = &mut self.groups;
        let Some(known) = groups.consumer(name, &group, consumer)? else { return Ok(None) };
        let stored = match known.stored {
            false => 0,
            true => match groups.loaded.counts.get(&(group.id, known.id)) {
                Some(count) => *count,
                None => return groups.lacks(GroupPart::Count(name.clone(), consumer.clone())),
            },
        };
        let mut count = stored;
        if let Some(pending) = groups.pending.get_mut(&group.id) {
            for (id, nack) in pending.iter_mut() {
                let before = groups.loaded.nacks.get(&(group.id, *id)).copied().flatten();
                count -= i64::from(before.is_some_and(|nack| nack.consumer == known.id));
                if nack.is_some_and(|nack| nack.consumer == known.id) {
                    count += 1;
                    *nack = None;
                }
            }
        }
        groups.consumers.insert((group.id, consumer.clone()), None);
        if known.stored {
            groups.deleted.insert((group.id, known.id));
        }
        Ok(Some(count))
    }

    /// Notes all that [`Stream::acknowledge`] will need.
    pub fn foresee_acknowledge(&mut self, name: &Bytes, ids: &[StreamId]) {
        if self.source.is_some() && !self.groups.loaded.groups.contains_key(name) {
            self.groups.note(GroupPart::Group { name: name.clone(), bounds: false });
            self.groups.note(GroupPart::Pending(name.clone(), ids.iter().copied().collect()));
        }
    }

    /// XACK: how many of these were pending.
    pub fn acknowledge(&mut self, name: &Bytes, group: &Group, ids: &[StreamId]) -> Result<i64, NotLoaded> {
        self.groups.know_nacks(name, group, ids)?;
        let mut count = 0;
        for &id in ids {
            if let Some(nack) = self.groups.nack(name, group, id)? {
                self.settle(group, id, nack);
                count += 1;
            }
        }
        Ok(count)
    }
}
